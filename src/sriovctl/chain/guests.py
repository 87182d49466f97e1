"""Link *guests*: VMs get their pairs of VFs, in their definition and while they run."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from xml.etree import ElementTree

from sriovctl.chain import drive
from sriovctl.chain.cards import fixed_addresses, strayed
from sriovctl.chain.plugging import attach, detach, interface
from sriovctl.chain.steps import LinkPlan
from sriovctl.drivers import driver
from sriovctl.host import PF, VM, Holder, HostState, VMNic
from sriovctl.identity import identify
from sriovctl.plan import Finding, Severity, Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant, PFWant, VMWant

_NAMESPACE = uuid.UUID("3b1f2c52-6b59-5c0e-8f55-8d2c14b6a0c4")
"""For uuid5: a VM that the rack file defines has the same UUID each time."""


def plan(want: HostWant, have: HostState) -> LinkPlan:
    """What must change for the VMs of a host, and what stands in the way."""
    result = LinkPlan()
    taken = _addresses_of_others(want, have)
    ports = _ports(want, have)
    present = {vm.name: vm for vm in reversed(have.vms)}
    for vm_want in want.vms:
        vm = present.get(vm_want.name)
        problems = _problems(vm_want, vm, want, have, taken)
        result.findings += problems
        result.findings += _any_address(vm_want, ports)
        if not any(f.severity is Severity.ERROR for f in problems):
            _one_vm(want, vm_want, vm, have, ports, result)
    if (result.build or result.release) and (problem := _no_libvirt(have)):
        result.findings.append(problem)
    result.findings += _too_few_vfs(want, have, ports)
    return result


@dataclass(frozen=True)
class _Ports:
    """The host's ports that the rack file names, identified once for all VMs."""

    legs: dict[str, PF]
    """By ``PFWant.name``; those that cannot be identified are not in it."""
    pools: frozenset[str]
    """Pools whose cards in a VM are ours: those over these ports."""
    fixed: dict[str, str]
    """Of :func:`fixed_addresses`, of all these ports."""


def _ports(want: HostWant, have: HostState) -> _Ports:
    legs: dict[str, PF] = {}
    fixed: dict[str, str] = {}
    for pf_want in want.pfs:
        pf = identify(pf_want, have)
        if not isinstance(pf, Finding):
            legs[pf_want.name] = pf
            fixed |= fixed_addresses(pf_want, pf)
    names = {pf.name for pf in legs.values()}
    pools = frozenset(pf.pool for pf in want.pfs if pf.pool is not None)
    pools |= {pool.name for pool in have.pools if pool.pf and pool.pf in names}
    return _Ports(legs, pools, fixed)


def domain_xml(want: HostWant, vm: VMWant) -> str:
    """A VM's definition as its rack's ``domain`` file has it, with its VFs' cards added, and with a
    stable UUID where it has none.

    :raises xml.etree.ElementTree.ParseError: ``vm.domain`` is not XML
    """
    # libvirt's own prefix for what it passes on to QEMU's command line
    ElementTree.register_namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0")
    domain = ElementTree.fromstring(vm.domain or "")
    devices = domain.find("devices")
    if devices is None:
        devices = ElementTree.SubElement(domain, "devices")
    devices.extend(interface(nic.pool, nic.mac, nic.vlan) for nic in vm.nics)
    if domain.find("uuid") is None:
        identity = ElementTree.Element("uuid")
        identity.text = _new_uuid(want, vm)
        name = domain.find("name")
        domain.insert(0 if name is None else list(domain).index(name) + 1, identity)
    ElementTree.indent(domain)
    return ElementTree.tostring(domain, encoding="unicode") + "\n"


def _new_uuid(want: HostWant, vm: VMWant) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\0".join((want.rack, want.name, vm.name))))


def _one_vm(
    want: HostWant,
    vm_want: VMWant,
    vm: VM | None,
    have: HostState,
    ports: _Ports,
    result: LinkPlan,
) -> None:
    name = vm_want.name
    if vm is None:
        text = domain_xml(want, vm_want)
        key = ElementTree.fromstring(text).findtext("uuid") or _new_uuid(want, vm_want)
        result.build.append(
            Step(
                link="guests",
                title=f"VM {name}: define{_with_vfs(vm_want)}",
                reason="the rack file defines it, and the host does not have it",
                do=command("define_vm", text),
                check=command("vm_is", key, "persistent", "yes"),
                undo=command("undefine_vm", key),
            )
        )
        vm = VM(name=name, uuid=key, persistent=True, running=False, autostart=False)
    else:
        _nics(vm_want, vm, have, ports, result)
    result.build += drive.steps(vm_want, vm, have)
    result.findings += drive.findings(vm_want, vm)
    key = vm.key
    # libvirt starts no VM at boot that is not defined
    if vm.persistent and vm_want.autostart is not None and vm_want.autostart != vm.autostart:
        result.build.append(_autostart(name, key, vm_want.autostart))
    if vm_want.running and not vm.running:
        result.build.append(
            Step(
                link="guests",
                title=f"VM {name}: start",
                reason="it is to run, and does not",
                do=command("start_vm", key),
                check=command("vm_is_running", key),
                undo=command("power_off_vm", key),
            )
        )


def _with_vfs(vm: VMWant) -> str:
    pools = ", ".join(dict.fromkeys(nic.pool for nic in vm.nics))
    return f" with {len(vm.nics)} VF{'s' if len(vm.nics) > 1 else ''} of {pools}" if pools else ""


def _autostart(name: str, key: str, on: bool) -> Step:
    functions = ("autostart_vm", "no_autostart_vm")
    do, undo = functions if on else reversed(functions)
    return Step(
        link="guests",
        title=f"VM {name}: {'start' if on else 'do not start'} at boot",
        reason="as the rack file wants",
        do=command(do, key),
        check=command("vm_is", key, "autostart", "enable" if on else "disable"),
        undo=command(undo, key),
    )


def _nics(vm_want: VMWant, vm: VM, have: HostState, ports: _Ports, result: LinkPlan) -> None:
    wanted = {(nic.pool, nic.mac, nic.vlan): nic for nic in vm_want.nics}
    defined = _present(vm.nics, ports.pools)
    live = _present(vm.live_nics, ports.pools)
    for at, card in (defined | live).items():
        other = strayed(live[at], ports.fixed) if at in live else None
        if at not in wanted:
            flags = [
                flag
                for flag, there in (("--config", at in defined), ("--live", at in live))
                if there
            ]
            reason = "the rack file gives it no such card"
            result.release.append(detach(vm, card, flags, have, reason))
        elif other is not None:
            reason = f"its VF has the address {other}, and the guest may not change that"
            result.release.append(detach(vm, card, ["--live"], have, reason))
            live.pop(at)
    for at, nic in wanted.items():
        flags = []
        if vm.persistent and at not in defined:
            flags.append("--config")
        if vm.running and at not in live:
            flags.append("--live")
        if flags:
            result.build.append(attach(vm, nic, flags, ports.legs.get(nic.leg)))


def _present(nics: tuple[VMNic, ...], pools: frozenset[str]) -> dict[tuple[str, str, int], VMNic]:
    return {
        (nic.pool, nic.mac or "", nic.vlan): nic
        for nic in nics
        if nic.how == "pool" and nic.pool in pools and nic.pool is not None
    }


def _addresses_of_others(want: HostWant, have: HostState) -> dict[str, str]:
    """MAC addresses of VMs that the rack file does not name, and whose they are."""
    named = {vm.name for vm in want.vms}
    return {
        nic.mac: vm.name
        for vm in have.vms
        if vm.name not in named
        for nic in (*vm.nics, *vm.live_nics)
        if nic.mac is not None
    }


def _problems(
    vm_want: VMWant, vm: VM | None, want: HostWant, have: HostState, taken: dict[str, str]
) -> list[Finding]:
    problems = []
    if vm is None and vm_want.domain is None:
        known = ", ".join(other.name for other in have.vms) or "none"
        problems.append(
            _error(
                vm_want.name,
                f"no VM {vm_want.name} on {want.name}",
                f"its VMs are: {known}",
                "correct the name, define the VM, or give its libvirt XML as domain: in the "
                "rack file",
            )
        )
    problems += [
        _error(
            vm_want.name,
            f"{nic.mac} of {vm_want.name} is already the address of the VM {taken[nic.mac]}",
            "two cards with one address take each other's frames",
            "give another mac in the rack file",
        )
        for nic in vm_want.nics
        if nic.mac in taken
    ]
    starts = vm_want.running or (vm is not None and vm.running)
    if vm_want.nics and starts and not have.kernel.iommu_groups:
        problems.append(
            Finding(
                severity=Severity.ERROR,
                link="guests",
                about=vm_want.name,
                found="the IOMMU of this host is not active: it has no IOMMU groups",
                means=f"{vm_want.name} cannot be given a VF without it",
                mend="switch it on in firmware (VT-d, AMD IOMMU), on Intel also with "
                "intel_iommu=on on the kernel line, and reboot",
                may_pass=True,
            )
        )
    return problems


def _any_address(vm_want: VMWant, ports: _Ports) -> list[Finding]:
    """The warning about a pair with the MAC policy ``open``."""
    legs = dict.fromkeys(nic.leg for nic in vm_want.nics if nic.macs == "open")
    if not legs:
        return []
    drivers = dict.fromkeys(pf.driver or "" for leg, pf in ports.legs.items() if leg in legs)
    relapsing = [name for name in drivers if driver(name).spoofchk_comes_back]
    means = (
        f"{vm_want.name} may send from any MAC address, and so may every other VM with a VF of "
        "these ports, as libvirt picks which VF a VM gets"
    )
    if relapsing:
        means += (
            f"; and it does not hold: {', '.join(relapsing)} switches the check on again whenever "
            "it resets a port, as when its link fails, and goes on reporting off"
        )
    return [
        Finding(
            severity=Severity.WARNING,
            link="guests",
            about=vm_want.name,
            found=f"its pair is macs: open: all VFs of {', '.join(legs)} are without spoof check",
            means=means,
            mend="macs: shared, or macs: active with fail_over_mac=active in the guest's bond",
        )
    ]


def _too_few_vfs(want: HostWant, have: HostState, ports: _Ports) -> list[Finding]:
    """The VMs' pairs and what else holds VFs together need more VFs than there will be."""
    elsewhere = _held_elsewhere(want, have)
    return [
        finding
        for pf_want in want.pfs
        if (pf := ports.legs.get(pf_want.name)) is not None and pf_want.vfs == pf.numvfs
        for finding in _too_few_on(want, pf_want, pf, elsewhere)
    ]


def _held_elsewhere(want: HostWant, have: HostState) -> dict[str, str]:
    """VFs that no pair of the rack file can get, by PCI address, and whose they are.

    A card that is not from a pool is not ours, also in a VM that the rack file names.
    """
    named = {vm.name for vm in want.vms}

    def is_ours(holder: Holder) -> bool:
        return holder.kind == "vm" and holder.name in named and holder.how == "pool"

    defined = {
        nic.pci: vm.name
        for vm in have.vms
        if vm.name in named
        for nic in vm.nics
        if nic.how != "pool" and nic.pci is not None
    }
    held = have.holders().items()
    return defined | {pci: holder.name for pci, holder in held if not is_ours(holder)}


def _too_few_on(
    want: HostWant, pf_want: PFWant, pf: PF, elsewhere: dict[str, str]
) -> list[Finding]:
    others = [f"{elsewhere[vf.pci]} (VF {vf.index})" for vf in pf.vfs if vf.pci in elsewhere]
    needed = sum(nic.leg == pf_want.name for vm in want.vms for nic in vm.nics)
    if not others or needed + len(others) <= pf_want.vfs:
        return []
    return [
        _error(
            pf_want.name,
            f"the pairs of the rack file's VMs need {needed} VFs of {pf_want.name}; it has "
            f"{pf_want.vfs}, of which {len(others)} are held otherwise: {', '.join(others)}",
            "the last VM to start would get none",
            "take a pair from a VM, or free a VF",
        )
    ]


def _error(about: str, found: str, means: str, mend: str) -> Finding:
    return Finding(
        severity=Severity.ERROR, link="guests", about=about, found=found, means=means, mend=mend
    )


def _no_libvirt(have: HostState) -> Finding | None:
    if have.system.libvirt and "virsh" in have.system.tools:
        return None
    return _error(
        have.system.hostname,
        "libvirt is not running, or the host has no virsh command",
        "VMs cannot be managed without them",
        "systemctl start libvirtd; or install libvirt-daemon-system and libvirt-clients",
    )
