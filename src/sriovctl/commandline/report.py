"""``report``, ``metrics``: the room for people, and for Prometheus."""

from __future__ import annotations

import argparse

from sriovctl.commandline.options import Commands, agent_timeout, fleet_options, seconds, verb


def add_parsers(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add them to the command line, each with its help."""
    _report(commands)
    _metrics(commands)


def _report(commands: Commands[argparse.ArgumentParser]) -> None:
    report = commands.add_parser(
        "report",
        help="the room as one page: switches, hosts, VMs, and what check finds",
        description="Looks at every host as check does and draws the room: one HTML page that "
        "needs nothing else, or the drawing alone. Exit code 0 whatever was found: that is in the "
        "page. Changes nothing.",
    )
    report.add_argument("rack", help="rack file")
    fleet_options(report)
    agent_timeout(report)
    report.add_argument(
        "-o", "--output", metavar="FILE", help="write it there (default: standard output)"
    )
    report.add_argument("--svg", action="store_true", help="the drawing alone, as SVG")
    report.set_defaults(run=verb("report", "report"))


def _metrics(commands: Commands[argparse.ArgumentParser]) -> None:
    metrics = commands.add_parser(
        "metrics",
        help="the room in numbers, for Prometheus",
        description="Looks at every host as check does and tells VFs, links, drift and trials in "
        "Prometheus' text format: once, for node_exporter's textfile collector, or over HTTP. "
        "Exit code 0 whatever was found: that is in the numbers. Changes nothing.",
    )
    metrics.add_argument("rack", help="rack file")
    fleet_options(metrics)
    agent_timeout(metrics)
    way = metrics.add_mutually_exclusive_group()
    way.add_argument(
        "-o", "--output", metavar="FILE", help="write it there, whole (default: standard output)"
    )
    way.add_argument(
        "--listen",
        type=_address,
        metavar="[ADDRESS:]PORT",
        help="answer over HTTP there until interrupted (ADDRESS: 127.0.0.1 if left out)",
    )
    metrics.add_argument(
        "--every",
        type=seconds,
        default=60,
        metavar="S",
        help="with --listen: look again so many seconds after the last look (default: 60)",
    )
    metrics.set_defaults(run=verb("metrics", "metrics"))


def _address(text: str) -> tuple[str, int]:
    """Where to listen."""
    address, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no [ADDRESS:]PORT")
    return address.strip("[]") or "127.0.0.1", int(port)
