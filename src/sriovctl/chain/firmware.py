"""Link *firmware*: the BIOS switches that virtualization, the IOMMU and SR-IOV need.

Pure. :func:`plan` says what would change and what stands in the way; :func:`next_move` says the one
thing to do now. Both look only at what is, so that a run that was broken off anywhere goes on from
there. :mod:`sriovctl.bmc.carry` asks for a move, makes it, looks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sriovctl.firmware import (
    BIOS,
    Absent,
    FirmwareState,
    FirmwareWant,
    Job,
    JobState,
    Pending,
    Setting,
)
from sriovctl.host import HostState
from sriovctl.plan import Finding, Frozen, Impact, Severity, Step
from sriovctl.wanted import BMCWant, HostWant


class Change(Frozen):
    """A setting that is not yet as wanted."""

    device: str
    name: str
    display: str
    """As the BIOS screen shows it."""
    before: str
    after: str
    staged: bool
    """It waits already, for a job or a reset."""

    def __str__(self) -> str:
        waits = ", staged already" if self.staged else ""
        return f"{self.device}: {self.display} ({self.name}) {self.before} → {self.after}{waits}"


class FirmwarePlan(Frozen):
    """What must change in a server's firmware, and what stands in the way."""

    changes: tuple[Change, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def impact(self) -> Impact:
        """Every change waits for a restart of the server."""
        return Impact.POWER_CYCLE if self.changes else Impact.NONE

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(f for f in self.findings if f.severity is severity)


@dataclass(frozen=True)
class Stage:
    """Make values pending."""

    device: str
    values: dict[str, str]


@dataclass(frozen=True)
class Commit:
    """Make the job that applies what is pending."""

    device: str


@dataclass(frozen=True)
class Restart:
    """Restart the server, or switch it on; jobs and pending values wait for it."""


@dataclass(frozen=True)
class Wait:
    """Look again later.

    :param job: that should move on; None where the reset alone applies the values
    """

    job: Job | None


@dataclass(frozen=True)
class Done:
    """All is as wanted: the values hold, nothing of ours is pending, no job is under way."""


Move = Stage | Commit | Restart | Wait | Done


def wish(bmc: BMCWant, have: FirmwareState) -> FirmwareWant:
    """What is to be on at the devices that a look was at."""
    devices = [*have.devices, *(each.device for each in have.absent)]
    nics = tuple(dict.fromkeys(device for device in devices if device != BIOS))
    return FirmwareWant(intents=bmc.intents, nics=nics)


def without_sriov(want: HostWant, have: HostState) -> tuple[str, ...]:
    """MAC addresses of ports that are to have VFs and show no SR-IOV on the host.

    A port's own switch at the BMC is looked at only for these: each costs round trips.
    """
    ports = {key: port for port in have.ports for key in (port.name, port.pci, port.mac) if key}
    wanted = (ports.get(pf.name) for pf in want.pfs if pf.vfs)
    return tuple(port.mac for port in wanted if port is not None and port.mac is not None)


def shows_all(want: HostWant, have: HostState) -> bool:
    """Does the host itself show that its firmware has everything on that VFs in VMs need?

    Then a BMC that does not answer, or does not know a setting, is no reason to do nothing.
    """
    capable = {key for pf in have.pfs for key in (pf.name, pf.pci, pf.mac) if pf.totalvfs}
    return (
        have.kernel.kvm
        and have.kernel.iommu_groups > 0
        and all(pf.name in capable for pf in want.pfs if pf.vfs)
    )


def as_warning(finding: Finding) -> Finding:
    """The same where the host shows that nothing is lacking."""
    return finding.model_copy(
        update={
            "severity": Severity.WARNING,
            "means": "; ".join(
                filter(None, (finding.means, "the host itself shows that all of it is on"))
            ),
        }
    )


def steps(want: FirmwareWant, have: FirmwareState) -> tuple[Step, ...]:
    """What is to be done at the BMC before a start of the server, if that is due; often nothing.

    They only tell: the BMC is asked by :mod:`sriovctl.bmc.carry`, not by a script.
    """
    match next_move(want, have):
        case Stage() | Commit():
            return tuple(
                _told(
                    f"{change.device}: {change.display} ({change.name}) "
                    f"{change.before} → {change.after}",
                    "staged already, but no job applies it"
                    if change.staged
                    else "needed for VFs in VMs",
                )
                for change in plan(want, have).changes
            )
        case Wait(job=Job() as job):
            return (_told(f"wait for the BMC's job {job.id} ({job.name})", f"it is {job.state}"),)
    return ()


def _told(title: str, reason: str) -> Step:
    return Step(link="firmware", title=title, reason=reason, do="", check="", undo="")


def awaits_start(want: FirmwareWant, have: FirmwareState) -> str:
    """The settings that a start of the server brings; empty where none does.

    A job of ours that runs had its start: it is only waited for.
    """
    if any(
        (job := have.live(s.device)) and job.state is JobState.RUNNING for s in _wanted(want, have)
    ):
        return ""
    return ", ".join(change.display for change in plan(want, have).changes)


def plan(want: FirmwareWant, have: FirmwareState) -> FirmwarePlan:
    """What must change, and what a person should know.

    A plan with an error or a block is not to be carried out at all.
    """
    ours = _wanted(want, have)
    changes = tuple(
        Change(
            device=s.device,
            name=s.name,
            display=s.display,
            before=s.value,
            after=s.target,
            staged=s.staged,
        )
        for s in ours
        if not s.holds and s.target is not None
    )
    findings = (
        *(_absent(each, have) for each in have.absent),
        *(f for s in ours for f in _cannot(s)),
        *_of_others(ours, have),
        *_no_registry(changes, have),
    )
    return FirmwarePlan(changes=changes, findings=findings)


def next_move(want: FirmwareWant, have: FirmwareState, restarted: bool = False) -> Move:
    """The one thing to do now.

    Only to be asked where :func:`plan` has neither errors nor blocks.

    :param have: a look that includes the job queue
    :param restarted: this run has restarted the server, and is not to do so twice
    """
    ours = _wanted(want, have)
    devices = tuple(dict.fromkeys(s.device for s in ours))
    # values show while the job that brings them still runs
    for device in devices:
        job = have.live(device)
        if job is not None and job.state is JobState.RUNNING:
            return Wait(job)
    for device in devices:
        values = {
            s.name: s.target
            for s in ours
            if s.device == device and not s.holds and not s.staged and s.target is not None
        }
        if values:
            return Stage(device, values)
    waiting = tuple(dict.fromkeys(s.device for s in ours if s.staged and not s.holds))
    if have.needs_job:
        for device in waiting:
            if have.live(device) is None:
                return Commit(device)
    jobs = [job for device in waiting if (job := have.live(device)) is not None]
    for job in jobs:
        if job.state is JobState.NEW:
            return Wait(job)
    if not waiting:
        return Done()
    busy = next((j for j in have.jobs or () if j.state is JobState.RUNNING), None)
    if busy is not None:
        # a restart would cut it short, a firmware update perhaps
        return Wait(busy)
    if restarted and have.power != "off":
        return Wait(jobs[0] if jobs else None)
    return Restart()


def _wanted(want: FirmwareWant, have: FirmwareState) -> tuple[Setting, ...]:
    return tuple(
        s
        for s in have.settings
        if s.device in want.nics or any(intent in want.intents for intent in s.intents)
    )


def _finding(
    severity: Severity, about: str, found: str, means: str = "", mend: str = ""
) -> Finding:
    return Finding(
        severity=severity, link="firmware", about=about, found=found, means=means, mend=mend
    )


def _absent(each: Absent, have: FirmwareState) -> Finding:
    machine = have.model or "the machine"
    tried = ", ".join(each.tried) or "no name known for this vendor"
    where = each.screen or "the page for virtualization or for PCI devices"
    return _finding(
        Severity.ERROR,
        each.device,
        f"{machine} has no setting known for {each.intent} (looked for: {tried})",
        "it cannot be switched on from here; it may be on already, or newer firmware may have it",
        f"on the BIOS screen: {where}. Then take {each.intent} out of what is wanted there",
    )


def _cannot(setting: Setting) -> Iterator[Finding]:
    if setting.holds or setting.staged:
        return
    if setting.target is None:
        yield _finding(
            Severity.ERROR,
            setting.device,
            f"“{setting.display}” ({setting.name}) allows only {', '.join(setting.allowed or ())}",
            f"none of these is known to switch it on ({', '.join(setting.on)})",
            "set it by hand on the BIOS screen",
        )
    elif setting.read_only:
        on = " or ".join(f"“{name}”" for name in setting.depends)
        yield _finding(
            Severity.ERROR,
            setting.device,
            f"“{setting.display}” ({setting.name}) is {setting.value} and read-only",
            f"it depends on {on}" if on else "another setting or the machine's own build holds it",
            f"change {on} on the BIOS screen first, then run again"
            if on
            else f"look at “{setting.display}” on the BIOS screen",
        )


def _of_others(ours: Iterable[Setting], have: FirmwareState) -> Iterator[Finding]:
    """Pending values and jobs that somebody else made: told, never deleted, never overwritten."""
    ours = tuple(ours)
    for device in dict.fromkeys([*(s.device for s in ours), *(p.device for p in have.pending)]):
        here = tuple(s for s in ours if s.device == device)
        mine = {s.name for s in here if s.staged}
        foreign = tuple(p for p in have.pending if p.device == device and p.name not in mine)
        against = any(p.name == s.name for p in foreign for s in here)
        to_do = any(not s.holds for s in here)
        job = have.live(device)
        if foreign:
            yield _pending(device, foreign, blocks=to_do or against)
        missing = any(not s.holds and not s.staged for s in here)
        if job is not None and job.state is not JobState.RUNNING and missing:
            yield _finding(
                Severity.BLOCKED,
                device,
                f"job {job.id} ({job.name}) is {job.state} there and does not bring what is wanted",
                "the BMC takes no other setting before it is over; it is not deleted, for it is "
                "somebody's",
                "restart the server so that it runs, or delete it at the BMC; then run again",
            )
    others = [j for j in have.jobs or () if j.device not in {s.device for s in ours}]
    for job in others if any(not s.holds for s in ours) else ():
        if job.state is JobState.SCHEDULED:
            yield _finding(
                Severity.WARNING,
                job.id,
                f"somebody's job {job.name} is scheduled",
                "the restart for our settings runs it too",
                "look at the BMC's job queue before you restart",
            )


def _pending(device: str, values: tuple[Pending, ...], blocks: bool) -> Finding:
    told = ", ".join(f"{p.name}={p.value}" for p in values)
    return _finding(
        Severity.BLOCKED if blocks else Severity.INFO,
        device,
        f"somebody else's values are pending: {told}",
        "a job for our settings would apply them too; they are left as they are"
        if blocks
        else "they wait for a job or a restart; they are left as they are",
        "apply them, or clear them at the BMC; then run again" if blocks else "",
    )


def _no_registry(changes: tuple[Change, ...], have: FirmwareState) -> Iterator[Finding]:
    if have.registry is False and changes:
        yield _finding(
            Severity.WARNING,
            "BIOS",
            "the BMC does not give its attribute registry",
            "allowed values and read-only settings are not known beforehand; the BMC may refuse",
            "restart the BMC, or update its firmware, if it does",
        )
