"""How an apply goes on: a line a step; on a terminal also what is being done right now."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from sriovctl.observer import WAITING
from sriovctl.plan import Finding, Plan, Stage
from sriovctl.transaction import (
    ConfirmAnswer,
    ConfirmWait,
    Ended,
    Event,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    TookOver,
    UndoDone,
    UndoFailed,
)
from sriovctl.view.findings import render_findings
from sriovctl.view.harmless import harmless

MANY = 10
"""Hosts; of more than this no steps are told, only how each ends, and totals."""
REFRESH_PER_S = 5
"""How often the seconds of what is being done are drawn anew."""


@dataclass
class _Busy:
    """What a host is doing now."""

    doing: str
    since: float


class Progress:
    """An :class:`sriovctl.observer.Observer` that draws."""

    def __init__(self, hosts: Sequence[str], console: Console | None = None) -> None:
        """
        :param hosts: all that it will be told of; where there are several, lines bear their names
        """
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._hosts = tuple(hosts)
        self._many = len(self._hosts) > MANY
        self._width = max((len(harmless(host)) for host in hosts), default=0)
        self._busy: dict[str, _Busy] = {}
        self._ends: dict[str, str] = {}
        self._told: dict[str, set[Finding]] = {}
        self._live: Live | None = None

    def close(self) -> None:
        """Nothing more is drawn."""
        self._busy.clear()
        self._rest()

    def pause(self) -> None:
        """Nothing is drawn until something is done again: another writes on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def tell(self, text: str) -> None:
        """A line about all hosts."""
        self._console.print(Text(harmless(text), style="bold"))

    def planned(self, host: str, plan: Plan) -> None:
        """Each finding once; those that stop the run come with its error too."""
        if self._many:
            return
        told = self._told.setdefault(host, set())
        new = tuple(finding for finding in plan.findings if finding not in told)
        told.update(new)
        if new:
            if len(self._hosts) > 1:
                self._say(host, Text("findings"))
            render_findings(new, self._console)

    def stage_started(self, host: str, stage: Stage) -> None:
        """Its title, and how many steps there are."""
        count = len(stage.steps)
        steps = f"{count} step" + ("" if count == 1 else "s")
        if stage.kind == "transaction":
            self._say(host, Text(f"{harmless(stage.title)}: {steps}", style="bold"))
            self.doing(host, "sending the script")
            return
        self._say(host, Text(harmless(stage.title), style="bold"))
        for step in stage.steps:
            self._say(host, Text(f"  {harmless(step.title)}: {harmless(step.reason)}"))
        self.doing(host, harmless(stage.title))

    def event(self, host: str, stage: Stage, event: Event) -> None:
        """A line for what is done or failed; what has begun is drawn while it lasts."""
        match event:
            case StepStarted():
                self.doing(host, _step(stage, event.step))
            case StepDone():
                self._say(host, _line(stage, event.step, event.seconds, "done", "green"))
            case StepSaid():
                self._say(host, Text(f"  {harmless(event.text)}", style="yellow"))
            case StepFailed():
                how = "refused" if event.refused else "failed"
                self._say(host, _line(stage, event.step, event.seconds, how, "bold red"))
                self._say(host, Text(f"  {harmless(event.text)}"))
                self.doing(host, "undoing")
            case UndoDone():
                self._say(host, _line(stage, event.step, event.seconds, "undone", "yellow"))
            case UndoFailed():
                self._say(host, _line(stage, event.step, event.seconds, "undo failed", "bold red"))
                self._say(host, Text(f"  {harmless(event.text)}"))
            case TookOver():
                self._say(
                    host, Text(f"an earlier run (pid {event.pid}) died; going on from what is")
                )
            case ConfirmWait():
                self.doing(host, f"reaching it again, or it undoes all after {event.seconds} s")
            case ConfirmAnswer():
                said = "reached again" if event.answer == "accepted" else "reached again too late"
                self._say(host, Text(said))
            case Ended():
                self._idle(host)
                if event.state == "undone":
                    self._say(host, Text("everything was undone", style="yellow"))

    def lost(self, host: str, why: str) -> None:
        """Said, and the seconds of looking for it drawn."""
        self._say(host, Text(harmless(why), style="yellow"))
        self.doing(host, "looking for it")

    def said(self, host: str, text: str) -> None:
        """A line; what goes on shows until something else does."""
        self._say(host, Text(f"  {harmless(text)}"))

    def finished(self, host: str, changed: bool, seconds: float) -> None:
        """The host's last line."""
        done = "as wanted now" if changed else "as wanted: nothing to do"
        said = Text(f"{done} ({seconds:.1f} s)", style="green")
        self.ended(host, said, "changed" if changed else "as wanted before")

    def ended(self, host: str, said: Text, how: str) -> None:
        """Its last line.

        :param how: as what it is counted in the totals
        """
        self._say(host, said, always_named=True)
        self._last_word(host, how)

    def failed(self, host: str, error: BaseException) -> None:
        """Nothing but the count where hosts are few: who gets the error tells it."""
        if self._many:
            found = (str(error).splitlines() or ["interrupted"])[0]
            said = Text(f"failed: {harmless(found.removeprefix(f'{host}: '))}", style="red")
            self._say(host, said, always_named=True)
        self._last_word(host, "failed")

    def _last_word(self, host: str, how: str) -> None:
        self._idle(host)
        self._ends[host] = how

    def _say(self, host: str, text: Text, *, always_named: bool = False) -> None:
        if self._many and not always_named:
            return
        name = harmless(host)
        if len(self._hosts) > 1 or always_named:
            text = Text.assemble((f"{name:<{self._width}}  ", "cyan"), text)
        self._console.print(text)

    def doing(self, host: str, what: str) -> None:
        """Drawn, with its seconds, until something else is done."""
        self._busy[host] = _Busy(what, time.monotonic())
        if self._live is None and self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._now,
                refresh_per_second=REFRESH_PER_S,
                transient=True,
            )
            self._live.start()

    def _idle(self, host: str) -> None:
        self._busy.pop(host, None)
        self._rest()

    def _rest(self) -> None:
        if not self._busy:
            self.pause()

    def _now(self) -> RenderableType:
        now = time.monotonic()
        if self._many:
            return Text(self._totals())
        # as many as leave room for what was said; the others show once these are done
        most = max(1, self._console.size.height // 2)
        lines = [
            Text(f"{harmless(host):<{self._width}}  {busy.doing} … {now - busy.since:.0f} s")
            for host, busy in list(self._busy.items())[:most]
        ]
        if len(self._busy) > most:
            lines.append(Text(f"and {len(self._busy) - most} hosts more"))
        return Group(*lines)

    def _totals(self) -> str:
        """``100 hosts: 12 changed, 1 failed, 5 at work, 82 waiting``."""
        doing = ("waiting" if b.doing == WAITING else "at work" for b in self._busy.values())
        counts = Counter([*self._ends.values(), *doing])
        return f"{len(self._hosts)} hosts: " + ", ".join(f"{n} {how}" for how, n in counts.items())


def _step(stage: Stage, number: int) -> str:
    title = stage.steps[number - 1].title if 0 < number <= len(stage.steps) else ""
    width = len(str(len(stage.steps)))
    return f"{number:>{width}}/{len(stage.steps)}  {harmless(title)}"


def _line(stage: Stage, number: int, seconds: float, how: str, style: str) -> Text:
    line = Text(f"{_step(stage, number)}  ")
    line.append(how, style=style)
    line.append(f" {seconds:.2f} s", style="dim")
    return line
