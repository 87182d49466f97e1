"""A leg and the cards on it: VFs in running VMs, and what the rack file wants in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sriovctl.host import PF, VM, HostState, VMNic
from sriovctl.identity import identify
from sriovctl.names import UNSET_MAC
from sriovctl.plan import Finding
from sriovctl.wanted import HostWant, NicWant, PFWant


@dataclass(frozen=True)
class Card:
    """A VF in a running VM, and what is to be in its place afterwards."""

    vm: VM
    nic: VMNic
    wish: NicWant | None
    """None: the rack file gives the VM nothing in its place."""
    strayed: str | None = None
    """The address that its VF has in place of its own; only plugging it in anew mends that."""
    vf_mac: str | None = None
    """The address that its VF has, its own or one that a trusted guest chose."""

    @property
    def as_wanted(self) -> bool:
        """The rack file wants this very card, and it can stay."""
        return self.strayed is None and self.wish is not None and is_card(self.nic, self.wish)

    @property
    def macs(self) -> frozenset[str]:
        """Addresses by which its guest may know it: a guest that booted since its VF got another
        one has never seen its own."""
        return frozenset(mac for mac in (self.nic.mac, self.strayed) if mac is not None)


@dataclass(frozen=True)
class Leg:
    """A PF, and the cards on it that running VMs let go of while it is changed."""

    want: PFWant
    pf: PF
    cards: tuple[Card, ...] = ()
    is_out: bool = False
    """A running VM has a card of it in its definition only."""

    @property
    def name(self) -> str:
        """The PF's interface name, or as the rack file calls it."""
        return self.pf.name or self.want.name

    @property
    def vms(self) -> tuple[VM, ...]:
        """Those that let go of a card, each once."""
        return tuple({card.vm.name: card.vm for card in self.cards}.values())

    def cards_of(self, vm: VM) -> tuple[Card, ...]:
        """A VM's cards on it that have an address."""
        return tuple(c for c in self.cards if c.vm.name == vm.name and c.nic.mac)


def leg_of(want: HostWant, have: HostState, pf_want: PFWant) -> Leg | Finding:
    """A PF with every card of it that a running VM has, or why there is no such PF."""
    pf = identify(pf_want, have)
    if isinstance(pf, Finding):
        return pf
    vfs = {vf.pci: vf.mac for vf in pf.vfs}
    fixed = fixed_addresses(pf_want, pf)
    cards = tuple(
        Card(vm, nic, _wish(vm, nic, pf_want, want), strayed(nic, fixed), vfs[nic.pci])
        for vm in have.vms
        if vm.running
        for nic in vm.live_nics
        if nic.pci in vfs
    )
    return Leg(pf_want, pf, cards)


def nics_of(want: HostWant, vm: str, leg: PFWant | None = None) -> tuple[NicWant, ...]:
    """The cards that the rack file wants of a VM, on one leg or on all."""
    nics = next((one.nics for one in want.vms if one.name == vm), ())
    return tuple(nic for nic in nics if leg is None or nic.leg == leg.name)


def is_card(nic: VMNic, wish: NicWant) -> bool:
    """Whether a card is the wanted one, and not one that it is to become."""
    return (nic.pool, nic.mac, nic.vlan) == (wish.pool, wish.mac, wish.vlan)


def fixed_addresses(want: PFWant, pf: PF) -> dict[str, str]:
    """Addresses that VFs of a port have and whoever holds them may not change, by PCI address.

    A guest that is trusted may, or was when its bond gave one address to both of its cards: then
    the VF keeps it until libvirt sets the card's own anew (igb_main.c, igb_set_vf_mac_addr).
    """
    wished = {wish.index: wish.trust for wish in want.vf}
    return {
        vf.pci: vf.mac
        for vf in pf.vfs
        if vf.mac is not None
        and vf.mac != UNSET_MAC
        # trust that is not reported cannot be set either
        and vf.trust is not None
        and (wished.get(vf.index) or vf.trust) == "off"
    }


def strayed(nic: VMNic, fixed: Mapping[str, str]) -> str | None:
    """The address that a running VM's VF has in place of the card's own; None: it has its own.

    :param fixed: of :func:`fixed_addresses`
    """
    there = fixed.get(nic.pci or "")
    return there if nic.mac is not None and there != nic.mac else None


def as_if_own(have: HostState, pf: PF) -> HostState:
    """The host with each card that a VM has of a port at its own address."""
    own = {nic.pci: nic.mac for vm in have.vms for nic in vm.live_nics if nic.mac is not None}
    vfs = tuple(vf.model_copy(update={"mac": own.get(vf.pci, vf.mac)}) for vf in pf.vfs)
    new = pf.model_copy(update={"vfs": vfs})
    return have.model_copy(
        update={"pfs": tuple(new if one.pci == pf.pci else one for one in have.pfs)}
    )


def without(have: HostState, cards: Iterable[Card]) -> HostState:
    """The host with some cards let go of."""
    gone = {card.nic.pci for card in cards}
    vms = tuple(
        vm.model_copy(update={"live_nics": tuple(n for n in vm.live_nics if n.pci not in gone)})
        for vm in have.vms
    )
    return have.model_copy(update={"vms": vms})


def _wish(vm: VM, nic: VMNic, leg: PFWant, want: HostWant) -> NicWant | None:
    if nic.how != "pool":
        return None
    wishes = nics_of(want, vm.name, leg)
    for wish in wishes:
        if is_card(nic, wish):
            return wish
    new = [wish for wish in wishes if not any(is_card(one, wish) for one in vm.live_nics)]
    old = [
        one
        for one in vm.live_nics
        if one.pool == nic.pool and not any(is_card(one, wish) for wish in wishes)
    ]
    # of several, nobody can say which one is to go
    return new[old.index(nic)] if len(new) == len(old) else None
