"""What a host shows by itself to stand in the way of VFs for VMs, whatever is wanted of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sriovctl.drivers import driver as known_driver
from sriovctl.host import HostState, NetworkPort
from sriovctl.plan import Finding, Severity

VF_DEVICES = re.compile(r"^(igbvf|ixgbevf|i40evf|iavf|fm10k_vf|cxgb4vf|mlx5_vf)$")
FIRST_WITH_COUNTS = (3, 8)
"""The kernel version from which on ``sriov_numvfs`` exists (drivers/pci/pci-sysfs.c)."""


def notes(state: HostState) -> tuple[Finding, ...]:
    """Findings on a host as it is, the way from firmware to guests."""
    return (
        *_rights(state),
        *_processor(state),
        *_cards(state),
        *_groups(state),
        *_others(state),
        *_pools(state),
    )


def _rights(state: HostState) -> Iterator[Finding]:
    if not state.system.root:
        yield Finding(
            severity=Severity.WARNING,
            link="guests",
            about="rights",
            found="this is a look without root",
            means="libvirt's VMs and pools, ACS and other users' processes cannot be seen",
            mend="run it as root, or give a user that may sudo",
        )
    for file in state.unread:
        yield Finding(
            severity=Severity.WARNING,
            link="guests",
            about=file.partition(":")[0],
            found=f"cannot be read:{file.partition(':')[2]}",
            means="what it defines is not in this picture; libvirt passes over it too",
        )


def _processor(state: HostState) -> Iterator[Finding]:
    kernel = state.kernel
    if kernel.virtualization is None and not kernel.kvm:
        yield Finding(
            severity=Severity.WARNING,
            link="firmware",
            about="CPU",
            found="it shows neither vmx nor svm",
            means="no KVM guest can run: the BIOS has virtualization off, or this is itself a "
            "virtual machine that is given none",
            mend="switch on Virtualization Technology (Intel VT-x, AMD SVM) in the BIOS",
        )
    elif kernel.virtualization is not None and not kernel.kvm:
        module = "kvm_intel" if kernel.virtualization == "vmx" else "kvm_amd"
        yield Finding(
            severity=Severity.WARNING,
            link="kernel",
            about="KVM",
            found=f"the CPU shows {kernel.virtualization}, but there is no /dev/kvm",
            means="no KVM guest can run",
            mend=f"modprobe {module}",
        )
    if kernel.iommu_groups == 0:
        yield _no_iommu(state)


def _no_iommu(state: HostState) -> Finding:
    kernel = state.kernel
    off = [word for word in kernel.arguments if re.match(r"^\w*iommu=(.*,)?off(,|$)", word)]
    found = "there are no IOMMU groups"
    if kernel.iommu_table is None:
        found += ", and firmware offers no IOMMU (no ACPI table DMAR or IVRS)"
        mend = "switch on VT-d (Intel) or AMD-Vi, also called IOMMU, in the BIOS"
    elif off:
        mend = f"take {' '.join(off)} off the kernel's arguments and reboot"
    elif kernel.iommu_table == "DMAR":
        mend = "add intel_iommu=on to the kernel's arguments and reboot"
    else:
        mend = "look at what the kernel says of AMD-Vi: dmesg | grep -i AMD-Vi"
    return Finding(
        severity=Severity.WARNING,
        link="kernel",
        about="IOMMU",
        found=found,
        means="VFs can be made, but none can be given to a VM",
        mend=mend,
    )


def _cards(state: HostState) -> Iterator[Finding]:
    if not state.pfs:
        yield Finding(
            severity=Severity.WARNING,
            link="nics",
            about="SR-IOV",
            found=f"none of the {len(state.ports)} network ports here can have VFs"
            if state.ports
            else "there is no PCI network card here",
            means="a card must show the PCI capability SR-IOV (sriov_totalvfs in sysfs)",
            mend="look at each port below; if the card is right, switch on SR-IOV in the BIOS "
            "and in the card's own setup"
            if state.ports
            else "put in a card with SR-IOV",
        )
        version = re.match(r"(\d+)\.(\d+)", state.kernel.release)
        if version and (int(version[1]), int(version[2])) < FIRST_WITH_COUNTS:
            yield Finding(
                severity=Severity.WARNING,
                link="nics",
                about="kernel",
                found=f"Linux {state.kernel.release} has no sriov_numvfs",
                means="before 3.8 VFs come from the driver's own parameter, when it is loaded",
                mend="set max_vfs in /etc/modprobe.d (options igb max_vfs=7)",
            )
        for port in state.ports:
            yield _why_not(port)
    for pf in state.pfs:
        if pf.totalvfs == 0:
            yield Finding(
                severity=Severity.WARNING,
                link="firmware",
                about=pf.name or pf.pci,
                found="the card can do SR-IOV, but its setup allows 0 VFs",
                means="its firmware gives out no VFs",
                mend="raise the number of VFs in the card's setup (mlxconfig NUM_OF_VFS, "
                "BIOS device settings)",
            )


def _why_not(port: NetworkPort) -> Finding:
    means = "the card or its function has no SR-IOV"
    mend = ""
    if port.driver is None:
        means = "no driver holds it, so nothing is known of it"
        mend = f"lspci -k -s {port.pci}"
    elif port.driver.startswith("virtio"):
        means = "it is a paravirtual card of a virtual machine: there is no hardware behind it"
    elif VF_DEVICES.match(port.driver):
        means = "it is itself a VF, given to this virtual machine"
    elif port.driver == "vfio-pci":
        means = "it is set aside for a VM; the host does not drive it"
    elif known_driver(port.driver).vf_driver is not None:
        means = (
            "its driver makes VFs on cards that show SR-IOV; this one does not: SR-IOV is off in "
            "the BIOS, it sits behind a conventional PCI bridge, or this model has none"
        )
        mend = "switch on SR-IOV in the BIOS (Dell: SriovGlobalEnable) and look again"
    return Finding(
        severity=Severity.INFO,
        link="nics",
        about=port.name or port.pci,
        found=f"driver {port.driver or 'none'}, PCI id {port.vendor_id}:{port.device_id}",
        means=means,
        mend=mend,
    )


def _groups(state: HostState) -> Iterator[Finding]:
    if state.kernel.iommu_groups == 0:
        return
    owners: dict[int, list[str]] = {}
    for pf in state.pfs:
        functions = [(pf.pci, pf.iommu_group), *((vf.pci, vf.iommu_group) for vf in pf.vfs)]
        for pci, group in functions:
            if group is not None:
                owners.setdefault(group, []).append(pci)
    shared = {group: pcis for group, pcis in owners.items() if len(pcis) > 1}
    for pf in state.pfs:
        groups = sorted({vf.iommu_group for vf in pf.vfs if vf.iommu_group in shared})
        if groups:
            yield Finding(
                severity=Severity.WARNING,
                link="nics",
                about=pf.name or pf.pci,
                found=f"VFs share IOMMU group {', '.join(str(group) for group in groups)}",
                means="functions of one group can only go to one and the same VM",
                mend="put the card in a slot whose PCIe port has ACS",
            )


def _others(state: HostState) -> Iterator[Finding]:
    for manager in state.system.managers:
        named = ", ".join(manager.pfs) or manager.setting
        yield Finding(
            severity=Severity.WARNING,
            link="nics",
            about=manager.system,
            found=f"sets SR-IOV too: {manager.file}: {named}",
            means="two that set VF counts take each other's VFs away, running VMs' among them",
            mend="take the line out, or write restored_by: host for the PF in the rack file",
        )
    if state.pfs and "ip" not in state.system.tools:
        yield Finding(
            severity=Severity.WARNING,
            link="nics",
            about="ip",
            found="there is no ip command",
            means="VFs' MAC, VLAN, spoof check, trust and rate can be neither seen nor set",
            mend="install iproute2 (iproute on CentOS 6)",
        )


def _pools(state: HostState) -> Iterator[Finding]:
    for pool in state.pools:
        stale = state.stale_pool(pool)
        if stale is not None:
            yield Finding(
                severity=Severity.WARNING,
                link="pools",
                about=f"pool {pool.name}",
                found=stale,
                means="libvirt lists a PF's VFs once, when the network is started",
                mend="sriovctl apply restarts it where no VM uses it",
            )
