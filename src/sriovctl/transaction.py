"""A stage becomes one readable POSIX sh script, and the script's lines become events.

The script is what a person reviews (``sriovctl plan --script``), what runs, and what may be carried
by hand into a closed machine room. Its runtime is ``transaction.sh``; see docs/transactions.md.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from sriovctl.plan import Link, Stage, Step
from sriovctl.shell import command

EXIT_CODES = {"changed": 0, "undone": 10, "undo-failed": 11, "busy": 12, "not-begun": 13}
"""How a transaction ends, and its script's exit status."""

End = Literal["changed", "undone", "undo-failed", "busy", "not-begun"]


@dataclass(frozen=True)
class Begun:
    """The lock is held and all that needs room on the disk is written."""

    id: str
    digest: str
    pid: int
    """Of the worker: TERM to it has everything undone."""


@dataclass(frozen=True)
class TookOver:
    """An earlier run died with the lock held; its journal has no end."""

    pid: int
    id: str


@dataclass(frozen=True)
class StepStarted:
    """``step`` counts from 1."""

    step: int
    title: str


@dataclass(frozen=True)
class StepDone:
    """Done, and its check holds."""

    step: int
    seconds: float


@dataclass(frozen=True)
class StepSaid:
    """What a step printed though it went well."""

    step: int
    text: str


@dataclass(frozen=True)
class StepFailed:
    """``refused``: the driver says no, as told apart from a failure."""

    step: int
    seconds: float
    text: str
    refused: bool


@dataclass(frozen=True)
class UndoDone:
    """A step was taken back."""

    step: int
    seconds: float


@dataclass(frozen=True)
class UndoFailed:
    """A step could not be taken back."""

    step: int
    seconds: float
    text: str


@dataclass(frozen=True)
class ConfirmWait:
    """All steps are done; they are undone unless a confirmation comes within ``seconds``."""

    seconds: int


@dataclass(frozen=True)
class ConfirmAnswer:
    """What the host said to a confirmation."""

    answer: Literal["accepted", "late", "not-waiting"]


@dataclass(frozen=True)
class Ended:
    """How it ended; ``text`` says why where it is not ``changed``."""

    state: End
    text: str


Event = (
    Begun
    | TookOver
    | StepStarted
    | StepDone
    | StepSaid
    | StepFailed
    | UndoDone
    | UndoFailed
    | ConfirmWait
    | ConfirmAnswer
    | Ended
)


def parse_event(line: str) -> Event | None:
    """One line of a script's standard output or journal.

    :returns: None for a line that is no event, such as one that a full disk cut in half
    """
    words = line.rstrip("\n").split("\t")
    try:
        return _event(words)
    except ValueError:
        return None


def _event(words: list[str]) -> Event | None:
    match words:
        case ["begin", name, digest, pid]:
            return Begun(name, digest, int(pid))
        case ["takeover", pid, name]:
            return TookOver(int(pid), name)
        case ["step", step, "start", title]:
            return StepStarted(int(step), title)
        case ["step", step, "done", seconds]:
            return StepDone(int(step), float(seconds))
        case ["step", step, "said", text]:
            return StepSaid(int(step), text)
        case ["step", step, "failed" | "refused" as how, seconds, text]:
            return StepFailed(int(step), float(seconds), text, refused=how == "refused")
        case ["undo", step, "done", seconds]:
            return UndoDone(int(step), float(seconds))
        case ["undo", step, "failed", seconds, text]:
            return UndoFailed(int(step), float(seconds), text)
        case ["confirm-wait", seconds, _]:
            return ConfirmWait(int(seconds))
        case ["confirm", "accepted" | "late" | "not-waiting" as answer]:
            return ConfirmAnswer(answer)
        case [
            "end",
            "changed" | "undone" | "undo-failed" | "busy" | "not-begun" as state,
            text,
        ]:
            return Ended(state, text)
    return None


def stage_digest(stage: Stage, *, host: str) -> str:
    """SHA-256 of the host's name and the stage's canonical JSON form, 64 hex digits."""
    canonical = json.dumps(
        {"host": host, "stage": stage.model_dump(mode="json")}, sort_keys=True, ensure_ascii=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def compile_stage(stage: Stage, *, host: str, confirm_s: int = 0) -> str:
    """One POSIX sh script that does all steps of a stage, or leaves the host as it was.

    :param stage: what to do; every word in its steps was quoted by :mod:`sriovctl.shell`
    :param host: the host's name, for the header
    :param confirm_s: seconds to wait for a confirmation before all is undone; 0: no waiting.
        SRIOVCTL_CONFIRM_S in the script's environment overrides it.
    :returns: the script, which ends in the only line that does anything: cut short, it does nothing
    """
    digest = stage_digest(stage, host=host)
    parts = [_header(stage, host, digest), _resource("transaction.sh"), _resource("launch.sh")]
    sources = dict.fromkeys(source for link in stage.links for source in _sources(link))
    parts += [text for source in sources if (text := _resource(source))]
    parts += [_step(number, step) for number, step in enumerate(stage.steps, 1)]
    calls = "\n".join(
        f"\t{command('tx_step', number, _line(step.title))}"
        for number, step in enumerate(stage.steps, 1)
    )
    parts.append(f"tx_steps() {{\n{calls or chr(9) + ':'}\n}}")
    parts.append(f'tx_main {digest} {confirm_s} "${{1:-}}"')
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _sources(link: Link) -> tuple[str, ...]:
    """The files of functions that a link's steps use."""
    own = f"chain/{link}.sh"
    before = {
        "pools": ("chain/virsh.sh",),
        "guests": ("chain/virsh.sh", "agent.sh", "chain/inside.sh", "chain/drive.sh"),
        "bonds": ("chain/nics.sh", "agent.sh", "chain/inside.sh"),
    }
    after = {"bonds": ("chain/pairs.sh",)}
    return (*before.get(link, ()), own, *after.get(link, ()))


def launcher(
    script: str, name: str, *, confirm_s: int | None = None, bond_s: int | None = None
) -> str:
    """A script for ``sh -s`` that stores a compiled script on the host and launches it.

    :param script: what :func:`compile_stage` gave
    :param name: the transaction's id, never used before: :func:`transaction_id`
    :param confirm_s: in place of what the script was compiled with
    :param bond_s: seconds that a VM's bond gets to have another leg up, in place of the script's
    """
    given = {"SRIOVCTL_CONFIRM_S": confirm_s, "SRIOVCTL_BOND_TIMEOUT_S": bond_s}
    settings = "".join(
        f"{word}={value:d}\nexport {word}\n" for word, value in given.items() if value is not None
    )
    # The text is written by a builtin: each process that need not be started saves milliseconds,
    # tens of them on a slow machine. All is read before the last line does anything.
    return f"""{_place(name)}
umask 077
not_begun() {{
	printf 'end\\tnot-begun\\t%s\\n' "$1"
	exit 13
}}
{_resource("launch.sh")}
# shellcheck disable=SC1003,SC2016
text={command(script)}
store() {{
	[ -d "${{dir%/*}}" ] || why=$(mkdir -p "${{dir%/*}}" 2>&1) || not_begun "$why"
	why=$(exec 2>&1 && mkdir "$dir" && exec mkfifo "$dir/steps" "$dir/alive" "$dir/confirm") ||
		not_begun "$why"
	{{ printf '%s' "$text" >"$dir/script"; }} 2>/dev/null || {{
		rm -rf "$dir"
		not_begun "cannot write $dir/script: is the disk full?"
	}}
}}
{settings}store && tx_launch "$dir"
"""


def confirmation(name: str) -> str:
    """A script for ``sh -s``: tells the transaction that the host can still be reached.

    It prints a :class:`ConfirmAnswer`, waits until the worker has ended, and prints the journal.
    """
    return f"""{_place(name)}
[ -e "$dir/script" ] || {{
	printf 'confirm\\tnot-waiting\\n'
	exit 0
}}
exec sh "$dir/script" confirm
"""


def follow_up(name: str) -> str:
    """A script for ``sh -s``: waits until the worker has ended or awaits a confirmation.

    Then it prints the journal. Where the transaction never came to the host it says so, and puts
    a directory in the script's place so that it cannot begin any more either.
    """
    return f"""{_place(name)}
umask 077
mkdir -p "$dir"
if mkdir "$dir/script" 2>/dev/null || [ -d "$dir/script" ]; then
	printf 'end\\tnot-begun\\tit never came to the host\\n'
	exit 0
fi
exec sh "$dir/script" follow
"""


def transaction_id(digest: str, unique: str) -> str:
    """Name of one run: which script, and which time.

    :param digest: of the stage
    :param unique: letters and digits that no other run of the same script has
    :raises ValueError: for a name that is no safe file name
    """
    name = f"{digest[:12]}-{unique}"
    if not re.fullmatch(r"[0-9a-z]+-[0-9a-z-]+", name):
        raise ValueError(f"{name!r} is no transaction id")
    return name


def _place(name: str) -> str:
    return (
        f"dir=${{SRIOVCTL_STATE:-/var/lib/sriovctl}}/transactions/{command(name)}\n"
        "PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin"
    )


def _header(stage: Stage, host: str, digest: str) -> str:
    # Functions are called by computed names, words from outside stand in single quotes.
    lines = [
        "#!/bin/sh",
        f"# sriovctl transaction {digest}",
        "# shellcheck disable=SC1003,SC2016,SC2034,SC2317,SC2329",
        "#",
        f"# Host:  {_line(host)}",
        f"# Stage: {_line(stage.title)}",
        "#",
        "# Does all of this, each step checked, or undoes what it did:",
    ]
    for number, step in enumerate(stage.steps, 1):
        impact = f" [{step.impact.value}]" if step.impact.rank else ""
        lines.append(f"#   {number}. {_line(step.title)}{impact}")
    return "\n".join(lines)


def _step(number: int, step: Step) -> str:
    about = [f"# Step {number}: {_line(step.title)}", f"# Why: {_line(step.reason)}"]
    if step.impact.rank:
        affects = ", ".join(_line(name) for name in step.affects) or "nobody"
        about.append(f"# Impact: {step.impact.value}, felt by: {affects}")
    functions = [
        f"step_{number}_{part}() {{\n{text.strip() or ':'}\n}}"
        for part, text in (("do", step.do), ("check", step.check), ("undo", step.undo))
    ]
    return "\n".join([*about, *functions])


def _line(text: str) -> str:
    """The text in one line, what cannot be printed as an escape: safe in a comment and an event."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "replace").decode()
        for char in text
    )


def _resource(name: str) -> str:
    place = files("sriovctl").joinpath(name)
    return place.read_text("utf-8") if place.is_file() else ""
