"""A job as an iDRAC shows it over Redfish, read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sriovctl.firmware import Job, JobState, device_of_job

_STATES: Final = {
    "New": JobState.NEW,
    "Scheduling": JobState.NEW,
    "Downloaded": JobState.NEW,
    "ReadyForExecution": JobState.NEW,
    "Scheduled": JobState.SCHEDULED,
    "Completed": JobState.DONE,
    "RebootCompleted": JobState.DONE,
    "CompletedWithErrors": JobState.ERRORS,
    "Failed": JobState.FAILED,
    "RebootFailed": JobState.FAILED,
    "ScheduleFailed": JobState.FAILED,
}
"""DellJob.JobState; each other one (Running, Waiting, Downloading, …) is under way."""


def dell_job(body: Mapping[str, Any]) -> Job:
    """From a DellJob resource; a state that is not known is taken for one under way."""
    code = str(body.get("MessageId") or "").rpartition(".")[2]
    name = str(body.get("Name") or "")
    return Job(
        id=str(body.get("Id")),
        name=name,
        state=_STATES.get(str(body.get("JobState")), JobState.RUNNING),
        device=device_of_job(name, str(body.get("JobType") or "")),
        message=f"{code}: {body.get('Message') or ''}",
    )
