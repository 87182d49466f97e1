"""Link *kernel*: the arguments that the IOMMU and old drivers need, and VFIO's modules.

Staged, running and active are three facts: what the boot loader has, what /proc/cmdline says, and
that IOMMU groups exist. This link stages; :func:`reboot_reason` says whether a reboot must make it
run.
"""

from __future__ import annotations

from typing import Final

from sriovctl.boot.arguments import Arguments, holds, says
from sriovctl.boot.hunks import as_words, hunks
from sriovctl.boot.loader import Line, Loader, is_staged, loader_of, settings, work
from sriovctl.chain import modules
from sriovctl.chain.steps import LinkPlan
from sriovctl.errors import BootFileError
from sriovctl.host import PF, HostState, NetworkPort
from sriovctl.plan import Finding, Severity, Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant, PFWant

INTEL_ON: Final = "intel_iommu=on"
PASSTHROUGH: Final = "iommu=pt"
REALLOC: Final = "pci=realloc"
IOMMU_OFF: Final = (INTEL_ON.replace("on", "off"), "iommu=off", "amd_iommu=off")
MAX_VFS_DRIVERS: Final = frozenset({"igb", "ixgbe"})
"""Their ``max_vfs`` is one number for all ports of the driver (module_param(max_vfs, uint, 0) in
igb_main.c and ixgbe_main.c)."""
SRIOV_NUMVFS_SINCE: Final = (3, 8)
"""The kernel that brought sriov_numvfs (drivers/pci/pci-sysfs.c)."""


def plan(want: HostWant, have: HostState) -> LinkPlan:
    """What must be staged and loaded, and what stands in the way."""
    result = LinkPlan()
    result.build += modules.steps(want, have)
    try:
        wanted = needed(want, have)
        if wanted:
            _stage(wanted, want, have, result)
    except BootFileError as error:
        waiting = _missing(want, have)
        result.findings.append(
            Finding(
                severity=Severity.ERROR if waiting else Severity.WARNING,
                link="kernel",
                about=error.path,
                found=error.found,
                means=error.means,
                mend=error.mend,
            )
        )
    result.findings += _findings(want, have)
    return result


def reboot_reason(want: HostWant, have: HostState) -> str | None:
    """Why only a reboot makes the host as wanted; None where it does not have to.

    It answers also while the arguments are yet to be staged by :func:`plan`, and not where they
    cannot be: a reboot would change nothing then.
    """
    missing = _missing(want, have)
    loader = loader_of(have)
    if not missing or loader is None:
        return None
    try:
        staged = is_staged(loader, have, needed(want, have))
        if not staged:
            work(loader, have, needed(want, have))
    except BootFileError:
        return None
    state = "staged" if staged else "to be staged"
    return f"{missing}: {state} in the boot loader, and the running kernel was started otherwise"


def needed(want: HostWant, have: HostState) -> Arguments:
    """The arguments that the host's next kernel must have, and must not have.

    ``iommu=pt`` only comes along where ``intel_iommu=on`` is added: where a person wrote the one
    without the other, it stays so.

    :raises BootFileError: for a boot loader's file that cannot be read
    """
    running = " ".join(have.kernel.arguments)
    present = list(_max_vfs(want, have))
    if any(pf.vfs for pf in want.pfs) and (_without_memory(want, have) or holds(running, REALLOC)):
        present.append(REALLOC)
    absent: tuple[str, ...] = ()
    if gives_vfs_to_vms(want):
        absent = IOMMU_OFF
        if _intel(have) and (not have.kernel.iommu_groups or holds(running, INTEL_ON)):
            present.append(INTEL_ON)
            lines = _settings(have)
            adds = not all(holds(line.text, INTEL_ON) for line in lines)
            if adds and not any(_speaks_of_passthrough(line.text) for line in lines):
                present.append(PASSTHROUGH)
    return Arguments(present=tuple(present), absent=absent)


def gives_vfs_to_vms(want: HostWant) -> bool:
    """Does the rack file want VFs that VMs can have?"""
    return any(vm.nics for vm in want.vms) or any(
        pf.vfs and (pf.pool is not None or any(vf.driver == "vfio-pci" for vf in pf.vf))
        for pf in want.pfs
    )


def _settings(have: HostState) -> list[Line]:
    loader = loader_of(have)
    return [] if loader is None else settings(loader, have)


def _speaks_of_passthrough(line: str) -> bool:
    keys = ("iommu=pt", "iommu=nopt", "iommu.passthrough=0", "iommu.passthrough=1")
    return any(says(line, key) for key in keys)


def _intel(have: HostState) -> bool:
    """Is the IOMMU one that Linux may leave off? Where firmware hides it, by the processor."""
    if have.kernel.iommu_table is not None:
        return have.kernel.iommu_table == "DMAR"
    return have.kernel.cpu_vendor == "GenuineIntel"


def _counts(want: HostWant, have: HostState) -> dict[str, set[int]]:
    """By driver, the counts wanted of its ports, where VFs are only made as a driver is loaded."""
    counts: dict[str, set[int]] = {}
    if modules.version(have.kernel.release) >= SRIOV_NUMVFS_SINCE:
        return counts
    running = " ".join(have.kernel.arguments)
    ports: tuple[PF | NetworkPort, ...] = (*have.pfs, *have.ports)
    for pf_want in want.pfs:
        port = next((p for p in ports if _means(pf_want, p)), None)
        if port is None or port.driver not in MAX_VFS_DRIVERS or not pf_want.vfs:
            continue
        now = next((pf.numvfs for pf in have.pfs if pf.pci == port.pci), 0)
        argument = f"{port.driver}.max_vfs={pf_want.vfs}"
        # they may come from modprobe.d; what the command line gives must stay there
        if now != pf_want.vfs or holds(running, argument):
            counts.setdefault(port.driver, set()).add(pf_want.vfs)
    return counts


def _means(want: PFWant, port: PF | NetworkPort) -> bool:
    return want.name == {"name": port.name, "pci": port.pci, "mac": port.mac}[want.by]


def _max_vfs(want: HostWant, have: HostState) -> list[str]:
    return [
        f"{driver}.max_vfs={next(iter(counts))}"
        for driver, counts in sorted(_counts(want, have).items())
        if len(counts) == 1
    ]


def _without_memory(want: HostWant, have: HostState) -> list[str]:
    """The ports that are to have VFs and have no memory addresses for them."""
    return [
        pf.name or pf.pci
        for pf in have.pfs
        if pf.vf_memory is False and any(_means(wish, pf) and wish.vfs for wish in want.pfs)
    ]


def _missing(want: HostWant, have: HostState) -> str:
    """What the running kernel lacks to be as wanted; empty where it lacks nothing."""
    running = " ".join(have.kernel.arguments)
    parts = [a for a in _max_vfs(want, have) if not holds(running, a)]
    if _without_memory(want, have) and not holds(running, REALLOC):
        parts.append(REALLOC)
    if gives_vfs_to_vms(want) and not have.kernel.iommu_groups:
        if _intel(have) and not holds(running, INTEL_ON):
            parts.append(INTEL_ON)
        parts += [f"without {a}" for a in IOMMU_OFF if says(running, a)]
    return ", ".join(parts)


def _stage(wanted: Arguments, want: HostWant, have: HostState, result: LinkPlan) -> None:
    loader = loader_of(have)
    missing = _missing(want, have)
    if loader is None or (loader is Loader.PROXMOX and not settings(loader, have)):
        if missing:
            result.findings.append(
                Finding(
                    severity=Severity.ERROR,
                    link="kernel",
                    about=want.name,
                    found="no boot loader known here: GRUB, GRUB 2, BLS entries with grubby, "
                    "systemd-boot with kernel-install, or proxmox-boot-tool",
                    means=f"the kernel's arguments cannot be staged: {missing}",
                    mend="add them to the boot loader's file by hand, and reboot",
                )
            )
        return
    if is_staged(loader, have, wanted):
        return
    step = _step(loader, have, wanted)
    if isinstance(step, Finding):
        result.findings.append(step)
    else:
        result.build.append(step)


def _step(loader: Loader, have: HostState, wanted: Arguments) -> Step | Finding:
    todo = work(loader, have, wanted)
    do: list[str] = []
    check: list[str] = []
    undo: list[str] = []
    if todo.rewritten:
        do.append(command("boot_keep", *todo.rewritten))
    for path, (before, after) in todo.edits.items():
        if before is None:
            do.append(command("boot_create", path, after))
            check.append(command("boot_has_text", path, after))
            undo.insert(0, command("boot_remove", path))
            continue
        changes = hunks(before, after)
        if any("\ufffd" in old for _, old, _ in changes):
            return _no_text(path)
        there, back = as_words(changes), as_words([(n, new, old) for n, old, new in changes])
        do += [command("boot_backup", path), command("boot_edit", path, *there)]
        check.append(command("boot_edited", path, *there))
        undo[:0] = [command("boot_edit", path, *back), command("boot_drop_backup", path)]
    if loader is Loader.BLS:
        do += [command("boot_backup", path) for path in todo.rewritten]
    do += todo.generate
    check += todo.check
    undo += todo.undo_generate
    if todo.rewritten:
        undo.append(command("boot_restore", *todo.rewritten))
    if loader is Loader.BLS:
        undo += [command("boot_drop_backup", path) for path in todo.rewritten]
    lines = settings(loader, have)
    added = [a for a in wanted.present if not all(holds(line.text, a) for line in lines)]
    gone = [f"no {a}" for a in wanted.absent if any(says(line.text, a) for line in lines)]
    what = ", ".join([*added, *gone]) or "boot entries made anew"
    return Step(
        link="kernel",
        title=f"kernel arguments for the next boot: {what}",
        reason=_reason(wanted, added, bool(gone)) + f" ({loader.value})",
        do=" &&\n".join(do),
        check=" &&\n".join(check),
        undo=" &&\n".join(undo),
    )


def _reason(wanted: Arguments, added: list[str], gone: bool) -> str:
    if any(".max_vfs=" in a for a in added):
        return "before Linux 3.8 VFs come from the driver's parameter only"
    if added == [REALLOC]:
        return "firmware left no memory addresses for VFs"
    if added:
        return "VMs can be given VFs only with the IOMMU on"
    if gone:
        return "it would switch off the IOMMU, without which VMs cannot be given VFs"
    return "the boot loader's entries do not have what its settings say"


def _no_text(path: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        link="kernel",
        about=path,
        found=f"a line of {path} that must change has bytes that are no UTF-8",
        means="it could not be written back as it was",
        mend="add the arguments by hand, or write that line in UTF-8",
    )


def _findings(want: HostWant, have: HostState) -> list[Finding]:
    found = []
    for driver, counts in _counts(want, have).items():
        if len(counts) > 1:
            found.append(
                Finding(
                    severity=Severity.ERROR,
                    link="kernel",
                    about=driver,
                    found=f"different numbers of VFs wanted of {driver}'s ports: "
                    + ", ".join(str(count) for count in sorted(counts)),
                    means=f"Linux {have.kernel.release} has no sriov_numvfs, and the driver's "
                    "max_vfs is one number for all its ports",
                    mend="want the same number of each, or a kernel from 3.8 on",
                )
            )
    cramped = _without_memory(want, have)
    if cramped and holds(" ".join(have.kernel.arguments), REALLOC):
        found.append(
            Finding(
                severity=Severity.WARNING,
                link="kernel",
                about=", ".join(cramped),
                found=f"no memory addresses for VFs of {', '.join(cramped)}, even with {REALLOC}",
                means="the kernel found no room below the bridges that firmware set up",
                mend="switch 'memory mapped I/O above 4 GB' on in firmware",
            )
        )
    if not gives_vfs_to_vms(want) or have.kernel.iommu_groups:
        return found
    table = have.kernel.iommu_table
    if missing := _missing(want, have):
        if table is None and want.bmc is None:
            found.append(
                Finding(
                    severity=Severity.WARNING,
                    link="kernel",
                    about=want.name,
                    found="firmware shows no IOMMU (no ACPI table DMAR or IVRS)",
                    means=f"a reboot for {missing} alone will not bring it",
                    mend="switch VT-d (Intel) or AMD-Vi (IOMMU) on in firmware first, or give the "
                    "host a bmc in the rack file",
                )
            )
        return found
    found.append(
        Finding(
            severity=Severity.WARNING,
            link="kernel",
            about=want.name,
            found="the IOMMU is not active, and no kernel argument keeps it from being so",
            means="firmware offers none (no ACPI table DMAR or IVRS)"
            if table is None
            else f"firmware offers one (ACPI table {table}) that this kernel does not use",
            mend="switch VT-d (Intel) or AMD-Vi (IOMMU) on in firmware"
            if table is None
            else "look for DMAR or AMD-Vi in the kernel's log: dmesg | grep -i -e dmar -e amd-vi",
            may_pass=True,
        )
    )
    return found
