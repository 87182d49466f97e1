"""The host itself: its system, its kernel with what is staged for the next boot, VFIO's users."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Literal

from sriovctl.host import PF, Kernel, KernelEntry, OtherManager, Process, System, VfioUser
from sriovctl.probe.cards import UPPER_LINE
from sriovctl.probe.sections import Sections

FOREIGN_SRIOV = re.compile(r"sr-*iov|max_vfs|virtual-function-count", re.IGNORECASE)
VFIO_DEVICE = re.compile(r"^([^/]+)/vfio-dev/(vfio\d+)$")
MANAGERS: tuple[tuple[str, str], ...] = (
    ("netplan", "/etc/netplan/"),
    ("systemd", "/etc/systemd/network/"),
    ("systemd", "/run/systemd/network/"),
    ("systemd", "/etc/systemd/system/"),
    ("NetworkManager", "/etc/NetworkManager/"),
    ("NetworkManager", "/run/NetworkManager/"),
    ("ifcfg", "/etc/sysconfig/network-scripts/"),
    ("ifupdown", "/etc/network/"),
    ("rc.local", "/etc/rc"),
    ("udev", "/etc/udev/"),
    ("modprobe", "/etc/modprobe.d/"),
)


def read_system(sections: Sections, pfs: tuple[PF, ...]) -> System:
    """The host's software.

    :param pfs: whose names, MAC addresses and drivers are looked for where others set SR-IOV
    """
    facts = sections.facts("system")
    etc = sections.by_file("etc")
    pretty = next((line for line in etc.get("/etc/os-release", []) if "PRETTY_NAME" in line), "")
    name = " ".join(_words(pretty.partition("=")[2]))
    return System(
        hostname=facts.get("hostname", [""])[0],
        os=name or facts.get("redhat", ["unknown"])[0],
        init="systemd" if facts.get("init") == ["systemd"] else "other",
        root=facts.get("root") == ["1"],
        tools=tuple(facts.get("tool", [])),
        libvirt="libvirt" in facts,
        managers=(*_managers(etc, pfs), *_on_kernel_line(facts, pfs)),
    )


def _managers(etc: dict[str, list[str]], pfs: tuple[PF, ...]) -> tuple[OtherManager, ...]:
    found = []
    for path, lines in etc.items():
        manager = next((name for name, folder in MANAGERS if path.startswith(folder)), None)
        if manager is None or "sriovctl" in path:
            continue
        said = [line for line in lines if not line.lstrip().startswith(("#", ";"))]
        setting = [line.strip() for line in said if FOREIGN_SRIOV.search(line)]
        if setting:
            ports = _ports_in("\n".join([path, *said]), pfs)
            found.append(
                OtherManager(system=manager, file=path, pfs=tuple(ports), setting=setting[-1])
            )
    return tuple(found)


def _on_kernel_line(facts: Mapping[str, list[str]], pfs: tuple[PF, ...]) -> Iterator[OtherManager]:
    """``igb.max_vfs=7`` as a kernel argument."""
    for word in facts.get("cmdline", [""])[0].split():
        module, _, option = word.partition(".")
        if option.startswith("max_vfs="):
            named = tuple(pf.name for pf in pfs if pf.driver == module and pf.name is not None)
            yield OtherManager(system="kernel line", file="/proc/cmdline", pfs=named, setting=word)


def _ports_in(text: str, pfs: tuple[PF, ...]) -> list[str]:
    """Names of the PFs that a network manager's file speaks of, by name, MAC or driver."""
    words = set(re.split(r"[\s/\"'=:,;$(){}\[\]]+", text))
    # ifcfg-em1
    words |= {word.removeprefix("ifcfg-") for word in words}
    lowered = text.lower()
    return [
        pf.name
        for pf in pfs
        if pf.name is not None
        and (
            pf.name in words
            or pf.driver in words
            or pf.pci in lowered
            or (pf.mac is not None and pf.mac in lowered)
        )
    ]


def read_kernel(sections: Sections) -> Kernel:
    """The running kernel, its IOMMU, and what the boot loader has for the next one."""
    facts = sections.facts("system")
    cpu: dict[str, str] = {}
    for line in sections.lines("cpu"):
        key, _, value = line.partition(":")
        cpu.setdefault(key.strip(), value.strip())
    flags = cpu.get("flags", "").split()
    virtualization: Literal["vmx", "svm"] | None = None
    if "vmx" in flags:
        virtualization = "vmx"
    elif "svm" in flags:
        virtualization = "svm"
    etc = sections.by_file("etc")
    groups = {line.partition("/")[0] for line in sections.lines("groups")}
    loaded = [line.split()[0] for line in etc.get("/proc/modules", []) if line.strip()]
    tables: tuple[Literal["DMAR", "IVRS"], ...] = ("DMAR", "IVRS")
    return Kernel(
        release=facts.get("release", [""])[0],
        boot_id=facts.get("boot_id", [""])[0],
        cpu_vendor=cpu.get("vendor_id"),
        virtualization=virtualization,
        kvm="kvm" in facts,
        arguments=tuple(facts.get("cmdline", [""])[0].split()),
        staged=_staged(etc, facts.get("kernel_cmdline_file")),
        iommu_groups=sum(1 for group in groups if group.isdigit()),
        iommu_table=next((t for t in tables if t in facts.get("iommu_table", [])), None),
        modules=tuple(dict.fromkeys([*loaded, *facts.get("module", [])])),
    )


def _staged(etc: dict[str, list[str]], kernel_cmdline: list[str] | None) -> tuple[KernelEntry, ...]:
    entries = []
    for path, lines in etc.items():
        if path.startswith(("/boot/", "/efi/")):
            entries += _boot_entries(path, lines)
        elif path.startswith("/etc/default/grub"):
            for line in lines:
                name, equals, value = line.partition("=")
                if equals and not name.startswith("#"):
                    words = tuple(" ".join(_words(value)).split())
                    entries.append(KernelEntry(file=path, title=name.strip(), arguments=words))
    if kernel_cmdline is not None:
        words = tuple(kernel_cmdline[0].split())
        entries.append(KernelEntry(file="/etc/kernel/cmdline", title="", arguments=words))
    return tuple(entries)


def _boot_entries(path: str, lines: list[str]) -> list[KernelEntry]:
    """What boots by a file of grub legacy, grub2 or the Boot Loader Specification."""
    entries = []
    title = ""
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        word, tab, after = word.partition("\t")
        rest = f"{after} {rest}" if tab else rest
        if word == "menuentry":
            title = next(iter(_words(rest)), "")
        elif word == "title":
            title = rest.strip()
        elif word in ("linux", "linuxefi", "linux16", "kernel"):
            # the first word is the kernel's file; in a BLS entry it stands alone
            arguments = tuple(rest.split()[1:])
            if arguments:
                entries.append(KernelEntry(file=path, title=title, arguments=arguments))
        elif word == "options":
            entries.append(KernelEntry(file=path, title=title, arguments=tuple(rest.split())))
        elif word.startswith("kernelopts="):
            arguments = tuple(line.partition("=")[2].split())
            entries.append(KernelEntry(file=path, title="kernelopts", arguments=arguments))
    return entries


def _words(text: str) -> list[str]:
    """Words as the shell reads them; where its quotes do not close, as they stand."""
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()


def read_vfio_users(sections: Sections) -> tuple[VfioUser, ...]:
    """Processes that have a VFIO group open, libvirt's own QEMUs among them."""
    groups = {}
    for line in sections.lines("groups"):
        number, _, pci = line.partition("/devices/")
        groups[pci] = number
    cdevs = {}
    for line in sections.lines("upper"):
        if UPPER_LINE.match(line) is None and (match := VFIO_DEVICE.match(line)):
            cdevs[match[2]] = groups.get(match[1], "")
    commands = sections.by_file("files")
    users = {}
    pid = 0
    for line in sections.lines("vfio"):
        if header := re.fullmatch(r"/proc/(\d+)/fd:", line):
            pid = int(header[1])
            continue
        device = line.rpartition("/")[2]
        group = cdevs.get(device, device)
        if group.isdigit():
            command = "\n".join(commands.get(f"/proc/{pid}/comm", []))
            process = Process(pid=pid, command=command)
            users[pid, group] = VfioUser(iommu_group=int(group), process=process)
    return tuple(users.values())
