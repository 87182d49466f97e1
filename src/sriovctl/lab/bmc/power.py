"""The power of one server: what runs between a press of a button and a running machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from sriovctl.lab.bmc.chassis import Chassis, Ended, PowerState
from sriovctl.lab.bmc.clock import Clock, Timing

log = logging.getLogger(__name__)


class Errands:
    """Work that goes on by itself; what fails in it is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    async def stop(self) -> None:
        """Break all of it off."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("in the BMC: %s", error, exc_info=error)


class Power:
    """One machine, one life at a time: from on to off, over all restarts between.

    :param post: runs between power and machine; gives the values that the machine starts with.
        Cancelled when the power is cut meanwhile
    :param started: called after the machine's start, also where that failed
    """

    def __init__(
        self,
        chassis: Chassis,
        clock: Clock,
        timing: Timing,
        post: Callable[[], Awaitable[Mapping[str, str]]],
        started: Callable[[], None],
    ) -> None:
        self._chassis = chassis
        self._clock = clock
        self._timing = timing
        self._post = post
        self._started = started
        self._errands = Errands()
        self._life: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        """The machine's start, which is not to be broken off half-way."""
        self._posting = False
        self._again = False
        """Start again when the system has shut down."""
        self._off = asyncio.Event()
        """The machine stands still, if only for a restart."""
        self._up = asyncio.Event()
        """The machine runs: a power button pressed earlier would be overheard."""
        self._hand = asyncio.Lock()
        """Held while the machine is switched."""
        self.starts = 0
        """So many times the machine was started."""
        self._start_counted = asyncio.Condition()

    async def start(self) -> None:
        """Take over a machine that may run already."""
        if await self._chassis.power() == "on":
            self._up.set()
            self._life = self._errands.run(self._live(runs=True, rest=0.0))
        else:
            self._off.set()

    async def stop(self) -> None:
        """Let go of the machine as it is."""
        await self._errands.stop()

    async def state(self) -> PowerState:
        """On from the moment it is switched on, not only when the machine runs."""
        return "on" if self._posting else await self._chassis.power()

    async def wait_starts(self, count: int) -> None:
        """Wait until the machine was started so many times."""
        async with self._start_counted:
            await self._start_counted.wait_for(lambda: self.starts >= count)

    def on(self, rest: float = 0.0) -> None:
        """Begin a life.

        :param rest: seconds to stay off before
        """
        self._posting = True
        self._life = self._errands.run(self._live(runs=False, rest=rest))

    async def off(self) -> None:
        """Cut the power, whatever goes on."""
        self._again = False
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
            self._life = None
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        async with self._hand:
            await self._chassis.power_off(force=True)
        self._up.clear()
        self._off.set()

    async def cycle(self) -> None:
        """Off, and on after a while."""
        await self.off()
        self.on(rest=self._timing.stay_off)

    def press_soon(self) -> None:
        """Press the power button as soon as somebody can hear it."""
        self._errands.run(self._press())

    async def _press(self) -> None:
        await self._up.wait()
        async with self._hand:
            await self._chassis.power_off(force=False)

    async def restart(self) -> bool:
        """Press the button; the machine is started again when its system has shut down.

        :returns: whether it did so in time
        """
        await self._up.wait()
        self._again = True
        await self._press()
        down = asyncio.ensure_future(self._off.wait())
        limit = asyncio.ensure_future(self._clock.sleep(self._timing.graceful))
        try:
            await asyncio.wait((down, limit), return_when=asyncio.FIRST_COMPLETED)
            if down.done():
                return True
            self._again = False
            return False
        finally:
            down.cancel()
            limit.cancel()

    async def _live(self, runs: bool, rest: float) -> None:
        try:
            await self._clock.sleep(rest)
            while True:
                if not runs:
                    await self._boot()
                runs = False
                why = await self._chassis.wait_off()
                self._posting = again = self._again or why is Ended.RESET
                self._again = False
                self._up.clear()
                self._off.set()
                if not again:
                    return
        finally:
            self._posting = False

    async def _boot(self) -> None:
        self._off.clear()
        self._posting = True
        values = await self._post()
        self._starting = asyncio.create_task(self._start_machine(values))
        try:
            await asyncio.shield(self._starting)
        finally:
            self._started()
        self._posting = False
        self._up.set()

    async def _start_machine(self, values: Mapping[str, str]) -> None:
        async with self._hand:
            await self._chassis.power_on(values)
        async with self._start_counted:
            self.starts += 1
            self._start_counted.notify_all()
