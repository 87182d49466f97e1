"""One host's loop: probe, plan, run the first stage, again, until the plan is empty."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sriovctl import chain, probe
from sriovctl.errors import BlockedError, DiffersError, ProbeError, TransactionError
from sriovctl.host import HostState
from sriovctl.observer import Observer
from sriovctl.plan import Impact, Plan, Severity, Stage, Step
from sriovctl.reach import Reach
from sriovctl.stagerun import Timeouts, run_stage
from sriovctl.wanted import HostWant

MOST_ROUNDS = 8
"""Stages run for one host in one go: each link's worth and a reboot, with room to spare."""

CUTTING_LINKS = frozenset({"nics", "bonds"})
"""Links whose steps can cut off a connection that goes over the port that they change."""


@dataclass(frozen=True)
class Outcome:
    """A host that is as wanted now."""

    host: str
    plan: Plan
    """The first one: what differed."""
    stages: tuple[Stage, ...] = ()
    """Those that were run; none: there was nothing to do."""
    seconds: float = field(default=0.0, compare=False)

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.stages)


Planner = Callable[[HostWant, HostState], Plan]


def look(reach: Reach, *, timeout_s: float = Timeouts.probe_s) -> HostState:
    """Probe a host once.

    :param timeout_s: seconds for the whole of it
    :raises UnreachableError: no way to the host
    :raises ProbeError: its answer cannot be read
    """
    output = reach.run(probe.script(), timeout_s=timeout_s)
    try:
        return probe.parse(output.stdout)
    except ProbeError as error:
        error.found = f"{reach.name}: {error.found}"
        if output.stderr.strip():
            error.found += f"; it said: {output.stderr.strip().splitlines()[-1]}"
        raise


def apply(
    reach: Reach,
    want: HostWant,
    *,
    allow: frozenset[Impact] = frozenset(),
    observer: Observer,
    confirm_s: int = 60,
    timeouts: Timeouts | None = None,
    expected: Plan | None = None,
    planner: Planner = chain.plan,
) -> Outcome:
    """Make a host as wanted, stage by stage; with nothing to do it is probed once and that is all.

    :param allow: impacts on running VMs that were asked for
    :param confirm_s: seconds in which a remote host must be reached again after a change of its
        ports; else it undoes the change
    :param expected: a saved plan; anything else is refused
    :raises BlockedError: something in use stands in the way, or another run is at work
    :raises DiffersError: it cannot be as wanted, or is not what the saved plan was made for
    :raises TransactionError: a step failed; says whether everything was undone
    :raises HostError: no way to the host, no answer, no room on its disk
    """
    timeouts = timeouts or Timeouts()
    began = time.monotonic()
    done: list[Stage] = []
    first: Plan | None = None
    try:
        while True:
            plan = planner(want, look(reach, timeout_s=timeouts.probe_s))
            if first is None:
                first = plan
                if expected is not None:
                    check_expected(plan, expected)
            observer.planned(reach.name, plan)
            check_permitted(plan, allow)
            if plan.empty:
                break
            stage = plan.stages[0]
            _check_progress(reach.name, stage, done)
            wait = confirm_s if reach.remote and may_cut_off(stage) else 0
            run_stage(reach, stage, confirm_s=wait, observer=observer, timeouts=timeouts)
            done.append(stage)
    except BaseException as error:
        observer.failed(reach.name, error)
        raise
    outcome = Outcome(reach.name, first, tuple(done), time.monotonic() - began)
    observer.finished(outcome.host, outcome.changed, outcome.seconds)
    return outcome


def may_cut_off(stage: Stage) -> bool:
    """Whether the way to a remote host could go over a port that this stage changes."""
    return any(
        step.link in CUTTING_LINKS and step.impact.rank >= Impact.LINK_BLIP.rank
        for step in stage.steps
    )


def check_permitted(plan: Plan, allow: frozenset[Impact]) -> None:
    """Refuse a plan that must not be applied as it is.

    :raises BlockedError: something in use stands in the way, or an impact was not asked for
    :raises DiffersError: something cannot be as wanted
    """
    for severity, error, means in (
        (Severity.BLOCKED, BlockedError, "something in use stands in the way; nothing was changed"),
        (Severity.ERROR, DiffersError, "it cannot be as the rack file wants; nothing was changed"),
    ):
        findings = plan.of(severity)
        if findings:
            raise error(
                "\n".join(f"{plan.host}: {f.about}: {f.found}" for f in findings),
                "; ".join(dict.fromkeys(f.means for f in findings if f.means)) or means,
                "; ".join(dict.fromkeys(f.mend for f in findings if f.mend)),
            )
    refused = [step for step in plan.steps if needs_allowance(step) and step.impact not in allow]
    if refused:
        flags = " ".join(dict.fromkeys(f"--allow {step.impact.value}" for step in refused))
        raise BlockedError(
            "\n".join(
                f"{plan.host}: {step.title} would be a {step.impact.value} for "
                f"{', '.join(step.affects)}"
                for step in refused
            ),
            "that is not done without being asked for; nothing was changed",
            f"if it may be: {flags}",
        )


def needs_allowance(step: Step) -> bool:
    """More than a blip, and somebody is there to feel it."""
    return bool(step.affects) and step.impact.rank > Impact.LINK_BLIP.rank


def check_expected(plan: Plan, expected: Plan) -> None:
    """Refuse a plan that is not the saved one.

    :raises DiffersError: with the steps that came and went
    """
    if plan.digest == expected.digest:
        return
    now = {step.title: step for step in plan.steps}
    then = {step.title: step for step in expected.steps}
    changes = [f"no longer: {title}" for title in then if title not in now]
    changes += [f"new: {title}" for title in now if title not in then]
    changes += [f"other: {title}" for title in now if title in then and now[title] != then[title]]
    changes += [f"found: {f.about}: {f.found}" for f in plan.findings if f not in expected.findings]
    changes += [
        f"no longer found: {f.about}: {f.found}"
        for f in expected.findings
        if f not in plan.findings
    ]
    raise DiffersError(
        f"{plan.host}: the plan is not the saved one any more"
        + "".join(f"\n  {change}" for change in changes),
        "the host has moved on since the plan was saved; nothing was changed",
        "make the plan again: sriovctl plan RACK -o FILE",
    )


def _check_progress(host: str, stage: Stage, done: list[Stage]) -> None:
    if stage in done:
        titles = "\n".join(f"  {step.title}" for step in stage.steps)
        raise TransactionError(
            f"{host}: these steps were done and checked, but do not hold:\n{titles}",
            "something on the host sets it back, such as a network manager",
            "see the findings of: sriovctl check RACK",
        )
    if len(done) >= MOST_ROUNDS:
        raise TransactionError(
            f"{host}: still not as wanted after {len(done)} stages; next would be: {stage.title}",
            "the plan does not come to an end",
            "run: sriovctl plan RACK",
        )
