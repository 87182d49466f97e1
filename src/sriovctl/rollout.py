"""An apply over many hosts: who needs it, then wave after wave, until too many fail."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol, Self, TypeVar

from sriovctl.errors import SriovctlError
from sriovctl.observer import Observer
from sriovctl.reach import Reach
from sriovctl.reconcile import Outcome
from sriovctl.targets import Target
from sriovctl.waves import Share, too_many, waves

T = TypeVar("T")


class UntouchedError(SriovctlError):
    """Nothing was begun on this host; as it is not its own fault, it says why."""


Result = Outcome | SriovctlError
"""How it ended on one host."""


class Each(Protocol):
    """:func:`sriovctl.targets.each`, the way to the hosts already chosen."""

    def __call__(
        self, targets: Sequence[Target], work: Callable[[Reach, Target], T]
    ) -> dict[str, T | SriovctlError]:
        """Do some work on every host; by its name, what that gave."""


@dataclass(frozen=True)
class Pace:
    """How carefully."""

    batch: Share
    """Of the hosts that there is something to do for, at a time after the first one."""
    most_failed: Share
    """That may fail without ending the run."""


@dataclass(frozen=True)
class Work:
    """What is done to a host."""

    look: Callable[[Reach, Target], Outcome | None]
    """None: there is something to do. Raises what stands in its way."""
    change: Callable[[Reach, Target], Outcome]
    gate: Callable[[Reach, Target], None]
    """After its wave: raises where the host is not as wanted any more."""
    gate_of_wave: Callable[[Sequence[Target]], str | None]
    """Of the changed hosts of a wave together: why the run ends here, or None."""


class Stop:
    """Ctrl-C, once: no host more is begun, and those at work come to their end. Twice: away."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.asked = False
        self.at_work: set[str] = set()

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def begin(self, host: str) -> None:
        """A host's first change comes now.

        :raises UntouchedError: it does not, as the run is to end
        """
        if self.asked:
            raise UntouchedError(f"{host}: not touched", "the run was interrupted before")
        self.at_work.add(host)

    def end(self, host: str) -> None:
        """It is done with."""
        self.at_work.discard(host)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked or not self.at_work:
            raise KeyboardInterrupt
        self.asked = True
        names = ", ".join(sorted(self.at_work))
        self._say(
            f"interrupted: at work, and coming to an end: {names}; no other is begun. "
            "Ctrl-C again leaves them to themselves"
        )


INTERRUPTED = "the run was interrupted before"


@dataclass
class Rollout:
    """One apply over many hosts."""

    each: Each
    work: Work
    pace: Pace
    observer: Observer
    stop: Stop
    tell: Callable[[str], None]
    """Given a line for each wave, and why the run ends early."""
    results: dict[str, Result] = field(default_factory=dict)
    """By host's name, as they come."""
    stopped: bool = False
    """Too many failed, or a gate said no."""

    def run(self, targets: Sequence[Target]) -> dict[str, Result]:
        """Change hosts in waves. A single one is changed without looking at it first.

        Only who failed in a wave counts for its end: who could not be looked at, or must not be
        changed, says nothing of the change itself.

        :returns: by host's name, in the order of ``targets``
        """
        why = self._waves(targets if len(targets) == 1 else self._look(targets))
        for target in targets:
            name = target.name
            self.results.setdefault(name, UntouchedError(f"{name}: not touched", why))
        return {target.name: self.results[target.name] for target in targets}

    def _look(self, targets: Sequence[Target]) -> Sequence[Target]:
        """Those that there is something to do for."""
        for name, found in self.each(targets, self.work.look).items():
            if isinstance(found, SriovctlError):
                self.observer.failed(name, found)
            if found is not None:
                self.results[name] = found
        return [target for target in targets if target.name not in self.results]

    def _waves(self, hosts: Sequence[Target]) -> str:
        """Change them; why the rest was left out."""
        planned = tuple(waves(hosts, self.pace.batch))
        failed = 0
        for number, wave in enumerate(planned, 1):
            if len(planned) > 1:
                names = ", ".join(target.name for target in wave)
                what = "the canary" if number == 1 else _count(wave)
                self.tell(f"wave {number} of {len(planned)}, {what}: {names}")
            try:
                gate_said = why = self._wave(wave, gated=len(planned) > 1)
            except KeyboardInterrupt:
                self.stop.asked = True
                self._leave(wave)
                return INTERRUPTED
            if self.stop.asked:
                return INTERRUPTED
            failed += sum(_has_failed(self.results[target.name]) for target in wave)
            if too_many(failed, len(hosts), self.pace.most_failed):
                most = self.pace.most_failed
                why = f"{failed} of {_count(hosts)} failed, more than --max-failed {most}"
            if why is not None:
                self.stopped = True
                if gate_said or number < len(planned):
                    self.tell(f"stopped after wave {number} of {len(planned)}: {why}")
                return why
        return ""

    def _wave(self, wave: Sequence[Target], *, gated: bool) -> str | None:
        """Change a wave's hosts and see that they stay so; why no other should follow, or None."""
        for name, given_up in self.each(wave, self._change).items():
            if given_up is not None:
                self.results[name] = given_up
                self.stop.end(name)
        done = self._changed(wave)
        if not done or self.stop.asked:
            return None
        if gated:
            for name, gone in self.each(done, self.work.gate).items():
                if gone is not None:
                    self.results[name] = gone
            done = self._changed(wave)
        return self.work.gate_of_wave(done) if done else None

    def _changed(self, wave: Sequence[Target]) -> list[Target]:
        results = {target.name: self.results[target.name] for target in wave}
        changed = {n for n, r in results.items() if isinstance(r, Outcome) and r.changed}
        return [target for target in wave if target.name in changed]

    def _change(self, reach: Reach, target: Target) -> None:
        try:
            self.results[target.name] = self.work.change(reach, target)
        except SriovctlError as error:
            self.results[target.name] = error
        self.stop.end(target.name)

    def _leave(self, wave: Sequence[Target]) -> None:
        for name in (target.name for target in wave):
            if name in self.stop.at_work:
                self.results.setdefault(name, _left(name))


def _count(hosts: Sequence[Target]) -> str:
    return f"{len(hosts)} host" + ("" if len(hosts) == 1 else "s")


def _has_failed(result: Result) -> bool:
    return isinstance(result, SriovctlError) and not isinstance(result, UntouchedError)


def _left(host: str) -> SriovctlError:
    return SriovctlError(
        f"{host}: left while it was at work",
        "what was running on it goes on by itself: in the end it is changed, or as it was before",
        f"look: sriovctl check RACK --limit {host}",
    )
