"""``leg``: a PF out of running VMs and in again."""

from __future__ import annotations

import argparse

from sriovctl.commandline.options import (
    AS_LONG_AS_BONDS,
    Commands,
    agent_boot_timeout,
    agent_timeout,
    assume_option,
    bond_timeout,
    json_option,
    run_options,
    verb,
    way_options,
)


def add_parsers(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add them to the command line, each with its help."""
    leg = commands.add_parser("leg", help="free a port under running VMs, and give it back")
    ways = leg.add_subparsers(metavar="WAY", required=True)
    out = ways.add_parser(
        "out",
        help="unplug a port's VFs from running VMs, which go on over their other leg",
        description="Every running VM with a VF of the port must have its other leg up, as its own "
        "kernel has it. Traffic goes over to that leg, then the VFs are unplugged and the port's "
        "pool is stopped. The VMs' definitions stay as they are. Exit code 4: a VM has no other "
        "leg up; nothing was changed.",
    )
    back = ways.add_parser(
        "in",
        help="make the port as wanted and plug its VFs in again",
        description="VFs and pool as the rack file wants them, then the cards that VMs have in "
        "their definition are plugged in, and their bonds are waited for. Can be run at any "
        "moment; apply does the same.",
    )
    for command, name in ((out, "out"), (back, "back")):
        command.add_argument("rack", help="rack file")
        command.add_argument("host", help="a host of it")
        command.add_argument("pf", help="a port of that host, as the rack file calls it")
        way_options(command)
        run_options(command)
        bond_timeout(command)
        agent_timeout(command, AS_LONG_AS_BONDS)
        agent_boot_timeout(command)
        json_option(command)
        command.set_defaults(run=verb(name, "legverbs"))
    assume_option(out)
