"""What is told of trials of several VMs: a line as each ends, then how many ended how."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

from sriovctl.errors import SriovctlError
from sriovctl.trial.result import Result
from sriovctl.trial.several import Ended
from sriovctl.trial.subject import Subject, hosts_of
from sriovctl.view.harmless import harmless, harmless_lines
from sriovctl.view.results import print_json

DIFFERS = 3
IDLE = "does not run"


class Telling:
    """On the screen; with ``silent`` all at the end, for programs."""

    def __init__(self, subjects: Sequence[Subject], *, silent: bool) -> None:
        self._hosts = len(hosts_of(subjects))
        self._silent = silent
        self._names = [one.vm for one in subjects]

    def __enter__(self) -> Self:
        if not self._silent:
            from sriovctl.view.progress import Progress

            self._progress = Progress(self._names)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._silent:
            self._progress.close()

    def doing(self, one: Subject, what: str) -> None:
        """Until something else is done."""
        if not self._silent:
            self._progress.doing(one.vm, what)

    def ended(self, one: Subject, how: Ended) -> None:
        """A VM's last line."""
        if isinstance(how, SriovctlError):
            sys.stderr.write(f"sriovctl: {one.vm}: {harmless_lines(str(how))}\n")
        if self._silent:
            return
        from rich.text import Text

        from sriovctl.view.text import BAD, GOOD, QUIET

        styles = {"held": GOOD, IDLE: QUIET}
        said = Text(harmless(line(how)), style=styles.get(word(how), BAD))
        self._progress.ended(one.vm, said, word(how))

    def sum_up(self, ended: Mapping[str, Ended]) -> int:
        """How many ended how.

        :returns: the exit code
        """
        if self._silent:
            print_json({vm: document(how) for vm, how in ended.items()})
        else:
            words = [word(how) for how in ended.values()]
            counts = ", ".join(f"{words.count(one)} {one}" for one in dict.fromkeys(words))
            hosts = f"{self._hosts} host" + ("" if self._hosts == 1 else "s")
            sys.stdout.write(f"{len(ended)} VMs on {hosts}: {counts}\n")
        return max(map(exit_code, ended.values()))


def word(how: Ended) -> str:
    """As what a trial is counted."""
    if isinstance(how, Result):
        return "held" if how.held else "did not hold"
    return IDLE if how is None else "failed"


def line(how: Ended) -> str:
    """``held: at most 945 ms (cable, em2)``."""
    if isinstance(how, SriovctlError):
        return f"failed: {how.found.splitlines()[0]}"
    if how is None:
        return f"{IDLE}: not tried"
    worst = max(
        (
            (not one.over, one.ms, f"{m.round.way}, {m.round.leg}")
            for m in how.measured
            for one in (m.failover, m.failback)
        ),
        default=None,
    )
    if worst is None:
        return f"{word(how)}: nothing was taken away"
    not_over, ms, where = worst
    budget = "" if how.budget_ms is None else f", budget {how.budget_ms:g} ms"
    return f"{word(how)}: at most {'> ' if not_over else ''}{ms:.0f} ms ({where}){budget}"


def exit_code(how: Ended) -> int:
    """Of one VM's trial."""
    if isinstance(how, Result):
        return 0 if how.held else DIFFERS
    return 0 if how is None else how.exit_code


def document(how: Ended) -> dict[str, Any]:
    """For programs."""
    if isinstance(how, Result):
        return how.as_json()
    if how is None:
        return {"untried": IDLE}
    words = {"found": how.found, "means": how.means, "mend": how.mend}
    return {"error": {**words, "exit_code": how.exit_code}}
