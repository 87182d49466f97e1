"""A large host that is nowhere, in the words in which a probe of it would answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sriovctl.rack import Rack
from sriovctl.wanted import HostWant, VMWant

VFS_OF_A_PF = 128
"""As many as a port of a bnxt_en card has."""
HOST = "large"
_MARK = "6b6f8b1e-2f0c-4a53-9d55-0b9c6f2f7a10"
_FIRST_PID = 10_000
_ROOT_PORTS = 8
"""PCI controllers of a VM, as libvirt adds them to a q35 machine."""


@dataclass(frozen=True)
class Size:
    """How large; an even number of PFs. Every VM has a pair, of two PFs that are neighbours."""

    pfs: int
    vms: int
    each: int = VFS_OF_A_PF
    """VFs of a PF."""

    @property
    def vfs(self) -> int:
        """Of all PFs together."""
        return self.pfs * self.each


def wanted(size: Size) -> HostWant:
    """What a rack file wants of the host: its VFs with two attributes each, a pair for each VM."""
    port = {"vfs": size.each, "vf": {"all": {"spoofchk": "on", "trust": "off"}}}
    legs = [[f"em{vm * 2 % size.pfs}", f"em{vm * 2 % size.pfs + 1}"] for vm in range(size.vms)]
    rack = Rack.model_validate(
        {
            "rack": "bench",
            "hosts": {HOST: {"pfs": {f"em{number}": port for number in range(size.pfs)}}},
            "vms": {f"VM-{vm}": {"pairs": [{"legs": pair}]} for vm, pair in enumerate(legs)},
        }
    )
    return rack.want(HOST, Path())


def bare(size: Size) -> str:
    """The probe's answer before anything was done: no VFs, no pools, VMs without VFs, off."""
    pfs = [line for number in range(size.pfs) for line in _pf(number, 0)]
    vms = [
        line
        for vm in wanted(size).vms
        for line in _file(f"/etc/libvirt/qemu/{vm.name}.xml", _domain(vm, []))
    ]
    links = [line for number in range(size.pfs) for line in _link(number, 0)]
    return _answer(vms + pfs, links=links, groups=[_pf_group(n) for n in range(size.pfs)])


def as_wanted(size: Size, own: Mapping[str, str]) -> str:
    """The probe's answer when all is as :func:`wanted`, and every VM runs.

    :param own: the files that sriovctl keeps on the host, path to text
    """
    want = wanted(size)
    held = _held(want)
    lines: list[str] = []
    vfio: list[str] = []
    for position, vm in enumerate(want.vms):
        nics = [(nic.pool, nic.mac, None) for nic in vm.nics]
        lines += _file(f"/etc/libvirt/qemu/{vm.name}.xml", _domain(vm, nics))
        live = [(nic.pool, nic.mac, held[nic.mac]) for nic in vm.nics]
        pid = _FIRST_PID + position
        status = [f"<domstatus state='running' reason='booted' pid='{pid}'>"]
        status += [f"  {line}" for line in _domain(vm, live)]
        lines += _file(f"/run/libvirt/qemu/{vm.name}.xml", [*status, "</domstatus>"])
        lines.append(f"/proc/{pid}/comm:qemu-system-x86")
        vfio.append(f"/proc/{pid}/fd:")
        vfio += [
            f"lrwx------ 1 64055 64055 64 Nov 22 10:58 16 -> /dev/vfio/{_group(*held[nic.mac])}"
            for nic in vm.nics
        ]
    for pf in want.pfs:
        number = int(pf.name.removeprefix("em"))
        for folder, addresses in (
            ("/etc/libvirt/qemu/networks", ()),
            ("/run/libvirt/network", range(size.each)),
        ):
            lines += _file(f"{folder}/{pf.pool}.xml", _network(pf.pool or "", number, addresses))
    taken = {place: mac for mac, place in held.items()}
    for number in range(size.pfs):
        lines += _pf(number, size.each)
        for index in range(size.each):
            driver = "vfio-pci" if (number, index) in taken else None
            lines += _uevent(_vf_pci(number, index), "", driver, "14E4:16DC")
    lines += [f"{path}:{line}" for path, text in own.items() for line in text.splitlines()]
    links = [line for number in range(size.pfs) for line in _link(number, size.each, taken)]
    groups = [_pf_group(number) for number in range(size.pfs)]
    groups += [
        f"{_group(number, index)}/devices/{_vf_pci(number, index)}"
        for number in range(size.pfs)
        for index in range(size.each)
    ]
    return _answer(
        lines,
        links=links,
        groups=groups,
        vfio=vfio,
        alive=[" ".join(str(_FIRST_PID + position) for position in range(size.vms))],
        autostart=[f"/etc/libvirt/qemu/networks/autostart/{pf.pool}.xml" for pf in want.pfs],
        own=[f"file {path}" for path in own],
        loaded=["module=vfio_pci", "module=vfio_iommu_type1"],
    )


def _answer(files: list[str], **sections: list[str]) -> str:
    system = [
        f"hostname={HOST}",
        "release=6.12.0",
        "boot_id=9932be86-1bac-40e6-a9bd-cf635a36107a",
        "cmdline=BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro intel_iommu=on iommu=pt",
        "root=1",
        "init=systemd",
        "kvm=1",
        "iommu_table=DMAR",
        "libvirt=libvirt-sock",
        *sections.get("loaded", []),
        *(f"tool={tool}" for tool in ("ip", "virsh", "udevadm", "systemctl", "modprobe")),
    ]
    parts = {
        "system": system,
        "cpu": ["vendor_id\t: GenuineIntel", "flags\t\t: fpu vmx"],
        "etc": ['/etc/os-release:PRETTY_NAME="Debian GNU/Linux 13 (trixie)"'],
        "alive": sections.get("alive", []),
        "autostart": sections.get("autostart", []),
        "files": files,
        "upper": [],
        "groups": sections.get("groups", []),
        "ip": sections["links"],
        "vfio": sections.get("vfio", []),
        "own": sections.get("own", []),
        "end": [],
    }
    text = [f"sriovctl-probe 1 {_MARK}"]
    for name, lines in parts.items():
        text += ["", f"{_MARK} {name}", *lines]
    return "\n".join(text) + "\n"


def _held(want: HostWant) -> dict[str, tuple[int, int]]:
    """Which VF each card of the VMs has, by the card's MAC address: number of PF, index."""
    free = {pf.pool: iter(range(VFS_OF_A_PF)) for pf in want.pfs}
    return {
        nic.mac: (int(nic.leg.removeprefix("em")), next(free[nic.pool]))
        for vm in want.vms
        for nic in vm.nics
    }


def _pci(number: int) -> str:
    return f"0000:{0x10 + number:02x}:00.0"


def _vf_pci(number: int, index: int) -> str:
    return f"0000:{0x10 + number:02x}:{0x10 + index // 8:02x}.{index % 8}"


def _pf_group(number: int) -> str:
    return f"{number}/devices/{_pci(number)}"


def _group(number: int, index: int) -> int:
    return 100 + number * VFS_OF_A_PF + index


def _mac(number: int) -> str:
    return f"52:54:00:00:10:{number:02x}"


def _uevent(pci: str, path: str, driver: str | None, ids: str) -> Iterator[str]:
    if driver is not None:
        yield f"./{pci}/{path}uevent:DRIVER={driver}"
    for line in ("PCI_CLASS=20000", f"PCI_ID={ids}"):
        yield f"./{pci}/{path}uevent:{line}"


def _pf(number: int, vfs: int) -> Iterator[str]:
    pci, name = _pci(number), f"em{number}"
    yield from _uevent(pci, "", "bnxt_en", "14E4:16D7")
    facts = {
        f"net/{name}/address": _mac(number),
        f"net/{name}/uevent": f"IFINDEX={number + 2}",
        "sriov_totalvfs": VFS_OF_A_PF,
        "sriov_numvfs": vfs,
        "sriov_drivers_autoprobe": 0,
        "numa_node": number % 2,
        f"net/{name}/flags": "0x1003",
        f"net/{name}/carrier": 1,
        f"net/{name}/speed": 25000,
        f"net/{name}/mtu": 1500,
    }
    for path, value in facts.items():
        yield f"./{pci}/{path}:{value}"
    for index in range(vfs):
        yield f"./{pci}/virtfn{index}/uevent:PCI_SLOT_NAME={_vf_pci(number, index)}"


def _link(
    number: int, vfs: int, taken: Mapping[tuple[int, int], str] | None = None
) -> Iterator[str]:
    yield f"{number + 2}: em{number}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP"
    yield f"    link/ether {_mac(number)} brd ff:ff:ff:ff:ff:ff promiscuity 0 allmulti 0"
    for index in range(vfs):
        mac = (taken or {}).get((number, index), f"02:00:00:00:{number:02x}:{index:02x}")
        yield (
            f"    vf {index}     link/ether {mac} brd ff:ff:ff:ff:ff:ff, spoof checking on, "
            "link-state auto, trust off"
        )


def _file(path: str, lines: list[str]) -> Iterator[str]:
    return (f"{path}:{line}" for line in lines)


def _source(place: tuple[int, int]) -> str:
    pci = _vf_pci(*place)
    return (
        f"<address type='pci' domain='0x0000' bus='0x{pci[5:7]}' slot='0x{pci[8:10]}' "
        f"function='0x{pci[11]}'/>"
    )


def _network(pool: str, number: int, indices: tuple[()] | range) -> list[str]:
    return [
        "<network>",
        f"  <name>{pool}</name>",
        f"  <uuid>00000000-0000-4000-8000-{number:012x}</uuid>",
        "  <forward mode='hostdev' managed='yes'>",
        f"    <pf dev='em{number}'/>",
        *(f"    {_source((number, index))}" for index in indices),
        "  </forward>",
        "</network>",
    ]


def _domain(vm: VMWant, nics: Sequence[tuple[str, str, tuple[int, int] | None]]) -> list[str]:
    """A VM's XML, as long as libvirt's; nics are pool, MAC address, and the VF where it runs."""
    number = int(vm.name.removeprefix("VM-"))
    lines = [
        "<domain type='kvm'>",
        f"  <name>{vm.name}</name>",
        f"  <uuid>00000000-0000-4000-9000-{number:012x}</uuid>",
        "  <memory unit='KiB'>4194304</memory>",
        "  <vcpu placement='static'>2</vcpu>",
        "  <os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type></os>",
        "  <features><acpi/><apic/></features>",
        "  <cpu mode='host-passthrough' check='none' migratable='on'/>",
        "  <on_poweroff>destroy</on_poweroff>",
        "  <on_reboot>restart</on_reboot>",
        "  <devices>",
        "    <emulator>/usr/bin/qemu-system-x86_64</emulator>",
        "    <controller type='pci' index='0' model='pcie-root'/>",
    ]
    for port in range(1, _ROOT_PORTS + 1):
        lines += [
            f"    <controller type='pci' index='{port}' model='pcie-root-port'>",
            "      <model name='pcie-root-port'/>",
            f"      <target chassis='{port}' port='0x{port + 7:x}'/>",
            f"      <alias name='pci.{port}'/>",
            "      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' "
            f"function='0x{port - 1:x}'/>",
            "    </controller>",
        ]
    lines += [
        "    <disk type='file' device='disk'>",
        "      <driver name='qemu' type='qcow2'/>",
        f"      <source file='/var/lib/libvirt/images/{vm.name}.qcow2'/>",
        "      <target dev='vda' bus='virtio'/>",
        "      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>",
        "    </disk>",
    ]
    for pool, mac, place in nics:
        actual = []
        if place is not None:
            actual = [
                "      <actual type='hostdev' managed='yes'>",
                f"        <source>{_source(place)}</source>",
                "      </actual>",
            ]
        lines += [
            "    <interface type='network'>",
            f"      <mac address='{mac}'/>",
            f"      <source network='{pool}'/>",
            *actual,
            "    </interface>",
        ]
    lines += [
        "    <serial type='pty'><target type='isa-serial' port='0'/></serial>",
        "    <console type='pty'><target type='serial' port='0'/></console>",
        "    <input type='mouse' bus='ps2'/>",
        "    <memballoon model='none'/>",
        "  </devices>",
        "</domain>",
    ]
    return lines
