"""netplan: a YAML file for each bond, with .link files where cards are recognised by slot."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

from sriovctl.netconf import naming
from sriovctl.netconf.model import Bond, File, Leg, Network
from sriovctl.plan import Finding

_WORDS = {
    "mode": "mode",
    "miimon": "mii-monitor-interval",
    "updelay": "up-delay",
    "downdelay": "down-delay",
    "arp_interval": "arp-interval",
    "arp_ip_target": "arp-ip-targets",
    "arp_validate": "arp-validate",
    "fail_over_mac": "fail-over-mac-policy",
    "primary": "primary",
    "num_grat_arp": "gratuitous-arp",
}
"""The kernel's words as netplan-yaml(5) has them; times without a unit are milliseconds."""


def findings(networks: tuple[Network, ...]) -> list[Finding]:
    """Nothing that it could not do: one match takes two cards with one address."""
    return []


def files(networks: tuple[Network, ...]) -> Iterator[File]:
    """All files of these bonds. netplan warns of a file that others may read."""
    for network in networks:
        path = f"/etc/netplan/60-{network.bond.name}.yaml"
        yield File(path=path, text=document((network,)), mode=0o600)
        # netplan's own match knows no slots
        if any(leg.slot for leg in network.legs):
            yield from naming.link_files(network)


def document(networks: tuple[Network, ...]) -> str:
    """The YAML text, version 2, which cloud-init reads too."""
    parts: dict[str, dict[str, Any]] = {"ethernets": {}, "bonds": {}, "vlans": {}, "bridges": {}}
    for network in networks:
        legs = [f"{network.bond.name}_legs"] if network.alike else [n.name for n in network.legs]
        for name, leg in zip(legs, network.legs, strict=False):
            parts["ethernets"][name] = _leg(leg, not network.alike) | _mtu(network)
        bond = network.bond
        levels = [
            ("bonds", {"interfaces": legs, "parameters": _parameters(bond)} | _mac(bond)),
            ("vlans", {"id": network.vlan, "link": bond.name}),
            ("bridges", {"interfaces": [network.vlan_name or bond.name],
                         "parameters": {"stp": False, "forward-delay": 0}} | _mac(bond)),
        ]  # fmt: skip
        names = (bond.name, network.vlan_name, network.bridge)
        for name_, (kind, body) in zip(names, levels, strict=True):
            if name_ is not None:
                top = name_ == network.levels[-1]
                parts[kind][name_] = body | _mtu(network) | (_addresses(network) if top else {})
    text = io.StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    renderer = next((n.renderer for n in networks if n.renderer), None)
    head = {"version": 2} | ({} if renderer is None else {"renderer": renderer})
    yaml.dump({"network": head | {k: v for k, v in parts.items() if v}}, text)
    return text.getvalue()


def _leg(leg: Leg, named: bool) -> dict[str, Any]:
    # a boot must not wait for the leg that has no link
    body: dict[str, Any] = {"optional": True}
    if leg.slot is None and leg.mac is not None:
        # YAML 1.1 would take an address of digits only for a number to the base 60
        body |= {"match": {"macaddress": Quoted(leg.mac)}}
        if named:
            body |= {"set-name": leg.name}
    return body


def _mac(bond: Bond) -> dict[str, Any]:
    return {} if bond.mac is None else {"macaddress": Quoted(bond.mac)}


def _mtu(network: Network) -> dict[str, Any]:
    return {} if network.mtu is None else {"mtu": network.mtu}


def _parameters(bond: Bond) -> dict[str, Any]:
    return {
        _WORDS[word]: bond.arp_ip_targets if word == "arp_ip_target"
        else int(value) if value.isdigit()
        else value
        for word, value in bond.options.items()
    }  # fmt: skip


def _addresses(network: Network) -> dict[str, Any]:
    body: dict[str, Any] = {"dhcp4": True} if network.dhcp else {}
    if network.addresses:
        body["addresses"] = [Quoted(address) for address in network.addresses]
    if network.gateway is not None:
        # "to: default" is not known before netplan 0.103
        everywhere = "::/0" if ":" in network.gateway else "0.0.0.0/0"
        body["routes"] = [{"to": Quoted(everywhere), "via": Quoted(network.gateway)}]
    if network.dns:
        body["nameservers"] = {"addresses": [Quoted(server) for server in network.dns]}
    return body
