"""``report``: the room as a page."""

from __future__ import annotations

import argparse

from sriovctl.commandline.options import Commands, fleet_options, verb


def add_parsers(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add it to the command line, with its help."""
    report = commands.add_parser(
        "report",
        help="the room as one page: switches, hosts, VMs, and what check finds",
        description="Looks at every host as check does and draws the room: one HTML page that "
        "needs nothing else, or the drawing alone. Exit code 0 whatever was found: that is in the "
        "page. Changes nothing.",
    )
    report.add_argument("rack", help="rack file")
    fleet_options(report)
    report.add_argument(
        "-o", "--output", metavar="FILE", help="write it there (default: standard output)"
    )
    report.add_argument("--svg", action="store_true", help="the drawing alone, as SVG")
    report.set_defaults(run=verb("report", "report"))
