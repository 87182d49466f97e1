"""Tables of a host's own network: bonds and bridges."""

from __future__ import annotations

from rich.text import Text

from sriovctl.host import HostState
from sriovctl.hostnet import HostBond
from sriovctl.view.text import (
    BAD,
    NOTHING,
    Part,
    part,
)


def bond_table(state: HostState) -> Part:
    """A row a bond of the host."""
    rows = [
        [
            bond.name,
            bond.options.get("mode", NOTHING),
            _legs(bond),
            _monitor(bond),
            state.network.bridge_of(bond.name) or NOTHING,
            _addresses(state, bond.name),
        ]
        for bond in state.network.bonds
    ]
    return part("Bonds of the host", ["bond", "mode", "legs", "looks", "in", "addresses"], rows)


def _legs(bond: HostBond) -> str:
    marks = {"in use": bond.active, "primary": bond.options.get("primary")}
    said = []
    for leg in bond.legs:
        words = ", ".join(word for word, named in marks.items() if named == leg)
        said.append(f"{leg} ({words})" if words else leg)
    return ", ".join(said) or NOTHING


def _monitor(bond: HostBond) -> str | Text:
    if bond.options.get("arp_interval", "0") != "0":
        asked = bond.options.get("arp_ip_target") or "nobody"
        return f"asks {asked} each {bond.options['arp_interval']} ms"
    if bond.options.get("miimon", "0") != "0":
        return f"at the link each {bond.options['miimon']} ms"
    return Text("not at all", style=BAD)


def bridge_table(state: HostState) -> Part:
    """A row a bridge."""
    rows = [
        [bridge.name, ", ".join(bridge.ports) or NOTHING, _addresses(state, bridge.name)]
        for bridge in state.network.bridges
    ]
    return part("Bridges", ["bridge", "ports", "addresses"], rows)


def _addresses(state: HostState, name: str) -> str:
    return ", ".join(state.network.addresses.get(name, ())) or NOTHING
