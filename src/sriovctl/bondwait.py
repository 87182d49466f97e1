"""Running VMs on ports that the host's bond takes or lets go, given time for their other leg."""

from __future__ import annotations

import time

from sriovctl import chain, inside
from sriovctl.host import HostState
from sriovctl.observer import Observer
from sriovctl.reach import Reach
from sriovctl.stagerun import Timeouts
from sriovctl.wanted import HostWant


def await_other_legs(
    reach: Reach, want: HostWant, have: HostState, *, observer: Observer, timeouts: Timeouts
) -> HostState:
    """Look into VMs whose bond has no other leg up, until each has, or ``timeouts.bond_s`` is over.

    Else the plan would go by one look, and a VM whose monitor is about to see its leg again would
    be one that nobody waits for.

    :param have: with the first look into them
    :returns: the same host with the last look
    """
    began = time.monotonic()
    deadline = began + timeouts.bond_s
    late: dict[str, str] = {}
    while unready := chain.bonds.without_other_leg(want, have):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            break
        late |= unready
        observer.doing(reach.name, f"waiting: {'; '.join(unready.values())}")
        time.sleep(timeouts.retry_s)
        found = inside.look(reach, tuple(unready), timeout_s=max(timeouts.agent_s, left_s))
        # what else was seen in it, and was not looked at again, stays
        again = {
            vm: have.inside[vm].model_copy(update={"bonds": one.bonds})
            for vm, one in found.items()
            if not one.why_not
        }
        have = have.model_copy(update={"inside": have.inside | again})
    if names := [vm.name for vm in have.vms if vm.key in late and vm.key not in unready]:
        seconds = time.monotonic() - began
        observer.said(reach.name, f"waited {seconds:.0f} s for another leg of {', '.join(names)}")
    return have
