"""What each command of link *bonds* does to a host's network, by the kernel's own rules."""

from __future__ import annotations

from typing import Any

from sriovctl.host import HostState
from sriovctl.hostnet import Bridge, HostBond, HostNetwork, Route, Vlan
from tests.unit.chain.hostmodel import HostModel, RefusedError

NEW_BOND = {
    "mode": "balance-rr",
    "miimon": "0",
    "updelay": "0",
    "downdelay": "0",
    "arp_interval": "0",
    "arp_ip_target": "",
    "fail_over_mac": "none",
    "primary": "",
    "num_grat_arp": "1",
}
"""Of a bond that nobody has set anything of (bonding.rst, the defaults)."""
LEASE = "192.0.2.7/24"
OTHER_MONITOR = {"miimon": "arp_interval", "arp_interval": "miimon"}


class BondModel(HostModel):
    """A host whose network can be changed."""

    def __init__(self, state: HostState) -> None:
        super().__init__(state)
        self.aside: dict[str, tuple[str, ...]] = {}
        self.unmanaged: set[str] = set()
        self.known = set(self.net.mtus)
        """Devices that were there when networkd began: of others it makes nothing (from 257 on)."""
        self.primaries = {bond.name: bond.options["primary"] for bond in self.net.bonds}
        """By bond: the kernel remembers the name while that leg is out (bond_enslave)."""
        self.own_mtus: dict[str, int] = {}
        """Of legs, from before they were in their bond, which gives them its own (bond_enslave)."""

    @property
    def net(self) -> HostNetwork:
        return self.state.network

    def change(self, **values: Any) -> None:
        network = self.net.model_copy(update=values)
        self.state = self.state.model_copy(update={"network": network})

    def bond(self, name: str) -> HostBond:
        found = self.net.bond_named(name)
        if found is None:
            raise RefusedError(f"no bond {name}")
        return found

    def put_bond(self, new: HostBond) -> None:
        others = [bond for bond in self.net.bonds if bond.name != new.name]
        self.change(bonds=tuple(sorted([*others, new], key=lambda bond: bond.name)))

    def name_of(self, pci: str) -> str:
        return self._pf(pci).name or ""

    def need(self, name: str) -> None:
        if name not in self.net.mtus:
            raise RefusedError(f"no device {name}")

    def make_bond(self, name: str) -> None:
        if self.net.bond_named(name) is None:
            if name in self.net.mtus:
                raise RefusedError("EEXIST")
            self.put_bond(HostBond(name=name, options=NEW_BOND))
            self.change(mtus={**self.net.mtus, name: 1500})

    def remove_bond(self, name: str) -> None:
        for leg in self.bond(name).legs:
            self._release(name, leg)
        self.change(bonds=tuple(bond for bond in self.net.bonds if bond.name != name))
        self.forget(name)

    def forget(self, name: str) -> None:
        self.change(
            mtus={key: value for key, value in self.net.mtus.items() if key != name},
            addresses={key: value for key, value in self.net.addresses.items() if key != name},
            routes=tuple(route for route in self.net.routes if route.device != name),
            bridges=tuple(
                bridge.model_copy(update={"ports": tuple(p for p in bridge.ports if p != name)})
                for bridge in self.net.bridges
            ),
        )

    def set_bond(self, name: str, *settings: str) -> None:
        for word, value in zip(settings[::2], settings[1::2], strict=True):
            bond = self.bond(name)
            options = dict(bond.options)
            if word in ("mode", "fail_over_mac") and bond.legs and options[word] != value:
                raise RefusedError(f"{word} of a bond with legs")
            if word in ("updelay", "downdelay"):
                miimon = int(options["miimon"])
                if not miimon and value != "0":
                    raise RefusedError(f"{word} without miimon")
                value = str(int(value) // max(miimon, 1) * max(miimon, 1))
            if word == "primary":
                self.primaries[name] = value
                value = value if value in bond.legs else ""
            options[word] = value
            if word in OTHER_MONITOR and value != "0":
                options[OTHER_MONITOR[word]] = "0"
            self.put_bond(bond.model_copy(update={"options": options}))

    def into_bond(self, name: str, pci: str) -> None:
        leg = self.name_of(pci)
        bond = self.bond(name)
        if leg in bond.legs:
            return
        if self._pf(pci).master is not None:
            raise RefusedError(f"{leg} is in {self._pf(pci).master}")
        held = "networkmanager" in self.net.managed.get(leg, ())
        if held and leg not in self.unmanaged:
            raise RefusedError(f"NetworkManager puts {leg} back")
        primary = {"primary": leg} if self.primaries.get(name) == leg else {}
        new = {"legs": (*bond.legs, leg), "options": bond.options | primary}
        self.put_bond(bond.model_copy(update=new))
        self._update_pf(pci, master=name, up=True)
        self.own_mtus[leg] = self.net.mtus[leg]
        self.change(mtus={**self.net.mtus, leg: self.net.mtus[name]})
        addresses = {key: value for key, value in self.net.addresses.items() if key != leg}
        routes = tuple(route for route in self.net.routes if route.device != leg)
        self.change(addresses=addresses, routes=routes)

    def out_of_bond(self, name: str, pci: str, state: str) -> None:
        leg = self.name_of(pci)
        if self.net.bond_named(name) is not None and leg in self.bond(name).legs:
            self._release(name, leg)
            self._update_pf(pci, up=state == "up")

    def _release(self, name: str, leg: str) -> None:
        bond = self.bond(name)
        options = dict(bond.options)
        legs = tuple(other for other in bond.legs if other != leg)
        if options["primary"] == leg:
            options["primary"] = ""
        self.put_bond(bond.model_copy(update={"legs": legs, "options": options}))
        self._update_pf(next(pf.pci for pf in self.state.pfs if pf.name == leg), master=None)
        if leg in self.own_mtus:
            self.change(mtus={**self.net.mtus, leg: self.own_mtus.pop(leg)})

    def pairs_leave(self, *words: str) -> None:
        """What VMs do is no fact of the host's network."""

    pairs_leave_if_they_can = pairs_are_back = pairs_leave

    def make_vlan(self, below: str, name: str, tag: str) -> None:
        self.need(below)
        if name not in self.net.mtus:
            vlans = (*self.net.vlans, Vlan(name=name, tag=int(tag), below=below))
            self.change(vlans=vlans, mtus={**self.net.mtus, name: 1500})

    def make_bridge(self, name: str) -> None:
        if name not in self.net.mtus:
            bridges = (*self.net.bridges, Bridge(name=name))
            self.change(bridges=bridges, mtus={**self.net.mtus, name: 1500})

    def delete_device(self, name: str) -> None:
        self.change(
            vlans=tuple(vlan for vlan in self.net.vlans if vlan.name != name),
            bridges=tuple(bridge for bridge in self.net.bridges if bridge.name != name),
        )
        self.forget(name)

    def device_up(self, name: str) -> None:
        self.need(name)

    def device_down(self, name: str) -> None:
        self.need(name)
        self.change(routes=tuple(route for route in self.net.routes if route.device != name))

    def device_address(self, name: str, mac: str) -> None:
        self.need(name)

    def set_mtu(self, name: str, size: str) -> None:
        """A bond gives it to its legs, and takes it from a VLAN that had more (vlan.c)."""
        self.need(name)
        new = {name: int(size)}
        for vlan in self.net.vlans:
            if vlan.name == name and self.net.mtus[vlan.below] < int(size):
                raise RefusedError("ERANGE")
            if vlan.below == name:
                new[vlan.name] = min(self.net.mtus[vlan.name], int(size))
        bond = self.net.bond_named(name)
        new |= dict.fromkeys(() if bond is None else bond.legs, int(size))
        self.change(mtus=self.net.mtus | new)

    def set_leg_mtu(self, pci: str, size: str) -> None:
        self.set_mtu(self.name_of(pci), size)

    def bridge_port(self, bridge: str, port: str) -> None:
        if self.net.bridge_of(port) not in (None, bridge):
            raise RefusedError(f"{port} is in another bridge")
        self._ports(bridge, {*self._bridge(bridge).ports, port})

    def no_bridge_port(self, bridge: str, port: str) -> None:
        self._ports(bridge, {*self._bridge(bridge).ports} - {port})

    def _bridge(self, name: str) -> Bridge:
        return next(bridge for bridge in self.net.bridges if bridge.name == name)

    def _ports(self, name: str, ports: set[str]) -> None:
        new = Bridge(name=name, ports=tuple(sorted(ports)))
        self.change(bridges=tuple(new if b.name == name else b for b in self.net.bridges))

    def add_address(self, name: str, address: str) -> None:
        self.need(name)
        present = self.net.addresses.get(name, ())
        if address not in present:
            self.change(addresses={**self.net.addresses, name: (*present, address)})

    def del_address(self, name: str, address: str) -> None:
        left = tuple(a for a in self.net.addresses.get(name, ()) if a != address)
        addresses = {key: value for key, value in self.net.addresses.items() if key != name}
        self.change(addresses=addresses | ({name: left} if left else {}))

    def default_route(self, name: str, gateway: str) -> None:
        self.need(name)
        route = Route(device=name, gateway=gateway)
        if route not in self.net.routes:
            self.change(routes=(*self.net.routes, route))

    def no_default_route(self, name: str, gateway: str) -> None:
        route = Route(device=name, gateway=gateway)
        self.change(routes=tuple(other for other in self.net.routes if other != route))

    def nm_lets_go(self, name: str) -> None:
        self.unmanaged.add(name)

    def nm_takes(self, name: str) -> None:
        self.unmanaged.remove(name)

    def put_file(self, mode: str, path: str, text: str) -> None:
        if path in self.net.named and path not in self.state.files:
            raise RefusedError(f"{path} is somebody's")
        self.state = self.state.model_copy(update={"files": {**self.state.files, path: text}})

    def set_aside(self, path: str) -> None:
        self.aside[path] = self.net.named[path]
        self.change(named={key: value for key, value in self.net.named.items() if key != path})

    def give_back(self, path: str) -> None:
        self.change(named={**self.net.named, path: self.aside.pop(path)})

    def take_up(self, *systems: str) -> None:
        """Of a device that it has a file for, networkd takes away the routes of others."""
        if "networkd" in systems:
            for name in self.net.mtus:
                text = self.state.files.get(f"/etc/systemd/network/05-{name}.network")
                if text is not None:
                    self.change(routes=tuple(r for r in self.net.routes if r.device != name))
                    for line in text.splitlines() if name in self.known else ():
                        if line.startswith("Gateway="):
                            self.default_route(name, line.removeprefix("Gateway="))

    def networkd_takes(self, *names: str) -> None:
        self.known |= set(names)
        self.take_up("networkd")

    def keep_default_route(self, name: str, gateway: str) -> None:
        self.default_route(name, gateway)

    def bring_up(self, system: str, name: str) -> None:
        self.need(name)

    def await_ipv4(self, name: str) -> None:
        self.add_address(name, LEASE)
