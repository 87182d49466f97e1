"""The iDRAC itself, without its protocols: settings, job queue, power of one server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping
from enum import StrEnum
from typing import Any

from sriovctl.lab.bmc.attributes import Nic, Value, bios_attributes, nic_attributes
from sriovctl.lab.bmc.chassis import Chassis, Ended, Power
from sriovctl.lab.bmc.clock import Clock, Timing, WallClock
from sriovctl.lab.bmc.faults import Faults
from sriovctl.lab.bmc.jobs import BIOS_TARGET, Job, JobQueue, JobState, Kind
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.personality import Personality
from sriovctl.lab.bmc.settings import Settings

log = logging.getLogger(__name__)


class Action(StrEnum):
    """What can be done to the server's power; the words are Redfish's ResetType."""

    ON = "On"
    FORCE_OFF = "ForceOff"
    FORCE_RESTART = "ForceRestart"
    GRACEFUL_RESTART = "GracefulRestart"
    GRACEFUL_SHUTDOWN = "GracefulShutdown"
    PUSH_BUTTON = "PushPowerButton"
    NMI = "Nmi"
    POWER_CYCLE = "PowerCycle"


class Reboot(StrEnum):
    """How a job's own reboot goes; the words are racadm's."""

    POWER_CYCLE = "pwrcycle"
    GRACEFUL = "graceful"
    """Graceful, and not at all if the system does not shut down in time."""
    FORCED = "forced"
    """Graceful, and by force if the system does not shut down in time."""


_REBOOT_JOBS: dict[Reboot, tuple[Kind, str]] = {
    Reboot.POWER_CYCLE: ("RebootPowerCycle", "Reboot1"),
    Reboot.GRACEFUL: ("RebootNoForce", "Reboot2"),
    Reboot.FORCED: ("RebootForce", "Reboot3"),
}

_NEEDS_ON = frozenset(
    {
        Action.FORCE_OFF,
        Action.FORCE_RESTART,
        Action.GRACEFUL_RESTART,
        Action.GRACEFUL_SHUTDOWN,
        Action.NMI,
        Action.POWER_CYCLE,
    }
)


class Controller:
    """One iDRAC. Use between :meth:`start` and :meth:`stop`, in one event loop.

    :param tag: the server's service tag
    :param bare: virtualization and SR-IOV are off at first, as from the factory
    :param nics: network ports that have settings of their own
    """

    def __init__(
        self,
        personality: Personality,
        chassis: Chassis,
        *,
        tag: str = "LAB0002",
        bare: bool = True,
        nics: Iterable[Nic] = (),
        clock: Clock | None = None,
        timing: Timing | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.personality = personality
        self.tag = tag
        self.clock = WallClock() if clock is None else clock
        self.timing = Timing() if timing is None else timing
        self.faults = Faults() if faults is None else faults
        self.bios = Settings(bios_attributes(personality, tag, bare=bare))
        self.nics = {nic.fqdd: nic for nic in nics}
        self.devices = {
            BIOS_TARGET: self.bios,
            **{fqdd: Settings(nic_attributes(nic)) for fqdd, nic in self.nics.items()},
        }
        """Everything with settings, by FQDD, the BIOS first."""
        self.jobs = JobQueue()
        self._chassis = chassis
        self._life: asyncio.Task[None] | None = None
        """From power on to off, over all restarts between."""
        self._posting = False
        self._again = False
        """Start again when the system has shut down."""
        self._off = asyncio.Event()
        """The machine stands still, if only for a restart."""
        self._up = asyncio.Event()
        """The machine runs: a power button pressed earlier would be overheard."""
        self._switching: asyncio.Task[None] | None = None
        """The machine's start, which is not to be broken off half-way."""
        self._hand = asyncio.Lock()
        """Held while the machine is switched."""
        self._errands: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take over a server that may run already."""
        if await self._chassis.power() == "on":
            self._begin(booted=True)
        else:
            self._off.set()

    async def stop(self) -> None:
        """The BMC goes away; the server stays as it is."""
        tasks = [task for task in (self._life, *self._errands) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # settings and jobs

    def device(self, target: str) -> Settings:
        """The settings of a device.

        :param target: its FQDD
        :raises RefusedError: there is no such device
        """
        if target not in self.devices:
            raise RefusedError("RAC917", target)
        return self.devices[target]

    def stage(self, changes: Mapping[str, Value], target: str = BIOS_TARGET) -> None:
        """Make values pending; nothing happens to them before a job commits them.

        :raises RefusedError: SYS011 while a job is there
        :raises AttributesRefusedError: as :meth:`Settings.stage`
        """
        device = self.device(target)
        if self.jobs.live(target) is not None:
            raise RefusedError("SYS011")
        device.stage(changes)

    def commit(self, target: str = BIOS_TARGET) -> Job:
        """Make the job that applies the pending values at the next start of the server.

        :raises RefusedError: a job is there, nothing is pending, Lifecycle Controller is busy or
            disabled
        """
        device = self.device(target)
        if self.faults.lifecycle == "disabled":
            raise RefusedError("RAC1155")
        if self.jobs.live(target) is not None:
            raise RefusedError("SYS011")
        if not device.pending:
            raise RefusedError("RAC1035")
        if self.faults.lifecycle == "busy":
            raise RefusedError("RED023")
        job = self.jobs.configure(target, self.clock.now())
        self.settle()
        return job

    def reboot(self, how: Reboot) -> Job:
        """Make the job that restarts the server once the jobs before it are scheduled."""
        kind, name = _REBOOT_JOBS[how]
        job = self.jobs.reboot(kind, name, self.clock.now())
        self._errand(self._run_reboot(job, how))
        return job

    def discard(self, target: str = BIOS_TARGET) -> None:
        """Forget the pending values.

        :raises RefusedError: a job has them already, or there are none
        """
        device = self.device(target)
        if self.jobs.live(target) is not None:
            raise RefusedError("SYS011")
        if not device.pending:
            raise RefusedError("RAC1035")
        device.discard()

    def delete_job(self, job_id: str) -> None:
        """Delete a job, or all; the pending values go with the job that would apply them.

        :raises RefusedError: there is none, or it runs
        """
        for job in self.jobs.remove(job_id):
            if job.target is not None and not job.state.terminal:
                self.devices[job.target].discard()

    def settle(self, starting: bool = False) -> None:
        """Let new jobs become scheduled whose time has come.

        :param starting: the server starts, which takes along a job of this very moment
        """
        now = self.clock.now()
        for job in self.jobs.jobs:
            if job.state is not JobState.NEW:
                continue
            if self.faults.lifecycle == "waiting" and job.configures:
                job.message_id = "JCP024"
            elif starting or (now - job.created).total_seconds() >= self.timing.schedule:
                job.to(JobState.SCHEDULED, now)

    # power

    async def power(self) -> Power:
        """On from the moment it is switched on, not only when its system runs."""
        return "on" if self._posting else await self._chassis.power()

    async def reset(self, action: Action) -> None:
        """Do it, or begin to; :meth:`power` and the jobs tell how it went.

        :raises RefusedError: the server has that state already, or the fault ``reset_refused``
        """
        if self.faults.reset_refused:
            raise RefusedError("SYS519")
        on = await self.power() == "on"
        if action is Action.PUSH_BUTTON:
            action = Action.GRACEFUL_SHUTDOWN if on else Action.ON
        if action is Action.ON and on:
            raise RefusedError("PSU501", "ON")
        if action in _NEEDS_ON and not on:
            raise RefusedError("PSU501", "OFF")
        match action:
            case Action.ON:
                self._begin()
            case Action.FORCE_OFF:
                await self._cut()
            case Action.FORCE_RESTART | Action.POWER_CYCLE:
                await self._cycle()
            case Action.GRACEFUL_SHUTDOWN:
                self._errand(self._press())
            case Action.GRACEFUL_RESTART:
                self._errand(self._restart_later())

    async def _cut(self) -> None:
        """Off, whatever goes on; a job in the middle of its work has failed then."""
        self._again = False
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
            self._life = None
        if self._switching is not None:
            await asyncio.gather(self._switching, return_exceptions=True)
        await self._switch_off(force=True)
        self._up.clear()
        self._off.set()

    async def _cycle(self) -> None:
        await self._cut()
        self._begin(rest=self.timing.stay_off)

    async def _press(self) -> None:
        """Press the power button as soon as somebody can hear it."""
        await self._up.wait()
        await self._switch_off(force=False)

    def switches(self) -> dict[str, str]:
        """What the machine boots with: BIOS values by name, a port's as ``<FQDD>#<name>``."""
        return self.bios.switches() | {
            f"{fqdd}#{name}": value
            for fqdd in self.nics
            for name, value in self.devices[fqdd].switches().items()
        }

    async def _switch_off(self, force: bool) -> None:
        async with self._hand:
            await self._chassis.power_off(force)

    async def _switch_on(self) -> None:
        async with self._hand:
            await self._chassis.power_on(self.switches())

    async def _restart_later(self) -> None:
        await self._restart(force=False)

    async def _restart(self, force: bool) -> bool:
        """Press the button; the machine is started again when its system has shut down.

        :param force: after the named time, cut the power
        :returns: whether it restarts
        """
        await self._up.wait()
        self._again = True
        await self._switch_off(force=False)
        if await self._within(self._off.wait(), self.timing.graceful):
            return True
        self._again = False
        if force:
            await self._cycle()
        return force

    async def _within(self, awaited: Coroutine[Any, Any, Any], seconds: float) -> bool:
        """Whether it comes before so many seconds of the BMC's clock have passed."""
        coming = asyncio.ensure_future(awaited)
        limit = asyncio.ensure_future(self.clock.sleep(seconds))
        try:
            await asyncio.wait((coming, limit), return_when=asyncio.FIRST_COMPLETED)
            return coming.done()
        finally:
            coming.cancel()
            limit.cancel()

    async def _run_reboot(self, job: Job, how: Reboot) -> None:
        await self.clock.sleep(self.timing.schedule)
        self.settle()
        if job.state is JobState.NEW:  # by the hair of a clock
            job.to(JobState.SCHEDULED, self.clock.now())
        job.to(JobState.RUNNING, self.clock.now())
        going = True
        if await self.power() == "off":
            self._begin()
        elif how is Reboot.POWER_CYCLE:
            await self._cycle()
        else:
            going = await self._restart(force=how is Reboot.FORCED)
        end = JobState.REBOOT_COMPLETED if going else JobState.REBOOT_FAILED
        job.to(end, self.clock.now())

    def _begin(self, *, booted: bool = False, rest: float = 0.0) -> None:
        """Start the server's life.

        :param booted: it runs already
        :param rest: seconds to stay off before
        """
        self._posting = not booted
        if booted:
            self._up.set()
        self._life = asyncio.create_task(self._live(booted, rest))
        self._life.add_done_callback(_say_failure)

    async def _live(self, booted: bool, rest: float) -> None:
        try:
            await self.clock.sleep(rest)
            while True:
                if not booted:
                    await self._boot()
                booted = False
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
        """The server's POST: the scheduled jobs first, then the machine with what they set."""
        self._off.clear()
        self._posting = True
        self.settle(starting=True)
        due = [job for job in self.jobs.jobs if job.configures and job.state is JobState.SCHEDULED]
        slow = self.faults.slow_job / 2
        if due:
            for job in due:
                job.to(JobState.RUNNING, self.clock.now())
            try:
                await self.clock.sleep(self.timing.apply + slow)
            except asyncio.CancelledError:
                for job in due:
                    self._fail(job)
                raise
        ends = [(job, end) for job in due if (end := self._apply(job)) is not None]
        self._switching = asyncio.create_task(self._switch_on())
        try:
            await asyncio.shield(self._switching)
        finally:
            for job, end in ends:
                self._errand(self._finish(job, end, self.timing.finish + slow))
        self._posting = False
        self._up.set()

    def _apply(self, job: Job) -> JobState | None:
        """The values show from here on, a while before the job is over.

        :returns: the state it will end in; None where it has ended
        """
        if self.faults.job_end == "Failed":
            self._fail(job)
            return None
        assert job.target is not None
        device = self.devices[job.target]
        # with errors: one of them did not take, the last by name
        partly = self.faults.job_end == "CompletedWithErrors"
        device.apply(leave=frozenset(sorted(device.pending)[-1:]) if partly else frozenset())
        job.percent = 50
        return JobState(self.faults.job_end)

    async def _finish(self, job: Job, end: JobState, seconds: float) -> None:
        await self.clock.sleep(seconds)
        job.to(end, self.clock.now())

    def _fail(self, job: Job) -> None:
        assert job.target is not None
        job.to(JobState.FAILED, self.clock.now())
        self.devices[job.target].discard()

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        task.add_done_callback(_say_failure)


def _say_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the server's power: %s", error, exc_info=error)
