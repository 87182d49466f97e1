"""What racadm printed, read. Pure.

racadm wraps its lines, ends them with CR LF (or CR CR LF through a terminal) and exits 0 whatever
happened: only its message ids and its fixed words count.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from sriovctl.firmware import Job, JobState, device_of_job
from sriovctl.plan import Frozen

DONE: Final = frozenset({"RAC1017", "RAC1024", "RAC1032"})
"""A value is pending; a job is made; a job is deleted."""
_CODE: Final = re.compile(r"\b((?:RAC|RED|JCP|SYS|SWC|LC|PR|SUP|BIOS|NIC)\d{2,5})\s*:")
_KEY: Final = re.compile(r"^\[Key=([^#\]]+)#([^\]]+)\]$")
_VALUE: Final = re.compile(
    r"^(?P<mark>#|!!)?(?P<name>[A-Za-z][\w.-]*)=(?P<value>.*?)"
    r"(?:\s*\(Pending Value=(?P<pending>.*)\))?$"
)
_PORT: Final = re.compile(r"^(NIC\.\w+\.\d+)\s+\[Key=(NIC\.[^#\]]+)#\w+\]$")

_STATES: Final = {
    "new": JobState.NEW,
    "ready for execution": JobState.NEW,
    "downloaded": JobState.NEW,
    "scheduling": JobState.NEW,
    "scheduled": JobState.SCHEDULED,
    "completed": JobState.DONE,
    "reboot completed": JobState.DONE,
    "completed with errors": JobState.ERRORS,
    "failed": JobState.FAILED,
    "reboot failed": JobState.FAILED,
}


class Value(Frozen):
    """A setting as ``get`` prints it."""

    value: str
    pending: str | None = None
    read_only: bool = False
    """Marked with ``#``."""


class Group(Frozen):
    """The answer to ``get`` of a group."""

    target: str
    """FQDD of the device: ``BIOS.Setup.1-1``."""
    group: str
    values: dict[str, Value]


def lines(text: str) -> list[str]:
    """The lines as they were before racadm wrapped them.

    A line that starts with blanks goes on with the one before, if that one is a message; other
    output is not wrapped.
    """
    whole: list[str] = []
    for raw in re.sub(r"\r+\n?", "\n", text).split("\n"):
        line = raw.rstrip()
        if line[:1] in (" ", "\t") and whole and _CODE.search(whole[-1]):
            whole[-1] += f" {line.strip()}"
        elif line.strip():
            whole.append(line.strip())
    return whole


def message_ids(text: str) -> tuple[str, ...]:
    """Message ids in the order they were printed; of a job's own message none."""
    return tuple(
        match[1]
        for line in lines(text)
        if not line.startswith("Message=") and (match := _CODE.search(line)) is not None
    )


def refusal(text: str) -> str | None:
    """What racadm says is wrong, in one line; None where it says no such thing."""
    for line in lines(text):
        code = _CODE.search(line)
        if line.startswith("ERROR") or (code is not None and _is_error(code[1], line)):
            return line.removeprefix("ERROR:").strip()
    return None


def _is_error(code: str, line: str) -> bool:
    return code not in DONE and not line.startswith("Message=")


def group(text: str) -> Group | None:
    """The answer to ``get`` of a group or one setting; None where it is no such answer."""
    target = name = None
    values: dict[str, Value] = {}
    for line in lines(text):
        if key := _KEY.match(line):
            target, name = key[1], key[2]
        elif target is not None and (found := _VALUE.match(line)) and found["mark"] != "!!":
            values[found["name"]] = Value(
                value=found["value"],
                pending=found["pending"],
                read_only=found["mark"] == "#",
            )
    return (
        None if target is None or name is None else Group(target=target, group=name, values=values)
    )


def groups(text: str) -> tuple[str, ...]:
    """The answer to ``get BIOS``: its groups, as ``BIOS.ProcSettings``."""
    return tuple(line for line in lines(text) if re.fullmatch(r"BIOS\.\w+", line))


def ports(text: str) -> dict[str, str]:
    """FQDD of each network port → racadm's name of it: ``NIC.DeviceLevelConfig.1``."""
    return {found[2]: found[1] for line in lines(text) if (found := _PORT.match(line)) is not None}


def macs(text: str) -> dict[str, str]:
    """``getsysinfo``: MAC address, lower case → FQDD of the network port."""
    port = re.compile(r"^(NIC\.\S+)\s+Ethernet\s*=\s*([0-9A-Fa-f:]{17})$")
    return {
        found[2].lower(): found[1]
        for line in lines(text)
        if (found := port.match(line)) is not None
    }


def job_id(text: str) -> str | None:
    """The job that ``jobqueue create`` made."""
    found = re.search(r"Commit JID\s*=\s*(JID_\d+)", text)
    return None if found is None else found[1]


def jobs(text: str) -> tuple[Job, ...] | None:
    """The answer to ``jobqueue view``, oldest first; None where it is no such answer.

    A state that is not known is taken for one under way.
    """
    if not re.search(r"-{5,}\s*JOB( QUEUE)?\s*-{5,}", text):
        return None
    found: list[Job] = []
    entry: dict[str, str] = {}
    for line in [*lines(text), "[Job ID=end]"]:
        if start := re.match(r"^\[Job ID=(\w+)\]$", line):
            if entry:
                found.append(_job(entry))
            entry = {"id": start[1]}
        elif entry and (pair := re.match(r"^(Job Name|Status|Message)=(.*)$", line)):
            entry[pair[1]] = pair[2].strip().removeprefix("[").removesuffix("]")
    return tuple(sorted(found, key=lambda job: job.id))


def _job(entry: dict[str, str]) -> Job:
    name = entry.get("Job Name", "")
    return Job(
        id=entry["id"],
        name=name,
        state=_STATES.get(entry.get("Status", "").lower(), JobState.RUNNING),
        device=device_of_job(name),
        message=entry.get("Message", ""),
    )


def power(text: str) -> Literal["on", "off"] | None:
    """The answer to ``serveraction powerstatus``."""
    found = re.search(r"power status\s*:\s*(on|off)", text, re.IGNORECASE)
    if found is None:
        return None
    return "on" if found[1].lower() == "on" else "off"


def ordered(text: str) -> bool:
    """Whether ``serveraction`` did it, or has begun to."""
    return refusal(text) is None and bool(re.search(r"\bsuccessful(ly)?\b", text, re.IGNORECASE))


def facts(text: str) -> dict[str, str]:
    """``getsysinfo``'s pairs: ``System Model``, ``Firmware Version``, ``Power Status``, …"""
    pairs = (line.partition("=") for line in lines(text))
    return {name.strip(): value.strip() for name, mark, value in pairs if mark}
