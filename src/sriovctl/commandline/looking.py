"""``show``, ``check``, ``plan``, ``init``, ``schema``: what is, what should be, how they differ."""

from __future__ import annotations

import argparse

from sriovctl.commandline.options import (
    Commands,
    agent_timeout,
    assume_option,
    fleet_options,
    json_option,
    leg_by_leg_option,
    rack_option,
    verb,
)


def add_parsers(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add them to the command line, each with its help."""
    _show(commands)
    _check(commands)
    _plan(commands)
    _init(commands)
    _schema(commands)


def _show(commands: Commands[argparse.ArgumentParser]) -> None:
    show = commands.add_parser(
        "show",
        help="the whole chain of a host as it is",
        description="Probes a host once and shows its IOMMU, PFs, VFs and who holds them, pools "
        "and VMs. Changes nothing.",
    )
    show.add_argument("host", nargs="?", help="user@host[:port]; this machine if left out")
    rack_option(show)
    fleet_options(show)
    json_option(show)
    show.set_defaults(run=verb("show"))


def _check(commands: Commands[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="is every host as the rack file wants it?",
        description="Exit code 0: as wanted. 3: something differs or cannot be, or a running VM "
        "would go silent at a failover, as its guest agent has it. 4: blocked by "
        "something in use. Changes nothing.",
    )
    check.add_argument("rack", help="rack file")
    check.add_argument(
        "--all",
        action="store_true",
        help="for cron: every host, a line for each that is not as wanted, and nothing if all are",
    )
    fleet_options(check)
    agent_timeout(check)
    json_option(check)
    check.set_defaults(run=verb("check"))


def _plan(commands: Commands[argparse.ArgumentParser]) -> None:
    plan = commands.add_parser(
        "plan",
        help="what apply would do, and why",
        description="Shows every step with its reason. Exit code 0: nothing to do. 3: there is. "
        "4: blocked by something in use. Changes nothing.",
    )
    plan.add_argument("rack", help="rack file")
    fleet_options(plan)
    agent_timeout(plan)
    leg_by_leg_option(plan)
    assume_option(plan)
    form = plan.add_mutually_exclusive_group()
    json_option(form)
    form.add_argument(
        "--script", action="store_true", help="the sh script that apply would run, to read or carry"
    )
    plan.add_argument("-o", "--output", metavar="FILE", help="save the plan for apply (as root)")
    plan.set_defaults(run=verb("plan"))


def _init(commands: Commands[argparse.ArgumentParser]) -> None:
    init = commands.add_parser(
        "init",
        help="a first rack file, from hosts as they are",
        description="Prints a rack file that says what hosts have now: ports, VFs, pools and VMs, "
        "and who makes the VFs again at boot. What a rack file cannot say is told in its comments.",
    )
    init.add_argument(
        "--from",
        dest="hosts",
        nargs="+",
        metavar="HOST",
        help="user@host[:port]; this machine if left out",
    )
    init.add_argument("--rack-name", default="rack", metavar="NAME", help="(default: rack)")
    init.set_defaults(run=verb("init"))


def _schema(commands: Commands[argparse.ArgumentParser]) -> None:
    schema = commands.add_parser("schema", help="JSON schema of what is read and printed")
    schema.add_argument("kind", nargs="?", choices=("rack", "host", "plan"), default="rack")
    schema.set_defaults(run=verb("schema"))
