"""What a link gives: steps that take down, steps that build up, and findings."""

from __future__ import annotations

from dataclasses import dataclass, field

from sriovctl.plan import Finding, Step


@dataclass
class LinkPlan:
    """One link's share of a plan.

    The chain is taken down in reverse and built up in order: pools let go of VFs before their
    count changes, and hand out the new ones after. A transaction that is undone in reverse then
    meets every step's undo in the state that the step left.
    """

    release: list[Step] = field(default_factory=list)
    build: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
