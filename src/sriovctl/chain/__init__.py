"""The chain: the links from firmware to guest, pure functions of what is wanted and what is.

Each link has ``plan(want, have) -> LinkPlan``. No link imports another and none does I/O.
"""

from __future__ import annotations

from sriovctl.chain import guests, nics, pools
from sriovctl.host import HostState
from sriovctl.plan import Finding, Plan, Severity, Stage
from sriovctl.wanted import HostWant

LINKS = (nics, pools, guests)
"""In the order of the metal."""


def plan(want: HostWant, have: HostState) -> Plan:
    """All that must change on one host, and what stands in the way.

    Links let go in reverse order and build up in order, all in one transaction: a VM that does
    not start gives the VFs back too, and the host is as it was.
    """
    plans = [link.plan(want, have) for link in LINKS]
    findings = [finding for part in plans for finding in part.findings]
    steps = [step for part in reversed(plans) for step in part.release]
    steps += [step for part in plans for step in part.build]
    if not have.system.root:
        findings.append(
            Finding(
                severity=Severity.ERROR,
                link="nics",
                about=want.name,
                found="the probe did not run as root",
                means="only root can change VFs, and not all facts were readable",
                mend="run sriovctl as root, or name a user with sudo in the rack file",
            )
        )
    stages = (Stage(title="VFs, pools and VMs", steps=tuple(steps)),) if steps else ()
    return Plan(host=want.name, stages=stages, findings=tuple(dict.fromkeys(findings)))
