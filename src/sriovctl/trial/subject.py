"""Which VMs a failover trial is of: those that are named, or those with a pair on some hosts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sriovctl import rackfile, targets
from sriovctl.errors import UsageError
from sriovctl.rack import Rack
from sriovctl.targets import Target
from sriovctl.trial.away import Away
from sriovctl.trial.setting import check_named, given_addresses, host_of_all, lab_place
from sriovctl.trial.ways import LabPlace, Way


@dataclass(frozen=True)
class Subject:
    """A VM that is tried, and where."""

    vm: str
    target: Target
    """Its host."""
    pair: int
    address: str | None
    """Behind the pair, where the rack file or the user says one."""
    place: LabPlace | None
    taken: list[tuple[Way, Away]] = field(default_factory=list)
    """Whatever of it was taken away so far."""


def is_one(arguments: argparse.Namespace) -> bool:
    """One VM was named, of which everything is told."""
    return len(arguments.vms) == 1


def subjects(arguments: argparse.Namespace) -> tuple[Subject, ...]:
    """The VMs asked for, host by host, in the rack file's order.

    :raises RackError: the rack file says what cannot be
    :raises UsageError: no such VM or host, or none of them has a pair
    """
    path = Path(arguments.rack)
    named: list[str] = list(dict.fromkeys(arguments.vms))
    _check_asked(arguments, path)
    rack = rackfile.load(path)
    for vm in named:
        check_named(rack, vm, path)
    if arguments.together:
        host_of_all(rack, named)
    given = given_addresses(arguments.address or (), named)
    limit = list(dict.fromkeys(map(rack.host_of, named))) if named else arguments.limit
    hosts = targets.of_rack(arguments.rack, limit, arguments.inventory)
    found = tuple(
        _subject(arguments, rack, target, want.name, path, given.get(want.name))
        for target in hosts
        for want in target.wanted.vms
        if (want.name in named if named else want.nics)
    )
    if not found:
        names = ", ".join(target.name for target in hosts)
        raise UsageError(f"no VM of {names} has a pair in {path}", "nothing can fail over")
    return found


def _check_asked(arguments: argparse.Namespace, path: Path) -> None:
    ways_to_say = [bool(arguments.vms), bool(arguments.limit), arguments.all]
    if sum(ways_to_say) != 1:
        raise UsageError(
            "no VM" if not any(ways_to_say) else "two of: VMs, --limit, --all",
            "a trial is of the VMs that are named, or of all that hosts have",
            f"sriovctl trial failover {path} VM, or --limit HOST, or --all",
        )
    if arguments.address and not arguments.vms:
        raise UsageError("--address for VMs without names", "it is one VM's", "name the VMs")
    if arguments.together and not arguments.vms:
        raise UsageError(
            "--together for VMs without names", "they must be of one host", "name them"
        )
    if arguments.picture is not None and not (is_one(arguments) or arguments.together):
        raise UsageError(
            "--picture for several VMs", "it is of one trial", "name one VM, or try them --together"
        )


def _subject(
    arguments: argparse.Namespace,
    rack: Rack,
    target: Target,
    vm: str,
    path: Path,
    given: str | None,
) -> Subject:
    pair, address = pair_and_address(rack, vm, path, given)
    place = None if arguments.lab is None else lab_place(arguments.lab, target.name)
    return Subject(vm, target, pair, address, place)


def pair_and_address(rack: Rack, vm: str, path: Path, given: str | None) -> tuple[int, str | None]:
    """Which of the VM's pairs is tried, and the address behind it, where one is known.

    :raises UsageError: no pair
    """
    pairs = rack.vms[vm].pairs
    known = {
        text.partition("/")[0]: pair
        for pair, written in reversed(list(enumerate(pairs)))
        for text in reversed(written.bond.addresses)
    }
    if not pairs:
        raise UsageError(f"the VM {vm!r} has no pair in {path}", "nothing can fail over")
    if given is not None:
        return known.get(given, 0), given
    if not known:
        return 0, None
    address, pair = list(known.items())[-1]
    return pair, address


def hosts_of(subjects: Sequence[Subject]) -> tuple[Target, ...]:
    """Their hosts, each once, in order."""
    return tuple({one.target.name: one.target for one in subjects}.values())
