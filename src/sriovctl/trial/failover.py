"""Each leg of VMs' pairs taken away and given back under traffic, and what was seen of it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sriovctl.errors import BlockedError, HostError, SriovctlError, UsageError
from sriovctl.host import VM, HostState
from sriovctl.reach import LocalReach, Reach
from sriovctl.trial import refusals
from sriovctl.trial.away import Away, RefusedError
from sriovctl.trial.carried import Counters, carrier, parse, parse_of_lab, script, script_of_lab
from sriovctl.trial.probes import Probe
from sriovctl.trial.sender import Sender
from sriovctl.trial.ways import LabPlace, Leg, Skipped, Way, WayName, way

COUNTED_S = 1.0
"""How long is counted to see which leg carries."""


@dataclass(frozen=True)
class Pace:
    """How much traffic, and how long each part lasts."""

    rate: float
    """Packets a second."""
    away_s: float
    back_s: float
    """How long is watched after a leg was given back."""
    patience_s: float
    """For the VMs to answer, before and between outages."""
    answer_s: float
    """For a host to take a leg away, to give it back, or to say what its counters are."""
    confirm_s: float
    """So much longer than it should be away may a leg stay away if nobody is left to give it
    back."""

    def most_s(self, rounds: int) -> float:
        """Far more than so many legs take, and yet an end."""
        waiting_s = 4 * (self.patience_s + self.answer_s) + self.confirm_s
        return rounds * (self.away_s + self.back_s + waiting_s)


@dataclass(frozen=True)
class OnTrial:
    """A VM, and the traffic to it."""

    name: str
    legs: tuple[Leg, ...]
    sender: Sender

    @property
    def macs(self) -> list[str]:
        """Addresses of its legs, as the PFs have them."""
        return [leg.vf.mac or "" for leg in self.legs]


@dataclass(frozen=True)
class Round:
    """One leg, once away and back, for one VM. Moments in seconds since 1970, by our clock."""

    vm: str
    way: WayName
    leg: str
    began: float
    """When what came before began to be counted."""
    taken: float
    back: float
    until: float
    carried: tuple[str | None, str | None, str | None]
    """The leg that carried before, while it was away, and in the end; None: no counter says so."""


@dataclass
class Trial:
    """A trial as it goes on; what was taken away can be put back at any moment."""

    vms: tuple[OnTrial, ...]
    """All have their legs on the same ports, in the same order."""
    ways: tuple[WayName, ...]
    pace: Pace
    host: Reach
    place: LabPlace | None
    say: Callable[[str], None]
    away: list[tuple[Way, Away]]
    """Whatever was taken away so far: also of use to who has lost this trial."""
    rounds: list[Round] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def run(self) -> list[list[Probe]]:
        """Every way for each leg, one that carries first.

        :returns: all that was sent to each VM
        :raises BlockedError: another run is at work on the host
        :raises HostError: a VM does not answer, or a leg was not taken away
        """
        senders = [one.sender for one in self.vms]
        try:
            for sender in senders:
                sender.wait_answer(self.pace.patience_s)
            for name in self.ways:
                legs = zip(*(one.legs for one in self.vms), strict=True)
                found = [way(name, same_port, self.place) for same_port in legs]
                self.skipped += [one for one in found if isinstance(one, Skipped)]
                self._both([one for one in found if isinstance(one, Way)])
            return [sender.finish() for sender in senders]
        except BaseException:
            for sender in senders:
                with contextlib.suppress(SriovctlError):
                    sender.stop()
            raise

    def _both(self, remaining: list[Way]) -> None:
        """One way on both legs, on one that carries if its turn is still to come."""
        while remaining:
            if silent := self._wait_steady():
                self._give_up(remaining, silent)
                return
            began = time.time()
            before = self._carriers()
            one = next((w for w in remaining if w.leg in before), remaining[0])
            remaining.remove(one)
            try:
                self.rounds += self._round(one, began, before)
            except RefusedError as error:
                why = f"the driver refused: {error}"
                self.skipped.append(Skipped(one.name, one.leg, why))

    def _give_up(self, remaining: list[Way], silent: list[str]) -> None:
        """Leave out what nobody could see an outage of.

        :raises HostError: nothing was taken away so far
        """
        found = (
            f"{' and '.join(silent)}: less than half is answered with all legs given back, for "
            f"{self.pace.patience_s:g} s"
        )
        if not self.rounds:
            raise HostError(
                found,
                "the bond has no leg that works, or cannot be reached at this rate",
                "look at /proc/net/bonding/bond0 in the VM; try a lower --rate",
            )
        self.skipped += [Skipped(one.name, one.leg, found, silent=True) for one in remaining]

    def _round(self, one: Way, began: float, before: list[str | None]) -> list[Round]:
        reach = reach_of(one, self.host, self.place)
        bound_s = math.ceil(self.pace.away_s + self.pace.confirm_s)
        state = state_of(one, self.place)
        away = Away(reach, one.stage, bound_s, self.pace.answer_s, state)
        self.away.append((one, away))
        self.say(f"{one.name}: {one.leg} is taken away")
        try:
            away.take(reach)
            taken = away.taken or time.time()
            time.sleep(max(0.0, self.pace.away_s - COUNTED_S))
            meanwhile = self._carriers()
            self.say(f"{one.name}: {one.leg} is given back")
            back = time.time()
        finally:
            away.give_back(reach)
        time.sleep(max(0.0, self.pace.back_s - COUNTED_S))
        carried = zip(before, meanwhile, self._carriers(), strict=True)
        until = time.time()
        return [
            Round(vm.name, one.name, one.leg, began, taken, back, until, legs)
            for vm, legs in zip(self.vms, carried, strict=True)
        ]

    def _wait_steady(self) -> list[str]:
        """Wait until each VM answers at least half of what is sent to it.

        :returns: those that do not
        """
        deadline = time.monotonic() + self.pace.patience_s
        enough = self.pace.rate * COUNTED_S / 2
        while True:
            since = time.time()
            time.sleep(COUNTED_S)
            silent = [one.name for one in self.vms if one.sender.answers_since(since) < enough]
            if not silent or time.monotonic() > deadline:
                return silent

    def _carriers(self) -> list[str | None]:
        """The leg that carries each VM's traffic."""
        before = self._counters()
        time.sleep(COUNTED_S)
        sent = self.pace.rate * COUNTED_S
        return [
            carrier(*counters, sent, len(self.vms))
            for counters in zip(before, self._counters(), strict=True)
        ]

    def _counters(self) -> list[Counters]:
        """What counts each VM's packets."""
        if self.place is not None:
            reach: Reach = LocalReach(self.place.lab)
            done = reach.run(script_of_lab(self.place), timeout_s=self.pace.answer_s)
            return [parse_of_lab(done.stdout, self.place)] * len(self.vms)
        done = self.host.run(script(self.vms[0].legs), timeout_s=self.pace.answer_s)
        return [parse(done.stdout, one.legs) for one in self.vms]


def reach_of(one: Way, host: Reach, place: LabPlace | None) -> Reach:
    """Where a way's transaction runs: on the VM's host, or here, where its lab is."""
    return host if one.on_host or place is None else LocalReach(f"lab {place.lab}")


def state_of(one: Way, place: LabPlace | None) -> Path | None:
    """Folder of a way's transaction: of a lab's own, so that labs do not wait for each other."""
    from sriovctl.lab import state

    return None if one.on_host or place is None else state.load(place.lab).folder / "trial"


def legs_of(guest: VM, macs: dict[str, str], state: HostState) -> tuple[Leg, ...]:
    """The two VFs that a running VM has for a pair.

    :param macs: of the pair's cards, by the PF's interface name
    :raises HostError: the VM does not have both
    """
    held = {nic.pci: nic for nic in guest.live_nics if nic.pci is not None}
    legs = tuple(
        Leg(guest, pf, vf, held[vf.pci])
        for pf in state.pfs
        for vf in pf.vfs
        # of a plain <hostdev> libvirt does not say the address
        if vf.pci in held and held[vf.pci].mac in (None, macs.get(pf.name or ""))
    )
    if len(legs) != 2:
        has = ", ".join(leg.name for leg in legs) or "none"
        raise HostError(
            f"VM {guest.name} has VFs of {has}",
            "there is nothing to fail over to: a pair is one VF of each leg",
            "sriovctl check RACK says what differs, sriovctl apply RACK mends it",
        )
    return legs


def check_same_ports(legs: Mapping[str, Sequence[Leg]]) -> None:
    """
    :param legs: by VM
    :raises UsageError: a leg of one VM is no leg of another
    """
    ports = {vm: " and ".join(leg.name for leg in own) for vm, own in legs.items()}
    if len(set(ports.values())) > 1:
        raise UsageError(
            "; ".join(f"{vm} is on {names}" for vm, names in ports.items()),
            "what is taken from one is not taken from the other",
            "try them one after the other",
        )


def check_permitted(
    legs: Sequence[Leg],
    ways: Sequence[WayName],
    host: Reach,
    state: HostState,
    answer_s: float,
) -> None:
    """Refuse where somebody else would be cut off.

    :raises BlockedError: says who, and nothing was taken away
    :raises HostError: the host does not say what stands on its ports
    """
    if not {"pf-down", "cable", "switch"} & set(ways):
        return
    done = host.run(refusals.LOOK, timeout_s=answer_s)
    if done.status != 0:
        raise HostError(
            f"{host.name}: what stands on its ports cannot be seen: {done.stderr.strip()}",
            "nothing was taken away",
            "--force takes the legs away all the same",
        )
    above = refusals.parse(done.stdout)
    reasons = [
        f"{leg.name} away: {reason}"
        for leg, other in zip(legs, reversed(legs), strict=True)
        for reason in refusals.cut_off(leg, other, state, above)
    ]
    if reasons:
        raise BlockedError(
            f"{host.name}: " + "; ".join(reasons),
            "nothing was taken away",
            "mend that first; --force takes the legs away all the same",
        )


def differences(before: HostState, after: HostState) -> Iterator[str]:
    """What of the ports and VFs is not as it was: ``em1 VF 3: spoofchk on → off``."""
    for old in before.pfs:
        new = next((pf for pf in after.pfs if pf.pci == old.pci), None)
        name = old.name or old.pci
        if new is None:
            yield f"{name} is gone"
            continue
        if old.up != new.up:
            yield f"{name} is {'up' if new.up else 'down'}"
        if old.master != new.master:
            yield f"{name}: member of {old.master} → {new.master}"
        for was, now in zip(old.vfs, new.vfs, strict=False):
            for key in ("mac", "vlan", "spoofchk", "trust", "link_state", "max_rate", "driver"):
                if getattr(was, key) != getattr(now, key):
                    yield (
                        f"{name} VF {was.index}: {key} {getattr(was, key)} → {getattr(now, key)}"
                    )
        if len(old.vfs) != len(new.vfs):
            yield f"{name}: {len(old.vfs)} → {len(new.vfs)} VFs"
