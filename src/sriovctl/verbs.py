"""What the commands do: get the facts, have them drawn or carried out, give the exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sriovctl import chain, legrun, looked, permission, planfile, reconcile, targets
from sriovctl.errors import SriovctlError, UsageError
from sriovctl.host import HostState
from sriovctl.observer import Silent
from sriovctl.plan import Finding, Impact, Plan, Severity
from sriovctl.reach import Reach, encode
from sriovctl.reconcile import Planner
from sriovctl.stagerun import Timeouts
from sriovctl.targets import Target
from sriovctl.transaction import compile_stage
from sriovctl.view.results import print_json, successes

T = TypeVar("T")

DIFFERS = 3
BLOCKED = 4


def show(arguments: argparse.Namespace) -> int:
    """``sriovctl show``: each host's chain as one probe found it."""
    several = arguments.rack or arguments.inventory
    if several is not None and arguments.host is not None:
        raise UsageError(
            "both a host and --rack or --inventory",
            "",
            "show a host of the rack with --rack FILE --limit HOST",
        )
    if arguments.limit and several is None:
        raise UsageError(
            "--limit without --rack", "it names hosts of a rack file", "add --rack or --inventory"
        )
    if arguments.rack is not None:
        hosts = targets.of_rack(arguments.rack, arguments.limit, arguments.inventory)
    elif arguments.inventory is not None:
        hosts = targets.of_inventory(arguments.inventory, arguments.limit)
    else:
        hosts = (targets.of_host(arguments.host),)
    results = _each(hosts, _look, arguments)
    states, code = successes(results)
    if arguments.json:
        print_json({name: state.model_dump(mode="json") for name, state in states.items()})
        return code
    from sriovctl.view.tables import print_host

    for number, state in enumerate(states.values()):
        if number:
            sys.stdout.write("\n")
        print_host(state)
    return code


def _each(
    hosts: Sequence[Target],
    work: Callable[[Reach, Target], T],
    arguments: argparse.Namespace,
    *,
    need_root: bool = False,
) -> dict[str, T | SriovctlError]:
    return targets.each(
        hosts,
        work,
        ssh_config=arguments.ssh_config,
        connect_s=arguments.connect_timeout,
        need_root=need_root,
    )


def _look(reach: Reach, target: Target) -> HostState:
    return reconcile.look(reach)


@dataclass(frozen=True)
class _Planned:
    """A host's plan, and what changes by itself, so that no plan has it."""

    plan: Plan
    unmended: tuple[Finding, ...]

    @property
    def told(self) -> Plan:
        """The plan as a person is told of it."""
        findings = (*self.plan.findings, *self.unmended)
        return self.plan.model_copy(update={"findings": findings})

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is not as wanted inside its VMs and at its cables."""
        return tuple(f for f in self.unmended if f.severity is Severity.WARNING)


def _plans(
    arguments: argparse.Namespace,
    planner: Callable[[Reach], Planner] = lambda _: chain.plan,
    *,
    need_root: bool = False,
) -> tuple[tuple[Target, ...], dict[str, _Planned], int]:
    hosts = targets.of_rack(arguments.rack, arguments.limit, arguments.inventory)

    timeouts = Timeouts(agent_s=arguments.agent_timeout)

    def work(reach: Reach, target: Target) -> _Planned:
        have = reconcile.look(reach)
        return _Planned(
            *looked.judged(reach, target.wanted, have, planner(reach), timeouts=timeouts)
        )

    results = _each(hosts, work, arguments, need_root=need_root)
    plans, code = successes(results)
    return hosts, plans, max([code, *(_exit_code(one.plan) for one in plans.values())])


def _exit_code(plan: Plan) -> int:
    if plan.of(Severity.BLOCKED):
        return BLOCKED
    return DIFFERS if plan.steps or plan.of(Severity.ERROR) else 0


def check(arguments: argparse.Namespace) -> int:
    """``sriovctl check``: does anything differ, and what was found."""
    if arguments.all and arguments.limit:
        raise UsageError("--all with --limit", "", "leave one of them out")
    _, plans, code = _plans(arguments)
    if any(one.warnings for one in plans.values()):
        code = max(code, DIFFERS)
    if arguments.json:
        print_json({name: one.told.model_dump(mode="json") for name, one in plans.items()})
        return code
    from sriovctl.view.plans import print_check, print_differing

    for one in plans.values():
        if arguments.all:
            print_differing(one.plan, one.warnings)
        else:
            print_check(one.told)
    return code


def plan(arguments: argparse.Namespace) -> int:
    """``sriovctl plan``: every step with its reason, or the script, or a file for apply."""
    once = Timeouts(bond_s=0, agent_s=arguments.agent_timeout)
    hosts, planned, code = _plans(
        arguments,
        lambda reach: legrun.asked_for(arguments, reach, Silent(), once),
        # apply takes a saved plan only where it finds the same again, and it finds what root finds
        need_root=arguments.output is not None,
    )
    plans = {name: one.plan for name, one in planned.items()}
    if arguments.output is not None:
        _save(arguments.output, hosts, plans)
    if arguments.script:
        _print_scripts(plans.values())
    elif arguments.json:
        print_json({name: one.told.model_dump(mode="json") for name, one in planned.items()})
    else:
        from sriovctl.view.plans import print_plan

        for one in planned.values():
            print_plan(one.told)
    return code


def _print_scripts(plans: Iterable[Plan]) -> None:
    """The script of the one plan that has one.

    :raises UsageError: several have: only the first would run, as it ends in an exit
    :raises SriovctlError: it must not be applied as it is; a script cannot look first
    """
    plans = tuple(plans)
    for plan in plans:
        # an impact is written beside its step, and who runs the script has read it
        permission.check_permitted(plan, frozenset(Impact))
    whole = [plan for plan in plans if not plan.empty]
    if len(whole) > 1:
        raise UsageError(
            f"a script each for {', '.join(plan.host for plan in whole)}",
            "a script is one host's",
            "ask for one host after the other: --limit HOST",
        )
    for plan in whole:
        stage = plan.stages[0]
        if stage.kind != "transaction":
            raise UsageError(
                f"{plan.host}: {stage.title} comes first",
                "it is no script on the host",
                "reboot it by hand, then ask again"
                if stage.kind == "reboot"
                else "run: sriovctl apply --reboot",
            )
        # the very bytes that would run, whatever letters the terminal has
        sys.stdout.flush()
        sys.stdout.buffer.write(encode(compile_stage(stage, host=plan.host)))


def _save(output: str, hosts: tuple[Target, ...], plans: Mapping[str, Plan]) -> None:
    text = planfile.save(
        planfile.SavedPlan(
            want=target.want,
            plan=plans[target.name],
            digest=plans[target.name].digest,
            address=target.address,
            port=target.port,
            user=target.user,
        )
        for target in hosts
        if target.want is not None and target.name in plans
    )
    path = Path(output)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"cannot write {output}: {error.strerror}", "", "name another file") from (
            error
        )


def init(arguments: argparse.Namespace) -> int:
    """``sriovctl init``: a first rack file from hosts as they are."""
    from sriovctl.adopt import Found, rack_from

    hosts = tuple(targets.of_host(text) for text in arguments.hosts or (None,))
    twice = [name for name, times in Counter(target.name for target in hosts).items() if times > 1]
    if twice:
        raise UsageError(f"{', '.join(twice)}: named twice", "", "name each host once")
    results = targets.each(hosts, _look, ssh_config=arguments.ssh_config, need_root=False)
    states, code = successes(results)
    found = []
    for target in hosts:
        if target.name in states:
            state = states[target.name]
            away = None if target.is_here or target.name == state.system.hostname else target.name
            found.append(Found(state, away, target.port, target.user))
    if found:
        sys.stdout.write(rack_from(found, arguments.rack_name))
    return code


def schema(arguments: argparse.Namespace) -> int:
    """``sriovctl schema``: JSON schema of a rack file, of show --json or of plan --json."""
    from sriovctl.schema import schema as text

    sys.stdout.write(text(arguments.kind))
    return 0
