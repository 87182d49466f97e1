"""The host's own network as it is: bonds, bridges, VLANs, addresses, and who looks after them."""

from __future__ import annotations

from pydantic import Field

from sriovctl.plan import Frozen


class HostBond(Frozen):
    """A bond that the kernel has."""

    name: str
    options: dict[str, str]
    """In the kernel's words, as :class:`sriovctl.netconf.Bond` has them."""
    legs: tuple[str, ...] = ()
    """Interface names, in the kernel's order."""
    active: str | None = None
    """The leg in use, in modes that use one at a time."""


class Bridge(Frozen):
    """A bridge that the kernel has."""

    name: str
    ports: tuple[str, ...] = ()


class Vlan(Frozen):
    """A VLAN's interface."""

    name: str
    tag: int
    below: str
    """The interface that it is on."""


class Route(Frozen):
    """A default route."""

    device: str
    gateway: str


class HostNetwork(Frozen):
    """What the kernel has, and which files and programs there are for it."""

    bonds: tuple[HostBond, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    vlans: tuple[Vlan, ...] = ()
    addresses: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By interface, with prefix length; those that the kernel gives every port left out."""
    leased: tuple[str, ...] = ()
    """Interfaces that have an IPv4 address by DHCP."""
    mtus: dict[str, int] = Field(default_factory=dict)
    """Bytes, of every interface that there is."""
    routes: tuple[Route, ...] = ()
    systems: tuple[str, ...] = ()
    """What the host has to set its network with: ``networkd``, ``networkmanager`` where they run;
    ``netplan``, ``ifcfg``, ``ifupdown`` where they are installed."""
    lacking: tuple[str, ...] = ()
    """Packages without which ifupdown, where it is installed, makes no bonds (``ifenslave``) or no
    bridges (``bridge-utils``)."""
    managed: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By interface, which of networkd and networkmanager say that they set it."""
    named: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Files under /etc that describe the network, and the interfaces that each names."""

    renderers: dict[str, str] = Field(default_factory=dict)
    """By file of netplan, the back end that it names for the whole host."""

    def bond_named(self, name: str) -> HostBond | None:
        """The bond of this name."""
        return next((bond for bond in self.bonds if bond.name == name), None)

    def bridge_named(self, name: str) -> Bridge | None:
        """The bridge of this name."""
        return next((bridge for bridge in self.bridges if bridge.name == name), None)

    def bridge_of(self, port: str) -> str | None:
        """Name of the bridge that an interface is in."""
        return next((bridge.name for bridge in self.bridges if port in bridge.ports), None)
