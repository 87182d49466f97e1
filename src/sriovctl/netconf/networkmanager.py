"""NetworkManager: keyfile profiles, with .link files that name the legs."""

from __future__ import annotations

from collections.abc import Iterator

from sriovctl.netconf import naming
from sriovctl.netconf.ini import Keys, ini
from sriovctl.netconf.model import File, Leg, Network
from sriovctl.plan import Finding

_FOLDER = "/etc/NetworkManager/system-connections"
_MULTIPLE = 3
"""connection.multi-connect: the profile may be active on several cards at once."""


def findings(networks: tuple[Network, ...]) -> list[Finding]:
    """Nothing that it could not do: one profile takes two cards with one address."""
    return []


def files(networks: tuple[Network, ...]) -> Iterator[File]:
    """All files of these bonds."""
    for network in networks:
        if network.alike:
            yield _legs_alike(network)
        else:
            yield from naming.link_files(network)
            for leg in network.legs:
                yield _leg(network, leg)
        yield from _levels(network)


def _legs_alike(network: Network) -> File:
    return _profile(
        f"{network.bond.name}_legs",
        "ethernet",
        [("multi-connect", _MULTIPLE), *_member_of(network.bond.name, "bond")],
        ("ethernet", [("mac-address", network.legs[0].mac), ("mtu", network.mtu)]),
    )


def _leg(network: Network, leg: Leg) -> File:
    return _profile(
        leg.name,
        "ethernet",
        [("interface-name", leg.name), *_member_of(network.bond.name, "bond")],
        ("ethernet", [("mtu", network.mtu)]),
    )


def _member_of(master: str, kind: str) -> list[tuple[str, object]]:
    # controller and port-type are the new words; only from 1.46 on are they known
    return [("master", master), ("slave-type", kind)]


def _levels(network: Network) -> Iterator[File]:
    bond, bridge = network.bond, network.bridge
    own: dict[str, tuple[str, Keys]] = {
        bond.name: ("bond", bond.options.items()),
        network.vlan_name or "": ("vlan", [("id", network.vlan), ("parent", bond.name)]),
        bridge or "": ("bridge", [("stp", "false")]),
    }
    for place, name in enumerate(network.levels):
        kind, keys = own[name]
        above = network.levels[place + 1 : place + 2]
        in_bridge = bool(above) and above[0] == bridge
        link: Keys = [
            ("cloned-mac-address", None if kind == "vlan" else bond.mac),
            ("mtu", network.mtu),
        ]
        yield _profile(
            name,
            kind,
            [("interface-name", name), *(_member_of(above[0], "bridge") if in_bridge else [])],
            ("ethernet", link),
            (kind, keys),
            *([] if in_bridge else _addresses(network, here=not above)),
        )


def _addresses(network: Network, here: bool) -> list[tuple[str, Keys]]:
    if not here:
        return [("ipv4", [("method", "disabled")]), ("ipv6", [("method", "ignore")])]
    sections: list[tuple[str, Keys]] = []
    for family, addresses, otherwise in (
        ("ipv4", network.ipv4, "auto" if network.dhcp else "disabled"),
        ("ipv6", network.ipv6, "auto"),
    ):
        mine = family == "ipv6"
        gateway = network.gateway if network.gateway and (":" in network.gateway) == mine else None
        servers = "".join(f"{server};" for server in network.dns if (":" in server) == mine)
        sections.append(
            (
                family,
                [
                    ("method", "manual" if addresses else otherwise),
                    *((f"address{n}", address) for n, address in enumerate(addresses, 1)),
                    ("gateway", gateway),
                    # what has no addresses may have no servers either
                    ("dns", servers or None if addresses or otherwise == "auto" else None),
                ],
            )
        )
    return sections


def _profile(name: str, kind: str, keys: Keys, *sections: tuple[str, Keys]) -> File:
    connection = ("connection", [("id", name), ("type", kind), *keys])
    # NetworkManager leaves out a file that others may read
    return File(path=f"{_FOLDER}/{name}.nmconnection", text=ini(connection, *sections), mode=0o600)
