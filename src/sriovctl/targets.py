"""Which hosts a command is about, and the way to each."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sriovctl import rackfile
from sriovctl.errors import SriovctlError, UsageError
from sriovctl.inventory import read as read_inventory
from sriovctl.inventoryfacts import Known
from sriovctl.planfile import SavedPlan
from sriovctl.reach import LocalReach, Reach
from sriovctl.selection import chosen
from sriovctl.shell import command
from sriovctl.wanted import HostWant

T = TypeVar("T")

HERE = "local"
"""As ``address:`` in a rack file: the machine on which sriovctl runs."""


@dataclass(frozen=True)
class Target:
    """A host, how it is reached, and what is wanted of it."""

    name: str
    address: str | None = None
    """For ssh; None: the name. :data:`HERE`: this machine."""
    port: int | None = None
    user: str | None = None
    want: HostWant | None = None

    @property
    def wanted(self) -> HostWant:
        """What is wanted of it, where a rack file or a plan says so."""
        assert self.want is not None
        return self.want

    @property
    def is_here(self) -> bool:
        """Is it this machine? It is where the rack file says so, or its name is this host's."""
        if self.address is not None:
            return self.address == HERE
        name = socket.gethostname()
        return self.name in (name, name.partition(".")[0])


def of_host(text: str | None) -> Target:
    """A host as typed: ``[user@]name[:port]``, an IPv6 address in brackets; None: this machine.

    :raises UsageError: it is nothing like that
    """
    if text is None:
        return Target(name=socket.gethostname(), address=HERE)
    match = re.fullmatch(r"(?:([^@\s]+)@)?(\[[0-9a-fA-F:.%]+\]|[^@:\s\[\]]+)(?::(\d{1,5}))?", text)
    if match is None or match[2].startswith("-"):
        raise UsageError(f"{text!r} is no host", "", "name it as [user@]name[:port]")
    if "/" in match[2]:
        raise UsageError(f"{text!r} is no host", "", f"a rack file's hosts: --rack {command(text)}")
    name = match[2].strip("[]")
    return Target(name=name, port=int(match[3]) if match[3] else None, user=match[1])


def of_rack(
    path: str, limit: Sequence[str] | None, inventory: str | None = None
) -> tuple[Target, ...]:
    """The hosts of a rack file, those of ``limit`` only where it is given.

    :param inventory: a file that says the way to hosts for which the rack file does not
    :raises RackError: the file says what cannot be
    :raises UsageError: a host that it does not have; an inventory that knows none of them
    """
    known = None if inventory is None else read_inventory(Path(inventory))
    groups = {} if known is None else known.groups
    hosts = rackfile.hosts_of(Path(path), limit, groups)
    ways = {} if known is None else known.hosts
    if known is not None and not any(want.name in ways for want, _ in hosts):
        raise UsageError(
            f"{inventory} knows none of the hosts of {path}",
            "the names must be the same in both",
            f"see its names: sriovctl show --inventory {command(str(inventory))}",
        )
    return _told_apart(
        Target(
            name=want.name,
            address=host.address or way.address,
            port=host.port or way.port,
            user=host.user or way.user,
            want=want,
        )
        for want, host in hosts
        for way in (ways.get(want.name, Known(want.name)),)
    )


def of_inventory(path: str, limit: Sequence[str] | None) -> tuple[Target, ...]:
    """The hosts of an inventory, those of ``limit`` only where it is given.

    :raises UsageError: it cannot be read, or lacks what is asked for
    """
    known = read_inventory(Path(path))
    return _told_apart(
        Target(name=way.name, address=way.address, port=way.port, user=way.user)
        for way in (
            known.hosts[name] for name in chosen(limit, list(known.hosts), known.groups, path)
        )
    )


def _told_apart(targets: Iterable[Target]) -> tuple[Target, ...]:
    """The same; no two of them are one machine under two names.

    :raises UsageError: two are
    """
    first: dict[tuple[str, int | None], Target] = {}
    for target in targets:
        other = first.setdefault((target.address or target.name, target.port), target)
        if other is not target:
            raise UsageError(
                f"{other.name} and {target.name} are one machine: both are at {target.address}",
                "it would be worked on twice at the same time",
                "take one of them out, or leave it out with --limit",
            )
    return tuple(first.values())


def of_plan(saved: SavedPlan) -> Target:
    """The host that a saved plan was made for."""
    return Target(
        name=saved.want.name,
        address=saved.address,
        port=saved.port,
        user=saved.user,
        want=saved.want,
    )


def each(
    targets: Sequence[Target],
    work: Callable[[Reach, Target], T],
    *,
    ssh_config: str | None = None,
    connect_s: float | None = None,
    host_s: float | None = None,
    need_root: bool = True,
    at_once: int = 100,
) -> dict[str, T | SriovctlError]:
    """Do some work on every host, remote ones at the same time, then this machine.

    :param work: gets the way to the host; what it returns or raises is the host's result
    :param ssh_config: file, for remote hosts
    :param connect_s: seconds for each part of connecting to a remote host; None: as
        :class:`sriovctl.fleet.Patience` has it
    :param host_s: seconds after which a remote host is given up; None: never
    :param need_root: False for looking only
    :param at_once: remote hosts that are worked on at any time
    :returns: by host name, in the targets' order
    """
    results: dict[str, T | SriovctlError] = {}
    remote = [target for target in targets if not target.is_here]
    if remote:
        # first of all, since it makes the standard library's sockets cooperative
        from sriovctl import fleet

        by_name = {target.name: target for target in remote}
        results.update(
            fleet.run_each(
                [
                    fleet.Address(
                        name=target.name,
                        hostname=target.address or target.name,
                        port=target.port,
                        user=target.user,
                    )
                    for target in remote
                ],
                lambda reach: work(reach, by_name[reach.name]),
                ssh_config=ssh_config,
                patience=fleet.Patience() if connect_s is None else fleet.Patience(connect_s),
                host_s=host_s,
                at_once=at_once,
            )
        )
    for target in targets:
        if target.is_here:
            try:
                results[target.name] = work(LocalReach(target.name, need_root=need_root), target)
            except SriovctlError as error:
                results[target.name] = error
    return {target.name: results[target.name] for target in targets}
