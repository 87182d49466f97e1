"""The host's own network: what sysfs, procfs and ip say of bonds and bridges, and whose files."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from sriovctl.host import PF
from sriovctl.hostnet import Bridge, HostBond, HostNetwork, Route, Vlan
from sriovctl.probe.iplink import read_devices
from sriovctl.probe.sections import Sections

BONDING = re.compile(r"^/sys/class/net/([^/]+)/bonding/(\w+)$")
BRIDGE = re.compile(r"^/sys/class/net/([^/]+)/(?:bridge$|brif/([^/*]+)$)")
VLAN_LINE = re.compile(r"^(\S+)\s*\|\s*(\d+)\s*\|\s*(\S+)$")
NAME_LINE = re.compile(r"^(?:Name|DEVICE|interface-name)=(.*)$")
IFACE_LINE = re.compile(r"^\s*iface\s+(\S+)")
RENDERER = re.compile(r"""^( +)renderer: *["']?(\w+)""")
YAML_KEY = re.compile(r"""^ +["']?([^\s#:"']+)["']?:""")
FOLDERS = (
    "/etc/systemd/network", "/etc/NetworkManager/system-connections", "/etc/netplan",
    "/etc/sysconfig/network-scripts", "/etc/network", "/etc/network/interfaces.d",
)  # fmt: skip
"""Of files that network systems read."""
FIRST_WORD = ("mode", "fail_over_mac", "primary")
"""Files of a bond that say a word and then its number, or may say nothing."""


def read_network(sections: Sections, pfs: tuple[PF, ...]) -> HostNetwork:
    """The host's own network.

    :param pfs: whose MAC addresses may stand for them in files
    """
    files = sections.by_file("files")
    devices = read_devices(sections.lines("ip"))
    facts = sections.facts("network")
    systems = facts.get("system", [])
    named = dict(_named(sections, pfs))
    if any(path.startswith("/etc/netplan/") for path in named):
        systems = ["netplan", *systems]
    return HostNetwork(
        bonds=_bonds(files),
        bridges=_bridges(sections),
        vlans=_vlans(files),
        addresses={d.name: tuple(d.addresses) for d in devices.values() if d.addresses},
        leased=tuple(d.name for d in devices.values() if d.leased),
        mtus={d.name: d.mtu for d in devices.values() if d.mtu is not None},
        routes=_routes(sections.by_file("etc"), {d.name for d in devices.values()}),
        systems=tuple(dict.fromkeys(systems)),
        lacking=tuple(facts.get("lacks", [])),
        managed=_managed(files, {index: d.name for index, d in devices.items()}, systems),
        named=named,
        renderers=dict(_renderers(sections)),
    )


def _bonds(files: dict[str, list[str]]) -> tuple[HostBond, ...]:
    said: dict[str, dict[str, str]] = {}
    for path, lines in files.items():
        if match := BONDING.match(path):
            said.setdefault(match[1], {})[match[2]] = lines[0] if lines else ""
    return tuple(
        HostBond(
            name=name,
            legs=tuple(values.pop("slaves", "").split()),
            active=values.pop("active_slave", "") or None,
            # a file without any target has no line
            options={"arp_ip_target": ""}
            | {word: _in_one_word(word, value) for word, value in values.items()},
        )
        for name, values in sorted(said.items())
    )


def _in_one_word(word: str, value: str) -> str:
    if word in FIRST_WORD:
        return value.partition(" ")[0]
    return ",".join(value.split())


def _bridges(sections: Sections) -> tuple[Bridge, ...]:
    ports: dict[str, list[str]] = {}
    for line in sections.lines("network"):
        if (match := BRIDGE.match(line)) and match[1] != "*":
            ports.setdefault(match[1], []).extend([match[2]] if match[2] else [])
    return tuple(Bridge(name=name, ports=tuple(found)) for name, found in sorted(ports.items()))


def _vlans(files: dict[str, list[str]]) -> tuple[Vlan, ...]:
    lines = files.get("/proc/net/vlan/config", [])
    found = [match for line in lines if (match := VLAN_LINE.match(line))]
    return tuple(Vlan(name=match[1], tag=int(match[2]), below=match[3]) for match in found)


def _routes(etc: dict[str, list[str]], names: set[str]) -> tuple[Route, ...]:
    """Default routes, from procfs: numbers in hex, IPv4's in the processor's byte order (x86)."""
    routes = []
    for line in etc.get("/proc/net/route", []):
        words = line.split()
        if len(words) > 7 and words[1] == words[7] == "00000000" and words[2] != "00000000":
            gateway = ipaddress.IPv4Address(bytes.fromhex(words[2])[::-1])
            routes.append(Route(device=words[0], gateway=str(gateway)))
    for line in etc.get("/proc/net/ipv6_route", []):
        words = line.split()
        if len(words) > 9 and words[1] == "00" and words[9] in names and words[4].strip("0"):
            gateway_6 = ipaddress.IPv6Address(bytes.fromhex(words[4]))
            routes.append(Route(device=words[9], gateway=str(gateway_6)))
    return tuple(dict.fromkeys(routes))


def _managed(
    files: dict[str, list[str]], names: dict[int, str], systems: list[str]
) -> dict[str, tuple[str, ...]]:
    """What both daemons write down of each interface; what a stopped one left behind is old."""
    found: dict[str, list[str]] = {}
    for path, lines in files.items():
        folder, _, index = path.rpartition("/")
        name = names.get(int(index)) if index.isdigit() else None
        if name is None:
            continue
        if folder == "/run/systemd/netif/links" and "networkd" in systems:
            if any(line.startswith("NETWORK_FILE=") for line in lines):
                found.setdefault(name, []).append("networkd")
        elif (
            folder == "/run/NetworkManager/devices"
            and "networkmanager" in systems
            and any(line.startswith("connection-uuid=") for line in lines)
        ):
            found.setdefault(name, []).append("networkmanager")
    return {name: tuple(holders) for name, holders in found.items()}


def _named(sections: Sections, pfs: tuple[PF, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for path, lines in sections.by_file("etc").items():
        if path.rpartition("/")[0] not in FOLDERS:
            continue
        names = dict.fromkeys(_names_in(path, lines))
        text = "\n".join(lines).lower()
        names |= dict.fromkeys(pf.name for pf in pfs if pf.name and pf.mac and pf.mac in text)
        if names:
            yield path, tuple(names)


def _renderers(sections: Sections) -> Iterator[tuple[str, str]]:
    for path, lines in sections.by_file("etc").items():
        if path.rpartition("/")[0] != "/etc/netplan":
            continue
        found = [match for line in lines if (match := RENDERER.match(line))]
        indents = [len(line) - len(line.lstrip(" ")) for line in lines]
        # those of a type or of one device stand deeper
        outermost = min((indent for indent in indents if indent), default=0)
        yield from ((path, match[2]) for match in found if len(match[1]) == outermost)


def _names_in(path: str, lines: list[str]) -> Iterator[str]:
    folder, _, file = path.rpartition("/")
    if file.startswith("ifcfg-"):
        yield file.removeprefix("ifcfg-")
    for line in lines:
        if match := NAME_LINE.match(line):
            yield from match[1].strip("\"'").split()
            continue
        if folder == "/etc/netplan" and RENDERER.match(line):
            continue
        pattern = YAML_KEY if folder == "/etc/netplan" else IFACE_LINE
        if match := pattern.match(line):
            yield match[1]
