"""systemd-networkd, from 245 on: .netdev and .network files."""

from __future__ import annotations

from collections.abc import Iterator

from sriovctl.netconf.ini import Keys, ini
from sriovctl.netconf.model import File, Leg, Network
from sriovctl.plan import Finding

_FOLDER = "/etc/systemd/network"
_FIRST = "05"
"""Before cloud-init's and netplan's 10: networkd takes the first file that matches."""
_WORDS = {
    "mode": "Mode",
    "miimon": "MIIMonitorSec",
    "updelay": "UpDelaySec",
    "downdelay": "DownDelaySec",
    "arp_interval": "ARPIntervalSec",
    "arp_ip_target": "ARPIPTargets",
    "arp_validate": "ARPValidate",
    "fail_over_mac": "FailOverMACPolicy",
    "num_grat_arp": "GratuitousARP",
}
"""The kernel's words as systemd.netdev(5) has them; the primary is said at the leg."""


def findings(networks: tuple[Network, ...]) -> list[Finding]:
    """Nothing that it could not do: one match takes two cards with one address."""
    return []


def files(networks: tuple[Network, ...]) -> Iterator[File]:
    """All files of these bonds."""
    for network in networks:
        yield from _devices(network)
        # one file takes both legs where they look the same
        for leg in network.legs[:1] if network.alike else network.legs:
            yield _leg(network, leg)
        yield from _levels(network)


def _devices(network: Network) -> Iterator[File]:
    bond = network.bond
    options = [
        (_WORDS[word], _in_its_unit(word, value))
        for word, value in bond.options.items()
        if word in _WORDS
    ]
    yield _file(f"{bond.name}.netdev", ("NetDev", _netdev(bond.name, "bond", bond.mac)),
                ("Bond", options))  # fmt: skip
    if network.vlan_name is not None:
        yield _file(f"{network.vlan_name}.netdev", ("NetDev", _netdev(network.vlan_name, "vlan")),
                    ("VLAN", [("Id", network.vlan)]))  # fmt: skip
    if network.bridge is not None:
        of_bridge = _netdev(network.bridge, "bridge", bond.mac)
        yield _file(f"{network.bridge}.netdev", ("NetDev", of_bridge),
                    ("Bridge", [("STP", "no"), ("ForwardDelaySec", 0)]))  # fmt: skip


def _in_its_unit(word: str, value: str) -> str:
    if _WORDS[word].endswith("Sec"):
        return f"{value}ms"
    return value.replace(",", " ")


def _netdev(name: str, kind: str, mac: str | None = None) -> Keys:
    return [("Name", name), ("Kind", kind), ("MACAddress", mac)]


def _leg(network: Network, leg: Leg) -> File:
    if leg.slot is not None:
        match = ("Path", f"pci-{leg.slot}")
    elif leg.mac is not None:
        # the present address is the bond's while the card is in it
        match = ("PermanentMACAddress", leg.mac)
    else:
        match = ("Name", leg.name)
    return _file(
        f"{network.bond.name}_legs.network" if network.alike else f"{leg.name}.network",
        ("Match", [match]),
        # a boot must not wait for the leg that has no link
        ("Link", [("MTUBytes", network.mtu), ("RequiredForOnline", "no")]),
        (
            "Network",
            [
                ("Bond", network.bond.name),
                ("PrimarySlave", "yes" if leg.name == network.bond.primary else None),
            ],
        ),
    )


def _levels(network: Network) -> Iterator[File]:
    for place, name in enumerate(network.levels):
        above = network.levels[place + 1 : place + 2]
        if above:
            kind = "VLAN" if above[0] == network.vlan_name else "Bridge"
            keys: Keys = [(kind, above[0]), ("LinkLocalAddressing", "no")]
        else:
            keys = [
                ("DHCP", "ipv4" if network.dhcp else None),
                *(("Address", address) for address in network.addresses),
                ("Gateway", network.gateway),
                *(("DNS", server) for server in network.dns),
            ]
        yield _file(
            f"{name}.network",
            ("Match", [("Name", name)]),
            ("Link", [("MTUBytes", network.mtu)]),
            ("Network", keys),
        )


def _file(name: str, *sections: tuple[str, Keys]) -> File:
    return File(path=f"{_FOLDER}/{_FIRST}-{name}", text=ini(*sections))
