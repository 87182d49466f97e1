"""cloud-init: network configuration version 2, the file ``network-config`` of a config drive."""

from __future__ import annotations

from collections.abc import Iterator

from sriovctl.netconf import netplan
from sriovctl.netconf.model import Bond, File, Network
from sriovctl.plan import Finding, Severity


def findings(networks: tuple[Network, ...]) -> list[Finding]:
    """What it cannot do, and what it does not hand on to every network system.

    cloudinit/net/__init__.py (get_interfaces_by_mac: "duplicate mac found"), network_state.py
    (NET_CONFIG_TO_V2 knows no ``arp-ip-targets``, nor is a bond's ``macaddress`` taken over),
    network_manager.py (of 25.1, not of 22.4: looks for ``bond-fail_over_mac`` where the state has
    ``bond-fail-over-mac``) and networkd.py (knows no bonds); tried with ``cloud-init devel
    net-convert``.
    """
    return [finding for network in networks for finding in _findings(network)]


def _findings(network: Network) -> Iterator[Finding]:
    bond = network.bond
    if any(leg.slot for leg in network.legs) or network.alike:
        yield Finding(
            severity=Severity.ERROR,
            link="bonds",
            about=bond.name,
            found="both legs have one address",
            means="cloud-init refuses a machine with two such cards, and knows them by address",
            mend="choose macs: active",
        )
    if bond.arp_ip_targets:
        yield _lost(bond, "arp_ip_targets", "netplan", "cloud-init ends in KeyError elsewhere")
    if bond.mac is not None:
        yield _lost(
            bond, f"the bond's own address {bond.mac}", "netplan", "it is dropped elsewhere"
        )
    if bond.fail_over_mac is not None:
        yield _lost(
            bond,
            f"fail_over_mac={bond.fail_over_mac}",
            "netplan, sysconfig and eni",
            "25.1 does not to NetworkManager, and none makes a bond for networkd: the VM falls "
            "silent there",
        )


def _lost(bond: Bond, found: str, handed_to: str, otherwise: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        link="bonds",
        about=bond.name,
        found=found,
        means=f"cloud-init hands it on to {handed_to}; {otherwise}",
        mend=f"look in the guest, cat /proc/net/bonding/{bond.name}; or give it the files of its "
        "own network system",
    )


def files(networks: tuple[Network, ...]) -> Iterator[File]:
    """The one file of these bonds."""
    yield File(path="network-config", text=netplan.document(networks))
