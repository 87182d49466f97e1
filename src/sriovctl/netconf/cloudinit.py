"""cloud-init: network configuration version 2, the file ``network-config`` of a config drive."""

from __future__ import annotations

from collections.abc import Iterator

from sriovctl.netconf import netplan
from sriovctl.netconf.model import File, Network
from sriovctl.plan import Finding, Severity


def findings(networks: tuple[Network, ...]) -> list[Finding]:
    """What it cannot do, and what it does with netplan only.

    cloudinit/net/__init__.py (get_interfaces_by_mac: "duplicate mac found"),
    cloudinit/net/network_state.py (NET_CONFIG_TO_V2 knows no ``arp-ip-targets``, nor is the bond's
    ``macaddress`` taken over), as of 25.1.
    """
    found = []
    for network in networks:
        name = network.bond.name
        if any(leg.slot for leg in network.legs) or network.alike:
            found.append(
                _finding(
                    Severity.ERROR,
                    name,
                    "both legs have one address",
                    "cloud-init refuses a machine with two such cards, and knows cards by their "
                    "address only",
                    "choose macs: active",
                )
            )
        if network.bond.arp_ip_targets:
            found.append(
                _finding(
                    Severity.WARNING,
                    name,
                    "arp_ip_targets",
                    "cloud-init hands it on where the guest has netplan, and fails where not: "
                    "KeyError: 'arp-ip-targets'",
                    "give miimon in its place, or files for the guest's own network system",
                )
            )
        if network.bond.mac is not None:
            found.append(
                _finding(
                    Severity.WARNING,
                    name,
                    f"the bond's own address {network.bond.mac}",
                    "cloud-init hands it on where the guest has netplan, and drops it where not",
                    "choose macs: active",
                )
            )
    return found


def _finding(severity: Severity, about: str, found: str, means: str, mend: str) -> Finding:
    return Finding(
        severity=severity, link="bonds", about=about, found=found, means=means, mend=mend
    )


def files(networks: tuple[Network, ...]) -> Iterator[File]:
    """The one file of these bonds."""
    yield File(path="network-config", text=netplan.document(networks))
