"""Plans and findings as a person reads them."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sriovctl.plan import Finding, Impact, Plan, Severity, Stage
from sriovctl.view.findings import render_findings
from sriovctl.view.harmless import harmless


def _screen() -> Console:
    # A line is a line, also where it is piped: grep finds it, and a command in it can be pasted.
    return Console(highlight=False, soft_wrap=True)


def print_plan(plan: Plan, console: Console | None = None) -> None:
    """A host's plan: stages, steps with reasons, findings, and how it stands."""
    out = console or _screen()
    out.print(Text(harmless(plan.host), style="bold"))
    for stage in plan.stages:
        _print_stage(stage, out)
    render_findings(plan.findings, out)
    out.print(_standing(plan))


def print_check(plan: Plan, console: Console | None = None) -> None:
    """A host's findings, and what differs in a line each."""
    out = console or _screen()
    out.print(Text(harmless(plan.host), style="bold"))
    for step in plan.steps:
        out.print(Text(f"  differs  {harmless(step.title)}: {harmless(step.reason)}"))
    render_findings(plan.findings, out)
    out.print(_standing(plan))


def print_differing(
    plan: Plan, inside: tuple[Finding, ...] = (), console: Console | None = None
) -> None:
    """A line for a host that is not as wanted, with all that differs; nothing for one that is.

    :param inside: what is not as wanted inside its VMs
    """
    wrong = [*(f for s in (Severity.BLOCKED, Severity.ERROR) for f in plan.of(s)), *inside]
    said = [f"{f.severity.value}: {f.about}: {f.found}" for f in wrong]
    said += [f"differs: {step.title}" for step in plan.steps]
    if said:
        (console or _screen()).print(Text(harmless(f"{plan.host}  {'; '.join(said)}")))


def _print_stage(stage: Stage, out: Console) -> None:
    how = {
        "transaction": f"{_count(len(stage.steps), 'step')}, one transaction",
        "firmware": f"{_count(len(stage.steps), 'setting')}, staged at the BMC",
        "power-cycle": "then all is looked at again",
        "reboot": "then all is looked at again",
    }
    out.print(Text(f"  {harmless(stage.title)}: {how[stage.kind]}"))
    width = len(str(len(stage.steps)))
    for number, step in enumerate(stage.steps, 1):
        line = Text(f"  {number:>{width}}  ")
        line.append(f"{step.link:<9}", style="dim")
        line.append(harmless(step.title))
        if step.impact is not Impact.NONE:
            feels = f" for {', '.join(map(harmless, step.affects))}" if step.affects else ""
            line.append(f"  [{step.impact.value}{feels}]", style="yellow")
        out.print(line)
        out.print(Text(f"  {'':>{width}}           {harmless(step.reason)}", style="dim"))


def _standing(plan: Plan) -> Text:
    if plan.of(Severity.BLOCKED):
        return Text("blocked: apply would change nothing", style="bold magenta")
    if plan.of(Severity.ERROR):
        return Text("cannot be: apply would change nothing", style="bold red")
    if plan.empty:
        but = " but for the warnings" if plan.of(Severity.WARNING) else ""
        return Text(f"as wanted{but}: nothing to do", style="yellow" if but else "green")
    worst = max((step.impact for step in plan.steps), key=lambda i: i.rank)
    impact = "" if worst is Impact.NONE else f", worst impact {worst.value}"
    return Text(f"{_count(len(plan.steps), 'step')} to do{impact}", style="bold")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
