"""The text of ``ip addr`` and ``ip link``, every iproute2 from 2010 to now.

Text and not JSON: one reader for all. The formats are those of ``print_vfinfo`` and
``print_linkinfo`` in iproute2's ip/ipaddress.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

DEVICE = re.compile(r"^(\d+): ([^\s:@]*)")
MTU = re.compile(r"> mtu (\d+) ")
VF_LINE = re.compile(r"^    vf (\d+) +(?:MAC|link/\S+) ([0-9a-f:]+)(.*)$")
PERMANENT = re.compile(r"^    link/\S+ .* permaddr ([0-9a-f:]+)")
ADDRESS = re.compile(r"^    inet6? (\S+) .*\bscope (\S+)")
ATTRIBUTES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("vlan", re.compile(r", vlan (\d+)")),
    ("qos", re.compile(r", qos (\d+)")),
    ("vlan_proto", re.compile(r", vlan protocol (802\.1(?:Q|ad))")),
    ("max_rate", re.compile(r", tx rate (\d+) \(Mbps\)")),
    # after "tx rate", the older word for the same
    ("max_rate", re.compile(r", max_tx_rate (\d+)Mbps")),
    ("min_rate", re.compile(r", min_tx_rate (\d+)Mbps")),
    ("spoofchk", re.compile(r", spoof checking (on|off)")),
    ("trust", re.compile(r", trust (on|off)")),
    ("link_state", re.compile(r", link-state (auto|enable|disable)")),
)
NUMBERS = ("vlan", "qos", "max_rate", "min_rate")


@dataclass
class Device:
    """What ip says of one network device."""

    name: str = ""
    mtu: int | None = None
    """Bytes."""
    vfs: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By VF index, the fields of :class:`sriovctl.host.VF` that a PF reports."""
    permanent: str | None = None
    """Its permanent MAC address, where it goes by another one now."""
    addresses: list[str] = field(default_factory=list)
    """With prefix length; those that the kernel gives every port (scope link) left out."""
    leased: bool = False
    """It has an IPv4 address for a time only: one by DHCP."""


def read_devices(lines: Iterable[str]) -> dict[int, Device]:
    """Devices by interface index; where one is told twice, what was told last holds."""
    devices: dict[int, Device] = {}
    here = Device()
    for line in lines:
        if match := DEVICE.match(line):
            here = devices.setdefault(int(match[1]), Device(match[2]))
            if mtu := MTU.search(line):
                here.mtu = int(mtu[1])
        elif match := VF_LINE.match(line):
            here.vfs[int(match[1])] = read_vf(match[2], match[3])
        elif match := PERMANENT.match(line):
            here.permanent = match[1]
        elif (match := ADDRESS.match(line)) and match[2] != "link":
            here.addresses.append(match[1])
            here.leased |= ":" not in match[1] and " dynamic " in line
    return devices


def read_vf(mac: str, rest: str) -> dict[str, Any]:
    """The attributes of one VF from the rest of its line, by field name."""
    vf: dict[str, Any] = {"mac": mac}
    for name, pattern in ATTRIBUTES:
        if match := pattern.search(rest):
            vf[name] = int(match[1]) if name in NUMBERS else match[1]
    return vf
