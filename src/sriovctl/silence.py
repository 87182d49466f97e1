"""Pairs whose VM goes silent at a failover: the card drops what the bond sends over its other leg.

A bond with ``fail_over_mac=none``, the kernel's own choice, has one address for all of its legs. A
VF with an address of its own and spoof check on refuses that address, so that it never joins the
bond, or takes it and then drops all that is sent from it. In both cases all is well until the first
failover. What a VF may send from is what its PF says of it; what a bond sends from, only the guest
can say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sriovctl.chain.otherleg import bond_of, known_by
from sriovctl.host import PF, VF, VM, HostState
from sriovctl.insidefacts import Inside, InsideBond
from sriovctl.names import UNSET_MAC
from sriovctl.plan import Finding, Severity
from sriovctl.shell import command
from sriovctl.wanted import HostWant


@dataclass(frozen=True)
class _Card:
    """A VF in a running VM."""

    pf: PF
    vf: VF
    mac: str | None
    """As the VM's definition has it."""

    @property
    def port(self) -> str:
        return self.pf.name or self.pf.pci

    def drops(self, address: str) -> bool:
        """Whether it certainly drops what is sent from this address."""
        known = self.vf.mac is not None and self.vf.mac != UNSET_MAC
        return known and self.vf.spoofchk == "on" and self.vf.mac != address


def vms_to_ask(have: HostState) -> tuple[str, ...]:
    """Running VMs whose pair goes silent if their bond is the wrong one: UUIDs, or names."""
    return tuple(vm.key for vm in have.vms if _hangs_on_the_bond(_cards(vm, have)))


def findings(want: HostWant, have: HostState, inside: Mapping[str, Inside]) -> list[Finding]:
    """What is to be said of the pairs of a host, VMs that the rack file does not name too.

    :param inside: what VMs said, by :func:`vms_to_ask`'s words
    :returns: a warning for each VM that goes silent at a failover, and an info for each whose bond
        nobody can see
    """
    found = []
    for vm in have.vms:
        cards = _cards(vm, have)
        if not _hangs_on_the_bond(cards):
            continue
        said = inside.get(vm.key, Inside(vm=vm.name, why_not="it was not asked"))
        if said.why_not:
            found.append(_unseen(vm, cards, said.why_not))
        for bond in said.bonds:
            legs = [card for card in cards if _is_leg(card, bond, said)]
            found += _of_bond(want, vm, cards, bond, legs)
    return found


def _cards(vm: VM, have: HostState) -> tuple[_Card, ...]:
    places = {vf.pci: (pf, vf) for pf in have.pfs for vf in pf.vfs}
    return tuple(
        _Card(*places[nic.pci], nic.mac)
        for nic in (vm.live_nics if vm.running else ())
        if nic.pci in places
    )


def _hangs_on_the_bond(cards: tuple[_Card, ...]) -> bool:
    """Two legs with an address each, at least one of which is held to its own."""
    return any(
        card.drops(other.vf.mac)
        for card in cards
        for other in cards
        if other.pf.pci != card.pf.pci and other.vf.mac is not None
    )


def _is_leg(card: _Card, bond: InsideBond, said: Inside) -> bool:
    """Whether a bond of a VM has a card.

    Where no bond knows it by what the host gave it, its address may be one that the guest chose.
    """
    there, macs = bond_of(said, *known_by([card.mac], card.vf.mac))
    return there is bond or (there is None and any(leg.mac in macs for leg in bond.legs))


def _of_bond(
    want: HostWant,
    vm: VM,
    cards: tuple[_Card, ...],
    bond: InsideBond,
    legs: Sequence[_Card],
) -> Iterator[Finding]:
    if bond.mode != "active-backup" or bond.fail_over_mac == "active":
        return
    ports = {card.pf.pci for card in legs}
    # with follow a trusted guest changes the address at the failover, and the card with it
    dropping = [
        card
        for card in legs
        if card.drops(bond.mac) and not (bond.fail_over_mac == "follow" and card.vf.trust == "on")
    ]
    outside = [card for card in cards if card not in legs and card.pf.pci not in ports]
    kept_out = [card for card in outside if card.drops(bond.mac)]
    setting = f"its {bond.name} has fail_over_mac={bond.fail_over_mac}"
    if len(ports) > 1 and dropping:
        names = " and ".join(card.port for card in dropping)
        own_macs = ", ".join(f"{card.vf.mac} on {card.port}" for card in dropping)
        yield _silent(
            want,
            vm,
            cards,
            found=f"its pair goes silent on {names}: {setting} and sends from {bond.mac}; its VF "
            f"has {own_macs}, with spoof check on",
            means=f"the card drops what comes from {bond.mac}, as soon as the bond's traffic is on "
            f"{names}",
        )
    elif len(ports) == 1 and kept_out:
        names = " and ".join(card.port for card in kept_out)
        (only,) = {card.port for card in legs}
        yield _silent(
            want,
            vm,
            cards,
            found=f"its pair goes silent without {only}: {setting} and has no leg on {names}",
            means=f"the VF on {names} has an address of its own, with spoof check on, and takes no "
            "other; so the bond cannot have it",
        )


def _silent(want: HostWant, vm: VM, cards: tuple[_Card, ...], *, found: str, means: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        link="guests",
        about=vm.name,
        found=found,
        means=means,
        mend=f"fail_over_mac=active in the guest's bond; or {_mend_on_host(want, vm, cards)}",
    )


def _mend_on_host(want: HostWant, vm: VM, cards: tuple[_Card, ...]) -> str:
    written = [nic.macs for one in want.vms if one.name == vm.name for nic in one.nics]
    later = [policy for policy in dict.fromkeys(written) if policy != "active"]
    if later:
        return f"sriovctl apply: macs: {' and '.join(later)} is not yet so"
    if written:
        return "macs: shared for its pair, one address on both VFs; or macs: open, no spoof check"
    edit = command("virsh", "edit", vm.name)
    opened = "; ".join(
        command(
            "ip", "link", "set", card.port, "vf", card.vf.index, "spoofchk", "off", "trust", "on"
        )
        for card in cards
    )
    return f"one <mac address> for both cards ({edit}, then stop and start it); or {opened}"


def _unseen(vm: VM, cards: tuple[_Card, ...], why_not: str) -> Finding:
    ports = " and ".join(dict.fromkeys(card.port for card in cards))
    return Finding(
        severity=Severity.INFO,
        link="guests",
        about=vm.name,
        found=f"nobody can see its bond: {why_not}",
        means=f"its VFs on {ports} have an address each, with spoof check on: without "
        "fail_over_mac=active in the guest it goes silent at a failover",
        mend="look there: cat /proc/net/bonding/bond0; or let the QEMU guest agent run in it",
    )
