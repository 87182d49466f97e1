"""What an operator lets an apply do, and the plans that must not be applied as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sriovctl.errors import BlockedError, DiffersError
from sriovctl.plan import Impact, Plan, Severity, Step
from sriovctl.wanted import HostWant

RESTARTS = frozenset({Impact.REBOOT, Impact.POWER_CYCLE})


@dataclass(frozen=True)
class Leave:
    """What an operator lets an apply do."""

    impacts: frozenset[Impact] = frozenset()
    """On running VMs, and restarts of the host."""
    force_off_s: float | None = None
    """Seconds that a host gets to shut down for a power cycle before its power is cut; None: it is
    never cut."""
    unnoticed: bool = False
    """Only what has no impact at all, not even a blip."""

    def of(self, want: HostWant) -> Leave:
        """The same for one host: the rack file can allow restarts too."""
        return replace(self, impacts=self.impacts | RESTARTS) if want.reboot else self

    def check(self, plan: Plan) -> None:
        """Refuse a plan that goes beyond it.

        :raises BlockedError: something in use stands in the way, or an impact was not asked for
        :raises DiffersError: something cannot be as wanted
        """
        check_permitted(plan, self.impacts)
        noticed = [step for step in plan.steps if step.impact is not Impact.NONE]
        if self.unnoticed and noticed:
            raise BlockedError(
                "\n".join(f"{plan.host}: {s.title} is a {s.impact.value}" for s in noticed),
                "this run does only what nobody notices; nothing was changed",
                "at a good time: sriovctl apply, without --unnoticed",
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
    restarts = [step for step in refused if step.impact in RESTARTS]
    if restarts:
        raise BlockedError(
            "\n".join(
                f"{plan.host} needs a {step.impact.value}"
                + (f", felt by {', '.join(step.affects)}" if step.affects else "")
                + f": {step.reason}"
                for step in restarts
                if step.link != "guests"
            ),
            "a host is not restarted without being asked for; nothing was changed",
            "if it may be: sriovctl apply --reboot, or reboot: allowed in the rack file",
        )
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
    """A restart, or more than a blip where somebody is there to feel it."""
    return step.impact in RESTARTS or (
        bool(step.affects) and step.impact.rank > Impact.LINK_BLIP.rank
    )


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
