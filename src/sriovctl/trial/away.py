"""A leg taken away and given back, by a transaction that outlives whoever started it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sriovctl.errors import BlockedError, HostError, TransactionError, UnreachableError
from sriovctl.plan import Stage
from sriovctl.reach import Reach
from sriovctl.shell import command
from sriovctl.transaction import (
    Begun,
    ConfirmWait,
    Ended,
    StepFailed,
    StepStarted,
    UndoFailed,
    compile_stage,
    follow_up,
    launcher,
    parse_event,
    stage_digest,
    transaction_id,
)
from sriovctl.trial.background import Background

_STOP = r"""
dir=${SRIOVCTL_STATE:-/var/lib/sriovctl}/transactions/$1
tab='	'
pid=
if [ -r "$dir/journal" ]; then
	while IFS=$tab read -r word _ _ last; do
		[ "$word" != begin ] || pid=$last
	done <"$dir/journal"
fi
# a number may have gone to another process meanwhile
if [ -n "$pid" ] && grep -qs "$1" "/proc/$pid/cmdline"; then
	kill "$pid"
	# the worker holds the pipe open for as long as it lives
	exec 4<>"$dir/alive" && exec 6<"$dir/alive" && exec 4>&-
	read -r _ <&6
fi
exit 0
"""
"""Has a transaction undone, and waits until it is."""


class RefusedError(Exception):
    """The driver does not do this; its words."""


class Away:
    """One leg, away from :meth:`take` until :meth:`give_back`, and no longer than a bound."""

    def __init__(
        self, reach: Reach, stage: Stage, bound_s: int, answer_s: float, state: Path | None
    ) -> None:
        """
        :param stage: takes the leg away; its undo gives it back
        :param bound_s: after so many seconds it comes back by itself, also if nobody is left here
        :param answer_s: for the host to take the leg away, or to give it back
        :param state: folder for the transaction; None: as on every host, /var/lib/sriovctl
        """
        self._stage = stage
        self._bound_s = bound_s
        self._answer_s = answer_s
        self._name = transaction_id(stage_digest(stage, host=reach.name), secrets.token_hex(4))
        self._host = reach.name
        place = None if state is None else command(f"SRIOVCTL_STATE={state}")
        self._environment = "" if place is None else f"export {place}\n"
        self._settled = threading.Event()
        self._begun = False
        self._end: Ended | None = None
        self._failed: StepFailed | None = None
        self._undo_failed: UndoFailed | None = None
        self._run: Background | None = None
        self.taken: float | None = None
        """When it was about to go, seconds since 1970."""

    @property
    def ended(self) -> bool:
        """Given back, or never taken."""
        return self._end is not None

    @property
    def _by_hand(self) -> str:
        """What gives it back where nobody else does."""
        return "; ".join(step.undo for step in reversed(self._stage.steps))

    def take(self, reach: Reach) -> None:
        """Take the leg away.

        :raises RefusedError: the driver does not do this
        :raises BlockedError: another run is at work on the host
        :raises HostError: it failed; the leg is as it was
        """
        script = launcher(
            compile_stage(self._stage, host=self._host), self._name, confirm_s=self._bound_s
        )
        self._run = Background(
            lambda: reach.run(
                self._environment + script,
                timeout_s=self._bound_s + 2 * self._answer_s,
                on_line=self._on_line,
            )
        )
        _wait(self._settled.is_set, self._run, self._answer_s)
        if self._failed is not None or self._end is not None:
            self._raise_failure()

    def _on_line(self, line: str) -> None:
        match parse_event(line):
            case Begun():
                self._begun = True
            case StepStarted():
                self.taken = time.time()
            case ConfirmWait():
                self._settled.set()
            case StepFailed() as event:
                self._failed = event
            case UndoFailed() as event:
                self._undo_failed = event
            case Ended() as event:
                self._end = event
                self._settled.set()

    def _raise_failure(self) -> None:
        if self._failed is not None and self._failed.refused and self._undo_failed is None:
            raise RefusedError(self._failed.text)
        if self._end is not None and self._end.state == "busy":
            raise BlockedError(
                f"{self._host}: another run is at work: {self._end.text}",
                "no leg was taken away",
                "wait until it has ended, then run this again",
            )
        why = self._failed.text if self._failed is not None else ""
        raise HostError(
            f"{self._host}: {self._stage.title} failed: {why or (self._end and self._end.text)}",
            "the leg was given back" if self._undo_failed is None else "the leg is NOT back",
        )

    def give_back(self, reach: Reach) -> None:
        """Give the leg back and see that it is; nothing to do where it was given back already.

        A host that cannot be reached just now is asked again until it must have answered after the
        bound, at which it gives the leg back by itself. Where it cannot any more, as what took the
        leg was killed or the host restarted, that is done for it.

        :raises TransactionError: nobody can say whether it is back, or it is not
        """
        deadline = time.monotonic() + self._bound_s + self._answer_s
        while self._end is None:
            lost: UnreachableError | None = None
            try:
                stop = f"{self._environment}set -- {command(self._name)}\n{_STOP}"
                reach.run(stop, timeout_s=self._answer_s)
                told = self._environment + follow_up(self._name)
                reach.run(told, timeout_s=self._answer_s, on_line=self._on_line)
                if self._end is None and self._begun:
                    self._in_its_place(reach)
            except UnreachableError as error:
                lost = error
            if self._end is not None:
                break
            if time.monotonic() > deadline:
                raise TransactionError(
                    f"{self._host}: "
                    + (f"not reached: {lost.found}" if lost else "it says nothing"),
                    f"by itself it gives the leg back {self._bound_s} s after it was taken",
                    f"look there: {self._by_hand}",
                ) from lost
            time.sleep(1.0)
        if self._undo_failed is not None:
            raise TransactionError(
                f"{self._host}: the leg was not given back: {self._undo_failed.text}",
                f"{self._stage.title} still holds",
                f"run there: {self._by_hand}",
            )

    def _in_its_place(self, reach: Reach) -> None:
        """What a run would have undone that has died, by another."""
        steps = tuple(
            step.model_copy(update={"do": step.undo, "check": "", "undo": ""})
            for step in reversed(self._stage.steps)
        )
        stage = Stage(title=f"{self._stage.title}: given back", steps=steps)
        name = transaction_id(stage_digest(stage, host=self._host), secrets.token_hex(4))
        script = launcher(compile_stage(stage, host=self._host), name, confirm_s=0)
        done = reach.run(self._environment + script, timeout_s=self._answer_s)
        events = [parse_event(line) for line in done.stdout.splitlines()]
        if Ended("changed", "") not in events:
            failed = "; ".join(event.text for event in events if isinstance(event, StepFailed))
            raise TransactionError(
                f"{self._host}: what took the leg away died, and the leg was not given back"
                + (f": {failed}" if failed else ""),
                f"{self._stage.title} still holds",
                f"run there: {self._by_hand}",
            )
        self._end = Ended("undone", "by another run")


def _wait(done: Callable[[], bool], run: Background, limit_s: float) -> None:
    """Until something is so; an end of the run in between, and its error, end the waiting."""
    deadline = time.monotonic() + limit_s
    while not done():
        if not run.running:
            run.join(0)
            if not done():
                raise HostError("the script that takes the leg away ended without a word")
        if time.monotonic() > deadline:
            raise HostError(f"the leg was not taken away within {limit_s:g} s")
        time.sleep(0.01)
