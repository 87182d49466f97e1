"""What is: the typed facts that one probe of a host gave. Facts only, no opinion of them.

``None`` in a field means that the host did not say, never "no".
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sriovctl.hostnet import HostNetwork
from sriovctl.insidefacts import Inside
from sriovctl.plan import Frozen

Switch = Literal["on", "off"]

CONFIG_DRIVES = "/var/lib/libvirt/images/sriovctl-"
"""How the paths of our config drives begin: where every libvirt may read. probe.sh looks there."""


class VF(Frozen):
    """A virtual function. Its identity is its PF's PCI address and ``index``."""

    index: int
    pci: str
    """Full PCI address, lower case: ``0000:01:10.0``."""
    driver: str | None = None
    """``igbvf``, ``vfio-pci``, or None where no driver holds it."""
    iommu_group: int | None = None
    netdev: str | None = None
    """Name of its network device on the host, None where it has none."""
    host_use: str | None = None
    """What the host itself does with that device: ``member of bond1``, ``address 10.0.0.1/24``."""
    mac: str | None = None
    """As the PF reports it, lower case."""
    vlan: int = 0
    qos: int = 0
    vlan_proto: str = "802.1Q"
    spoofchk: Switch | None = None
    trust: Switch | None = None
    link_state: Literal["auto", "enable", "disable"] | None = None
    min_rate: int = 0
    """Mbit/s, 0 for no limit."""
    max_rate: int = 0
    """Mbit/s, 0 for no limit."""


class PF(Frozen):
    """A network card's port that can have VFs."""

    pci: str
    name: str | None
    """Network device name; None where no network driver holds the port."""
    mac: str | None
    """Permanent address, also while a bond gives the port another one."""
    driver: str | None
    vendor_id: str
    """Four hex digits, ``8086``."""
    device_id: str
    up: bool
    """Administratively up (IFF_UP)."""
    carrier: bool | None
    speed: int | None
    """Mbit/s."""
    mtu: int | None
    numa_node: int | None
    iommu_group: int | None
    acs: bool | None
    """The port above the card isolates (PCIe Access Control Services on); None: not readable."""
    master: str | None
    """Bond or bridge that holds it."""
    totalvfs: int
    numvfs: int
    autoprobe: bool | None
    """``sriov_drivers_autoprobe``; None before Linux 4.12, which has no such switch."""
    vf_memory: bool | None = None
    """The VFs' memory windows have a place; where not, no VF can be made (ENOMEM)."""
    vfs: tuple[VF, ...] = ()


class NetworkPort(Frozen):
    """A PCI network port that cannot have VFs (or a VF whose PF is not seen)."""

    pci: str
    name: str | None
    mac: str | None
    driver: str | None
    vendor_id: str
    device_id: str
    physfn: str | None = None
    """PCI address of its PF, where it is a VF."""


class Pool(Frozen):
    """A libvirt network with ``<forward mode='hostdev'>``."""

    name: str
    uuid: str | None
    pf: str | None
    """Name of the network device in its ``<pf dev=…>``; None where the pool lists addresses."""
    persistent: bool
    active: bool
    autostart: bool
    managed: bool = True
    """libvirt binds a VF to vfio-pci and back by itself."""
    addresses: tuple[str, ...] = ()
    """VFs' PCI addresses that the running pool hands out: those of when it was started."""


class VMNic(Frozen):
    """An SR-IOV network card in a VM's definition."""

    how: Literal["pool", "interface", "hostdev"]
    """``<interface type='network'>`` on a hostdev pool, ``<interface type='hostdev'>``, or a plain
    ``<hostdev>``."""
    mac: str | None
    """None for a plain ``<hostdev>``."""
    pool: str | None = None
    pci: str | None = None
    """The VF that it holds (running) or names (definition)."""
    vlan: int = 0
    managed: bool = True


class VM(Frozen):
    """A libvirt domain, its SR-IOV cards only."""

    name: str
    uuid: str | None
    persistent: bool
    running: bool
    autostart: bool
    nics: tuple[VMNic, ...] = ()
    """In the persistent definition."""
    live_nics: tuple[VMNic, ...] = ()
    """In the running machine; empty when it does not run."""
    networks: tuple[str, ...] = ()
    """All libvirt networks and bridges its other cards use, in the definition's order."""
    taps: dict[str, str] = Field(default_factory=dict)
    """Of the running machine: its other cards' devices on the host (``vnet0``), and the libvirt
    network or bridge that each is on."""
    drives: tuple[str, ...] = ()
    """Paths of config drives of ours that its definition has as CD-ROMs."""
    live_drives: tuple[str, ...] = ()
    """Those that the running machine has."""

    @property
    def key(self) -> str:
        """What virsh is to call it: a name that looks like a number would be an ID."""
        return self.uuid or self.name


class Process(Frozen):
    """Something other than a libvirt domain that has a VF open through VFIO."""

    pid: int
    command: str


class VfioUser(Frozen):
    """Who has a VFIO group open."""

    iommu_group: int
    process: Process


class KernelEntry(Frozen):
    """Arguments staged for the next boot, as one boot loader file has them."""

    file: str
    title: str
    arguments: tuple[str, ...]


class Kernel(Frozen):
    """The running kernel and its IOMMU: staged, running, active are three facts."""

    release: str
    boot_id: str
    cpu_vendor: str | None
    """``GenuineIntel``, ``AuthenticAMD``."""
    virtualization: Literal["vmx", "svm"] | None
    kvm: bool
    """/dev/kvm exists."""
    arguments: tuple[str, ...]
    """/proc/cmdline, token by token."""
    staged: tuple[KernelEntry, ...] = ()
    iommu_groups: int = 0
    """More than 0: the IOMMU is active."""
    iommu_table: Literal["DMAR", "IVRS"] | None = None
    """The ACPI table by which firmware offers an IOMMU: Intel's or AMD's; None: it offers none."""
    modules: tuple[str, ...] = ()
    """Of those that matter here, the loaded ones; vfio's also where they are built in."""


class Boot(Frozen):
    """The boot loader, as far as its files tell."""

    efi: bool = False
    """The running system was started by EFI firmware."""
    proxmox: bool = False
    """proxmox-boot-tool keeps the boot partitions."""
    files: dict[str, str] = Field(default_factory=dict)
    """Settings and entries of boot loaders, path to text, to the byte; passwords blacked out."""


class OtherManager(Frozen):
    """A file by which something else than sriovctl makes or sets VFs."""

    system: str
    """``netplan``, ``rc.local``, ``udev``, …"""
    file: str
    pfs: tuple[str, ...]
    """Names of the PFs that it speaks of, by name, address or driver; none: it does not say."""
    setting: str
    """The last of the lines that set SR-IOV."""

    def makes_vfs_of(self, pf: str | None) -> bool:
        """Whether it makes this PF's VFs, or, where a variable of the shell says whose, may."""
        return pf in self.pfs or (not self.pfs and "$" in self.setting)


class System(Frozen):
    """The host's software, as far as it matters here."""

    hostname: str
    os: str
    """``PRETTY_NAME`` of os-release, or the first line of /etc/redhat-release."""
    init: Literal["systemd", "other"]
    root: bool
    tools: tuple[str, ...]
    """Those of ``ip virsh udevadm systemctl modprobe grubby …`` that the host has."""
    libvirt: bool
    """A libvirt daemon listens, or systemd listens for it."""
    managers: tuple[OtherManager, ...] = ()


class HostState(Frozen):
    """One look at a host."""

    system: System
    kernel: Kernel
    pfs: tuple[PF, ...] = ()
    ports: tuple[NetworkPort, ...] = ()
    pools: tuple[Pool, ...] = ()
    other_networks: tuple[str, ...] = ()
    """Names of libvirt networks that are no pools of VFs."""
    vms: tuple[VM, ...] = ()
    vfio_users: tuple[VfioUser, ...] = ()
    boot: Boot = Boot()
    network: HostNetwork = HostNetwork()
    files: dict[str, str] = Field(default_factory=dict)
    """The files under /etc that sriovctl itself keeps on a host, path to text."""
    drives: dict[str, str] = Field(default_factory=dict)
    """Config drives of ours on the host, path to SHA-256."""
    inside: dict[str, Inside] = Field(default_factory=dict)
    """By VM's UUID, or name where it has none; no part of the probe: :mod:`sriovctl.inside`."""
    unread: tuple[str, ...] = ()
    """Files that should have been read and could not be, each with why."""

    def pf_named(self, name: str) -> PF | None:
        """The PF with this network device name."""
        return next((pf for pf in self.pfs if pf.name == name), None)

    def pool_named(self, name: str) -> Pool | None:
        """The hostdev pool of this name."""
        return next((pool for pool in self.pools if pool.name == name), None)

    def vm_named(self, name: str) -> VM | None:
        """The libvirt domain of this name."""
        return next((vm for vm in self.vms if vm.name == name), None)

    def stale_pool(self, pool: Pool) -> str | None:
        """Why a running pool hands out other VFs than its PF has now; None where it does not.

        libvirt lists a PF's VFs once, when the network is started.
        """
        if not pool.active:
            return None
        if pool.pf is None:
            there = {vf.pci for pf in self.pfs for vf in pf.vfs}
            gone = [address for address in pool.addresses if address not in there]
            return f"{', '.join(gone)} not there" if gone else None
        pf = self.pf_named(pool.pf)
        if pf is None:
            return f"there is no PF {pool.pf}"
        now = {vf.pci for vf in pf.vfs}
        listed = set(pool.addresses)
        parts = []
        if lost := listed - now:
            parts.append(f"lists {len(lost)} {'VF' if len(lost) == 1 else 'VFs'} no longer there")
        if new := now - listed:
            parts.append(f"does not list {len(new)} of {pool.pf}'s {len(now)} VFs")
        return ", ".join(parts) or None

    def holders(self) -> dict[str, Holder]:
        """Who uses a VF now, by the VF's PCI address: a running VM, a process through VFIO, or the
        host itself. Those that are not in it are free.

        That a VF has a network device on the host does not hold it; see ``VF.host_use``.
        """
        in_vms = {
            nic.pci: Holder(kind="vm", name=vm.name, how=nic.how, mac=nic.mac)
            for vm in reversed(self.vms)
            if vm.running
            for nic in reversed(vm.live_nics)
            if nic.pci is not None
        }
        in_processes = {
            user.iommu_group: Holder(
                kind="process", name=f"{user.process.command} (pid {user.process.pid})", how="vfio"
            )
            for user in reversed(self.vfio_users)
        }
        held: dict[str, Holder] = {}
        for vf in (vf for pf in self.pfs for vf in pf.vfs):
            if vf.pci in in_vms:
                held[vf.pci] = in_vms[vf.pci]
            elif vf.iommu_group in in_processes:
                held[vf.pci] = in_processes[vf.iommu_group]
            elif vf.host_use is not None:
                name = f"{vf.netdev}, {vf.host_use}"
                held[vf.pci] = Holder(kind="host", name=name, how="netdev")
        return held

    def holder_of(self, vf: VF) -> Holder | None:
        """Who uses one VF now; see :meth:`holders`, which answers for many at the price of one."""
        return self.holders().get(vf.pci)


class Holder(Frozen):
    """Who holds a VF, and how."""

    kind: Literal["vm", "process", "host"]
    name: str
    how: Literal["pool", "interface", "hostdev", "vfio", "netdev"]
    mac: str | None = None
