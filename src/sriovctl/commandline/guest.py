"""``guest-config``: what belongs inside a VM."""

from __future__ import annotations

import argparse

from sriovctl.commandline.options import Commands, json_option, verb

NETWORK_SYSTEMS = ("networkd", "netplan", "networkmanager", "ifcfg", "ifupdown", "cloud-init")
"""What ``--as`` takes; :data:`sriovctl.netconf.SYSTEMS`, which is not light to import."""


def add_parsers(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add them to the command line, each with its help."""
    _guest_config(commands)


def _guest_config(commands: Commands[argparse.ArgumentParser]) -> None:
    guest = commands.add_parser(
        "guest-config",
        help="the files of the bond inside a VM",
        description="Prints the files that make the bond over a VM's pair of VFs, in the words of "
        "the guest's network system, each after its path. Reads the rack file only.",
    )
    guest.add_argument("rack", help="rack file")
    guest.add_argument("vm", help="a VM of it")
    guest.add_argument(
        "--as", dest="system", choices=NETWORK_SYSTEMS, required=True, help="the network system"
    )
    form = guest.add_mutually_exclusive_group()
    form.add_argument("-o", "--output", metavar="DIR", help="write them as a tree under DIR")
    form.add_argument("--drive", metavar="FILE", help="write them as a config drive, an ISO image")
    json_option(form)
    guest.set_defaults(run=verb("guest_config", "guestconfig"))
