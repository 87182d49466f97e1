"""The job queue of the Lifecycle Controller. Pure: whoever calls brings the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from sriovctl.lab.bmc.messages import RefusedError, text

BIOS_TARGET = "BIOS.Setup.1-1"
CLEAR_ALL = ("JID_CLEARALL", "JID_CLEARALL_FORCE")

Kind = Literal[
    "BIOSConfiguration", "NICConfiguration", "RebootPowerCycle", "RebootNoForce", "RebootForce"
]


class JobState(StrEnum):
    """Where a job is; the words are Redfish's JobState."""

    NEW = "New"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    COMPLETED = "Completed"
    COMPLETED_WITH_ERRORS = "CompletedWithErrors"
    FAILED = "Failed"
    REBOOT_COMPLETED = "RebootCompleted"
    REBOOT_FAILED = "RebootFailed"

    @property
    def terminal(self) -> bool:
        """Nothing more happens to such a job."""
        return self not in (JobState.NEW, JobState.SCHEDULED, JobState.RUNNING)


_NEXT: dict[JobState, tuple[JobState, ...]] = {
    JobState.NEW: (JobState.SCHEDULED,),
    JobState.SCHEDULED: (JobState.RUNNING, JobState.FAILED),
    JobState.RUNNING: (
        JobState.COMPLETED,
        JobState.COMPLETED_WITH_ERRORS,
        JobState.FAILED,
        JobState.REBOOT_COMPLETED,
        JobState.REBOOT_FAILED,
    ),
}

_MESSAGE_IDS = {
    JobState.NEW: "JCP007",
    JobState.SCHEDULED: "JCP001",
    JobState.RUNNING: "PR20",
    JobState.COMPLETED: "PR19",
    JobState.COMPLETED_WITH_ERRORS: "PR25",
    JobState.FAILED: "PR21",
    JobState.REBOOT_COMPLETED: "PR19",
    JobState.REBOOT_FAILED: "PR21",
}


@dataclass
class Job:
    """One job. Changes state only by :meth:`to`."""

    id: str
    kind: Kind
    name: str
    created: datetime
    target: str | None = None
    """Whose settings it applies, by FQDD; None for one that only reboots."""
    state: JobState = JobState.NEW
    message_id: str = "JCP007"
    percent: int = 0
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def configures(self) -> bool:
        """A job that applies settings, not one that only reboots."""
        return self.target is not None

    @property
    def message(self) -> str:
        """The sentence of its message id."""
        return text(self.message_id)

    def to(self, state: JobState, now: datetime) -> None:
        """Move on.

        :raises ValueError: no job goes that way
        """
        if state not in _NEXT.get(self.state, ()):
            raise ValueError(f"{self.id} cannot go from {self.state} to {state}")
        self.state = state
        self.message_id = _MESSAGE_IDS[state]
        if state is JobState.RUNNING:
            self.started = now
            self.percent = 1
        if state.terminal:
            self.ended = now
            self.percent = 100


@dataclass
class JobQueue:
    """All jobs since the queue was last cleared, oldest first."""

    jobs: list[Job] = field(default_factory=list)
    _last: int = 0

    def live(self, target: str) -> Job | None:
        """The job for a device that is not over; there is one at most."""
        return next(
            (job for job in self.jobs if job.target == target and not job.state.terminal), None
        )

    def get(self, job_id: str) -> Job:
        """The job of that id.

        :raises RefusedError: there is none
        """
        for job in self.jobs:
            if job.id == job_id:
                return job
        raise RefusedError("RAC1030", job_id)

    def configure(self, target: str, now: datetime) -> Job:
        """A new job for a device; a second one is refused.

        :param target: FQDD of the BIOS or of a network port
        :raises RefusedError: SYS011
        """
        if self.live(target) is not None:
            raise RefusedError("SYS011")
        kind: Kind = "BIOSConfiguration" if target == BIOS_TARGET else "NICConfiguration"
        return self._add(
            Job(f"JID_{self._number(now):012d}", kind, f"Configure: {target}", now, target)
        )

    def reboot(self, kind: Kind, name: str, now: datetime) -> Job:
        """A new job that only restarts the server."""
        return self._add(Job(f"RID_{self._number(now):012d}", kind, name, now))

    def _add(self, job: Job) -> Job:
        self.jobs.append(job)
        return job

    def _number(self, now: datetime) -> int:
        """Twelve digits made of the time, as iDRAC does; never one twice."""
        number = int(now.timestamp() * 1000) % 10**12
        self._last = max(number, self._last + 1)
        return self._last

    def remove(self, job_id: str) -> list[Job]:
        """Delete one job, or with JID_CLEARALL all that do not run, with _FORCE all.

        :returns: what was deleted
        :raises RefusedError: there is no such job, or it runs
        """
        if job_id in CLEAR_ALL:
            force = job_id.endswith("_FORCE")
            gone = [job for job in self.jobs if force or job.state is not JobState.RUNNING]
        else:
            gone = [self.get(job_id)]
            if gone[0].state is JobState.RUNNING:
                raise RefusedError("RAC1007", job_id)
        self.jobs = [job for job in self.jobs if job not in gone]
        return gone
