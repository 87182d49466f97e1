"""How an apply over many hosts ended: who is done, who failed why, who was not touched."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from sriovctl.errors import SriovctlError
from sriovctl.rollout import Result, UntouchedError
from sriovctl.view.harmless import harmless
from sriovctl.view.text import BAD, GOOD, QUIET, WARN

STYLES = {
    "changed": GOOD,
    "as wanted before": GOOD,
    "failed": BAD,
    "not touched": WARN,
}


def end_of(result: Result) -> str:
    """One of the words of :data:`STYLES`."""
    if isinstance(result, UntouchedError):
        return "not touched"
    if isinstance(result, SriovctlError):
        return "failed"
    return "changed" if result.changed else "as wanted before"


def print_report(results: Mapping[str, Result], console: Console | None = None) -> None:
    """A line for each way to end with its hosts, and one for each that failed with its reason."""
    out = console or Console(highlight=False, soft_wrap=True)
    ends = {name: end_of(result) for name, result in results.items()}
    counts = [f"{list(ends.values()).count(end)} {end}" for end in STYLES if end in ends.values()]
    out.print(Text(f"{len(ends)} hosts: {', '.join(counts)}", style="bold"))
    for end, style in STYLES.items():
        names = [name for name, how in ends.items() if how == end]
        if not names:
            continue
        if end != "failed":
            out.print(Text.assemble((f"  {end}: ", style), harmless(", ".join(names))))
            continue
        for name in names:
            said = str(getattr(results[name], "found", "")).splitlines()[:1]
            reason = (said or [""])[0].removeprefix(f"{name}: ")
            out.print(Text.assemble((f"  {end}: ", style), harmless(f"{name}: {reason}")))
    why = {r.means for r in results.values() if isinstance(r, UntouchedError) and r.means}
    for words in sorted(why):
        out.print(Text(f"  why: {harmless(words)}", style=QUIET))
    if set(ends.values()) & {"failed", "not touched"}:
        out.print(Text("  the same command again goes on from what is", style=QUIET))
