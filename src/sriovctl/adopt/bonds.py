"""A host's own bonds for a first rack file: what the kernel has, in the rack file's words."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.comments import CommentedMap

from sriovctl.adopt.words import fits
from sriovctl.host import HostState
from sriovctl.hostnet import HostBond
from sriovctl.rackbond import BondName
from sriovctl.rackhostbond import HostBond as WrittenBond
from sriovctl.rackhostbond import faults_of_host_bond

_NUMBERS = ("miimon", "updelay", "downdelay", "arp_interval", "num_grat_arp")
"""Options that have one; 0 is none."""


def bonds_of(state: HostState, keys: dict[str, str]) -> tuple[CommentedMap, list[str]]:
    """Bonds over the host's PFs, and what is to be said of the others.

    :param keys: PFs' names in the rack file by PCI address
    """
    names = {pf.name: keys[pf.pci] for pf in state.pfs if pf.pci in keys and pf.name is not None}
    bonds = CommentedMap()
    left = []
    for bond in state.network.bonds:
        if not set(bond.legs) & set(names):
            continue
        entry = _entry(state, bond, names)
        strangers = [leg for leg in bond.legs if leg not in names]
        if strangers:
            left.append(f"Bond {bond.name} is left out: {', '.join(strangers)} can have no VFs.")
        elif not fits(BondName, bond.name) or not fits(WrittenBond, entry):
            left.append(f"Bond {bond.name} is left out: a rack file has no words for it.")
        elif list(faults_of_host_bond(WrittenBond.model_validate(entry), list(names.values()))):
            left.append(f"Bond {bond.name} is left out: its options do not go together.")
        else:
            bonds[bond.name] = CommentedMap(entry)
    return bonds, left


def _entry(state: HostState, bond: HostBond, names: dict[str, str]) -> dict[str, Any]:
    network, options = state.network, bond.options
    entry: dict[str, Any] = {"legs": [names.get(leg, leg) for leg in bond.legs]}
    if options.get("mode") != "active-backup":
        entry["mode"] = options.get("mode")
    if options.get("fail_over_mac", "none") != "none":
        entry["fail_over_mac"] = options["fail_over_mac"]
    numbers = {word: int(options[word]) for word in _NUMBERS if options.get(word, "").isdigit()}
    entry |= {word: number for word, number in numbers.items() if number}
    if entry.get("num_grat_arp") == 1:
        # the kernel's own
        del entry["num_grat_arp"]
    if entry.get("arp_interval") and options.get("arp_ip_target"):
        entry["arp_ip_targets"] = options["arp_ip_target"].split(",")
    if options.get("primary"):
        entry["primary"] = names.get(options["primary"], options["primary"])
    below = bond.name
    for vlan in network.vlans:
        if vlan.below == bond.name and vlan.name == f"{bond.name}.{vlan.tag}":
            entry["vlan"] = vlan.tag
            below = vlan.name
    bridge = network.bridge_of(below)
    if bridge is not None:
        entry["bridge"] = bridge
    top = bridge or below
    addresses = list(network.addresses.get(top, ()))
    if top in network.leased:
        entry["address"] = "dhcp"
    elif addresses:
        entry["address"] = addresses[0] if len(addresses) == 1 else addresses
        gateways = [route.gateway for route in network.routes if route.device == top]
        if gateways:
            entry["gateway"] = gateways[0]
    return entry
