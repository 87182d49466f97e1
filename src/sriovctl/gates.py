"""What stands between the waves of an apply: the operator's command, or a failover trial."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.targets import Target

Gate = Callable[[Sequence[Target]], str | None]
"""Given the changed hosts of a wave: why there is no next one, or None."""


def gate(arguments: argparse.Namespace, *, saved: bool) -> Gate:
    """What ``--gate`` asks for: ``trial`` with options of it, or a command for ``sh``.

    :param arguments: of ``apply``
    :param saved: a saved plan is applied
    :raises UsageError: no such trial can be made
    """
    line: str | None = arguments.gate
    if line is None:
        return lambda _: None
    if line.split()[:1] != ["trial"]:
        return lambda wave: _command(line, wave, quiet=arguments.json)
    if saved:
        raise UsageError(
            "--gate trial with a saved plan",
            "a trial needs the rack file: it says which VMs have pairs, and their addresses",
            "apply the rack file, or name a command: --gate 'sriovctl trial failover RACK --all'",
        )
    try:
        words = shlex.split(line)[1:]
    except ValueError as error:
        raise UsageError(f"--gate {shlex.quote(line)}: {error}") from None
    asked = _trial_asked(arguments, words)
    return lambda wave: _trial(asked, wave, quiet=arguments.json)


def _command(line: str, wave: Sequence[Target], *, quiet: bool) -> str | None:
    """Run the operator's own gate with the names of a wave's hosts as ``$1``, ``$2``, …"""
    # our own output comes before the gate's
    sys.stdout.flush()
    words = ["sh", "-c", line, "sh", *(target.name for target in wave)]
    done = subprocess.run(words, stdout=sys.stderr if quiet else None, check=False)
    return None if done.returncode == 0 else f"the gate said {done.returncode}: {line}"


def _trial_asked(arguments: argparse.Namespace, words: Sequence[str]) -> argparse.Namespace:
    """
    :raises UsageError: it names VMs or hosts
    """
    asked: argparse.Namespace = arguments.trial([arguments.file, *words])
    for name in ("ssh_config", "inventory", "connect_timeout"):
        setattr(asked, name, getattr(arguments, name))
    if asked.vms or asked.limit or asked.all:
        raise UsageError(
            f"--gate {shlex.quote(arguments.gate)} names VMs or hosts",
            "it tries the VMs of the hosts that were just changed",
            "leave them out",
        )
    return asked


def _trial(asked: argparse.Namespace, wave: Sequence[Target], *, quiet: bool) -> str | None:
    """The failover trial of every VM with a pair that runs on a wave's hosts."""
    from sriovctl.trial.command import failover

    limit = [target.name for target in wave if any(vm.nics for vm in target.wanted.vms)]
    if not limit:
        return None
    try:
        with redirect_stdout(sys.stderr if quiet else sys.stdout):
            code = failover(argparse.Namespace(**{**vars(asked), "limit": limit}))
    except SriovctlError as error:
        return f"the failover trial could not be made: {error.found}"
    return None if code == 0 else f"the failover trial ended with {code}"
