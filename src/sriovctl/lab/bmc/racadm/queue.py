"""racadm jobqueue: make, view and delete jobs."""

from __future__ import annotations

from collections.abc import Sequence

from sriovctl.lab.bmc.controller import Controller, Reboot
from sriovctl.lab.bmc.jobs import Job, JobState
from sriovctl.lab.bmc.racadm.wording import UsageError, said

_RULE = "-" * 58
_QUEUE = "-" * 25 + "JOB QUEUE" + "-" * 24
_JOB = "-" * 28 + " JOB " + "-" * 25

_STATUS = {
    JobState.COMPLETED_WITH_ERRORS: "Completed with Errors",
    JobState.REBOOT_COMPLETED: "Reboot Completed",
    JobState.REBOOT_FAILED: "Reboot Failed",
}


def _options(words: Sequence[str], known: str) -> dict[str, str]:
    """``-i JID_1 -r none`` as a mapping.

    :raises UsageError: an unknown option, or one without its word
    """
    if len(words) % 2:
        raise UsageError
    options = dict(zip(words[::2], words[1::2], strict=True))
    if any(len(name) != 2 or name[0] != "-" or name[1] not in known for name in options):
        raise UsageError
    return options


def jobqueue(controller: Controller, words: Sequence[str]) -> str:
    """``view [-i JID]``, ``create TARGET [-r HOW -s TIME_NOW -e TIME_NA]``, ``delete -i JID``."""
    controller.settle()
    match words:
        case ["view", *rest]:
            return _view(controller, _options(rest, "i"))
        case ["create", target, *rest]:
            return _create(controller, target, _options(rest, "rse"))
        case ["delete", "--all"]:
            return _delete(controller, "JID_CLEARALL")
        case ["delete", "-i", job_id]:
            return _delete(controller, job_id)
    raise UsageError


def _create(controller: Controller, target: str, options: dict[str, str]) -> str:
    how = options.get("-r", "none")
    if how != "none" and how not in list(Reboot):
        raise UsageError
    # the lab's jobs start at the next reset; a start at a date is not modelled
    if options.get("-s", "TIME_NOW") != "TIME_NOW" or options.get("-e", "TIME_NA") != "TIME_NA":
        raise UsageError
    job = controller.commit(target)
    answer = (
        said("RAC1024")
        + f'Verify the job status using "racadm jobqueue view -i JID_xxxxx" command.\n'
        f"Commit JID = {job.id}\n"
    )
    if how != "none":
        answer += f"Reboot JID = {controller.reboot(Reboot(how)).id}\n"
    return answer


def _view(controller: Controller, options: dict[str, str]) -> str:
    if (job_id := options.get("-i")) is not None:
        job = controller.jobs.get(job_id)
        return f"{_JOB}\n{_job(job)}{_RULE}\n"
    shown = "".join(f"{_job(job)}{_RULE}\n" for job in controller.jobs.jobs)
    return f"{_QUEUE}\n{shown or _RULE + chr(10)}"


def _job(job: Job) -> str:
    lines = [
        f"[Job ID={job.id}]",
        f"Job Name={job.name}",
        f"Status={_STATUS.get(job.state, str(job.state))}",
        "Start Time=[Now]" if not job.state.terminal else f"Start Time=[{_time(job)}]",
        "Expiration Time=[Not Applicable]",
        f"Message=[{job.message_id}: {job.message}]",
        f"Percent Complete=[{job.percent}]",
    ]
    return "".join(f"{line}\n" for line in lines)


def _time(job: Job) -> str:
    moment = job.started or job.created
    return moment.strftime("%a, %d %b %Y %H:%M:%S")


def _delete(controller: Controller, job_id: str) -> str:
    controller.delete_job(job_id)
    return said("RAC1032", job_id)
