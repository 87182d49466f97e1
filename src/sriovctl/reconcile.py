"""One host's loop: look, plan, run the first stage, again, until the plan is empty."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sriovctl import chain, inside, probe, restartrun
from sriovctl.bondwait import await_other_legs
from sriovctl.errors import (
    FirmwareError,
    HostError,
    ProbeError,
    SriovctlError,
    TransactionError,
    UnreachableError,
)
from sriovctl.firmware import FirmwareState
from sriovctl.host import HostState
from sriovctl.observer import Observer
from sriovctl.permission import RESTARTS, Leave, check_expected
from sriovctl.plan import Finding, Impact, Plan, Severity, Stage
from sriovctl.reach import Reach
from sriovctl.stagerun import Timeouts, run_stage
from sriovctl.wanted import HostWant

MOST_ROUNDS = 12
"""Stages run for one host in one go: two restarts with all that goes before them, VFs and VMs are
nine. Two more for each of its ports, which may take turns under running VMs."""

CUTTING_LINKS = frozenset({"nics", "bonds"})
"""Links whose steps can cut off a connection that goes over the port that they change."""

CHANGES_NO_SETTING = frozenset({"nics", "pools", "guests"})
"""Links after whose stage the next look may be the probe's shorter one."""


@dataclass(frozen=True)
class Outcome:
    """A host that is as wanted now."""

    host: str
    plan: Plan
    """The first one: what differed."""
    stages: tuple[Stage, ...] = ()
    """Those that were run; none: there was nothing to do."""
    seconds: float = field(default=0.0, compare=False)

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.stages)


Planner = Callable[[HostWant, HostState, FirmwareState | None], Plan]


def look(reach: Reach, *, timeout_s: float = Timeouts.probe_s) -> HostState:
    """Probe a host once.

    :param timeout_s: seconds for the whole of it
    :raises UnreachableError: no way to the host
    :raises ProbeError: its answer cannot be read
    """
    return ask(reach, None, timeout_s).state


def ask(reach: Reach, before: probe.Answer | None, timeout_s: float) -> probe.Answer:
    """A probe, for who will look again.

    :param before: an earlier one: asked is only what steps on VFs, pools and VMs can change
    :raises UnreachableError: no way to the host
    :raises ProbeError: its answer cannot be read, or it was started anew since the earlier one
    """
    arguments = (probe.AGAIN,) if before else ()
    output = reach.run(probe.script(), arguments, timeout_s=timeout_s)
    try:
        return before.again(output.stdout) if before else probe.read(output.stdout)
    except ProbeError as error:
        error.found = f"{reach.name}: {error.found}"
        if output.stderr.strip():
            error.found += f"; it said: {output.stderr.strip().splitlines()[-1]}"
        raise


def look_inside(
    reach: Reach,
    want: HostWant,
    have: HostState,
    *,
    also: Iterable[str] = (),
    timeouts: Timeouts | None = None,
    patient: bool = False,
    wait: bool = False,
) -> HostState:
    """The same host with what is inside running VMs whose agents are to put something there, or
    that are on a port which the host's bond is to take or let go.

    No round trip where there is none.

    :param also: other VMs that are to be asked, by UUID, or by name where they have none
    :param patient: an agent has as long to answer as a bond has to be well, for who acts on it
    :param wait: for agents of VMs that may be booting and are to put something there
    :raises UnreachableError: no way to the host
    """
    if not have.system.root:
        return have
    timeouts = timeouts or Timeouts()
    asked: dict[str, tuple[str, ...]] = {}
    for vm_want in want.vms:
        vm = have.vm_named(vm_want.name)
        wanted = vm_want.inside
        if wanted is not None and wanted.by == "agent" and vm is not None and vm.running:
            asked[vm.key] = tuple(file.path for file in wanted.files)
    others = dict.fromkeys((*also, *chain.bonds.vms_to_ask(want, have)), ())
    others = {vm: paths for vm, paths in others.items() if vm not in asked}
    found: dict[str, inside.Inside] = {}
    # one without an agent is not to be waited for
    turns = ((asked, timeouts.agent_boot_s), (others, 0)) if wait else ((others | asked, 0),)
    answer_s = max(timeouts.agent_s, timeouts.bond_s) if patient else timeouts.agent_s
    for vms, wait_s in turns:
        found |= inside.look(reach, vms, paths=vms, timeout_s=answer_s, wait_s=wait_s)
    return have.model_copy(update={"inside": found}) if found else have


@dataclass(frozen=True)
class FirmwareLook:
    """What a host's BMC said, or why that does not matter."""

    state: FirmwareState | None = None
    findings: tuple[Finding, ...] = ()


def look_at_firmware(
    want: HostWant, have: HostState, before: FirmwareState | None = None
) -> FirmwareLook:
    """Ask a host's BMC, if the rack file names one.

    :param before: an earlier look, which spares round trips
    :raises SriovctlError: it cannot be asked, and the host does not show that all is on
    """
    if want.bmc is None:
        return FirmwareLook()
    # its libraries take a second to load, and most runs have no BMC
    from sriovctl.bmc import host

    try:
        return FirmwareLook(host.look(want, have, before))
    except SriovctlError as error:
        if not chain.firmware.shows_all(want, have):
            raise
        said = Finding(
            severity=Severity.WARNING,
            link="firmware",
            about=f"BMC {want.bmc.address}",
            found=error.found,
            means=error.means,
            mend=error.mend,
        )
        return FirmwareLook(findings=(chain.firmware.as_warning(said),))


def plan_of(
    want: HostWant, have: HostState, firmware: FirmwareLook, planner: Planner = chain.plan
) -> Plan:
    """The plan from what host and BMC said."""
    plan = planner(want, have, firmware.state)
    return plan.model_copy(update={"findings": (*firmware.findings, *plan.findings)})


def plan_now(
    reach: Reach,
    want: HostWant,
    planner: Planner = chain.plan,
    *,
    timeouts: Timeouts | None = None,
) -> Plan:
    """One look at a host and its BMC, and the plan from that.

    :raises SriovctlError: one of them cannot be asked
    """
    have = look_inside(reach, want, look(reach), timeouts=timeouts)
    return plan_of(want, have, look_at_firmware(want, have), planner)


def apply(
    reach: Reach,
    want: HostWant,
    *,
    leave: Leave | None = None,
    observer: Observer,
    confirm_s: int = 60,
    timeouts: Timeouts | None = None,
    expected: Plan | None = None,
    planner: Planner = chain.plan,
    begin: Callable[[], None] = lambda: None,
) -> Outcome:
    """Make a host as wanted, stage by stage; with nothing to do it is probed once and that is all.

    :param leave: impacts that were asked for; the rack file can allow restarts too
    :param confirm_s: seconds in which a remote host must be reached again after a change of its
        ports; else it undoes the change
    :param expected: a saved plan; anything else is refused
    :param begin: called before the first change; what it raises leaves the host as it is
    :raises BlockedError: something in use stands in the way, or another run is at work
    :raises DiffersError: it cannot be as wanted, or is not what the saved plan was made for
    :raises TransactionError: a step failed; says whether everything was undone
    :raises HostError: no way to the host, no answer, no room on its disk
    """
    timeouts = timeouts or Timeouts()
    leave = (leave or Leave()).of(want)
    began = time.monotonic()
    firmware = FirmwareLook()
    ask_bmc = True
    done: list[Stage] = []
    first: Plan | None = None
    have: HostState | None = None
    answer: probe.Answer | None = None
    try:
        while True:
            if answer is None:
                answer = _look_or_rouse(reach, want, leave, observer, timeouts)
            else:
                answer = ask(reach, answer, timeouts.probe_s)
            have = look_inside(
                reach, want, answer.state, timeouts=timeouts, patient=True, wait=bool(done)
            )
            have = await_other_legs(reach, want, have, observer=observer, timeouts=timeouts)
            if ask_bmc:
                firmware = look_at_firmware(want, have, firmware.state)
            plan = plan_of(want, have, firmware, planner)
            # what was as wanted stays so through this run
            ask_bmc = any(step.link == "firmware" for step in plan.steps)
            if first is None:
                first = plan
                if expected is not None:
                    check_expected(plan, expected)
            observer.planned(reach.name, plan)
            leave.check(plan)
            if plan.empty:
                break
            if not done:
                begin()
            stage = plan.stages[0]
            _check_progress(reach.name, stage, done, MOST_ROUNDS + 2 * len(want.pfs))
            if stage.kind == "transaction":
                wait = confirm_s if reach.remote and may_cut_off(stage) else 0
                run_stage(reach, stage, confirm_s=wait, observer=observer, timeouts=timeouts)
            else:
                observer.stage_started(reach.name, stage)
                _run_other(reach, want, have, firmware.state, stage, leave, observer, timeouts)
            done.append(stage)
            if not CHANGES_NO_SETTING.issuperset(stage.links):
                answer = None
    except BaseException as error:
        if isinstance(error, SriovctlError) and have is not None:
            _tell_of_vms(error, have)
        observer.failed(reach.name, error)
        raise
    outcome = Outcome(reach.name, first, tuple(done), time.monotonic() - began)
    observer.finished(outcome.host, outcome.changed, outcome.seconds)
    return outcome


def _tell_of_vms(error: SriovctlError, have: HostState) -> None:
    """Nobody else says that VMs are off because of a restart that did not come to its end."""
    names = ", ".join(chain.restart.left_off(have))
    if names:
        told = (
            f"{names}: shut down for a restart, and not yet started again; apply does it once "
            "nothing stands in its way; sooner, there: virsh start NAME"
        )
        error.mend = "; ".join(filter(None, (error.mend, told)))


def _look_or_rouse(
    reach: Reach, want: HostWant, leave: Leave, observer: Observer, timeouts: Timeouts
) -> probe.Answer:
    """A probe; of a host that does not answer, after its BMC has switched it on.

    A run that was broken off in the middle of a power cycle leaves a host that is off.
    """
    try:
        return ask(reach, None, timeouts.probe_s)
    except UnreachableError as error:
        if want.bmc is None:
            raise
        from sriovctl.bmc import host

        try:
            state = host.power(reach.name, want.bmc)
        except SriovctlError as other:
            error.means = "; ".join(filter(None, (error.means, other.found)))
            raise error from other
        if not leave.impacts >= RESTARTS:
            error.means = "; ".join(filter(None, (error.means, f"its BMC says that it is {state}")))
            if state == "off":
                error.mend = "switch it on; where a restart of ours was broken off: apply --reboot"
            raise
        observer.said(reach.name, f"no answer; its BMC says that it is {state}")
        if not host.rouse(reach.name, want.bmc, tell=lambda text: observer.said(reach.name, text)):
            if state == "off":
                error.means = "its BMC says that it is off, and nothing of ours waits for its start"
                error.mend = "switch it on, if nobody has a hand in it; then run this again"
            raise
    restartrun.await_boot(reach, "", observer=observer, timeouts=timeouts)
    return ask(reach, None, timeouts.probe_s)


def _run_other(
    reach: Reach,
    want: HostWant,
    have: HostState,
    bmc: FirmwareState | None,
    stage: Stage,
    leave: Leave,
    observer: Observer,
    timeouts: Timeouts,
) -> None:
    # whoever has its own machine shut down by the BMC is not there to switch it on; what waits for
    # a start takes a reboot too
    if stage.kind == "reboot" or (stage.kind == "power-cycle" and not reach.remote):
        boot_id = have.kernel.boot_id
        restartrun.reboot(reach, boot_id, observer=observer, timeouts=timeouts)
        return
    from sriovctl.bmc import host

    assert want.bmc is not None
    assert bmc is not None
    restart = stage.kind == "power-cycle"
    if restart and leave.force_off_s is not None:
        # where the power is cut, what was written last would be lost: boot files, and which VMs ran
        reach.run("sync\n", timeout_s=timeouts.stage_s)
    host.make(
        reach.name,
        want.bmc,
        chain.firmware.wish(want.bmc, bmc),
        restart=restart,
        force_after=leave.force_off_s,
        tell=lambda text: observer.said(reach.name, text),
    )
    if restart:
        restartrun.await_boot(reach, have.kernel.boot_id, observer=observer, timeouts=timeouts)


def may_cut_off(stage: Stage) -> bool:
    """Whether the way to a remote host could go over a port that this stage changes."""
    return any(
        step.link in CUTTING_LINKS and step.impact.rank >= Impact.LINK_BLIP.rank
        for step in stage.steps
    )


def _check_progress(host: str, stage: Stage, done: list[Stage], most: int) -> None:
    if stage.kind != "transaction" and any(_was_for(stage, before) for before in done):
        reasons = "; ".join(dict.fromkeys(step.reason for step in stage.steps))
        wants = f"{host}: after the {stage.title} it wants another: {reasons}"
        if stage.kind == "reboot":
            raise HostError(
                wants,
                "the machine did not boot by the settings that were changed",
                "see which kernel entry it boots: sriovctl show, and its console",
            )
        raise FirmwareError(
            wants, "the BMC did not keep what it took", "look at the BMC's log and job queue"
        )
    if stage in done:
        titles = "\n".join(f"  {step.title}" for step in stage.steps)
        raise TransactionError(
            f"{host}: these steps were done and checked, but do not hold:\n{titles}",
            "something on the host sets it back, such as a network manager",
            "see the findings of: sriovctl check RACK",
        )
    if len(done) >= most:
        raise TransactionError(
            f"{host}: still not as wanted after {len(done)} stages; next would be: {stage.title}",
            "the plan does not come to an end",
            "run: sriovctl plan RACK",
        )


def _was_for(stage: Stage, before: Stage) -> bool:
    """Whether an earlier stage was to bring what this one is for; a power cycle reboots too."""
    if stage.kind == "firmware":
        return stage == before
    return stage.kind == before.kind or (
        (stage.kind, before.kind) == ("reboot", "power-cycle")
        and stage.steps[0].reason in before.steps[0].reason
    )
