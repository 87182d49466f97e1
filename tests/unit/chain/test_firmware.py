"""Link firmware: what it plans and which move it makes, from states alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.chain.firmware import Commit, Done, Move, Restart, Stage, Wait, next_move, plan
from sriovctl.firmware import (
    BIOS,
    Absent,
    FirmwareState,
    FirmwareWant,
    Job,
    JobState,
    Pending,
    Setting,
)
from sriovctl.plan import Impact, Severity

WANT = FirmwareWant()


def setting(name: str = "SriovGlobalEnable", value: str = "Disabled", **more: Any) -> Setting:
    facts: dict[str, Any] = {
        "device": BIOS,
        "intents": ("sriov",),
        "on": ("Enabled",),
        "display": "SR-IOV Global Enable",
    }
    return Setting(name=name, value=value, **(facts | more))


def state(*settings: Setting, **more: Any) -> FirmwareState:
    pending = tuple(
        Pending(device=s.device, name=s.name, value=s.pending)
        for s in settings
        if s.pending is not None
    )
    facts: dict[str, Any] = {
        "via": "redfish",
        "vendor": "dell",
        "needs_job": True,
        "jobs": (),
        "power": "on",
        "pending": pending,
    }
    return FirmwareState(settings=settings, **(facts | more))


def job(state: JobState, device: str | None = BIOS) -> Job:
    return Job(id="JID_1", name=f"Configure: {device}", state=state, device=device)


OFF = setting()
STAGED = setting(pending="Enabled")
HOLDS = setting(value="Enabled")


@pytest.mark.parametrize(
    ("have", "move"),
    [
        (state(HOLDS), Done()),
        (state(HOLDS, jobs=None), Done()),
        (state(OFF), Stage(BIOS, {"SriovGlobalEnable": "Enabled"})),
        (state(STAGED), Commit(BIOS)),
        (state(STAGED, needs_job=False, jobs=None), Restart()),
        (state(STAGED, jobs=(job(JobState.NEW),)), Wait(job(JobState.NEW))),
        (state(STAGED, jobs=(job(JobState.SCHEDULED),)), Restart()),
        (state(STAGED, jobs=(job(JobState.SCHEDULED),), power="off"), Restart()),
        (state(STAGED, jobs=(job(JobState.RUNNING),)), Wait(job(JobState.RUNNING))),
        # values show before the job is over
        (state(HOLDS, jobs=(job(JobState.RUNNING),)), Wait(job(JobState.RUNNING))),
        (state(HOLDS, jobs=(job(JobState.DONE),)), Done()),
        # an old failure is history
        (state(OFF, jobs=(job(JobState.FAILED),)), Stage(BIOS, {"SriovGlobalEnable": "Enabled"})),
        # what works now is not cut short by our restart
        (
            state(
                STAGED,
                jobs=(
                    job(JobState.SCHEDULED),
                    Job(id="JID_2", name="Firmware Update", state=JobState.RUNNING),
                ),
            ),
            Wait(Job(id="JID_2", name="Firmware Update", state=JobState.RUNNING)),
        ),
    ],
)
def test_moves(have: FirmwareState, move: Move) -> None:
    assert next_move(WANT, have) == move


def test_no_second_restart_unless_it_is_off() -> None:
    have = state(STAGED, jobs=(job(JobState.SCHEDULED),))
    assert next_move(WANT, have, restarted=True) == Wait(job(JobState.SCHEDULED))
    off = have.model_copy(update={"power": "off"})
    assert next_move(WANT, off, restarted=True) == Restart()


def test_several_devices_share_one_restart() -> None:
    nic = "NIC.Integrated.1-1-1"
    want = FirmwareWant(nics=(nic,))
    port = setting("VirtualizationMode", "NONE", device=nic, intents=("nic",), on=("SRIOV",))
    assert next_move(want, state(STAGED, port)) == Stage(nic, {"VirtualizationMode": "SRIOV"})
    staged = port.model_copy(update={"pending": "SRIOV"})
    one = state(STAGED, staged, jobs=(job(JobState.SCHEDULED),))
    assert next_move(want, one) == Commit(nic)


def test_a_plan_of_changes() -> None:
    planned = plan(WANT, state(OFF, setting("ProcVirtualization", pending="Enabled")))
    assert [(c.name, c.before, c.after, c.staged) for c in planned.changes] == [
        ("SriovGlobalEnable", "Disabled", "Enabled", False),
        ("ProcVirtualization", "Disabled", "Enabled", True),
    ]
    assert planned.impact is Impact.POWER_CYCLE
    assert not planned.findings
    assert "Disabled → Enabled" in str(planned.changes[0])
    assert plan(WANT, state(HOLDS)).impact is Impact.NONE


def test_what_is_not_asked_for_is_not_planned() -> None:
    assert not plan(FirmwareWant(intents=("iommu",)), state(OFF)).changes


@pytest.mark.parametrize(
    ("have", "severity", "word"),
    [
        (state(setting(read_only=True, depends=("Boot Mode",))), Severity.ERROR, "Boot Mode"),
        (state(setting(read_only=True)), Severity.ERROR, "read-only"),
        (state(setting(allowed=("Auto",))), Severity.ERROR, "allows only Auto"),
        (
            state(absent=(Absent(device=BIOS, intent="sriov", tried=("Sriov",), screen="PCI"),)),
            Severity.ERROR,
            "PCI",
        ),
        (state(OFF, registry=False), Severity.WARNING, "registry"),
        (
            state(OFF, jobs=(job(JobState.SCHEDULED, "RAID.Slot.1-1"),)),
            Severity.WARNING,
            "RAID",
        ),
        (state(OFF, jobs=(job(JobState.SCHEDULED),)), Severity.BLOCKED, "JID_1"),
        (
            state(OFF, pending=(Pending(device=BIOS, name="MemTest", value="Enabled"),)),
            Severity.BLOCKED,
            "MemTest=Enabled",
        ),
        (state(setting(value="Enabled", pending="Disabled")), Severity.BLOCKED, "Disabled"),
        (
            state(HOLDS, pending=(Pending(device=BIOS, name="MemTest", value="Enabled"),)),
            Severity.INFO,
            "MemTest=Enabled",
        ),
    ],
)
def test_findings(have: FirmwareState, severity: Severity, word: str) -> None:
    found = plan(WANT, have).findings
    assert [f.severity for f in found] == [severity]
    assert word in " ".join((found[0].found, found[0].means, found[0].mend))
    assert found[0].link == "firmware"


def test_what_holds_may_be_read_only_and_of_any_value_allowed() -> None:
    assert not plan(WANT, state(setting(value="Enabled", read_only=True))).findings


settings = st.builds(
    setting,
    name=st.sampled_from(["A", "B"]),
    value=st.sampled_from(["Enabled", "Disabled"]),
    pending=st.sampled_from([None, "Enabled", "Disabled"]),
    read_only=st.sampled_from([None, False, True]),
)
states = st.builds(
    lambda some, queue, needs, power: state(*some, jobs=queue, needs_job=needs, power=power),
    st.lists(settings, max_size=2, unique_by=lambda s: s.name),
    st.one_of(st.none(), st.lists(st.builds(job, st.sampled_from(JobState)), max_size=1)),
    st.booleans(),
    st.sampled_from([None, "on", "off"]),
)


@given(states, st.booleans())
def test_done_is_only_said_of_what_holds(have: FirmwareState, restarted: bool) -> None:
    planned = plan(WANT, have)
    if planned.of(Severity.ERROR) or planned.of(Severity.BLOCKED):
        return
    move = next_move(WANT, have, restarted)
    if isinstance(move, Done):
        assert not planned.changes
        assert all(s.pending in (None, s.value) for s in have.settings)
        running = have.live(BIOS)
        assert running is None or not have.settings or running.state is not JobState.RUNNING
    if isinstance(move, Stage):
        assert have.live(BIOS) is None
        assert move.values
    if isinstance(move, Restart):
        assert planned.changes


@given(states)
def test_somebody_elses_value_is_never_staged_over(have: FirmwareState) -> None:
    theirs = {p.name for p in have.pending if p.value != "Enabled"}
    if theirs:
        assert plan(WANT, have).of(Severity.BLOCKED)
