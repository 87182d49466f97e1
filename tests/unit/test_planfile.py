"""Plans in a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl import planfile
from sriovctl.errors import UsageError
from sriovctl.plan import Finding, Impact, Plan, Severity, Stage, Step
from sriovctl.planfile import SavedPlan
from sriovctl.wanted import HostWant, PFWant

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
STEPS = st.builds(
    Step,
    link=st.sampled_from(["nics", "pools", "guests"]),
    title=TEXT,
    reason=TEXT,
    do=TEXT,
    check=TEXT,
    undo=TEXT,
    impact=st.sampled_from(Impact),
    affects=st.tuples(TEXT),
)
STAGES = st.builds(Stage, title=TEXT, steps=st.lists(STEPS, max_size=3).map(tuple))
FINDINGS = st.builds(
    Finding,
    severity=st.sampled_from(Severity),
    link=st.just("nics"),
    about=TEXT,
    found=TEXT,
    means=TEXT,
    mend=TEXT,
)
PLANS = st.builds(
    Plan,
    host=TEXT,
    stages=st.lists(STAGES, max_size=2).map(tuple),
    findings=st.lists(FINDINGS, max_size=2).map(tuple),
)


def saved(plan: Plan) -> SavedPlan:
    pf = PFWant(name="em1", by="name", vfs=7, pool="passthrough_em1", autoprobe=False)
    want = HostWant(rack="r", name=plan.host, pfs=(pf,))
    return SavedPlan(want=want, plan=plan, digest=plan.digest, address="192.0.2.7", user="root")


@given(plans=st.lists(PLANS, max_size=3))
def test_what_is_saved_is_loaded(plans: list[Plan]) -> None:
    before = tuple(map(saved, plans))
    assert planfile.load(planfile.save(before)) == before


@given(plan=PLANS)
def test_the_same_plan_gives_the_same_text(plan: Plan) -> None:
    assert planfile.save([saved(plan)]) == planfile.save([saved(plan.model_copy())])


def test_an_edited_plan_is_refused() -> None:
    step = Step(link="nics", title="t", reason="r", do="true", check="true", undo="true")
    plan = Plan(host="h", stages=(Stage(title="s", steps=(step,)),))
    text = planfile.save([saved(plan)]).replace('"do": "true"', '"do": "reboot"')
    with pytest.raises(UsageError, match="does not match its digest") as caught:
        planfile.load(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"format": "sriovctl-plan", "version": 2, "hosts": []}', "null"],
)
def test_what_is_no_plan_file_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no plan file that can be read") as caught:
        planfile.load(text)
    assert "sriovctl plan" in caught.value.mend
