"""The job queue: one BIOS job at a time, one way through its states."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.lab.bmc.jobs import BIOS_TARGET, Job, JobQueue, JobState
from sriovctl.lab.bmc.messages import RefusedError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.lists(st.sampled_from(list(JobState)), max_size=12))
def test_a_job_that_is_over_stays_over(states: list[JobState]) -> None:
    job = Job("JID_000000000001", "BIOSConfiguration", "Configure: BIOS.Setup.1-1", NOW)
    for state in states:
        before = job.state
        try:
            job.to(state, NOW)
        except ValueError:
            assert job.state is before
        else:
            assert not before.terminal
    assert job.state.terminal == (job.ended is not None)


def test_one_bios_job_at_a_time() -> None:
    queue = JobQueue()
    first = queue.configure(BIOS_TARGET, NOW)
    with pytest.raises(RefusedError) as caught:
        queue.configure(BIOS_TARGET, NOW)
    assert caught.value.code == "SYS011"
    for state in (JobState.SCHEDULED, JobState.RUNNING, JobState.COMPLETED):
        first.to(state, NOW)
    queue.configure(BIOS_TARGET, NOW)


def test_each_device_has_a_job_of_its_own() -> None:
    queue = JobQueue()
    first = queue.configure(BIOS_TARGET, NOW)
    second = queue.configure("NIC.Integrated.1-1-1", NOW)
    assert queue.live(BIOS_TARGET) is first
    assert queue.live("NIC.Integrated.1-1-1") is second
    assert (first.kind, second.kind) == ("BIOSConfiguration", "NICConfiguration")


def test_ids_are_twelve_digits_and_never_come_twice() -> None:
    queue = JobQueue()
    ids = [queue.reboot("RebootForce", "Reboot3", NOW).id for _ in range(5)]
    assert len(set(ids)) == 5
    assert all(each.startswith("RID_") and len(each) == 16 for each in ids)
    queue.remove("JID_CLEARALL")
    assert queue.reboot("RebootForce", "Reboot3", NOW).id not in ids


def test_a_running_job_is_only_deleted_by_force() -> None:
    queue = JobQueue()
    job = queue.configure(BIOS_TARGET, NOW)
    job.to(JobState.SCHEDULED, NOW)
    job.to(JobState.RUNNING, NOW)
    with pytest.raises(RefusedError) as caught:
        queue.remove(job.id)
    assert caught.value.code == "RAC1007"
    assert queue.remove("JID_CLEARALL") == []
    assert queue.remove("JID_CLEARALL_FORCE") == [job]
    with pytest.raises(RefusedError):
        queue.get(job.id)
