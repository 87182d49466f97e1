"""A host's bond over its PFs, with what stands on it, as the rack file has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from sriovctl.names import PortName
from sriovctl.netconf.model import Bond, FailOverMac, Leg, Mode, Network
from sriovctl.rackbond import (
    BondKeys,
    GratuitousARPs,
    InterfaceAddress,
    addresses_in,
    faults_of_keys,
)

WITH_PRIMARY: frozenset[Mode] = frozenset({"active-backup", "balance-tlb", "balance-alb"})
WITHOUT_ARP: frozenset[Mode] = frozenset({"802.3ad", "balance-tlb", "balance-alb"})
"""Modes that the kernel takes a primary in, and those in which it takes no ARP monitoring
(bond_options.c, ``unsuppmodes``)."""


def _bridge_name(text: str) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9_-]{0,14}\Z", text) or text in ("all", "default", "lo"):
        raise ValueError("a bridge's name is of letters, digits, _ and -, at most 15, such as br0")
    return text


BridgeName = Annotated[
    str,
    AfterValidator(_bridge_name),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,14}$"}),
]


class HostBond(BondKeys):
    """A bond of the host. What is left out is left as it is; a new bond gets the kernel's own."""

    legs: Annotated[list[PortName], Field(min_length=1, max_length=8)] | None = Field(
        None, description="PFs as named under pfs; all of them if left out"
    )
    mode: Mode = Field("active-backup", description="as the kernel names them")
    fail_over_mac: FailOverMac | None = Field(
        None, description="active: the bond takes the address of the leg in use"
    )
    num_grat_arp: GratuitousARPs | None = Field(
        None, description="gratuitous ARPs after a failover"
    )
    vlan: Annotated[int, Field(ge=1, le=4094)] | None = Field(
        None, description="a VLAN on the bond, with what is above on it: bond0.100"
    )
    bridge: BridgeName | None = Field(
        None, description="a bridge on the bond, or on its VLAN, for VMs without VFs"
    )
    address: Literal["dhcp"] | InterfaceAddress | list[InterfaceAddress] | None = Field(
        None, description="the host's own, on top of it all: dhcp, one with its prefix, or a list"
    )

    def network(self, name: str, legs: list[str]) -> Network:
        """What is wanted, its legs named as under ``pfs``.

        :param name: the bond's
        :param legs: the host's ports, for a bond that names none
        """
        return Network(
            bond=Bond(
                name=name,
                mode=self.mode,
                miimon_ms=self.miimon,
                updelay_ms=self.updelay,
                downdelay_ms=self.downdelay,
                arp_interval_ms=self.arp_interval,
                arp_ip_targets=tuple(self.arp_ip_targets),
                fail_over_mac=self.fail_over_mac,
                primary=self.primary,
                num_grat_arp=self.num_grat_arp,
            ),
            legs=tuple(Leg(name=leg) for leg in self.legs or legs),
            vlan=self.vlan,
            bridge=self.bridge,
            mtu=self.mtu,
            dhcp=self.address == "dhcp",
            addresses=addresses_in(self.address),
            gateway=self.gateway,
            dns=tuple(self.dns),
        )


def faults_of_host_bond(bond: HostBond, ports: list[str]) -> Iterator[tuple[str, str]]:
    """What no single key of a host's bond shows to be wrong.

    :param ports: names of the host's PFs
    :returns: ``(key, message)`` each
    """
    legs = bond.legs or ports
    yield from faults_of_keys(bond, bond.address, legs)
    for place, leg in enumerate(legs):
        if leg not in ports:
            yield "legs", f"no PF {leg!r} under pfs; there are: {', '.join(ports)}"
        if leg in legs[:place]:
            yield "legs", f"{leg} is named twice"
    if bond.primary is not None and bond.mode not in WITH_PRIMARY:
        yield "primary", f"the kernel takes no primary in the mode {bond.mode}"
    if bond.arp_interval is not None and bond.mode in WITHOUT_ARP:
        yield "arp_interval", f"the kernel takes no ARP monitoring in the mode {bond.mode}"
    if bond.fail_over_mac is not None and bond.mode != "active-backup":
        yield "fail_over_mac", f"it is of active-backup; the mode here is {bond.mode}"
