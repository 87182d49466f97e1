"""Time as the BMC sees it, so that tests can turn its clock by hand; and how long things take."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The time, and waiting."""

    def now(self) -> datetime:
        """The time, with its zone."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""


class WallClock:
    """The machine's own."""

    def now(self) -> datetime:
        """See :class:`Clock`."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """See :class:`Clock`."""
        await asyncio.sleep(seconds)


class HandClock:
    """Stands still until :meth:`advance` turns it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        """See :class:`Clock`."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """See :class:`Clock`. No time at all is no wait."""
        if seconds <= 0:
            return
        alarm = asyncio.Event()
        sleeper = (self._now + timedelta(seconds=seconds), alarm)
        self._sleepers.append(sleeper)
        self._changed.set()
        try:
            await alarm.wait()
        finally:
            self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        """Turn the clock; who slept long enough wakes."""
        self._now += timedelta(seconds=seconds)
        for until, alarm in self._sleepers:
            if until <= self._now:
                alarm.set()

    async def asleep(self, seconds: float) -> None:
        """Wait until somebody sleeps who has exactly so many seconds to go."""
        goal = self._now + timedelta(seconds=seconds)
        while not any(until == goal for until, _ in self._sleepers):
            self._changed.clear()
            await self._changed.wait()


@dataclass(frozen=True)
class Timing:
    """How long the BMC takes for what, in seconds.

    The defaults are far below the metal's, where a job takes minutes, but in its order.
    """

    schedule: float = 1.0
    """A new job becomes scheduled. A reset that comes earlier still takes it along."""
    stay_off: float = 1.0
    """A power cycle: off until on again."""
    apply: float = 3.0
    """At the next start the job runs so long before the new values show."""
    finish: float = 3.0
    """After the new values show, and the machine starts, until the job is completed."""
    graceful: float = 300.0
    """A graceful restart waits so long for the system to shut down."""
    session: float = 1800.0
    """A Redfish session nobody used is forgotten."""
    linger: float = 1.0
    """A racadm session counts for so long after its end."""
    lockout: float = 60.0
    """An account with too many failed logins is locked so long."""


AT_ONCE = Timing(schedule=0, stay_off=0, apply=0, finish=0, linger=0)
"""No waiting for anything of the BMC's own."""
