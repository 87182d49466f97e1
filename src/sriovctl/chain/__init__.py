"""The chain: the links from firmware to guest, pure functions of what is wanted and what is.

Each link has ``plan(want, have) -> LinkPlan``, but for *firmware*, whose facts come from a BMC.
No link imports another and none does I/O; :mod:`~sriovctl.chain.restart` is between the first two,
which need one, and the rest.
"""

from __future__ import annotations

from sriovctl.chain import bonds, firmware, guests, inside, kernel, legs, nics, pools, restart
from sriovctl.firmware import FirmwareState
from sriovctl.host import HostState
from sriovctl.plan import Finding, Plan, Severity, Stage
from sriovctl.wanted import HostWant

LINKS = (kernel, nics, pools, guests, bonds)
"""In the order of the metal; the host's own bonds last, though they are made first."""


def plan(want: HostWant, have: HostState, bmc: FirmwareState | None = None) -> Plan:
    """All that must change on one host, and what stands in the way.

    Links let go in reverse order and build up in order, all in one transaction: a VM that does
    not start gives the VFs back too, and the host is as it was. Where a restart is due, what must
    be staged for it and the restart come first; the rest is planned when the host is back.

    :param bmc: what the BMC said; None where the rack file names none
    """
    plans = [link.plan(want, have) for link in LINKS]
    findings = [finding for part in plans for finding in part.findings] + legs.findings(want, have)
    *plans, of_bonds = plans
    stages: list[Stage] = []
    if want.bmc is not None and bmc is not None:
        wish = firmware.wish(want.bmc, bmc)
        found = firmware.plan(wish, bmc).findings
        if not any(f.severity in _STOPS for f in found):
            told = firmware.steps(wish, bmc)
            stages += [Stage(title="BIOS settings", steps=told, kind="firmware")] if told else []
        elif firmware.shows_all(want, have):
            bmc = None
            found = tuple(firmware.as_warning(f) if f.severity in _STOPS else f for f in found)
        findings[:0] = found
    if not have.system.root:
        findings.append(_no_root(want))
    due = restart.due(want, have, bmc)
    if due is None and stages:
        # a job of the BMC is not over, and what a restart may mend is not yet to be judged
        findings = [f for f in findings if not f.may_pass]
    elif due is None:
        # first, as VMs on its bridge need it; by itself, as none of them may take it away again
        bonding = tuple(of_bonds.build)
        stages += [Stage(title="bonds of the host", steps=bonding)] if bonding else []
        steps = [step for part in reversed(plans) for step in part.release]
        steps += [step for part in plans for step in part.build]
        stages += [Stage(title="VFs, pools and VMs", steps=tuple(steps))] if steps else []
        # by itself: a VM that does not start must not take the VFs from the others
        back = restart.come_back(want, have)
        stages += [Stage(title="VMs run again", steps=back)] if back else []
        put = inside.plan(want, have)
        # by itself too: a guest that does not take its files must not take the VFs from the others
        stages += [Stage(title="inside VMs", steps=tuple(put.build))] if put.build else []
        findings += put.findings
    else:
        staged = tuple(plans[0].build)
        stages += [Stage(title="for the next boot", steps=staged)] if staged else []
        stages += restart.stages(want, have, due)
        findings = [f for f in findings if not f.may_pass] + restart.findings(have, due)
    return Plan(host=want.name, stages=tuple(stages), findings=tuple(dict.fromkeys(findings)))


_STOPS = (Severity.ERROR, Severity.BLOCKED)


def _no_root(want: HostWant) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        link="nics",
        about=want.name,
        found="the probe did not run as root",
        means="only root can change VFs, and not all facts were readable",
        mend="run sriovctl as root, or name a user with sudo in the rack file",
    )
