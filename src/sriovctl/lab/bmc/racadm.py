"""racadm: one command in, what iDRAC prints out. The shells around it are in shell.py."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from sriovctl.lab.bmc.attributes import GROUPS, Attribute, Value
from sriovctl.lab.bmc.bios import AttributesRefusedError
from sriovctl.lab.bmc.controller import Action, Controller, Reboot
from sriovctl.lab.bmc.jobs import BIOS_TARGET, Job, JobState
from sriovctl.lab.bmc.messages import RefusedError, text

WIDTH = 75
"""Text is wrapped before this column: of RAC1017, ``pending state.`` goes to a second line."""

_RULE = "-" * 58
_QUEUE = "-" * 25 + "JOB QUEUE" + "-" * 24

_STATUS = {
    JobState.COMPLETED_WITH_ERRORS: "Completed with Errors",
    JobState.REBOOT_COMPLETED: "Reboot Completed",
    JobState.REBOOT_FAILED: "Reboot Failed",
}

_ACTIONS = {
    "powerup": Action.ON,
    "powerdown": Action.FORCE_OFF,
    "powercycle": Action.POWER_CYCLE,
    "hardreset": Action.FORCE_RESTART,
    "graceshutdown": Action.GRACEFUL_SHUTDOWN,
}

_TWINS = {"SYS426": "RAC947", "SYS428": "RAC1025", "SYS429": "RAC917"}
"""What racadm says where Redfish says the first."""


class _UsageError(Exception):
    """The words are no command."""


async def racadm(controller: Controller, words: Sequence[str]) -> str:
    """Run one command.

    :param words: without the leading ``racadm``
    :returns: lines, each with ``\\n`` at its end
    """
    if not words:
        return _help()
    name, *rest = words
    try:
        match name:
            case "serveraction":
                return await _serveraction(controller, rest)
            case "getsysinfo":
                return await _getsysinfo(controller, rest)
            case _ if name in _COMMANDS:
                return _COMMANDS[name](controller, rest)
            case "help":
                return _help()
    except RefusedError as error:
        return _error(error.code, *error.arguments)
    except AttributesRefusedError as error:
        first = error.refusals[0]
        return _error(_TWINS[first.code], *first.arguments)
    except _UsageError:
        return _error("RAC901", name)
    return f"ERROR: Invalid subcommand specified: {name}\n"


def said(code: str, *arguments: str) -> str:
    """A message with its id, wrapped, further lines below the text."""
    head = f"{code}: "
    return _wrapped(head, text(code, *arguments))


def _error(code: str, *arguments: str) -> str:
    return _wrapped(f"ERROR: {code}: ", text(code, *arguments))


def _wrapped(head: str, sentence: str) -> str:
    hanging = " " * len(head)
    lines = textwrap.wrap(
        sentence,
        WIDTH,
        initial_indent=head,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines) + "\n"


def _help() -> str:
    names = sorted((*_COMMANDS, "getsysinfo", "help", "serveraction"))
    return "".join(f" {name}\n" for name in names)


# settings


def _path(controller: Controller, word: str) -> tuple[str, str | None]:
    """Group and attribute of ``BIOS.ProcSettings.ProcVirtualization``; names in any case.

    Also ``BIOS.Setup.1-1.ProcSettings.…``.

    :raises RefusedError: there is no such group or attribute
    """
    parts = word.split(".")
    lower = [part.lower() for part in parts]
    if lower[:3] == ["bios", "setup", "1-1"]:
        parts = [parts[0], *parts[3:]]
    if parts[0].lower() != "bios" or not 2 <= len(parts) <= 3:
        raise RefusedError("RAC917", word)
    group = next((each for each in GROUPS if each.lower() == parts[1].lower()), None)
    if group is None:
        raise RefusedError("RAC917", word)
    if len(parts) == 2:
        return group, None
    for attribute in controller.bios.attributes.values():
        if attribute.group == group and attribute.name.lower() == parts[2].lower():
            return group, attribute.name
    raise RefusedError("RAC917", word)


def _key(group: str) -> str:
    return f"[Key={BIOS_TARGET}#{group}]\n"


def _line(controller: Controller, attribute: Attribute) -> str:
    """``Name=Value``, with ``#`` before what cannot be set and the pending value after it."""
    bios = controller.bios
    if attribute.kind == "Password":
        return f"!!{attribute.name}=******** (Write-Only)\n"
    mark = "#" if bios.read_only(attribute.name) else ""
    pending = ""
    if attribute.name in bios.pending:
        pending = f" (Pending Value={bios.pending[attribute.name]})"
    return f"{mark}{attribute.name}={bios.current[attribute.name]}{pending}\n"


def _get(controller: Controller, words: Sequence[str]) -> str:
    if len(words) != 1:
        raise _UsageError
    if words[0].lower() == "bios":
        return "".join(f"BIOS.{group}\n" for group in GROUPS)
    group, name = _path(controller, words[0])
    if name is not None:
        return _key(group) + _line(controller, controller.bios.attributes[name])
    shown = [each for each in controller.bios.attributes.values() if each.group == group]
    return _key(group) + "".join(_line(controller, each) for each in shown)


def _set(controller: Controller, words: Sequence[str]) -> str:
    if len(words) != 2:
        raise _UsageError
    group, name = _path(controller, words[0])
    if name is None:
        raise _UsageError
    value: Value = words[1]
    if controller.bios.attributes[name].kind == "Integer" and words[1].isdecimal():
        value = int(words[1])
    controller.stage({name: value})
    return _key(group) + said("RAC1017")


# jobs


def _options(words: Sequence[str], known: str) -> dict[str, str]:
    """``-i JID_1 -r none`` as a mapping.

    :raises _UsageError: an unknown option, or one without its word
    """
    if len(words) % 2:
        raise _UsageError
    options = dict(zip(words[::2], words[1::2], strict=True))
    if any(len(name) != 2 or name[0] != "-" or name[1] not in known for name in options):
        raise _UsageError
    return options


def _jobqueue(controller: Controller, words: Sequence[str]) -> str:
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
    raise _UsageError


def _create(controller: Controller, target: str, options: dict[str, str]) -> str:
    how = options.get("-r", "none")
    if how != "none" and how not in list(Reboot):
        raise _UsageError
    # the lab's jobs start at the next reset; a start at a date is not modelled
    if options.get("-s", "TIME_NOW") != "TIME_NOW" or options.get("-e", "TIME_NA") != "TIME_NA":
        raise _UsageError
    if target != BIOS_TARGET:
        raise RefusedError("RAC917", target)
    job = controller.commit()
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
        return f"{'-' * 28} JOB {'-' * 25}\n{_job(job)}{_RULE}\n"
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


# power and facts


async def _serveraction(controller: Controller, words: Sequence[str]) -> str:
    if len(words) != 1:
        raise _UsageError
    if words[0] == "powerstatus":
        return f"Server power status: {(await controller.power()).upper()}\n"
    if words[0] not in _ACTIONS:
        raise _UsageError
    try:
        await controller.reset(_ACTIONS[words[0]])
    except RefusedError as error:
        if error.code == "PSU501":
            return f"ERROR: Server is already powered {error.arguments[0]}.\n"
        return "ERROR: Unable to perform the requested server power operation.\n"
    return "Server power operation successful\n"


def _pairs(*pairs: tuple[str, str]) -> str:
    return "".join(f"{name:<24}= {value}\n" for name, value in pairs)


async def _getsysinfo(controller: Controller, words: Sequence[str]) -> str:
    personality = controller.personality
    power = (await controller.power()).upper()
    system = "System Information:\n" + _pairs(
        ("System Model", personality.model),
        ("System Revision", "I"),
        ("System BIOS Version", personality.bios_version),
        ("Service Tag", controller.tag),
        ("Express Svc Code", str(int(controller.tag, 36))),
        ("Host Name", ""),
        ("OS Name", ""),
        ("OS Version", ""),
        ("Power Status", power),
        ("Fresh Air Capable", "Yes"),
    )
    if list(words) == ["-s"]:
        return f"\n{system}\n"
    if words:
        raise _UsageError
    rac = "RAC Information:\n" + _pairs(
        ("RAC Date/Time", controller.clock.now().strftime("%a %b %d %H:%M:%S %Y")),
        ("Firmware Version", personality.firmware),
        ("Firmware Build", "1"),
        ("Last Firmware Update", "01/01/2024 00:00:00"),
        ("Hardware Version", "0.01"),
    )
    return f"\n{rac}\n{system}\n"


def _getversion(controller: Controller, words: Sequence[str]) -> str:
    if words:
        raise _UsageError
    personality = controller.personality
    return "".join(
        f" {name:<30}= {value}\n"
        for name, value in (
            ("Bios Version", personality.bios_version),
            ("iDRAC Version", personality.firmware),
            ("Lifecycle Controller Version", personality.firmware),
        )
    )


def _getsvctag(controller: Controller, words: Sequence[str]) -> str:
    if words:
        raise _UsageError
    return f"{controller.tag}\n"


_COMMANDS: dict[str, Callable[[Controller, Sequence[str]], str]] = {
    "get": _get,
    "set": _set,
    "jobqueue": _jobqueue,
    "getversion": _getversion,
    "getsvctag": _getsvctag,
}
