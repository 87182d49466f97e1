"""One stage on one host: launch, follow, confirm; and find out how it ended after a lost way."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sriovctl.errors import (
    BlockedError,
    HostError,
    SriovctlError,
    TransactionError,
    UnreachableError,
)
from sriovctl.observer import Observer
from sriovctl.plan import Stage
from sriovctl.reach import OverdueError, Reach
from sriovctl.transaction import (
    Begun,
    ConfirmAnswer,
    ConfirmWait,
    Ended,
    Event,
    StepFailed,
    UndoFailed,
    compile_stage,
    confirmation,
    follow_up,
    launcher,
    parse_event,
    stage_digest,
    transaction_id,
)


@dataclass(frozen=True)
class Timeouts:
    """How long is waited for a host, each in seconds."""

    probe_s: float = 60.0
    stage_s: float = 600.0
    """For a stage's script to end; it goes on by itself when nobody waits any more."""
    reconnect_s: float = 180.0
    """For a host that was lost in mid-run to be reached again."""
    retry_s: float = 1.0
    """Between two tries to reach it."""
    bond_s: float = 30.0
    """For the bonds of VMs to have a leg up, each time that they are waited for."""
    boot_s: float = 900.0
    """For a host that was restarted to have finished starting."""
    agent_s: float = 10.0
    """For a VM's guest agent to answer."""
    agent_boot_s: float = 60.0
    """For the agent of a VM that may be booting to be there."""
    answer_s: float = 15.0
    """For one answer of a host that may be on its way down or up."""


class _SettledError(Exception):
    """The end is known by another way: the first connection is of no more use."""


class _Watch:
    """What is known of a run. The journal can come in several times; each event counts once."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self.events: list[Event] = []
        self.answer: ConfirmAnswer | None = None

    def source(self, then: Callable[[Event], None] | None = None) -> Callable[[str], None]:
        """Takes the lines of one telling of the journal, from its beginning.

        :param then: called with each event that is new
        """
        position = 0

        def on_line(line: str) -> None:
            nonlocal position
            event = parse_event(line)
            if event is None:
                return
            if isinstance(event, ConfirmAnswer):
                self.answer = event
                self._tell(event)
                return
            position += 1
            if position <= len(self.events):
                return
            self.events.append(event)
            self._tell(event)
            if then is not None:
                then(event)

        return on_line

    @property
    def end(self) -> Ended | None:
        """How it ended, once that is known."""
        return next((e for e in reversed(self.events) if isinstance(e, Ended)), None)

    @property
    def confirm_wait(self) -> ConfirmWait | None:
        """The host waits for a confirmation."""
        if self.answer is not None or not self.events:
            return None
        last = self.events[-1]
        return last if isinstance(last, ConfirmWait) else None


def run_stage(
    reach: Reach,
    stage: Stage,
    *,
    confirm_s: int,
    observer: Observer,
    timeouts: Timeouts,
) -> None:
    """Run one stage to its end.

    :param confirm_s: seconds within which the host must be reached again by a new command once
        all steps are done; 0: it need not be
    :raises BlockedError: another run is at work on the host
    :raises HostError: it could not begin; nothing was changed
    :raises TransactionError: a step failed; says whether everything was undone
    """
    host = reach.name
    name = transaction_id(stage_digest(stage, host=host), secrets.token_hex(4))
    # the very text that plan --script prints; the confirmation is asked for from outside it
    script = launcher(
        compile_stage(stage, host=host),
        name,
        confirm_s=confirm_s,
        bond_s=math.ceil(timeouts.bond_s),
    )
    watch = _Watch(lambda event: observer.event(host, stage, event))

    def then(event: Event) -> None:
        if isinstance(event, ConfirmWait):
            _confirm(reach, name, watch, event, timeouts)
            if watch.end is not None:
                raise _SettledError

    observer.stage_started(host, stage)
    try:
        reach.run(script, timeout_s=timeouts.stage_s, on_line=watch.source(then))
    except _SettledError:
        pass
    except OverdueError as error:
        raise _overdue(host, name, timeouts.stage_s) from error
    except UnreachableError as error:
        observer.lost(host, error.found)
        _find_out(reach, name, watch, timeouts, error)
    except KeyboardInterrupt:
        observer.lost(host, "interrupted; the run on the host goes on by itself")
        raise
    if watch.end is None:
        _find_out(reach, name, watch, timeouts, None)
    _judge(host, stage, name, watch)


def _confirm(reach: Reach, name: str, watch: _Watch, wait: ConfirmWait, timeouts: Timeouts) -> None:
    """Reach the host by a new command while it waits; too late is no error here, it will say so."""
    deadline = time.monotonic() + wait.seconds
    while watch.answer is None and time.monotonic() < deadline:
        # a try must leave time for another over a new connection, if this one is dead but not shut
        limit = max(timeouts.retry_s, wait.seconds / 3)
        with suppress(UnreachableError):
            reach.run(confirmation(name), timeout_s=limit, on_line=watch.source())
        # a try can also come to its end without a word: its shell was killed, say
        if watch.answer is None:
            time.sleep(min(timeouts.retry_s, max(0.0, deadline - time.monotonic())))


def _find_out(
    reach: Reach, name: str, watch: _Watch, timeouts: Timeouts, lost: UnreachableError | None
) -> None:
    """Reach a lost host again and learn from its journal how the run ended."""
    deadline = time.monotonic() + timeouts.reconnect_s
    while watch.end is None:
        try:
            reach.run(follow_up(name), timeout_s=timeouts.stage_s, on_line=watch.source())
        except OverdueError as error:
            raise _overdue(reach.name, name, timeouts.stage_s) from error
        except UnreachableError as error:
            lost = error
        else:
            if watch.confirm_wait is not None:
                _confirm(reach, name, watch, watch.confirm_wait, timeouts)
                continue
            if watch.end is None and any(isinstance(e, Begun) for e in watch.events):
                return
        if watch.end is None:
            if time.monotonic() >= deadline:
                raise TransactionError(
                    f"{reach.name}: lost in mid-run and not reached again within "
                    f"{timeouts.reconnect_s:g} s" + (f": {lost.found}" if lost else ""),
                    "the run on the host goes on by itself: it is changed, or as it was before",
                    f"once the host is back: sriovctl check RACK; its journal: {_journal(name)}",
                ) from lost
            time.sleep(timeouts.retry_s)


def _judge(host: str, stage: Stage, name: str, watch: _Watch) -> None:
    """Nothing where it ended as wanted; the error that says what happened where not."""
    end = watch.end
    if end is None:
        raise TransactionError(
            f"{host}: the run died in the middle of {stage.title}: its journal has no end",
            "what it did until then was neither finished nor undone",
            f"run apply again: it goes on from what is; the journal: {_journal(name)}",
        )
    if end.state == "changed":
        return
    error = _error(host, stage, watch, end)
    if end.state in ("undone", "undo-failed"):
        error.mend = "; ".join(filter(None, (error.mend, f"journal: {host}:{_journal(name)}")))
    raise error


def _error(host: str, stage: Stage, watch: _Watch, end: Ended) -> SriovctlError:
    match end.state:
        case "busy":
            return BlockedError(
                f"{host}: another run is at work: {end.text}",
                "nothing was changed",
                "wait until it has ended, then run this again",
            )
        case "not-begun":
            return HostError(f"{host}: {end.text}", "nothing was changed")
        case "undone":
            return TransactionError(
                _cause(host, stage, watch, end), "everything was undone: the host is as it was"
            )
        case _:
            failed = [e for e in watch.events if isinstance(e, UndoFailed)]
            return TransactionError(
                _cause(host, stage, watch, end),
                "not everything could be undone: "
                + "; ".join(f"{_title(stage, e.step)}: {e.text}" for e in failed),
                "run: sriovctl plan RACK, it works from what is",
            )


def _cause(host: str, stage: Stage, watch: _Watch, end: Ended) -> str:
    for event in watch.events:
        if isinstance(event, StepFailed):
            how = "was refused" if event.refused else "failed"
            return f"{host}: {_title(stage, event.step)} {how}: {event.text}"
    return f"{host}: {stage.title}: {end.text}"


def _title(stage: Stage, step: int) -> str:
    return stage.steps[step - 1].title if 0 < step <= len(stage.steps) else f"step {step}"


def _overdue(host: str, name: str, stage_s: float) -> TransactionError:
    return TransactionError(
        f"{host}: the script has not ended after {stage_s:g} s",
        "it goes on by itself: in the end the host is changed, or as it was before",
        f"look again later: sriovctl check RACK; its journal: {host}:{_journal(name)}",
    )


def _journal(name: str) -> str:
    return f"/var/lib/sriovctl/transactions/{name}/journal"
