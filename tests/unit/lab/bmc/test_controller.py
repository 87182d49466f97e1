"""The iDRAC without its protocols: settings pend, jobs apply, power obeys; the clock by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION
from sriovctl.lab.bmc.chassis import Ended, FakeChassis
from sriovctl.lab.bmc.clock import HandClock, Timing
from sriovctl.lab.bmc.controller import Action, Controller, Reboot
from sriovctl.lab.bmc.jobs import JobState
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.personality import IDRAC9

WANTED = {VIRTUALIZATION: "Enabled", SRIOV: "Enabled"}
TIMING = Timing(schedule=2, stay_off=5, apply=60, finish=30, graceful=300)

Scene = Callable[[Controller, FakeChassis, HandClock], Awaitable[None]]


def play(scene: Scene, *, on: bool = True, **more: Any) -> None:
    """Run a scene on a controller with a clock that only the scene turns."""

    async def run() -> None:
        chassis, clock = FakeChassis(on), HandClock()
        controller = Controller(IDRAC9, chassis, clock=clock, timing=TIMING, **more)
        await controller.start()
        try:
            async with asyncio.timeout(20):
                await scene(controller, chassis, clock)
        finally:
            await controller.stop()

    asyncio.run(run())


async def turn(clock: HandClock, seconds: float) -> None:
    """Wait until something takes exactly so long, then let the time pass."""
    await clock.asleep(seconds)
    clock.advance(seconds)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value.code


def test_without_a_job_a_power_cycle_changes_nothing() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.stage(WANTED)
        await controller.reset(Action.POWER_CYCLE)
        await turn(clock, 5)
        await chassis.wait_boots(1)
        assert chassis.boots[0][VIRTUALIZATION] == "Disabled"
        assert controller.bios.pending == WANTED

    play(scene)


def test_a_job_applies_at_the_next_start_and_not_before() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.stage(WANTED)
        job = controller.commit()
        states = [job.state]
        clock.advance(2)
        controller.settle()
        assert [*states, job.state] == [JobState.NEW, JobState.SCHEDULED]
        clock.advance(100_000)
        assert controller.bios.current[SRIOV] == "Disabled"
        await controller.reset(Action.POWER_CYCLE)
        assert not chassis.on
        await turn(clock, 5)
        await clock.asleep(60)
        assert job.state is JobState.RUNNING
        assert controller.bios.current[SRIOV] == "Disabled"
        assert await controller.power() == "on"
        clock.advance(60)
        await chassis.wait_boots(1)
        # the trap: values look done, the job is not
        await clock.asleep(30)
        assert controller.bios.current[SRIOV] == "Enabled"
        assert not controller.bios.pending
        assert job.state is JobState.RUNNING
        assert refused(lambda: controller.stage({SRIOV: "Disabled"})) == "SYS011"
        clock.advance(30)
        await until(lambda: job.state is JobState.COMPLETED)
        assert chassis.boots[0][SRIOV] == chassis.boots[0][VIRTUALIZATION] == "Enabled"

    play(scene)


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "restart",
    [Action.FORCE_RESTART, Action.POWER_CYCLE, Action.GRACEFUL_RESTART, None, "by its system"],
)
def test_every_kind_of_restart_takes_the_job_along(restart: Action | str | None) -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.stage(WANTED)
        job = controller.commit()
        if restart is None:
            await controller.reset(Action.FORCE_OFF)
            await controller.reset(Action.ON)
        elif isinstance(restart, Action):
            await controller.reset(restart)
        else:
            chassis.stop(Ended.RESET)
        if restart in (Action.FORCE_RESTART, Action.POWER_CYCLE):
            await turn(clock, 5)
        await turn(clock, 60)
        await chassis.wait_boots(1)
        await turn(clock, 30)
        await until(lambda: job.state is JobState.COMPLETED)
        assert chassis.boots[-1][SRIOV] == "Enabled"

    play(scene)


def test_a_system_that_shuts_down_stays_off() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        await controller.reset(Action.GRACEFUL_SHUTDOWN)
        assert await chassis.wait_off() is Ended.SHUTDOWN
        await until_off(controller)
        with pytest.raises(RefusedError):
            await controller.reset(Action.POWER_CYCLE)
        await controller.reset(Action.PUSH_BUTTON)
        await chassis.wait_boots(1)
        with pytest.raises(RefusedError) as caught:
            await controller.reset(Action.ON)
        assert caught.value.code == "PSU501"

    play(scene)


async def until_off(controller: Controller) -> None:
    while await controller.power() == "on":
        await asyncio.sleep(0)


@pytest.mark.parametrize("how", list(Reboot))
def test_a_jobs_own_reboot(how: Reboot) -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.stage(WANTED)
        job = controller.commit()
        reboot = controller.reboot(how)
        assert reboot.id.startswith("RID_")
        await turn(clock, 2)
        if how is Reboot.POWER_CYCLE:
            await turn(clock, 5)
        await turn(clock, 60)
        await chassis.wait_boots(1)
        await turn(clock, 30)
        await until(lambda: job.state is JobState.COMPLETED)
        assert reboot.state is JobState.REBOOT_COMPLETED

    play(scene)


@pytest.mark.parametrize("how", [Reboot.GRACEFUL, Reboot.FORCED])
def test_a_system_that_does_not_obey(how: Reboot) -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        chassis.obeys.clear()
        controller.stage(WANTED)
        job = controller.commit()
        reboot = controller.reboot(how)
        await turn(clock, 2)
        await turn(clock, 300)
        if how is Reboot.GRACEFUL:
            await until(lambda: reboot.state.terminal)
            assert reboot.state is JobState.REBOOT_FAILED
            assert job.state is JobState.SCHEDULED
            assert chassis.on
            assert not chassis.boots
        else:
            await turn(clock, 5)
            await turn(clock, 60)
            await chassis.wait_boots(1)
            assert reboot.state is JobState.REBOOT_COMPLETED

    play(scene)


def test_a_failed_job_changes_nothing_and_forgets_what_was_pending() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.faults.job_end = "Failed"
        controller.stage(WANTED)
        job = controller.commit()
        await controller.reset(Action.GRACEFUL_RESTART)
        await turn(clock, 60)
        await chassis.wait_boots(1)
        assert (job.state, job.message_id) == (JobState.FAILED, "PR21")
        assert chassis.boots[0][SRIOV] == "Disabled"
        assert not controller.bios.pending

    play(scene)


def test_a_job_with_errors_leaves_one_value_as_it_was() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.faults.job_end = "CompletedWithErrors"
        controller.stage(WANTED)
        job = controller.commit()
        await controller.reset(Action.GRACEFUL_RESTART)
        await turn(clock, 60)
        await turn(clock, 30)
        await until(lambda: job.state is JobState.COMPLETED_WITH_ERRORS)
        assert chassis.boots[0][VIRTUALIZATION] == "Enabled"
        assert chassis.boots[0][SRIOV] == "Disabled"

    play(scene)


def test_power_cut_in_the_middle_of_a_job() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.stage(WANTED)
        job = controller.commit()
        await controller.reset(Action.GRACEFUL_RESTART)
        await clock.asleep(60)
        await controller.reset(Action.FORCE_OFF)
        assert job.state is JobState.FAILED
        assert await controller.power() == "off"
        assert controller.bios.current[SRIOV] == "Disabled"

    play(scene)


def test_a_slow_job_takes_longer_before_and_after() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.faults.slow_job = 600
        controller.stage(WANTED)
        controller.commit()
        await controller.reset(Action.GRACEFUL_RESTART)
        await turn(clock, 360)
        await chassis.wait_boots(1)
        await turn(clock, 330)

    play(scene)


def test_deleting_the_job_deletes_what_was_pending() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.stage(WANTED)
        job = controller.commit()
        assert refused(controller.discard) == "SYS011"
        controller.delete_job(job.id)
        assert not controller.bios.pending
        assert refused(controller.discard) == "RAC1035"
        assert refused(controller.commit) == "RAC1035"
        assert refused(lambda: controller.delete_job(job.id)) == "RAC1030"

    play(scene)


@pytest.mark.parametrize(("lifecycle", "code"), [("busy", "RED023"), ("disabled", "RAC1155")])
def test_lifecycle_controller_refuses(lifecycle: str, code: str) -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.faults.set("lifecycle", lifecycle)
        controller.stage(WANTED)
        assert refused(controller.commit) == code
        controller.faults.set("lifecycle", "ready")
        controller.commit()

    play(scene)


def test_lifecycle_controller_in_use_keeps_a_job_waiting() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.faults.lifecycle = "waiting"
        controller.stage(WANTED)
        job = controller.commit()
        clock.advance(1000)
        controller.settle()
        assert (job.state, job.message_id) == (JobState.NEW, "JCP024")
        await controller.reset(Action.FORCE_OFF)
        await controller.reset(Action.ON)
        await chassis.wait_boots(1)
        assert chassis.boots[0][SRIOV] == "Disabled"
        controller.faults.lifecycle = "ready"
        controller.settle()
        assert job.state is JobState.SCHEDULED

    play(scene)


def test_a_power_cut_waits_for_a_start_that_is_under_way() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        chassis.may_start.clear()
        await controller.reset(Action.ON)
        await asyncio.sleep(0)
        cut = asyncio.create_task(controller.reset(Action.FORCE_OFF))
        await asyncio.sleep(0)
        chassis.may_start.set()
        await cut
        assert not chassis.on
        assert await controller.power() == "off"

    play(scene, on=False)


def test_a_button_pressed_during_post_is_heard_when_the_machine_runs() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        chassis.may_start.clear()
        await controller.reset(Action.ON)
        await controller.reset(Action.GRACEFUL_RESTART)
        await asyncio.sleep(0)
        chassis.may_start.set()
        await chassis.wait_boots(2)
        assert await controller.power() == "on"

    play(scene, on=False)


def test_two_power_cycles_at_once_end_in_one_machine() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        await asyncio.gather(*(controller.reset(Action.POWER_CYCLE) for _ in range(2)))
        await turn(clock, 5)
        await chassis.wait_boots(1)
        await controller.reset(Action.FORCE_OFF)
        assert await controller.power() == "off"
        assert len(chassis.boots) == 1

    play(scene)


class Broken(FakeChassis):
    """Does not start, until it is mended."""

    broken = True

    async def power_on(self, bios: Mapping[str, str]) -> None:
        if self.broken:
            raise OSError("no QEMU")
        await super().power_on(bios)


def test_a_machine_that_does_not_start_is_off(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        chassis = Broken(on=False)
        controller = Controller(IDRAC9, chassis, clock=HandClock())
        await controller.start()
        await controller.reset(Action.ON)
        async with asyncio.timeout(20):
            await until_off(controller)
        chassis.broken = False
        await controller.reset(Action.ON)
        async with asyncio.timeout(20):
            await chassis.wait_boots(1)
        await controller.stop()

    asyncio.run(run())
    assert "no QEMU" in caplog.text


def test_a_reset_that_is_refused() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        controller.faults.reset_refused = True
        with pytest.raises(RefusedError):
            await controller.reset(Action.POWER_CYCLE)
        assert chassis.on

    play(scene)


def test_it_takes_over_a_server_that_is_off() -> None:
    async def scene(controller: Controller, chassis: FakeChassis, clock: HandClock) -> None:
        assert await controller.power() == "off"
        await controller.reset(Action.ON)
        assert await controller.power() == "on"
        await chassis.wait_boots(1)

    play(scene, on=False, bare=False)
