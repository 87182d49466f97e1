"""VMs on pairs, while the ports under them are taken down and up, one after the other.

For links whose steps take a port down and up again. A VM whose bond was seen, by its guest agent,
to have another leg up is waited for before each port; of the others there is a warning.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sriovctl.chain.otherleg import bond_of, known_by, others_up
from sriovctl.host import PF, VF, VM, HostState, VMNic
from sriovctl.insidefacts import Inside, InsideBond
from sriovctl.plan import Finding, Severity
from sriovctl.shell import command

ARP_LOOKS = 5
"""Of a bond's ARP monitor, until a spare leg that is silent counts as down: three intervals and a
half, as arp_missed_max has it from the start, and one more look (Linux bond_main.c,
bond_ab_arp_inspect)."""
LINK_LOOK_MS = 2000
"""Between two looks of a VF's driver at its link (igbvf, ixgbevf: their watchdogs)."""
MOST_SETTLE_S = 60
"""A bond that takes longer than this to notice is not waited for: its guest says how long."""


@dataclass(frozen=True)
class CardOnPort:
    """A VF of a port in a running VM."""

    vm: VM
    macs: frozenset[str]
    """By which its guest may know it."""
    bond: InsideBond | None
    """The one that has it."""
    why_silent: str
    """While the port is away; empty where another leg of the bond is up."""
    mend: str = ""
    alike: bool = False
    """Its bond has another leg by the same address: which of them to leave cannot be said."""

    @property
    def settle_s(self) -> int:
        """Seconds until its bond has noticed that a leg is silent."""
        if self.bond is None:
            return 0
        if self.bond.arp_interval_ms:
            return math.ceil(ARP_LOOKS * self.bond.arp_interval_ms / 1000)
        noticed = LINK_LOOK_MS + 2 * self.bond.miimon_ms + self.bond.downdelay_ms
        return math.ceil(noticed / 1000)


def vms_to_ask(ports: Iterable[PF], have: HostState) -> tuple[str, ...]:
    """Running VMs with VFs of ports, by what they are asked for."""
    return tuple(dict.fromkeys(vm.key for pf in ports for vm, _, _ in _held(pf, have)))


def without_other_leg(ports: Iterable[PF], have: HostState) -> dict[str, str]:
    """Why VMs with VFs of ports would be silent, by what they are asked for; only those whose bond
    is known, and can have another leg up in a moment.
    """
    return {
        card.vm.key: f"{card.vm.name}: {card.why_silent}"
        for pf in ports
        for card in on_port(pf, have)
        if card.bond is not None and not others_up(card.bond, card.macs)
    }


def on_port(pf: PF, have: HostState) -> list[CardOnPort]:
    """Each VF of a port that a running VM has, as its own kernel has it."""
    return [_card(vm, nic, vf, have) for vm, nic, vf in _held(pf, have)]


def leave(
    bond: str, pf: PF, have: HostState, way: str | int, *, first: bool = False, undo: bool = False
) -> str:
    """The command before a port is taken down: VMs go on over their other legs. Empty where none
    does.

    :param way: ``into`` or ``out_of`` the host's bond, or the MTU that the port is to have
    :param first: no port was taken down before it
    :param undo: the port is taken down whatever VMs do
    """
    able = [card for card in on_port(pf, have) if not card.why_silent]
    settle_s = 0 if first else max((card.settle_s for card in able), default=0)
    if not able:
        return ""
    name = "pairs_leave_if_they_can" if undo else "pairs_leave"
    return command(name, bond, pf.pci, way, settle_s, *_words(able))


def are_back(ports: Iterable[PF], have: HostState) -> str:
    """The command after the last port: bonds have all legs up again. Empty where none is known."""
    able = [card for pf in ports for card in on_port(pf, have) if not card.why_silent]
    settle_s = max((card.settle_s for card in able), default=0)
    return command("pairs_are_back", settle_s, *_words(able)) if able else ""


def findings(ports: Iterable[PF], have: HostState) -> list[Finding]:
    """A warning for each VM that can be silent, and why."""
    silent: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for pf in ports:
        for card in on_port(pf, have):
            if told := _told(card):
                silent.setdefault((card.vm.name, *told), {})[pf.name or pf.pci] = None
    return [
        Finding(
            severity=Severity.WARNING,
            link="bonds",
            about=name,
            found=f"can be silent for seconds while {' and '.join(names)} "
            f"{'is' if len(names) == 1 else 'are'} down: {why}",
            means=means,
            mend=mend,
        )
        for (name, why, means, mend), names in silent.items()
    ]


def _told(card: CardOnPort) -> tuple[str, str, str] | None:
    """Why it can be silent, what that means, and what mends it."""
    may_be = "choose a time when that may be"
    if card.why_silent:
        means = "nothing waits for its bond between the ports"
        return card.why_silent, means, f"{card.mend}; or {may_be}"
    if card.alike and card.bond is not None:
        why = f"its cards have one address, and {card.bond.name} needs up to {card.settle_s} s"
        means = "nothing can lead its traffic to the other leg before"
        return f"{why} to notice", means, may_be
    return None


def _words(cards: Iterable[CardOnPort]) -> Iterator[str]:
    """What each VM is called, what virsh is to call it, and by what it knows its cards."""
    macs: dict[tuple[str, str], set[str]] = {}
    for card in cards:
        macs.setdefault((card.vm.name, card.vm.key), set()).update(card.macs)
    for (name, key), known in macs.items():
        yield from (name, key, ",".join(sorted(known)))


def _held(pf: PF, have: HostState) -> list[tuple[VM, VMNic, VF]]:
    """The cards that running VMs have on a port."""
    vfs = {vf.pci: vf for vf in pf.vfs}
    return [
        (vm, nic, vfs[nic.pci])
        for vm in have.vms
        if vm.running
        for nic in vm.live_nics
        if nic.pci in vfs
    ]


def _card(vm: VM, nic: VMNic, vf: VF, have: HostState) -> CardOnPort:
    known = known_by([nic.mac], vf.mac)
    inside = have.inside.get(vm.key, Inside(vm=vm.name, why_not="it was not asked"))
    if inside.why_not:
        why = f"nobody can look into it: {inside.why_not}"
        return CardOnPort(vm, known[-1], None, why, f"start qemu-guest-agent in {vm.name}")
    bond, macs = bond_of(inside, *known)
    if bond is None:
        mend = "sriovctl guest-config prints the files of a bond"
        return CardOnPort(vm, macs, None, "its card there is in no bond", mend)
    if others_up(bond, macs):
        alike = sum(leg.permanent_mac in macs for leg in bond.legs) > 1
        card = CardOnPort(vm, macs, bond, "", alike=alike)
        if card.settle_s <= MOST_SETTLE_S:
            return card
        why = f"{bond.name} needs {card.settle_s} s to notice that a leg is silent"
        mend = f"give {bond.name} a shorter arp_interval or downdelay"
        return CardOnPort(vm, macs, bond, why, mend)
    legs = ", ".join(f"{leg.name} {'up' if leg.up else 'down'}" for leg in bond.legs)
    why = f"no other leg of {bond.name} is up ({legs})"
    return CardOnPort(vm, macs, bond, why, f"look in {vm.name}: cat /proc/net/bonding/{bond.name}")
