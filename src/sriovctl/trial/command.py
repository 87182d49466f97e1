"""The command ``trial failover``: who, from where, how; the rest is in the other modules."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sriovctl import rackfile, reconcile, targets
from sriovctl.errors import HostError
from sriovctl.host import PF, VM, HostState
from sriovctl.identity import identify
from sriovctl.observer import WAITING
from sriovctl.reach import Reach
from sriovctl.targets import Target
from sriovctl.trial import picture, store
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
    end_as_from_the_keyboard,
    only,
    running,
    say,
    say_nothing,
    sent_from,
    write,
)
from sriovctl.trial.several import Ended, Several
from sriovctl.trial.subject import Subject, is_one, subjects
from sriovctl.trial.telling import DIFFERS, Telling
from sriovctl.trial.ways import UNASKED, Leg, WayName


def failover(arguments: argparse.Namespace) -> int:
    """``sriovctl trial failover``: real outages of VMs' legs, measured.

    :returns: 0; 3: an outage was longer than the budget, or not over; of several VMs the highest
    """
    chosen = subjects(arguments)
    end_as_from_the_keyboard()
    if is_one(arguments):
        return _tell(arguments, _one(arguments, chosen[0]))
    with Telling(chosen, silent=arguments.json) as telling:
        ended = _in_turn(arguments, chosen, telling)
    return telling.sum_up(ended)


def _one(arguments: argparse.Namespace, subject: Subject) -> Result:
    telling = say_nothing if arguments.json else say

    def work(host: Reach, _: Target) -> Result:
        return _trial(arguments, subject, host, telling)

    with _given_back(arguments, (subject,)):
        return only(targets.each((subject.target,), work, **_way(arguments)))


def _in_turn(
    arguments: argparse.Namespace, chosen: Sequence[Subject], telling: Telling
) -> dict[str, Ended]:
    def trial(one: Subject, host: Reach) -> Result:
        return _trial(arguments, one, host, partial(telling.doing, one))

    def runs(one: Subject, host: Reach) -> bool:
        state = reconcile.look(host)
        guest = state.vm_named(one.vm)
        if not arguments.vms and (guest is None or not guest.running):
            return False
        _permitted(arguments, one, host, state)
        telling.doing(one, WAITING)
        return True

    with _given_back(arguments, chosen):
        each = partial(targets.each, **_way(arguments))
        return Several(each, runs, trial, telling.ended).run(chosen)


def _way(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"ssh_config": arguments.ssh_config, "connect_s": arguments.connect_timeout}


def _tell(arguments: argparse.Namespace, result: Result) -> int:
    """All of one VM's result, on standard output."""
    if arguments.picture is not None:
        write(arguments.picture, picture.svg(result))
    if arguments.json:
        sys.stdout.write(json.dumps(result.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        from sriovctl.trial.table import print_result

        print_result(result)
    return 0 if result.held else DIFFERS


def _permitted(
    arguments: argparse.Namespace, subject: Subject, host: Reach, state: HostState
) -> tuple[VM, tuple[Leg, ...], tuple[WayName, ...]]:
    """The running VM, the legs of its pair and the ways to take them away.

    :raises HostError: it does not run, or does not have both legs
    :raises BlockedError: somebody else would be cut off
    """
    vm = running(subject.vm, state)
    legs = legs_of(vm, _macs(subject.target, vm.name, subject.pair, state), state)
    ways: tuple[WayName, ...] = tuple(arguments.way or UNASKED)
    if not arguments.force:
        check_permitted(vm.name, legs, ways, host, state)
    return vm, legs, ways


def _trial(
    arguments: argparse.Namespace, subject: Subject, host: Reach, telling: Callable[[str], None]
) -> Result:
    """One VM's trial, its result kept."""

    def work(sending: Sending) -> Result:
        return _measured(arguments, subject, host, sending, telling)

    result = sent_from(arguments.sender, subject.place, arguments.ssh_config, work)
    store.keep("failover", subject.target.wanted.rack, result.vm, result.as_json())
    return result


def _measured(
    arguments: argparse.Namespace,
    subject: Subject,
    host: Reach,
    sending: Sending,
    telling: Callable[[str], None],
) -> Result:
    """The trial itself, once both ways are there: to the VM's host, and to the sender."""
    place = subject.place
    before = reconcile.look(host)
    vm, legs, ways = _permitted(arguments, subject, host, before)
    address = subject.address or address_by_agent(host, vm.name)
    monitor = _monitor(arguments, subject)
    back_s = arguments.back + (monitor.updelay_ms / 1000 if monitor else 0.0)
    pace = Pace(arguments.rate, arguments.away, back_s, arguments.patience)
    # each round, and its answers; far more than it takes, and yet an end
    most_s = 2 * len(ways) * (arguments.away + back_s + 4 * arguments.patience + BOUND_S)
    prefix = (*sending.prefix, sending.python)
    sender = Sender(sending.reach, prefix, address, arguments.rate, most_s)
    trial = Trial(vm, legs, ways, pace, host, sender, place, telling, subject.taken)
    with watched_switches(place, most_s) as moves:
        probes = trial.run()
    _check_as_before(subject.target, before, reconcile.look(host))
    macs = [leg.vf.mac or "" for leg in legs]
    return Result(
        date=store.now(),
        host=subject.target.name,
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


def _macs(target: Target, vm: str, pair: int, state: HostState) -> dict[str, str]:
    """The addresses of a pair's cards, by the PF's interface name."""
    assert target.want is not None
    ports = {want.name: identify(want, state) for want in target.want.pfs}
    nics = [nic for want in target.want.vms if want.name == vm for nic in want.nics]
    found = [(ports[nic.leg], nic.mac) for nic in nics if nic.pair == pair]
    return {pf.name: mac for pf, mac in found if isinstance(pf, PF) and pf.name}


def _monitor(arguments: argparse.Namespace, subject: Subject) -> Monitor | None:
    """What the guest's bond watches by: in a lab the guest says it, else the rack file may."""
    if subject.place is not None:
        return of_guest(subject.place.lab, subject.vm)
    rack = rackfile.load(Path(arguments.rack))
    return of_rack(rack.vms[subject.vm].pairs[subject.pair].bond)


def _check_as_before(target: Target, before: HostState, after: HostState) -> None:
    """Everything is back, or an error."""
    if found := list(differences(before, after)):
        raise HostError(
            f"{target.name} is not as it was before the trial: {'; '.join(found)}",
            "every leg was given back, and its driver did not give all of this back with it",
            "sriovctl apply RACK",
        )


@contextmanager
def _given_back(arguments: argparse.Namespace, chosen: Sequence[Subject]) -> Iterator[None]:
    """Whatever is away when a trial is broken off is given back."""
    try:
        yield
    except BaseException:
        for subject in chosen:
            _give_back(arguments, subject)
        raise


def _give_back(arguments: argparse.Namespace, subject: Subject) -> None:
    def work(host: Reach, _: Target) -> None:
        for way, away in subject.taken:
            away.give_back(reach_of(way, host, subject.place))

    if any(not away.ended for _, away in subject.taken):
        sys.stderr.write("sriovctl: the leg is given back\n")
        only(targets.each((subject.target,), work, **_way(arguments)))
