"""The bonds inside a guest as its rack file wants them, for the renderers of netconf."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sriovctl.netconf import Bond, Leg, Network
from sriovctl.rackbond import DEFAULT_MIIMON_MS

if TYPE_CHECKING:
    from sriovctl.rack import Rack

LONGEST_INTERFACE_NAME = 15
"""Bytes (linux/if.h, IFNAMSIZ less the closing zero)."""


def networks_of(rack: Rack, vm: str) -> tuple[Network, ...]:
    """A bond for each of a VM's pairs, in their order.

    :param rack: one that :func:`sriovctl.rackfile.load` gave
    :param vm: a key of its ``vms``
    """
    return tuple(_network(rack, vm, pair) for pair in range(len(rack.vms[vm].pairs)))


def _network(rack: Rack, vm: str, pair: int) -> Network:
    written = rack.vms[vm].pairs[pair]
    bond, policy = written.bond, rack.policy_of(vm, pair)
    name = bond.name_in(pair)
    macs = {leg: rack.mac_of(vm, pair, leg) for leg in rack.legs_of(vm, pair)}
    names = {leg: _interface(name, leg, place) for place, leg in enumerate(macs, 1)}
    # with fail_over_mac=active it has whatever address its present card has
    own = None if policy == "active" else macs[bond.primary or next(iter(macs))]
    return Network(
        bond=Bond(
            name=name,
            miimon_ms=bond.miimon or (None if bond.arp_interval else DEFAULT_MIIMON_MS),
            updelay_ms=bond.updelay,
            downdelay_ms=bond.downdelay,
            arp_interval_ms=bond.arp_interval,
            arp_ip_targets=tuple(bond.arp_ip_targets),
            arp_validate=bond.validates,
            fail_over_mac="active" if policy == "active" else None,
            primary=None if bond.primary is None else names[bond.primary],
            num_grat_arp=bond.num_grat_arp,
            mac=own,
        ),
        legs=tuple(
            Leg(
                name=names[leg],
                mac=mac,
                # an address of its own is the surer mark: slots change with the VM's other devices
                slot=written.slot.get(leg) if policy == "shared" else None,
            )
            for leg, mac in macs.items()
        ),
        mtu=bond.mtu,
        dhcp=bond.address == "dhcp",
        addresses=bond.addresses,
        gateway=bond.gateway,
        dns=tuple(bond.dns),
    )


def _interface(bond: str, leg: str, place: int) -> str:
    """``bond0_em1``: with the leg's name, if that makes an interface's name in every system."""
    name = f"{bond}_{leg}"
    plain = re.fullmatch(r"[A-Za-z0-9]+", leg) and len(name) <= LONGEST_INTERFACE_NAME
    return name if plain else f"{bond}_leg{place}"
