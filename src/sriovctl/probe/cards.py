"""Network cards: what sysfs, ip and the IOMMU groups say of PFs, VFs and other ports."""

from __future__ import annotations

import re
from collections import defaultdict

from sriovctl.host import PF, VF, NetworkPort
from sriovctl.probe.acs import isolating_ports
from sriovctl.probe.iplink import Device, read_devices
from sriovctl.probe.sections import Sections

PCI = r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
SYSFS_LINE = re.compile(rf"^\./({PCI})/([^:]*):(.*)$")
GROUP_LINE = re.compile(rf"^(\d+)/devices/({PCI})$")
UPPER_LINE = re.compile(rf"^({PCI})/net/([^/]+)/upper_(.+)$")
REPRESENTOR = re.compile(r"^(?:c\d+)?pf\d+(?:vf|sf)\d+$")
"""phys_port_name of a VF's stand-in on the host (kernel: net/devlink, devlink_port names)."""
NETWORK_CLASS = 0x02
IORESOURCE_UNSET = 0x20000000
"""include/linux/ioport.h"""
IFF_UP = 0x1
NO_SPEED = 4294967295
"""What some drivers print for SPEED_UNKNOWN (-1 as unsigned, linux/ethtool.h)."""

Facts = dict[str, str]
"""Path below the device's folder to the file's value; of a uevent file ``path#KEY``."""


def read_cards(
    sections: Sections, devices: dict[str, Facts]
) -> tuple[tuple[PF, ...], tuple[NetworkPort, ...]]:
    """PFs with their VFs, and the network ports that are neither, both by PCI address.

    :param devices: of :func:`read_sysfs`
    """
    groups = {m[2]: int(m[1]) for line in sections.lines("groups") if (m := GROUP_LINE.match(line))}
    links = read_devices(sections.lines("ip"))
    uppers: dict[str, list[str]] = defaultdict(list)
    for line in sections.lines("upper"):
        if match := UPPER_LINE.match(line):
            uppers[match[2]].append(match[3])
    bonded = _bonded(sections)
    isolates = isolating_ports(sections)
    pfs = []
    for pci, facts in devices.items():
        if is_network(facts) and ("sriov_totalvfs" in facts or "virtfn0/uevent" in facts):
            vfs = _vfs(facts, devices, groups, links, uppers)
            pfs.append(_pf(pci, facts, vfs, groups, links, bonded, isolates))
    seen = {pf.pci for pf in pfs} | {vf.pci for pf in pfs for vf in pf.vfs}
    ports = [
        _port(pci, facts) for pci, facts in devices.items() if is_network(facts) and pci not in seen
    ]
    return (
        tuple(sorted(pfs, key=lambda pf: pf.pci)),
        tuple(sorted(ports, key=lambda port: port.pci)),
    )


def read_sysfs(sections: Sections) -> dict[str, Facts]:
    """What sysfs says of every PCI device, by address."""
    devices: dict[str, Facts] = defaultdict(dict)
    for line in sections.lines("files"):
        match = SYSFS_LINE.match(line)
        if match is None:
            continue
        pci, path, value = match.groups()
        if path.endswith("uevent"):
            key, _, value = value.partition("=")
            devices[pci][f"{path}#{key}"] = value
            devices[pci].setdefault(path, "")
        elif path == "resource":
            devices[pci][path] = devices[pci].get(path, "") + value + "\n"
        else:
            devices[pci].setdefault(path, value)
    return dict(devices)


def is_network(facts: Facts) -> bool:
    """Whether a PCI device is a network card (base class 02h)."""
    return _number(facts.get("uevent#PCI_CLASS"), 16, 0) >> 16 == NETWORK_CLASS


def _number(text: str | None, base: int, default: int) -> int:
    try:
        return int(text or "", base)
    except ValueError:
        return default


def _netdev(facts: Facts) -> str | None:
    """The device's own network device: not one of those that stand in for its VFs."""
    names = [path.split("/")[-2] for path in facts if re.search(r"(^|/)net/[^/]+/address$", path)]
    own = [n for n in names if not REPRESENTOR.match(facts.get(f"net/{n}/phys_port_name", ""))]
    return min(own, key=lambda name: _ifindex(facts, name), default=None)


def _ifindex(facts: Facts, name: str) -> int:
    value = next((v for k, v in facts.items() if k.endswith(f"net/{name}/uevent#IFINDEX")), None)
    return _number(value, 10, 0)


def _master(facts: Facts, name: str) -> str | None:
    return facts.get(
        f"net/{name}/master/uevent#INTERFACE",
        facts.get(f"net/{name}/brport/bridge/uevent#INTERFACE"),
    )


def _ids(facts: Facts) -> tuple[str, str]:
    vendor, _, device = facts.get("uevent#PCI_ID", "").lower().partition(":")
    return vendor, device


def _mac(facts: Facts, name: str | None) -> str | None:
    return next((v for k, v in facts.items() if k.endswith(f"net/{name}/address")), None)


def _bonded(sections: Sections) -> dict[str, str]:
    """Permanent MAC addresses of bonds' members, by name, as the bonding driver tells them."""
    macs: dict[str, str] = {}
    for path, lines in sections.by_file("etc").items():
        if not path.startswith("/proc/net/bonding/"):
            continue
        member = ""
        for line in lines:
            if line.startswith("Slave Interface: "):
                member = line.removeprefix("Slave Interface: ")
            elif line.startswith("Permanent HW addr: "):
                macs[member] = line.removeprefix("Permanent HW addr: ").strip().lower()
    return macs


def _vfs(
    facts: Facts,
    devices: dict[str, Facts],
    groups: dict[str, int],
    links: dict[int, Device],
    uppers: dict[str, list[str]],
) -> tuple[VF, ...]:
    name = _netdev(facts)
    told = links.get(_ifindex(facts, name), Device()).vfs if name else {}
    vfs = []
    for path, pci in facts.items():
        match = re.fullmatch(r"virtfn(\d+)/uevent#PCI_SLOT_NAME", path)
        if match is None:
            continue
        own = devices.get(pci, {})
        netdev = _netdev(own)
        vfs.append(
            VF(
                index=int(match[1]),
                pci=pci,
                driver=own.get("uevent#DRIVER"),
                iommu_group=groups.get(pci),
                netdev=netdev,
                host_use=_host_use(own, netdev, links, uppers) if netdev else None,
                **told.get(int(match[1]), {}),
            )
        )
    return tuple(sorted(vfs, key=lambda vf: vf.index))


def _host_use(
    facts: Facts, netdev: str, links: dict[int, Device], uppers: dict[str, list[str]]
) -> str | None:
    if master := _master(facts, netdev):
        return f"member of {master}"
    if uppers.get(netdev):
        return f"carries {uppers[netdev][0]}"
    addresses = links.get(_ifindex(facts, netdev), Device()).addresses
    return f"address {addresses[0]}" if addresses else None


def _pf(
    pci: str,
    facts: Facts,
    vfs: tuple[VF, ...],
    groups: dict[str, int],
    links: dict[int, Device],
    bonded: dict[str, str],
    isolates: dict[str, bool],
) -> PF:
    name = _netdev(facts)
    permanent = links.get(_ifindex(facts, name), Device()).permanent if name else None
    speed = _number(facts.get(f"net/{name}/speed"), 10, -1)
    mtu = _number(facts.get(f"net/{name}/mtu"), 10, 0)
    numa_node = _number(facts.get("numa_node"), 10, -1)
    carrier = facts.get(f"net/{name}/carrier")
    autoprobe = facts.get("sriov_drivers_autoprobe")
    vendor, device = _ids(facts)
    return PF(
        pci=pci,
        name=name,
        mac=permanent or bonded.get(name or "") or _mac(facts, name),
        driver=facts.get("uevent#DRIVER"),
        vendor_id=vendor,
        device_id=device,
        up=bool(_number(facts.get(f"net/{name}/flags"), 16, 0) & IFF_UP),
        carrier=None if carrier is None else carrier == "1",
        speed=speed if 0 < speed < NO_SPEED else None,
        mtu=mtu or None,
        numa_node=numa_node if numa_node >= 0 else None,
        iommu_group=groups.get(pci),
        acs=isolates.get(pci),
        master=_master(facts, name) if name else None,
        # before Linux 3.8 there are no counts: what is there now is all that is known
        totalvfs=_number(facts.get("sriov_totalvfs"), 10, len(vfs)),
        numvfs=_number(facts.get("sriov_numvfs"), 10, len(vfs)),
        autoprobe=None if autoprobe is None else autoprobe == "1",
        vf_memory=_vf_memory(facts),
        vfs=vfs,
    )


def _vf_memory(facts: Facts) -> bool | None:
    """Have the VFs' memory windows a place? Without, the kernel answers ENOMEM to sriov_numvfs.

    They are lines 8 to 13 of ``resource`` (include/linux/pci.h, PCI_IOV_RESOURCES), each with
    start, end and flags. One without a place has IORESOURCE_UNSET, or is nothing but zeros.
    """
    lines = [line.split() for line in facts.get("resource", "").splitlines()]
    windows = [line for line in lines[7:13] if len(line) == 3]
    if len(windows) < 6 or _number(facts.get("sriov_totalvfs"), 10, 0) == 0:
        return None
    flags = [_number(window[2], 16, 0) for window in windows]
    return any(flags) and not any(flag & IORESOURCE_UNSET for flag in flags)


def _port(pci: str, facts: Facts) -> NetworkPort:
    name = _netdev(facts)
    vendor, device = _ids(facts)
    return NetworkPort(
        pci=pci,
        name=name,
        mac=_mac(facts, name),
        driver=facts.get("uevent#DRIVER"),
        vendor_id=vendor,
        device_id=device,
    )
