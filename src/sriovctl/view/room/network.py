"""What stands between a host's ports and VMs without VFs: bonds, VLANs, bridges. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from sriovctl.host import VM, HostState
from sriovctl.hostnet import HostBond, HostNetwork
from sriovctl.look import Look
from sriovctl.view.harmless import harmless
from sriovctl.view.room.model import Machine, Network, Standing, Tap

DEEPEST = 8
"""Networks one on the other that are drawn: a bond, VLANs in VLANs and a bridge are four."""

Mark = Callable[[str], Standing]
"""How a thing stands, by its name."""


def taps(vm: VM, own: HostNetwork) -> tuple[Tap, ...]:
    """A VM's cards that are no VFs: those that it has, or else those that it is to have.

    :param own: the host's network
    """
    if not vm.taps:
        return tuple(Tap(harmless(name), None) for name in dict.fromkeys(vm.networks))
    return tuple(
        Tap(harmless(own.bridge_of(device) or on), harmless(device))
        for device, on in vm.taps.items()
    )


def networks(
    look: Look, legs: Mapping[str, str], machines: Iterable[Machine], mark: Mark
) -> tuple[Network, ...]:
    """Those that stand on something, are wanted, or have a VM; each after what it stands on.

    :param legs: what the ports of the rack file are called in the drawing, by its names for them
    """
    wanted = {one.name: one for one in _wanted(look, legs, mark)}
    found = dict(wanted)
    ports = set(legs.values())
    if look.have is not None:
        found |= {one.name: one for one in _seen(look.have, mark)}
        ports |= {harmless(pf.name or pf.pci) for pf in look.have.pfs}
        ports |= {harmless(port.name or port.pci) for port in look.have.ports}
    used = dict.fromkeys(tap.network for machine in machines for tap in machine.taps)
    for name in used:
        below = (name,) if name in ports else ()
        found.setdefault(name, Network(name, below, "", there=True, standing=mark(name)))
    on: dict[str | None, list[Network]] = {}
    for name, network in found.items():
        # the taps in a bridge are drawn with their VMs
        over = tuple(one for one in network.over if one in ports or one in found)
        if over or name in used or name in wanted:
            first = next((one for one in over if one in found and one != name), None)
            on.setdefault(first, []).append(replace(network, over=over))
    return tuple(_in_order(on, None, 0))


def _in_order(
    on: Mapping[str | None, list[Network]], below: str | None, depth: int
) -> Iterator[Network]:
    for network in on.get(below, []) if depth < DEEPEST else ():
        yield replace(network, depth=depth)
        yield from _in_order(on, network.name, depth + 1)


def _seen(have: HostState, mark: Mark) -> Iterator[Network]:
    def drawn(name: str, over: Iterable[str], said: str) -> Network:
        below = tuple(map(harmless, over))
        return Network(
            harmless(name), below, harmless(said), there=True, standing=mark(harmless(name))
        )

    host = have.network
    for master in dict.fromkeys(pf.master for pf in have.pfs if pf.master is not None):
        # of a kind that the probe does not know, such as a team
        yield drawn(master, (pf.name or pf.pci for pf in have.pfs if pf.master == master), "")
    for bond in host.bonds:
        yield drawn(bond.name, bond.legs, _bond(bond))
    for vlan in host.vlans:
        yield drawn(vlan.name, [vlan.below], f"VLAN {vlan.tag}")
    for bridge in host.bridges:
        said = ", ".join(host.addresses.get(bridge.name, ()))
        yield drawn(bridge.name, bridge.ports, said)


def _bond(bond: HostBond) -> str:
    mode = bond.options.get("mode", "")
    return f"{mode}: {bond.active}" if bond.active else mode


def _wanted(look: Look, legs: Mapping[str, str], mark: Mark) -> Iterator[Network]:
    for network in look.want.bonds:
        below = tuple(legs[leg.name] for leg in network.legs if leg.name in legs)
        stands = mark(network.bond.name)
        if look.have is not None and stands is Standing.WANTED:
            stands = Standing.DIFFERS
        for level in network.levels:
            there = None if look.have is None else False
            yield Network(level, below, "", there=there, standing=stands)
            below = (level,)
