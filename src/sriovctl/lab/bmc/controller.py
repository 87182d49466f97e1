"""The iDRAC itself, without its protocols: settings, job queue, power of one server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from enum import StrEnum

from sriovctl.lab.bmc.attributes import Nic, Value, bios_attributes, nic_attributes
from sriovctl.lab.bmc.chassis import Chassis, PowerState
from sriovctl.lab.bmc.clock import Clock, Timing, WallClock
from sriovctl.lab.bmc.faults import Faults
from sriovctl.lab.bmc.jobs import BIOS_TARGET, Job, JobQueue, JobState, Kind
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.personality import Personality
from sriovctl.lab.bmc.power import Errands, Power
from sriovctl.lab.bmc.settings import Settings


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
        self._power = Power(chassis, self.clock, self.timing, self._post, self._started)
        self._ends: list[tuple[Job, JobState]] = []
        """Jobs whose values show, and how they will end."""
        self._orders = asyncio.Lock()
        """Held while an order is looked at and begun: two at once would start two machines."""
        self._errands = Errands()

    async def start(self) -> None:
        """Take over a server that may run already."""
        await self._power.start()

    async def stop(self) -> None:
        """The BMC goes away; the server stays as it is."""
        await self._errands.stop()
        await self._power.stop()

    def restore(self, values: Mapping[str, str]) -> None:
        """Take over the values that the machine last started with, as its chassis got them."""
        for name, text in values.items():
            target, _, attribute = name.rpartition("#")
            self.devices[target or BIOS_TARGET].restore(attribute, text)

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
        self._errands.run(self._run_reboot(job, how))
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

    async def power(self) -> PowerState:
        """On from the moment it is switched on, not only when its system runs."""
        return await self._power.state()

    @property
    def starts(self) -> int:
        """So many times this BMC has started the machine."""
        return self._power.starts

    async def wait_starts(self, count: int) -> None:
        """Wait until it has started the machine so many times."""
        await self._power.wait_starts(count)

    async def reset(self, action: Action) -> None:
        """Do it, or begin to; :meth:`power` and the jobs tell how it went.

        :raises RefusedError: the server has that state already, or the fault ``reset_refused``
        """
        async with self._orders:
            await self._reset(action)

    async def _reset(self, action: Action) -> None:
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
                self._power.on()
            case Action.FORCE_OFF:
                await self._power.off()
            case Action.FORCE_RESTART | Action.POWER_CYCLE:
                await self._power.cycle()
            case Action.GRACEFUL_SHUTDOWN:
                self._power.press_soon()
            case Action.GRACEFUL_RESTART:
                self._errands.run(self._restart())

    async def _restart(self) -> None:
        await self._power.restart()

    async def _run_reboot(self, job: Job, how: Reboot) -> None:
        await self.clock.sleep(self.timing.schedule)
        self.settle()
        if job.state is JobState.NEW:  # by the hair of a clock
            job.to(JobState.SCHEDULED, self.clock.now())
        job.to(JobState.RUNNING, self.clock.now())
        going = await self._do_reboot(how)
        job.to(JobState.REBOOT_COMPLETED if going else JobState.REBOOT_FAILED, self.clock.now())

    async def _do_reboot(self, how: Reboot) -> bool:
        """Whether the server restarts."""
        if self.faults.reset_refused:
            return False
        if await self.power() == "off":
            await self.reset(Action.ON)
            return True
        if how is not Reboot.POWER_CYCLE and await self._power.restart():
            return True
        if how is Reboot.GRACEFUL:
            return False
        async with self._orders:
            await self._power.cycle()
        return True

    async def _post(self) -> dict[str, str]:
        """The server's POST: what is scheduled runs, and its values show.

        :returns: what the machine starts with
        """
        self.settle(starting=True)
        due = [job for job in self.jobs.jobs if job.configures and job.state is JobState.SCHEDULED]
        for job in due:
            job.to(JobState.RUNNING, self.clock.now())
        if due:
            try:
                await self.clock.sleep(self.timing.apply + self.faults.slow_job / 2)
            except asyncio.CancelledError:
                for job in due:
                    self._fail(job)
                raise
        for job in due:
            self._apply(job)
        return self._switches()

    def _switches(self) -> dict[str, str]:
        """What the machine starts with: BIOS values by name, a port's as ``<FQDD>#<name>``."""
        return self.bios.switches() | {
            f"{fqdd}#{name}": value
            for fqdd in self.nics
            for name, value in self.devices[fqdd].switches().items()
        }

    def _apply(self, job: Job) -> None:
        """The values show from here on, a while before the job is over."""
        if self.faults.job_end == "Failed":
            self._fail(job)
            return
        assert job.target is not None
        device = self.devices[job.target]
        # with errors: one of them did not take, the last by name
        partly = self.faults.job_end == "CompletedWithErrors"
        device.apply(leave=frozenset(sorted(device.pending)[-1:]) if partly else frozenset())
        job.percent = 50
        self._ends.append((job, JobState(self.faults.job_end)))

    def _started(self) -> None:
        ends, self._ends = self._ends, []
        for job, end in ends:
            self._errands.run(self._finish(job, end))

    async def _finish(self, job: Job, end: JobState) -> None:
        await self.clock.sleep(self.timing.finish + self.faults.slow_job / 2)
        job.to(end, self.clock.now())

    def _fail(self, job: Job) -> None:
        assert job.target is not None
        job.to(JobState.FAILED, self.clock.now())
        self.devices[job.target].discard()
