"""``leg out`` and ``leg in``: one PF of one host, by hand."""

from __future__ import annotations

import argparse
import math

from sriovctl import legrun, reconcile, targets
from sriovctl.applying import told
from sriovctl.errors import UsageError
from sriovctl.explain import nearest
from sriovctl.legrun import Bonds
from sriovctl.observer import Observer, Silent
from sriovctl.reach import Reach
from sriovctl.reconcile import Outcome
from sriovctl.stagerun import Timeouts
from sriovctl.targets import Target
from sriovctl.view.progress import Progress
from sriovctl.view.results import print_json, successes
from sriovctl.wanted import HostWant, PFWant


def out(arguments: argparse.Namespace) -> int:
    """``sriovctl leg out``: running VMs go on over their other leg, the PF is free."""
    return _carry_out(arguments, legrun.out, blind=arguments.assume_other_leg_up)


def back(arguments: argparse.Namespace) -> int:
    """``sriovctl leg in``: the PF as wanted, and its cards back in the running VMs."""
    return _carry_out(arguments, legrun.back, blind=True)


def _carry_out(arguments: argparse.Namespace, planner: legrun.OfLeg, *, blind: bool) -> int:
    target, *others = targets.of_rack(arguments.rack, [arguments.host], arguments.inventory)
    if others:
        raise UsageError(f"{arguments.host!r} is {len(others) + 1} hosts", "", "name one of them")
    pf = _pf(target.wanted, arguments.pf)
    timeouts = Timeouts(
        stage_s=arguments.stage_timeout,
        bond_s=arguments.bond_timeout,
        agent_s=arguments.agent_timeout,
        agent_boot_s=arguments.agent_boot_timeout,
    )
    progress = None if arguments.json else Progress((target.name,))
    observer: Observer = progress or Silent()

    def work(reach: Reach, target: Target) -> Outcome:
        return reconcile.apply(
            reach,
            # no business of its BMC's
            target.wanted.model_copy(update={"bmc": None}),
            observer=observer,
            confirm_s=math.ceil(arguments.confirm_timeout),
            timeouts=timeouts,
            planner=planner(Bonds(reach, observer, timeouts, blind=blind), pf),
        )

    try:
        results = targets.each(
            (target,),
            work,
            ssh_config=arguments.ssh_config,
            connect_s=arguments.connect_timeout,
        )
    finally:
        if progress:
            progress.close()
    _, code = successes(results)
    if arguments.json:
        print_json({name: told(result) for name, result in results.items()})
    return code


def _pf(want: HostWant, name: str) -> PFWant:
    """The PF of a host, by its name in the rack file.

    :raises UsageError: there is none of that name
    """
    known = {pf.name: pf for pf in want.pfs}
    if name not in known:
        raise UsageError(
            f"no PF {name!r} of {want.name} in the rack file",
            f"{nearest(name, known)}it has: {', '.join(known) or 'none'}",
            "name one of these",
        )
    return known[name]
