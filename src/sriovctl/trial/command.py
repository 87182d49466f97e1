"""The command ``trial failover``: who, from where, how; the rest is in the other modules."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sriovctl import ending, rackfile, reconcile, targets
from sriovctl.errors import HostError
from sriovctl.host import PF, HostState
from sriovctl.identity import identify
from sriovctl.observer import WAITING
from sriovctl.reach import Reach
from sriovctl.targets import Target
from sriovctl.trial import drawn, picture, store
from sriovctl.trial.failover import (
    OnTrial,
    Pace,
    Trial,
    check_permitted,
    check_same_ports,
    differences,
    legs_of,
    reach_of,
)
from sriovctl.trial.learned import learned, watched_switches
from sriovctl.trial.monitor import Monitor, of_guest, of_rack
from sriovctl.trial.result import Result, measure
from sriovctl.trial.sender import Sender
from sriovctl.trial.setting import (
    AgentWait,
    Sending,
    address_by_agent,
    only,
    running,
    say,
    say_nothing,
    sent_from,
)
from sriovctl.trial.several import Ended, Several
from sriovctl.trial.subject import Subject, hosts_of, is_one, subjects
from sriovctl.trial.telling import Telling, exit_code
from sriovctl.trial.ways import UNASKED, Leg, WayName
from sriovctl.view.results import print_json


@ending.as_from_the_keyboard()
def failover(arguments: argparse.Namespace) -> int:
    """``sriovctl trial failover``: real outages of VMs' legs, measured.

    :returns: 0; 3: an outage was longer than the budget, or not over; of several VMs the highest
    """
    chosen = subjects(arguments)
    drawn.check(arguments.picture)
    if is_one(arguments) or arguments.together:
        return _tell(arguments, _at_once(arguments, chosen))
    with Telling(chosen, silent=arguments.json) as telling:
        ended = _in_turn(arguments, chosen, telling)
    return telling.sum_up(ended)


def _at_once(arguments: argparse.Namespace, chosen: Sequence[Subject]) -> list[Result]:
    telling = say_nothing if arguments.json else say
    by_agent = _agent_wait(arguments)

    def work(host: Reach, _: Target) -> list[Result]:
        return _trial(arguments, chosen, host, by_agent, telling)

    with _given_back(arguments, chosen):
        return only(targets.each(hosts_of(chosen), work, **_way(arguments)))


def _in_turn(
    arguments: argparse.Namespace, chosen: Sequence[Subject], telling: Telling
) -> dict[str, Ended]:
    by_agent = _agent_wait(arguments)

    def trial(one: Subject, host: Reach) -> Result:
        (result,) = _trial(arguments, (one,), host, by_agent, partial(telling.doing, one))
        return result

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


def _agent_wait(arguments: argparse.Namespace) -> AgentWait:
    return AgentWait(arguments.answer_timeout, arguments.agent_boot_timeout)


def _way(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"ssh_config": arguments.ssh_config, "connect_s": arguments.connect_timeout}


def _tell(arguments: argparse.Namespace, results: Sequence[Result]) -> int:
    """All of the results, on standard output."""
    if arguments.picture is not None:
        drawn.write(arguments.picture, picture.svg(results))
    if arguments.json:
        told = {result.vm: result.as_json() for result in results}
        print_json(told[results[0].vm] if is_one(arguments) else told)
    else:
        from sriovctl.trial.table import print_result

        for result in results:
            print_result(result)
    return max(map(exit_code, results))


def _permitted(
    arguments: argparse.Namespace, subject: Subject, host: Reach, state: HostState
) -> tuple[Leg, ...]:
    """The legs of a VM's pair.

    :raises HostError: it does not run, or does not have both legs
    :raises BlockedError: somebody else would be cut off
    """
    vm = running(subject.vm, state)
    legs = legs_of(vm, _macs(subject.target, vm.name, subject.pair, state), state)
    if not arguments.force:
        check_permitted(legs, _ways(arguments), host, state, arguments.answer_timeout)
    return legs


def _ways(arguments: argparse.Namespace) -> tuple[WayName, ...]:
    return tuple(arguments.way or UNASKED)


def _trial(
    arguments: argparse.Namespace,
    chosen: Sequence[Subject],
    host: Reach,
    by_agent: AgentWait,
    telling: Callable[[str], None],
) -> list[Result]:
    """The trial of VMs of one host at once, its results kept."""

    def work(sending: Sending) -> list[Result]:
        return _measured(arguments, chosen, host, sending, by_agent, telling)

    results = sent_from(arguments.sender, chosen[0].place, arguments.ssh_config, work)
    for result in results:
        store.keep("failover", chosen[0].target.wanted.rack, result.vm, result.as_json())
    return results


def _measured(
    arguments: argparse.Namespace,
    chosen: Sequence[Subject],
    host: Reach,
    sending: Sending,
    by_agent: AgentWait,
    telling: Callable[[str], None],
) -> list[Result]:
    """The trial itself, once both ways are there: to the VMs' host, and to the sender."""
    target, place = chosen[0].target, chosen[0].place
    before = reconcile.look(host)
    legs = {one.vm: _permitted(arguments, one, host, before) for one in chosen}
    check_same_ports(legs)
    addresses = {
        one.vm: one.address or address_by_agent(host, one.vm, by_agent, telling) for one in chosen
    }
    monitors = {one.vm: _monitor(arguments, one) for one in chosen}
    updelay_ms = max(monitor.updelay_ms if monitor else 0 for monitor in monitors.values())
    pace = Pace(
        rate=arguments.rate,
        away_s=arguments.away,
        back_s=arguments.back + updelay_ms / 1000,
        patience_s=arguments.patience,
        answer_s=arguments.answer_timeout,
        confirm_s=arguments.confirm_timeout,
    )
    ways = _ways(arguments)
    most_s = pace.most_s(2 * len(ways))
    prefix = (*sending.prefix, sending.python)

    def sender(address: str) -> Sender:
        return Sender(sending.reach, prefix, address, pace.rate, most_s, pace.answer_s)

    vms = tuple(OnTrial(vm, own, sender(addresses[vm])) for vm, own in legs.items())
    trial = Trial(vms, ways, pace, host, place, telling, chosen[0].taken)
    with watched_switches(place, most_s, pace.answer_s) as moves:
        probes = trial.run()
    _check_as_before(target, before, reconcile.look(host))
    return [
        Result(
            date=store.now(),
            host=target.name,
            vm=one.name,
            address=addresses[one.name],
            sent_from=sending.reach.name,
            rate=arguments.rate,
            monitor=monitors[one.name],
            budget_ms=arguments.budget,
            probes=tuple(sent),
            measured=measure(
                [each for each in trial.rounds if each.vm == one.name],
                sent,
                partial(learned, one.sender.announcements, moves, one.macs),
            ),
            skipped=tuple(trial.skipped),
        )
        for one, sent in zip(vms, probes, strict=True)
    ]


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
