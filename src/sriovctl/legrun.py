"""Leg by leg: planners for :mod:`~sriovctl.reconcile`'s loop that look into VMs in between."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable

from sriovctl import chain, inside
from sriovctl.chain import legs, otherleg
from sriovctl.chain.cards import Leg, leg_of
from sriovctl.chain.otherleg import Seen
from sriovctl.errors import HostError, UsageError
from sriovctl.firmware import FirmwareState
from sriovctl.host import VM, HostState
from sriovctl.observer import Observer
from sriovctl.plan import Finding, Plan
from sriovctl.reach import Reach
from sriovctl.reconcile import Planner
from sriovctl.stagerun import Timeouts
from sriovctl.wanted import HostWant, PFWant

OfLeg = Callable[["Bonds", PFWant], Planner]
"""Makes a planner for one leg."""


class Bonds:
    """The bonds in a host's running VMs, waited for until they are as they must be."""

    def __init__(
        self, reach: Reach, observer: Observer, timeouts: Timeouts, *, blind: bool = False
    ) -> None:
        """
        :param timeouts: ``bond_s`` is how long a bond gets
        :param blind: VMs that nobody can look into are taken for well
        """
        self._reach = reach
        self._observer = observer
        self._timeouts = timeouts
        self.blind = blind

    def before(self, going: Iterable[Leg]) -> Seen:
        """Look into the VMs of legs until each has another leg up, or the time is over."""
        going = tuple(going)
        vms = {vm.key: vm for leg in going for vm in leg.vms}.values()
        deadline = time.monotonic() + self._timeouts.bond_s
        while True:
            seen = self._look(vms)
            unready = [f for leg in going for f in otherleg.not_ready(leg, seen, blind=self.blind)]
            if not unready or time.monotonic() >= deadline:
                return seen
            self._pause("; ".join(dict.fromkeys(finding.found for finding in unready)))

    def after(self, want: HostWant, have: HostState, names: frozenset[str]) -> None:
        """Wait until VMs' bonds have all cards up that are plugged in.

        :param names: of VMs; who does not run is left out
        :raises HostError: they have not in time
        """
        vms = tuple(vm for vm in have.vms if vm.running and vm.name in names)
        deadline = time.monotonic() + self._timeouts.bond_s
        while vms:
            seen = self._look(vms)
            broken = list(otherleg.not_whole(want, have, vms, seen))
            unseen = [f"{vm.name}: {why}" for vm in vms if (why := seen[vm.key].why_not)]
            if not broken and (self.blind or not unseen):
                for text in unseen:
                    self._observer.said(self._reach.name, f"not looked into {text}")
                if len(unseen) < len(vms):
                    whole = ", ".join(vm.name for vm in vms)
                    self._observer.said(self._reach.name, f"bonds are whole again: {whole}")
                return
            if time.monotonic() >= deadline:
                raise HostError(
                    f"{self._reach.name}: not whole again within {self._timeouts.bond_s:g} s: "
                    + "; ".join(broken or unseen),
                    "the cards are plugged in; no other leg was touched after that",
                    "let the VM's bond take the card back (cat /proc/net/bonding/* there, and what "
                    "sriovctl guest-config prints), then run this again",
                )
            self._pause("; ".join(broken or unseen))

    def _look(self, vms: Iterable[VM]) -> Seen:
        answer_s = max(self._timeouts.agent_s, self._timeouts.bond_s)
        return inside.look(self._reach, [vm.key for vm in vms], timeout_s=answer_s)

    def _pause(self, why: str) -> None:
        self._observer.doing(self._reach.name, f"waiting: {why}")
        time.sleep(self._timeouts.retry_s)


class ByLeg:
    """A planner that takes running VMs' cards one leg at a time.

    What it remembers is whom it has just given a card, so as to wait for their bonds.
    """

    def __init__(self, bonds: Bonds) -> None:
        self._bonds = bonds
        self._plugged: frozenset[str] = frozenset()

    def __call__(self, want: HostWant, have: HostState, bmc: FirmwareState | None) -> Plan:
        """The plan of a leg at a time where VMs stand in the way, the usual one where none does.

        :raises HostError: a bond is not whole again in time
        """
        self._bonds.after(want, have, self._plugged)
        self._plugged = frozenset()
        whole = chain.plan(want, have, bmc)
        due = legs.due(want, have)
        if not due or any(stage.kind != "transaction" for stage in whole.stages):
            return whole
        first, *_ = turn = legs.now(due)
        self._plugged = legs.plugged(want, have, first)
        seen = self._bonds.before(turn)
        return legs.by_leg(want, have, whole, due, seen, blind=self._bonds.blind)


def asked_for(
    arguments: argparse.Namespace, reach: Reach, observer: Observer, timeouts: Timeouts
) -> Planner:
    """The planner for ``--leg-by-leg``, or the usual one.

    :raises UsageError: an option of the one with the other
    """
    blind: bool = arguments.assume_other_leg_up
    if arguments.leg_by_leg:
        return ByLeg(Bonds(reach, observer, timeouts, blind=blind))
    if blind:
        raise UsageError("--assume-other-leg-up without --leg-by-leg", "", "add --leg-by-leg")
    return chain.plan


def out(bonds: Bonds, pf: PFWant) -> Planner:
    """A planner that frees one leg."""

    def plan(want: HostWant, have: HostState, bmc: FirmwareState | None) -> Plan:
        leg = leg_of(want, have, pf)
        if isinstance(leg, Finding):
            return Plan(host=want.name, findings=(leg,))
        return legs.take_out(want, have, leg, bonds.before((leg,)), blind=bonds.blind)

    return plan


def back(bonds: Bonds, pf: PFWant) -> Planner:
    """A planner that brings one leg in."""
    plugged: frozenset[str] = frozenset()

    def plan(want: HostWant, have: HostState, bmc: FirmwareState | None) -> Plan:
        nonlocal plugged
        bonds.after(want, have, plugged)
        leg = leg_of(want, have, pf)
        if isinstance(leg, Finding):
            return Plan(host=want.name, findings=(leg,))
        plugged = legs.plugged(want, have, Leg(leg.want, leg.pf))
        return legs.bring_in(want, have, pf)

    return plan
