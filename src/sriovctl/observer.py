"""Who is told how it goes: a protocol, and the observer that keeps silent."""

from __future__ import annotations

from typing import Protocol

from sriovctl.plan import Plan, Stage
from sriovctl.transaction import Event

WAITING = "waits for its turn"
"""What a host does that was looked at, and whose turn has not come."""


class Observer(Protocol):
    """Is told what happens on hosts, as it happens. It draws or counts; it decides nothing."""

    def planned(self, host: str, plan: Plan) -> None:
        """A probe was made and gave this plan; an empty one is the last of this host."""

    def stage_started(self, host: str, stage: Stage) -> None:
        """This stage's script is on its way."""

    def event(self, host: str, stage: Stage, event: Event) -> None:
        """A line of the running script, each once and in order, also after a lost connection."""

    def lost(self, host: str, why: str) -> None:
        """The connection went in mid-run; the host is being sought again."""

    def doing(self, host: str, what: str) -> None:
        """What goes on now outside of a script, for as long as nothing else is told."""

    def said(self, host: str, text: str) -> None:
        """What was done, or was seen, outside of a script."""

    def finished(self, host: str, changed: bool, seconds: float) -> None:
        """The host is as wanted: the last word of it, unless it failed."""

    def failed(self, host: str, error: BaseException) -> None:
        """The host is given up: the last word of it. The error itself goes its own way."""


class Silent:
    """Draws nothing."""

    def planned(self, host: str, plan: Plan) -> None:
        """Nothing."""

    def stage_started(self, host: str, stage: Stage) -> None:
        """Nothing."""

    def event(self, host: str, stage: Stage, event: Event) -> None:
        """Nothing."""

    def lost(self, host: str, why: str) -> None:
        """Nothing."""

    def doing(self, host: str, what: str) -> None:
        """Nothing."""

    def said(self, host: str, text: str) -> None:
        """Nothing."""

    def finished(self, host: str, changed: bool, seconds: float) -> None:
        """Nothing."""

    def failed(self, host: str, error: BaseException) -> None:
        """Nothing."""
