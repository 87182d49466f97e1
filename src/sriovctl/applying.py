"""``sriovctl apply``: from the command line to each host's result."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from sriovctl import gates, legrun, planfile, reconcile, selection, targets
from sriovctl.errors import HostError, SriovctlError, UnreachableError, UsageError
from sriovctl.gates import Gate
from sriovctl.observer import WAITING, Observer, Silent
from sriovctl.permission import RESTARTS, Leave, check_expected
from sriovctl.plan import Impact, Plan, Severity
from sriovctl.reach import Reach
from sriovctl.reconcile import Outcome, Planner
from sriovctl.rollout import Pace, Result, Rollout, Stop, UntouchedError, Work
from sriovctl.stagerun import Timeouts
from sriovctl.targets import Target
from sriovctl.view.harmless import harmless
from sriovctl.view.progress import Progress
from sriovctl.view.results import print_json, successes
from sriovctl.view.rollout import print_report

INTERRUPTED = 130


def apply(arguments: argparse.Namespace) -> int:
    """``sriovctl apply``: make hosts as wanted, from a rack file or a saved plan."""
    hosts, expected = _hosts(arguments)
    gate = gates.gate(arguments, saved=bool(expected))
    progress = None if arguments.json else Progress(tuple(target.name for target in hosts))
    observer: Observer = progress or Silent()

    def gate_of_wave(wave: Sequence[Target]) -> str | None:
        if progress:
            progress.pause()
        return gate(wave)

    try:
        with Stop(_to_stderr) as stop:
            rollout = Rollout(
                each=partial(
                    targets.each,
                    ssh_config=arguments.ssh_config,
                    connect_s=arguments.connect_timeout,
                    host_s=arguments.host_timeout,
                ),
                work=_work(arguments, observer, stop, expected, gate_of_wave),
                pace=Pace(arguments.batch, arguments.max_failed),
                observer=observer,
                stop=stop,
                tell=progress.tell if progress else _to_stderr,
            )
            results = rollout.run(hosts)
    finally:
        if progress:
            progress.close()
    touched = {n: r for n, r in results.items() if not isinstance(r, UntouchedError)}
    _, code = successes(touched)
    if arguments.json:
        print_json({name: told(result) for name, result in results.items()})
    elif len(hosts) > 1:
        print_report(results)
    if stop.asked:
        return INTERRUPTED
    # hosts that were left alone by a gate have no error of their own
    return code or int(rollout.stopped)


def _work(
    arguments: argparse.Namespace,
    observer: Observer,
    stop: Stop,
    expected: Mapping[str, Plan],
    gate_of_wave: Gate,
) -> Work:
    impacts = frozenset(Impact(word) for word in arguments.allow)
    leave = Leave(
        impacts | RESTARTS if arguments.reboot else impacts,
        arguments.force_off,
        arguments.unnoticed,
    )
    timeouts = Timeouts(
        stage_s=arguments.stage_timeout,
        boot_s=arguments.boot_timeout,
        bond_s=arguments.bond_timeout,
        agent_s=arguments.agent_timeout,
        agent_boot_s=arguments.agent_boot_timeout,
    )

    def planner(reach: Reach) -> Planner:
        return legrun.asked_for(arguments, reach, observer, timeouts)

    def look(reach: Reach, target: Target) -> Outcome | None:
        observer.doing(target.name, "looking")
        try:
            plan = reconcile.plan_now(reach, target.wanted, planner(reach), timeouts=timeouts)
        except UnreachableError:
            # one that is off in the middle of our restart is switched on when its turn has come
            if target.wanted.bmc is None or not leave.of(target.wanted).impacts >= RESTARTS:
                raise
            return None
        if target.name in expected:
            check_expected(plan, expected[target.name])
        observer.planned(target.name, plan)
        leave.of(target.wanted).check(plan)
        if plan.empty:
            observer.finished(target.name, False, 0)
            return Outcome(target.name, plan)
        observer.doing(target.name, WAITING)
        return None

    def change(reach: Reach, target: Target) -> Outcome:
        return reconcile.apply(
            reach,
            target.wanted,
            leave=leave,
            observer=observer,
            confirm_s=math.ceil(arguments.confirm_timeout),
            timeouts=timeouts,
            expected=expected.get(target.name),
            planner=planner(reach),
            begin=partial(stop.begin, target.name),
        )

    return Work(look, change, partial(_gate, timeouts), gate_of_wave)


def _gate(timeouts: Timeouts, reach: Reach, target: Target) -> None:
    """A host that was changed is still as wanted now that its wave is through.

    :raises HostError: it is not
    """
    plan = reconcile.plan_now(reach, target.wanted, timeouts=timeouts)
    said = [step.title for step in plan.steps]
    said += [f.found for f in (*plan.of(Severity.BLOCKED), *plan.of(Severity.ERROR))]
    if said:
        raise HostError(
            f"{target.name}: was as wanted, and is not any more: {'; '.join(said)}",
            "something on the host sets it back, or it did not last",
            f"look: sriovctl check RACK --limit {target.name}",
        )


def _hosts(arguments: argparse.Namespace) -> tuple[tuple[Target, ...], dict[str, Plan]]:
    """The hosts asked for, and the plans that a plan file has of them."""
    saved = _saved_plans(arguments.file)
    if saved is None:
        return targets.of_rack(arguments.file, arguments.limit, arguments.inventory), {}
    if arguments.inventory is not None:
        raise UsageError(
            "--inventory with a saved plan",
            "the plan has the addresses that it was made for",
            "give it to plan -o, or leave it out",
        )
    by_name = {one.want.name: one for one in saved}
    names = selection.chosen(arguments.limit, list(by_name), {}, arguments.file)
    chosen = [by_name[name] for name in names]
    return tuple(map(targets.of_plan, chosen)), {one.want.name: one.plan for one in chosen}


def _saved_plans(file: str) -> tuple[planfile.SavedPlan, ...] | None:
    """The plans of a plan file; None for any other file, which is taken for a rack file."""
    try:
        with Path(file).open("rb") as stream:
            # a rack file may be JSON too, which is YAML
            is_plan = planfile.MARK in stream.read(256)
        if not is_plan:
            return None
        return planfile.load(Path(file).read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def told(result: Result) -> dict[str, object]:
    """How it ended on one host, for programs."""
    if isinstance(result, UntouchedError):
        return {"untouched": result.means}
    if isinstance(result, SriovctlError):
        words = {"found": result.found, "means": result.means, "mend": result.mend}
        return {"error": {**words, "exit_code": result.exit_code}}
    return {
        "changed": result.changed,
        "seconds": round(result.seconds, 3),
        "steps": [step.title for stage in result.stages for step in stage.steps],
        "findings": [f.model_dump(mode="json") for f in result.plan.findings],
    }


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{harmless(text)}\n")
