"""ifcfg files of CentOS 6 and 7 and their like, for initscripts; NetworkManager reads them too."""

from __future__ import annotations

from collections.abc import Iterator

from sriovctl.netconf import naming
from sriovctl.netconf.model import File, Leg, Network
from sriovctl.plan import Finding

_FOLDER = "/etc/sysconfig/network-scripts"
Lines = list[tuple[str, object]]


def findings(networks: tuple[Network, ...]) -> list[Finding]:
    """Cards that only their slots could tell apart."""
    return naming.alike_findings(networks, "ifcfg")


def files(networks: tuple[Network, ...]) -> Iterator[File]:
    """All files of these bonds."""
    for network in networks:
        bond = network.bond.name
        # CentOS 6 makes no bond without it
        yield File(path=f"/etc/modprobe.d/{bond}.conf", text=f"alias {bond} bonding\n")
        rules = "".join(_rule(leg) for leg in network.legs if leg.slot is not None)
        if rules:
            yield File(path=f"/etc/udev/rules.d/70-{bond}.rules", text=rules)
        for leg in network.legs:
            yield _leg(network, leg)
        yield from _levels(network)


def _rule(leg: Leg) -> str:
    """ifcfg files know no slots; udev does, in every version."""
    return f'ACTION=="add", SUBSYSTEM=="net", KERNELS=="{leg.slot}", NAME="{leg.name}"\n'


def _leg(network: Network, leg: Leg) -> File:
    return _file(
        leg.name,
        [
            # the interface with this address gets the file's name
            ("HWADDR", leg.mac if leg.slot is None else None),
            ("TYPE", "Ethernet"),
            ("BOOTPROTO", "none"),
            ("MASTER", network.bond.name),
            ("SLAVE", "yes"),
            ("MTU", network.mtu),
        ],
    )


def _levels(network: Network) -> Iterator[File]:
    bond = network.bond
    options = " ".join(f"{word}={value}" for word, value in bond.options.items())
    own: dict[str, Lines] = {
        bond.name: [
            ("TYPE", "Bond"),
            ("BONDING_MASTER", "yes"),
            ("BONDING_OPTS", f'"{options}"'),
            ("MACADDR", bond.mac),
        ],
        network.vlan_name or "": [("VLAN", "yes"), ("PHYSDEV", bond.name)],
        network.bridge or "": [
            ("TYPE", "Bridge"),
            ("MACADDR", bond.mac),
            ("STP", "off"),
            ("DELAY", 0),
        ],
    }
    for place, name in enumerate(network.levels):
        above = network.levels[place + 1 : place + 2]
        lines = [*own[name], ("MTU", network.mtu)]
        if not above:
            lines += _addresses(network)
        else:
            bridge = above[0] if above[0] == network.bridge else None
            lines += [("BOOTPROTO", "none"), ("BRIDGE", bridge)]
        yield _file(name, lines)


def _addresses(network: Network) -> Lines:
    lines: Lines = [("BOOTPROTO", "dhcp" if network.dhcp else "none")]
    for place, address in enumerate(network.ipv4):
        # IPADDR, IPADDR1, IPADDR2 …
        number = place or ""
        ip, _, prefix = address.partition("/")
        lines += [(f"IPADDR{number}", ip), (f"PREFIX{number}", prefix)]
    for place, server in enumerate(network.dns, 1):
        lines.append((f"DNS{place}", server))
    if network.ipv6:
        more = " ".join(network.ipv6[1:])
        lines += [
            ("IPV6INIT", "yes"),
            ("IPV6ADDR", network.ipv6[0]),
            ("IPV6ADDR_SECONDARIES", f'"{more}"' if more else None),
        ]
    if network.gateway is not None:
        lines.append(("IPV6_DEFAULTGW" if ":" in network.gateway else "GATEWAY", network.gateway))
    return lines


def _file(name: str, lines: Lines) -> File:
    lines = [("DEVICE", name), ("ONBOOT", "yes"), *lines]
    text = "".join(f"{key}={value}\n" for key, value in lines if value is not None)
    return File(path=f"{_FOLDER}/ifcfg-{name}", text=text)
