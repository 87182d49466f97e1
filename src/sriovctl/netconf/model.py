"""A bond over legs with what is on it, in no network system's own words."""

from __future__ import annotations

from typing import Literal

from sriovctl.plan import Frozen

Mode = Literal[
    "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb",
    "balance-alb",
]  # fmt: skip


FailOverMac = Literal["none", "active", "follow"]
ArpValidate = Literal["none", "active", "backup", "all"]
"""What every network system has a word for; the kernel knows ``filter`` besides."""


class Bond(Frozen):
    """A bond's own settings. None: left to the kernel."""

    name: str
    mode: Mode = "active-backup"
    miimon_ms: int | None = None
    updelay_ms: int | None = None
    downdelay_ms: int | None = None
    arp_interval_ms: int | None = None
    arp_ip_targets: tuple[str, ...] = ()
    arp_validate: ArpValidate | None = None
    fail_over_mac: FailOverMac | None = None
    primary: str | None = None
    """A leg's name."""
    num_grat_arp: int | None = None
    mac: str | None = None
    """The bond's own address, where it must be a certain one: systemd makes up one of its own."""

    @property
    def options(self) -> dict[str, str]:
        """All but the address, in the kernel's words (Documentation/networking/bonding.rst); a
        list's values with commas between."""
        values = {
            "mode": self.mode,
            "miimon": self.miimon_ms,
            "updelay": self.updelay_ms,
            "downdelay": self.downdelay_ms,
            "arp_interval": self.arp_interval_ms,
            "arp_ip_target": ",".join(self.arp_ip_targets) or None,
            "arp_validate": self.arp_validate,
            "fail_over_mac": self.fail_over_mac,
            "primary": self.primary,
            "num_grat_arp": self.num_grat_arp,
        }
        return {word: str(value) for word, value in values.items() if value is not None}


class Leg(Frozen):
    """One of a bond's cards: recognised by its slot, else by its address, else by its name."""

    name: str
    """Its interface name: given to it where it is recognised by slot or address."""
    mac: str | None = None
    slot: str | None = None
    """PCI address, ``0000:05:00.0``."""


NetplanRenderer = Literal["networkd", "NetworkManager"]


class Network(Frozen):
    """A bond over its legs, a VLAN and a bridge on it if wanted, and addresses on top of that."""

    bond: Bond
    legs: tuple[Leg, ...]
    vlan: int | None = None
    """Tag that the machine itself puts on, 1 to 4094."""
    bridge: str | None = None
    mtu: int | None = None
    """Bytes."""
    dhcp: bool = False
    """For IPv4. IPv6 is left to router advertisements, unless there is an address."""
    addresses: tuple[str, ...] = ()
    """With their prefixes, ``10.0.0.5/24``."""
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    renderer: NetplanRenderer | None = None
    """Netplan's back end for the whole machine, where this is to name one."""

    @property
    def alike(self) -> bool:
        """Two legs with one address and no slot, so that one match must take both."""
        marks = {(leg.mac, leg.slot) for leg in self.legs}
        return len(self.legs) > len(marks) and (None, None) not in marks

    @property
    def vlan_name(self) -> str | None:
        """Name of the VLAN's interface, ``bond0.100``."""
        return None if self.vlan is None else f"{self.bond.name}.{self.vlan}"

    @property
    def levels(self) -> tuple[str, ...]:
        """Interfaces from the bond up; the last one has the addresses."""
        names = (self.bond.name, self.vlan_name, self.bridge)
        return tuple(name for name in names if name is not None)

    @property
    def ipv4(self) -> tuple[str, ...]:
        """Addresses of IPv4."""
        return tuple(address for address in self.addresses if ":" not in address)

    @property
    def ipv6(self) -> tuple[str, ...]:
        """Addresses of IPv6."""
        return tuple(address for address in self.addresses if ":" in address)


class File(Frozen):
    """A file as it should be."""

    path: str
    text: str
    mode: int = 0o644
