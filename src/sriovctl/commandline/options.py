"""Options and kinds of values that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module

Commands = argparse._SubParsersAction  # the type has no public name (typeshed argparse.pyi)


def rack_option(command: argparse.ArgumentParser) -> None:
    """``--rack FILE``."""
    command.add_argument("--rack", metavar="FILE", help="hosts of a rack file")


def limit_option(command: argparse.ArgumentParser) -> None:
    """``--limit HOST``, which can be given several times."""
    command.add_argument(
        "--limit",
        action="append",
        metavar="HOST",
        help="only this host or group, or the hosts of this pattern: web, 'server-*', "
        "'server-[01-10]'; can be given several times",
    )


def fleet_options(command: argparse.ArgumentParser) -> None:
    """``--limit``, ``--inventory`` and ``--connect-timeout``: which hosts, and the way there."""
    limit_option(command)
    way_options(command)


def way_options(command: argparse.ArgumentParser) -> None:
    """``--inventory`` and ``--connect-timeout``: the way to hosts."""
    command.add_argument(
        "--inventory",
        metavar="FILE",
        help="addresses, users, ports and groups of the hosts, from an inventory of Ansible (YAML, "
        "INI, or JSON of ansible-inventory --list) or pyinfra (.py)",
    )
    command.add_argument(
        "--connect-timeout",
        type=seconds,
        default=10,
        metavar="S",
        help="for each of: a connection, the server's first words, logging in (default: 10)",
    )


def json_option(command: argparse._ActionsContainer) -> None:
    """``--json``."""
    command.add_argument("--json", action="store_true", help="for programs")


def run_options(command: argparse.ArgumentParser) -> None:
    """``--confirm-timeout S`` and ``--stage-timeout S``: of a script that runs on a host."""
    command.add_argument(
        "--confirm-timeout",
        type=seconds,
        default=60,
        metavar="S",
        help="a remote host undoes a change of its ports if it is not reached again within this "
        "many seconds (default: 60)",
    )
    command.add_argument(
        "--stage-timeout",
        type=seconds,
        default=600,
        metavar="S",
        help="how long to follow a host's script before giving up on it (default: 600)",
    )


def leg_by_leg_option(command: argparse.ArgumentParser) -> None:
    """``--leg-by-leg``."""
    command.add_argument(
        "--leg-by-leg",
        action="store_true",
        help="change a port that running VMs hold VFs of: they go on over their other leg "
        "meanwhile, one leg at a time",
    )


def assume_option(command: argparse.ArgumentParser) -> None:
    """``--assume-other-leg-up``."""
    command.add_argument(
        "--assume-other-leg-up",
        action="store_true",
        help="a VM that nobody can look into, having no guest agent, is taken to have its other "
        "leg up in a bond",
    )


def bond_timeout(command: argparse.ArgumentParser) -> None:
    """``--bond-timeout S``."""
    command.add_argument(
        "--bond-timeout",
        type=seconds,
        default=30,
        metavar="S",
        help="how long to wait for a VM's bond to have a leg up (default: 30)",
    )


AS_LONG_AS_BONDS = "; --bond-timeout where that is longer, as a leg or a port is moved by it"
"""Of ``--agent-timeout``, in commands that act on what is said."""


def agent_timeout(command: argparse.ArgumentParser, more: str = "") -> None:
    """``--agent-timeout S``.

    :param more: where they get longer
    """
    command.add_argument(
        "--agent-timeout",
        type=seconds,
        default=10,
        metavar="S",
        help="how long the guest agents of running VMs get to say what is inside them (default: 10"
        f"{more})",
    )


def agent_boot_timeout(command: argparse.ArgumentParser, more: str = "") -> None:
    """``--agent-boot-timeout S``.

    :param more: when it is waited for, where that is not always
    """
    command.add_argument(
        "--agent-boot-timeout",
        type=seconds,
        default=60,
        metavar="S",
        help="how long to wait for the guest agent of a VM that may be booting"
        f"{more} (default: 60)",
    )


def above_zero(text: str) -> float:
    """A finite number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def seconds(text: str) -> float:
    """Whole or broken seconds, a finite number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return number


def count(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return number


def verb(name: str, module: str = "verbs") -> Callable[[argparse.Namespace], int]:
    """A function of a module of sriovctl, which is imported only when it is called."""

    def run(arguments: argparse.Namespace) -> int:
        code: int = getattr(import_module(f"sriovctl.{module}"), name)(arguments)
        return code

    return run
