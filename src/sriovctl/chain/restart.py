"""Restarts as stages: when one is due, what goes before it, and what comes back after it.

A restart is due because of what is, never because an earlier stage ran; so a run that was broken
off anywhere goes on from there. VMs are shut down before it, by name, and noted on the host: what
the note names and does not run is started again when no restart is due any more.
"""

from __future__ import annotations

from typing import Final, Literal

from sriovctl.chain import firmware, kernel
from sriovctl.firmware import FirmwareState
from sriovctl.host import VM, HostState
from sriovctl.plan import Finding, Frozen, Impact, Severity, Stage, Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant

NOTE: Final = "/etc/sriovctl/vms-to-start"
"""A line with the UUID of each VM that was shut down for a restart."""


class Restart(Frozen):
    """Why a host must start anew, and in which way."""

    kind: Literal["power-cycle", "reboot"]
    reason: str


def due(want: HostWant, have: HostState, bmc: FirmwareState | None) -> Restart | None:
    """The restart that the host needs now; one serves its firmware and its kernel."""
    reasons = []
    if want.bmc is not None and bmc is not None:
        waits = firmware.awaits_start(firmware.wish(want.bmc, bmc), bmc)
        if waits:
            reasons.append(f"firmware takes its settings when the server starts: {waits}")
    kind: Literal["power-cycle", "reboot"] = "power-cycle" if reasons else "reboot"
    for_kernel = kernel.reboot_reason(want, have)
    if for_kernel:
        reasons.append(for_kernel)
    return Restart(kind=kind, reason="; ".join(reasons)) if reasons else None


def stages(want: HostWant, have: HostState, restart: Restart) -> tuple[Stage, ...]:
    """VMs make way, then the restart."""
    running = [vm for vm in have.vms if vm.running]
    names = tuple(vm.name for vm in running)
    how = "power cycle through the BMC" if restart.kind == "power-cycle" else "reboot"
    step = Step(
        link="firmware" if restart.kind == "power-cycle" else "kernel",
        title=f"{want.name}: {how}",
        reason=restart.reason,
        do="",
        check="",
        undo="",
        impact=Impact(restart.kind),
        affects=names,
    )
    last = Stage(title=how, steps=(step,), kind=restart.kind)
    if not running:
        return (last,)
    return (Stage(title="VMs make way", steps=(_make_way(have, running, restart),)), last)


def _make_way(have: HostState, running: list[VM], restart: Restart) -> Step:
    noted = _noted(have)
    keys = [vm.uuid or vm.name for vm in running]
    undo = [command("start_vms", *keys)]
    undo.append(command("note_vms", NOTE, *noted) if noted else command("forget_vms", NOTE))
    return Step(
        link="guests",
        title=f"shut down {', '.join(vm.name for vm in running)}, to be started again afterwards",
        reason=f"a {restart.kind.replace('-', ' ')} comes next",
        do=command("note_vms", NOTE, *dict.fromkeys([*noted, *keys]))
        + " && "
        + command("shut_down_vms", *keys),
        check=command("vms_are_off", *keys),
        undo=" && ".join(undo),
        impact=Impact(restart.kind),
        affects=tuple(vm.name for vm in running),
    )


def findings(have: HostState, restart: Restart) -> list[Finding]:
    """What stands in the way of a restart, and what it leaves open."""
    found = [
        Finding(
            severity=Severity.BLOCKED,
            link="guests",
            about=vm.name,
            found=f"the running VM {vm.name} has no definition on the host",
            means="it would be gone for good once it is shut down for the restart",
            mend=f"virsh dumpxml --inactive {command(vm.name)} | virsh define /dev/stdin, "
            "or shut it down",
        )
        for vm in have.vms
        if vm.running and not vm.persistent
    ]
    found.append(
        Finding(
            severity=Severity.INFO,
            link="kernel",
            about=restart.kind.replace("-", " "),
            found="VFs, pools and VMs are planned once the server is back",
        )
    )
    return found


def come_back(want: HostWant, have: HostState) -> list[Step]:
    """VMs that ran before a restart are started again, and the note of them goes away.

    Those that the rack file wants to run are started by link *guests* before.
    """
    if NOTE not in have.files:
        return []
    noted = _noted(have)
    to_run = {vm.name for vm in want.vms if vm.running}
    steps = [
        Step(
            link="guests",
            title=f"VM {vm.name}: start again",
            reason="it was shut down for a restart of the host",
            do=command("start_vm", vm.uuid or vm.name),
            check=command("vm_is_running", vm.uuid or vm.name),
            undo=command("power_off_vm", vm.uuid or vm.name),
        )
        for vm in have.vms
        if (vm.uuid or vm.name) in noted and not vm.running and vm.name not in to_run
    ]
    steps.append(
        Step(
            link="guests",
            title="forget which VMs were to be started again",
            reason="they run",
            do=command("forget_vms", NOTE),
            check=command("no_note", NOTE),
            undo=command("note_vms", NOTE, *noted),
        )
    )
    return steps


def _noted(have: HostState) -> list[str]:
    lines = have.files.get(NOTE, "").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
