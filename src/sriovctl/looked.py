"""Every host of a rack file looked at as ``check`` does, whatever comes of each of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from sriovctl import bondlegs, chain, reconcile, silence, targets
from sriovctl.errors import SriovctlError
from sriovctl.host import HostState
from sriovctl.look import Look
from sriovctl.plan import Finding, Plan
from sriovctl.reach import Reach
from sriovctl.reconcile import Planner
from sriovctl.stagerun import Timeouts
from sriovctl.targets import Target
from sriovctl.wanted import HostWant

T = TypeVar("T")


def each(arguments: argparse.Namespace, keep: Callable[[Look, Reach | None], T]) -> list[T]:
    """What is kept of each host, in the rack file's order.

    :param arguments: with the options of :func:`sriovctl.commandline.options.fleet_options` and of
        :func:`sriovctl.commandline.options.agent_timeout`
    :param keep: called with each look as soon as it is there, which is then let go: a thousand
        hosts have many facts; and with the way to the host, where it answered
    :raises RackError: the rack file says what cannot be
    """
    hosts = targets.of_rack(arguments.rack, arguments.limit, arguments.inventory)
    timeouts = Timeouts(agent_s=arguments.agent_timeout)
    results = targets.each(
        hosts,
        lambda reach, target: keep(_look(reach, target, timeouts), reach),
        ssh_config=arguments.ssh_config,
        connect_s=arguments.connect_timeout,
        need_root=False,
    )
    kept = []
    for target in hosts:
        result = results[target.name]
        if isinstance(result, SriovctlError):
            result = keep(Look(target.wanted, error=result), None)
        kept.append(result)
    return kept


def judged(
    reach: Reach,
    want: HostWant,
    have: HostState,
    planner: Planner = chain.plan,
    *,
    timeouts: Timeouts,
) -> tuple[Plan, tuple[Finding, ...]]:
    """The plan of a host, and what check finds that no plan mends: in running VMs, at cables.

    :raises SriovctlError: its BMC or one of its VMs cannot be asked
    """
    asked = (*silence.vms_to_ask(have), *chain.inside.vms_with_drives(want, have))
    have = reconcile.look_inside(reach, want, have, also=asked, timeouts=timeouts)
    plan = reconcile.plan_of(want, have, reconcile.look_at_firmware(want, have), planner)
    unmended = (
        *bondlegs.findings(want, have),
        *silence.findings(want, have, have.inside),
        *chain.inside.findings(want, have),
    )
    return plan, unmended


def _look(reach: Reach, target: Target, timeouts: Timeouts) -> Look:
    have = reconcile.look(reach)
    try:
        plan, unmended = judged(reach, target.wanted, have, timeouts=timeouts)
    except SriovctlError as error:
        return Look(target.wanted, have, error=error)
    return Look(target.wanted, have, plan, unmended=unmended)
