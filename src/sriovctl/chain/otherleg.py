"""Is the other leg up? As far as the host shows it, and as the VM's own kernel has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import TypeGuard

from sriovctl.agent import order
from sriovctl.chain.cards import Card, Leg, is_card, leg_of, nics_of
from sriovctl.host import VM, HostState
from sriovctl.insidefacts import Inside, InsideBond
from sriovctl.names import MAC_ADDRESS, UNSET_MAC
from sriovctl.plan import Finding, Severity, Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant

Seen = Mapping[str, Inside]
"""Looks into VMs, by their keys."""


def blocking(
    want: HostWant, have: HostState, leg: Leg, seen: Seen, *, blind: bool
) -> list[Finding]:
    """VMs that cannot let go of a leg: their other one is not there, or not up in their bond.

    :param seen: a look into each of them
    :param blind: one that nobody can look into is taken for well
    """
    found = _missing(want, have, leg)
    named = {finding.about for finding in found}
    return found + [f for f in not_ready(leg, seen, blind=blind) if f.about not in named]


def _missing(want: HostWant, have: HostState, leg: Leg) -> list[Finding]:
    """VMs whose other leg is not there, as far as the host shows it."""
    found = []
    for card in leg.cards:
        why, mend = _why_missing(want, have, leg, card)
        if why:
            name = card.vm.name
            means = f"{name} would be silent while {leg.name} is out"
            found.append(_blocked(name, f"{name} has no second leg: {why}", means, mend))
    return found


def _why_missing(want: HostWant, have: HostState, leg: Leg, card: Card) -> tuple[str, str]:
    """Why there is none, and what mends it; both empty where there is one."""
    others = {
        nic.leg
        for nic in nics_of(want, card.vm.name)
        if card.wish is not None and nic.pair == card.wish.pair and nic.leg != card.wish.leg
    }
    for pf_want in want.pfs:
        if pf_want.name not in others:
            continue
        other = leg_of(want, have, pf_want)
        if isinstance(other, Finding):
            return other.found, other.mend
        if card.vm.name not in {vm.name for vm in other.vms}:
            mend = f"sriovctl leg in RACK {command(want.name, pf_want.name)}"
            return f"its card of {other.name} is not plugged in", mend
        if not other.pf.up or other.pf.carrier is False:
            return f"{other.name} has no link", f"see to {other.name}'s cable and its switch"
    if not others:
        mend = f"give {card.vm.name} a pair over two ports, or shut it down"
        return f"the rack file gives it none beside {leg.name}", mend
    return "", ""


def not_ready(leg: Leg, seen: Seen, *, blind: bool) -> list[Finding]:
    """VMs whose bond does not have the other leg up, as their own kernel has it.

    :param blind: leave out those that nobody can look into
    """
    found = []
    for vm in leg.vms:
        inside = seen[vm.key]
        if inside.why_not:
            found += [] if blind else [_unseen(vm, inside)]
            continue
        for card in leg.cards_of(vm):
            bond, macs = bond_of(inside, *_known(card))
            if bond is None:
                found.append(
                    _blocked(
                        vm.name,
                        f"{vm.name}: its card {card.nic.mac} of {leg.name} is in no bond",
                        f"{vm.name} would be silent while {leg.name} is out",
                        "sriovctl guest-config prints the files of a bond",
                    )
                )
            elif not others_up(bond, macs):
                legs = ", ".join(f"{one.name} {'up' if one.up else 'down'}" for one in bond.legs)
                found.append(
                    _blocked(
                        vm.name,
                        f"{vm.name}: no other leg of {bond.name} is up ({legs})",
                        f"{vm.name} would be silent while {leg.name} is out",
                        f"look in {vm.name}: cat /proc/net/bonding/{bond.name}",
                    )
                )
    return found


def not_whole(want: HostWant, have: HostState, vms: Iterable[VM], seen: Seen) -> Iterator[str]:
    """Which of VMs' cards are plugged in and not up in a bond, a sentence each.

    Nothing of a VM that nobody can look into.
    """
    there = {vf.pci: vf.mac for pf in have.pfs for vf in pf.vfs}
    for vm in vms:
        inside = seen[vm.key]
        if inside.why_not:
            continue
        wishes = nics_of(want, vm.name)
        live = [nic for nic in vm.live_nics if any(is_card(nic, wish) for wish in wishes)]
        up = [leg.permanent_mac for bond in inside.bonds for leg in bond.legs if leg.up]
        known = [known_by([nic.mac], there.get(nic.pci or ""))[-1] for nic in live]
        for at in _unmet(known, up):
            yield f"{vm.name}: its card {live[at].mac} is not up in a bond"


def _unmet(cards: Sequence[Set[str]], up: Sequence[str]) -> list[int]:
    """Which cards have no leg of their own among those that are up, as many as can having one.

    Two cards may be known by the same address, and one card by two.
    """
    whose: dict[int, int] = {}

    def finds(card: int, tried: set[int]) -> bool:
        for leg, mac in enumerate(up):
            if mac in cards[card] and leg not in tried:
                tried.add(leg)
                if leg not in whose or finds(whose[leg], tried):
                    whose[leg] = card
                    return True
        return False

    return [card for card in range(len(cards)) if not finds(card, set())]


def moves(leg: Leg, seen: Seen) -> list[Step]:
    """Traffic of the VMs over to their other leg, where a bond can be told.

    That the other leg is up is seen once more by it, at the last moment: the kernel takes no other
    (Linux bond_options.c, bond_option_active_slave_set).
    """
    steps = {}
    for vm in leg.vms:
        for card in leg.cards_of(vm):
            bond, macs = bond_of(seen[vm.key], *_known(card))
            # in other modes no leg carries by itself
            if bond is None or bond.active is None:
                continue
            # two cards with one address cannot be told apart: the unplugging moves it then
            others = (one.name for one in bond.legs if one.up and one.permanent_mac not in macs)
            target = next(others, None)
            if target is not None:
                steps[vm.name, bond.name] = _move(vm, bond, target, leg)
    return list(steps.values())


def _move(vm: VM, bond: InsideBond, target: str, leg: Leg) -> Step:
    place = command("cd", f"/sys/class/net/{bond.name}/bonding")
    is_active = f'read -r now <active_slave && [ "$now" = {command(target)} ]'
    script = f"{place} && echo {command(target)} >active_slave && {is_active}"
    return Step(
        link="guests",
        title=f"VM {vm.name}: {bond.name} over to {target}",
        reason=f"its card of {leg.name} is about to go",
        do=command("run_inside", vm.key, order(script)),
        check="",
        undo="",
    )


def _known(card: Card) -> tuple[frozenset[str], frozenset[str]]:
    return known_by(card.macs, card.vf_mac)


def known_by(
    own: Iterable[str | None], vf_mac: str | None
) -> tuple[frozenset[str], frozenset[str]]:
    """By which addresses a guest may know a card: its own, or also the one that its VF has.

    A guest that booted since the VF got another address has never seen the card's own.
    """
    surest = frozenset(mac for mac in own if _is_address(mac))
    return surest, surest | {mac for mac in [vf_mac] if _is_address(mac)}


def _is_address(mac: str | None) -> TypeGuard[str]:
    return mac is not None and mac != UNSET_MAC and MAC_ADDRESS.fullmatch(mac) is not None


def bond_of(inside: Inside, *known: frozenset[str]) -> tuple[InsideBond | None, frozenset[str]]:
    """The bond that a card is in.

    :param known: by which addresses the card may be known, the surest first
    :returns: with those of them by which it was found; of none, the last
    """
    for macs in known:
        for bond in inside.bonds:
            if any(leg.permanent_mac in macs for leg in bond.legs):
                return bond, macs
    return None, known[-1]


def others_up(bond: InsideBond, macs: frozenset[str]) -> bool:
    """Another leg than the card known by these is up; where both may be it, both must be."""
    up = [leg for leg in bond.legs if leg.up]
    if sum(leg.permanent_mac in macs for leg in bond.legs) > 1:
        return len(up) == len(bond.legs)
    return any(leg.permanent_mac not in macs for leg in up)


def _unseen(vm: VM, inside: Inside) -> Finding:
    return _blocked(
        vm.name,
        f"nobody can look into {vm.name}: {inside.why_not}",
        "whether its bond has another leg up is not known",
        f"start qemu-guest-agent in {vm.name}; or, if you know that it is: --assume-other-leg-up",
    )


def _blocked(about: str, found: str, means: str, mend: str) -> Finding:
    return Finding(
        severity=Severity.BLOCKED, link="guests", about=about, found=found, means=means, mend=mend
    )
