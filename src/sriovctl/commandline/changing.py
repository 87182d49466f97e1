"""``apply`` and ``trust``: what changes a host, or whom to believe."""

from __future__ import annotations

import argparse

from sriovctl.commandline.options import (
    AS_LONG_AS_BONDS,
    Commands,
    agent_boot_timeout,
    agent_timeout,
    assume_option,
    bond_timeout,
    fleet_options,
    json_option,
    leg_by_leg_option,
    limit_option,
    run_options,
    seconds,
    verb,
)
from sriovctl.commandline.trials import failover_of_gate
from sriovctl.waves import Share

IMPACTS = ("vf-reset",)
"""What ``--allow`` takes: the impacts on running VMs that no plan has without being asked, beside
restarts of the host."""


def add_parsers(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add them to the command line, each with its help."""
    _apply(commands)
    _trust(commands)


def _apply(commands: Commands[argparse.ArgumentParser]) -> None:
    apply = commands.add_parser(
        "apply",
        help="make hosts as the rack file wants them",
        description="All steps of a host, or none: what fails is undone. Run again at any moment, "
        "it goes on from what is; with nothing to do it writes nothing. Many hosts are changed in "
        "waves: one alone, then some at a time; each wave is looked at again before the next.",
    )
    apply.add_argument("file", help="rack file, or a plan saved by plan -o")
    fleet_options(apply)
    apply.add_argument(
        "--batch",
        type=share,
        default="10%",
        metavar="N",
        help="how many hosts are changed at the same time, after one alone: a number, or a "
        "percentage of those that there is something to do for (default: 10%%)",
    )
    apply.add_argument(
        "--max-failed",
        type=share,
        default="0",
        metavar="N",
        help="go on with the next wave as long as no more than this many hosts have failed, a "
        "number or a percentage (default: 0)",
    )
    apply.add_argument(
        "--gate",
        metavar="COMMAND",
        help="run by sh after each wave, with the names of its hosts as $1, $2, …; the next wave "
        "comes only if it ends with 0. trial, with options of trial failover ('trial --budget "
        "500'): the failover trial of every VM that runs on the wave's hosts",
    )
    apply.add_argument(
        "--host-timeout",
        type=seconds,
        default=3600,
        metavar="S",
        help="how long a wave waits for one host, restart and all, before it goes on without it "
        "(default: 3600)",
    )
    apply.add_argument(
        "--unnoticed",
        action="store_true",
        help="only what no VM and no connection notices (impact none); a host that needs more is "
        "left as it is",
    )
    apply.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=IMPACTS,
        help="let steps through that do this to running VMs",
    )
    leg_by_leg_option(apply)
    assume_option(apply)
    bond_timeout(apply)
    apply.add_argument(
        "--reboot",
        action="store_true",
        help="restart hosts whose BIOS settings or kernel arguments need it, by the gentlest way; "
        "their VMs are shut down before and started again after",
    )
    apply.add_argument(
        "--force-off",
        type=seconds,
        metavar="S",
        help="cut the power of a host that has not shut down for its power cycle within this many "
        "seconds (default: never)",
    )
    apply.add_argument(
        "--boot-timeout",
        type=seconds,
        default=900,
        metavar="S",
        help="how long to wait for a restarted host to have started (default: 900)",
    )
    agent_timeout(apply, AS_LONG_AS_BONDS)
    agent_boot_timeout(apply)
    run_options(apply)
    json_option(apply)
    apply.set_defaults(run=verb("apply", "applying"), trial=failover_of_gate)


def share(text: str) -> Share:
    """So many hosts, or a percentage of them."""
    try:
        return Share.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _trust(commands: Commands[argparse.ArgumentParser]) -> None:
    trust = commands.add_parser(
        "trust",
        help="are the BMCs the ones that were recorded?",
        description="Shows the certificate and the ssh host key that each BMC shows now, whether "
        "they are the recorded ones, and where to compare. Sends no password. Exit code 0: all is "
        "known. 3: something is new, changed or not checked. Changes nothing without --write.",
    )
    trust.add_argument("rack", help="rack file")
    limit_option(trust)
    trust.add_argument(
        "--write",
        action="store_true",
        help="record what is new: fingerprints in the rack file, host keys in its known_hosts",
    )
    trust.add_argument(
        "--replace", action="store_true", help="with --write: also what is not as recorded"
    )
    trust.add_argument(
        "--timeout",
        type=seconds,
        default=10,
        metavar="S",
        help="how long to wait for a connection, and for an answer (default: 10)",
    )
    json_option(trust)
    trust.set_defaults(run=verb("trust", "trust"))
