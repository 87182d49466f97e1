"""The command ``trial failover``: who, from where, how; the rest is in the other modules."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sriovctl import rackfile, reconcile, targets
from sriovctl.errors import HostError, UsageError
from sriovctl.host import PF, HostState
from sriovctl.identity import identify
from sriovctl.rack import Rack
from sriovctl.reach import Reach
from sriovctl.targets import Target
from sriovctl.trial import picture, store
from sriovctl.trial.away import Away
from sriovctl.trial.failover import (
    BOUND_S,
    Pace,
    Trial,
    check_permitted,
    differences,
    legs_of,
    reach_of,
)
from sriovctl.trial.learned import learned, watched_switches
from sriovctl.trial.monitor import Monitor, of_guest, of_rack
from sriovctl.trial.result import Result, measure
from sriovctl.trial.sender import Sender
from sriovctl.trial.setting import (
    Sending,
    address_by_agent,
    check_named,
    end_as_from_the_keyboard,
    lab_place,
    only,
    running,
    say,
    say_nothing,
    sent_from,
    write,
)
from sriovctl.trial.ways import UNASKED, LabPlace, Way, WayName

DIFFERS = 3


def failover(arguments: argparse.Namespace) -> int:
    """``sriovctl trial failover``: real outages of a VM's legs, measured.

    :returns: 0; 3: an outage was longer than the budget, or not over
    """
    path = Path(arguments.rack)
    rack = rackfile.load(path)
    check_named(rack, arguments.vm, path)
    pair, address = _pair_and_address(rack, arguments.vm, path, arguments.address)
    (target,) = targets.of_rack(arguments.rack, [rack.host_of(arguments.vm)])
    place = None if arguments.lab is None else lab_place(arguments.lab, target.name)
    taken: list[tuple[Way, Away]] = []
    end_as_from_the_keyboard()

    def work(sending: Sending, host: Reach, target: Target) -> Result:
        return _trial(arguments, target, pair, address, place, host, sending, taken)

    def trial(sending: Sending) -> Result:
        done = targets.each((target,), partial(work, sending), ssh_config=arguments.ssh_config)
        return only(done)

    try:
        result = sent_from(arguments.sender, place, arguments.ssh_config, trial)
    except BaseException:
        _give_back(taken, target, place, arguments.ssh_config)
        raise
    document = result.as_json()
    store.keep("failover", rack.rack, arguments.vm, document)
    if arguments.picture is not None:
        write(arguments.picture, picture.svg(result))
    if arguments.json:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        from sriovctl.trial.table import print_result

        print_result(result)
    return 0 if result.held else DIFFERS


def _trial(
    arguments: argparse.Namespace,
    target: Target,
    pair: int,
    known: str | None,
    place: LabPlace | None,
    host: Reach,
    sending: Sending,
    taken: list[tuple[Way, Away]],
) -> Result:
    """The trial itself, once both ways are there: to the VM's host, and to the sender."""
    before = reconcile.look(host)
    vm = running(arguments.vm, before)
    address = known or address_by_agent(host, vm.name)
    legs = legs_of(vm, _macs(target, vm.name, pair, before), before)
    ways: tuple[WayName, ...] = tuple(arguments.way or UNASKED)
    if not arguments.force:
        check_permitted(vm.name, legs, ways, host, before)
    monitor = _monitor(arguments, pair, place)
    back_s = arguments.back + (monitor.updelay_ms / 1000 if monitor else 0.0)
    pace = Pace(arguments.rate, arguments.away, back_s, arguments.patience)
    # each round, and its answers; far more than it takes, and yet an end
    most_s = 2 * len(ways) * (arguments.away + back_s + 4 * arguments.patience + BOUND_S)
    telling = say_nothing if arguments.json else say
    prefix = (*sending.prefix, sending.python)
    sender = Sender(sending.reach, prefix, address, arguments.rate, most_s)
    trial = Trial(vm, legs, ways, pace, host, sender, place, telling, taken)
    with watched_switches(place, most_s) as moves:
        probes = trial.run()
    _check_as_before(target, before, reconcile.look(host))
    macs = [leg.vf.mac or "" for leg in legs]
    return Result(
        date=store.now(),
        host=target.name,
        vm=vm.name,
        address=address,
        sent_from=sending.reach.name,
        rate=arguments.rate,
        monitor=monitor,
        budget_ms=arguments.budget,
        probes=tuple(probes),
        measured=measure(trial.rounds, probes, partial(learned, sender.announcements, moves, macs)),
        skipped=tuple(trial.skipped),
    )


def _pair_and_address(rack: Rack, vm: str, path: Path, given: str | None) -> tuple[int, str | None]:
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


def _macs(target: Target, vm: str, pair: int, state: HostState) -> dict[str, str]:
    """The addresses of a pair's cards, by the PF's interface name."""
    assert target.want is not None
    ports = {want.name: identify(want, state) for want in target.want.pfs}
    nics = [nic for want in target.want.vms if want.name == vm for nic in want.nics]
    found = [(ports[nic.leg], nic.mac) for nic in nics if nic.pair == pair]
    return {pf.name: mac for pf, mac in found if isinstance(pf, PF) and pf.name}


def _monitor(arguments: argparse.Namespace, pair: int, place: LabPlace | None) -> Monitor | None:
    """What the guest's bond watches by: in a lab the guest says it, else the rack file may."""
    if place is not None:
        return of_guest(place.lab, arguments.vm)
    rack = rackfile.load(Path(arguments.rack))
    return of_rack(rack.vms[arguments.vm].pairs[pair].bond)


def _check_as_before(target: Target, before: HostState, after: HostState) -> None:
    """Everything is back, or an error."""
    if found := list(differences(before, after)):
        raise HostError(
            f"{target.name} is not as it was before the trial: {'; '.join(found)}",
            "every leg was given back, and its driver did not give all of this back with it",
            "sriovctl apply RACK",
        )


def _give_back(
    taken: Sequence[tuple[Way, Away]],
    target: Target,
    place: LabPlace | None,
    ssh_config: str | None,
) -> None:
    """Whatever is away when the trial is broken off; what is back already costs nothing."""

    def work(host: Reach, _: Target) -> None:
        for way, away in taken:
            away.give_back(reach_of(way, host, place))

    if any(not away.ended for _, away in taken):
        sys.stderr.write("sriovctl: the leg is given back\n")
        only(targets.each((target,), work, ssh_config=ssh_config))
