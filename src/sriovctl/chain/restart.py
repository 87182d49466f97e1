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
    keys = [vm.key for vm in running]
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
            mend=f"{command('virsh', 'dumpxml', '--inactive', vm.key)} | "
            "virsh define /dev/stdin, or shut it down",
        )
        for vm in have.vms
        if vm.running and not vm.persistent
    ]
    if left_off(have):
        found.append(
            Finding(
                severity=Severity.INFO,
                link="guests",
                about=", ".join(left_off(have)),
                found="shut down for the restart, and started again after it",
            )
        )
    found.append(
        Finding(
            severity=Severity.INFO,
            link="kernel",
            about=restart.kind.replace("-", " "),
            found="VFs, pools and VMs are planned once the server is back",
        )
    )
    return found


def come_back(want: HostWant, have: HostState) -> tuple[Step, ...]:
    """VMs that ran before a restart are started again, and the note of them goes away.

    Those that the rack file wants to run are started by link *guests* before. All that can be
    started are, and stay so; the note stays where one could not.
    """
    if NOTE not in have.files:
        return ()
    to_run = {vm.name for vm in want.vms if vm.running}
    off = [vm for vm in _off(have) if vm.name not in to_run]
    keys = [vm.key for vm in off]
    again = Step(
        link="guests",
        title=f"start again: {', '.join(vm.name for vm in off)}",
        reason=f"shut down for a restart of the host, as {NOTE} there says",
        do=command("start_vms", *keys),
        check=command("vms_are_running", *keys),
        undo="",
    )
    forget = Step(
        link="guests",
        title="forget which VMs were to be started again",
        reason="they run",
        do=command("forget_vms", NOTE),
        check=command("no_note", NOTE),
        undo=command("note_vms", NOTE, *_noted(have)),
    )
    return (again, forget) if off else (forget,)


def left_off(have: HostState) -> tuple[str, ...]:
    """Names of the VMs that were shut down for a restart and do not run yet."""
    return tuple(vm.name for vm in _off(have))


def _off(have: HostState) -> list[VM]:
    noted = _noted(have)
    return [vm for vm in have.vms if vm.key in noted and not vm.running]


def _noted(have: HostState) -> list[str]:
    lines = have.files.get(NOTE, "").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
