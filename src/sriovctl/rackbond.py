"""A bond as the rack file has it, and what cannot be together in it; a guest's in full."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from sriovctl.names import PortName
from sriovctl.netconf.model import ArpValidate
from sriovctl.written import Written

MacPolicy = Literal["shared", "active", "open"]
"""How a pair's two VFs share addresses: one for both, one each, or whatever the guest sends."""

DEFAULT_MIIMON_MS = 100
"""Between two looks at the link where nothing is said: the kernel's own 0 would never look."""


def _bond_name(text: str) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9]{0,9}\Z", text) or text in ("all", "default", "lo"):
        raise ValueError("a bond's name is of letters and digits, at most 10, such as bond0")
    return text


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("an IP address looks like 10.0.0.1 or fd00::1") from None


def _ipv4(text: str) -> str:
    address = ipaddress.ip_address(_ip(text))
    if address.version != 4:
        raise ValueError("ARP is of IPv4: an address such as 10.0.0.254")
    return str(address)


def _interface(text: str) -> str:
    allowed = "an address with its prefix looks like 10.0.0.5/24 or fd00::5/64"
    if "/" not in text:
        raise ValueError(allowed)
    try:
        return str(ipaddress.ip_interface(text).with_prefixlen)
    except ValueError:
        raise ValueError(allowed) from None


BondName = Annotated[
    str,
    AfterValidator(_bond_name),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9]{0,9}$"}),
]
"""Short enough that its legs' names, ``bond0_em1`` or ``bond0_leg1``, can be interfaces' too."""
IP = Annotated[
    str, AfterValidator(_ip), WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f.:]+$"})
]
IPv4 = Annotated[
    str, AfterValidator(_ipv4), WithJsonSchema({"type": "string", "pattern": "^[0-9.]+$"})
]
InterfaceAddress = Annotated[
    str,
    AfterValidator(_interface),
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9A-Fa-f.:]+/[0-9.]+$", "examples": ["10.0.0.5/24"]}
    ),
]
Milliseconds = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""The kernel takes a positive int (Linux drivers/net/bonding/bond_options.c)."""
GratuitousARPs = Annotated[int, Field(ge=1, le=255)]


class BondKeys(Written):
    """What is said alike of a guest's bond and of a host's."""

    miimon: Milliseconds | None = Field(
        None, description="ms between two looks at the link; 100 unless arp_interval is given"
    )
    arp_interval: Milliseconds | None = Field(
        None, description="ms between two ARP requests, which see a dead path behind a live link"
    )
    arp_ip_targets: Annotated[list[IPv4], Field(max_length=16)] = Field(
        default_factory=list, description="IPv4 addresses that are asked, 16 at most"
    )
    updelay: Milliseconds | None = Field(
        None, description="ms that a link must be up before it is used; needs miimon"
    )
    downdelay: Milliseconds | None = Field(
        None, description="ms that a link may be down before it is left; needs miimon"
    )
    primary: PortName | None = Field(None, description="the leg that is used whenever it is up")
    mtu: Annotated[int, Field(ge=576, le=65535)] | None = Field(None, description="bytes")
    gateway: IP | None = Field(None, description="of the default route; not with dhcp")
    dns: list[IP] = Field(default_factory=list, description="addresses of name servers")


def addresses_in(address: str | list[str] | None) -> tuple[str, ...]:
    """Those that the key ``address`` has, with their prefixes; none for DHCP and for nothing."""
    if address is None or address == "dhcp":
        return ()
    return (address,) if isinstance(address, str) else tuple(address)


class GuestBond(BondKeys):
    """The bond over a pair, inside the guest: for ``sriovctl guest-config``."""

    name: BondName | None = Field(
        None, description="bond0 over the first pair, bond1 over the second, if left out"
    )
    arp_validate: ArpValidate | None = Field(
        None,
        description="which legs only ARP answers keep alive; active with arp_interval, if left out",
    )
    num_grat_arp: GratuitousARPs = Field(3, description="gratuitous ARPs after a failover")
    address: Literal["dhcp"] | InterfaceAddress | list[InterfaceAddress] = Field(
        "dhcp", description="dhcp, one address with its prefix, or a list of them"
    )

    def name_in(self, pair: int) -> str:
        """The bond's interface name.

        :param pair: which of the VM's pairs it is over, counted from 0
        """
        return self.name or f"bond{pair}"

    @property
    def validates(self) -> ArpValidate | None:
        """``arp_validate`` as written, else ``active`` where it asks by ARP: where any frame is a
        sign of life, its own questions are all that a leg that waits hears on a quiet network, and
        both legs are found dead at one look."""
        return self.arp_validate or ("active" if self.arp_interval else None)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those written, with their prefixes; none for DHCP."""
        return addresses_in(self.address)


def faults_of_bond(bond: GuestBond, legs: Sequence[str], alike: bool) -> Iterator[tuple[str, str]]:
    """What no single key of a guest's bond shows to be wrong.

    :param legs: names of the pair's PFs
    :param alike: both cards look the same to the guest: one address, and no slot is given
    :returns: ``(key, message)`` each
    """
    yield from faults_of_keys(bond, bond.address, legs)
    if bond.arp_validate and not bond.arp_interval:
        yield "arp_validate", "arp_validate is of arp_interval: without it nobody is asked by ARP"
    if bond.primary is not None and bond.primary in legs and alike:
        yield "primary", "both cards have one address: give the pair's slot to tell them apart"


def faults_of_keys(
    bond: BondKeys, address: str | list[str] | None, legs: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """What no single key that both kinds of bond have shows to be wrong.

    :param address: the bond's key of that name
    :param legs: names of its PFs
    :returns: ``(key, message)`` each
    """
    if bond.arp_interval and bond.miimon:
        yield "arp_interval", "a bond looks at the link (miimon) or asks by ARP (arp_interval)"
    if bond.arp_interval and not bond.arp_ip_targets:
        yield "arp_interval", "arp_interval needs arp_ip_targets: somebody who answers"
    if bond.arp_ip_targets and not bond.arp_interval:
        yield "arp_ip_targets", "arp_ip_targets without arp_interval: nobody would be asked"
    for key, delay in (("updelay", bond.updelay), ("downdelay", bond.downdelay)):
        if delay and bond.arp_interval:
            yield key, f"{key} is of miimon; with arp_interval the kernel ignores it"
    if bond.primary is not None and bond.primary not in legs:
        yield "primary", f"{bond.primary} is no leg of this bond; its legs: {', '.join(legs)}"
    addresses = addresses_in(address)
    networks = [ipaddress.ip_interface(text).network for text in addresses]
    if bond.gateway is not None and address == "dhcp":
        yield "gateway", "with address: dhcp the gateway is told by the DHCP server"
    elif bond.gateway is not None and not any(
        ipaddress.ip_address(bond.gateway) in network for network in networks
    ):
        known = ", ".join(addresses) or "none"
        yield "gateway", f"{bond.gateway} is in the network of no address here; it has: {known}"
