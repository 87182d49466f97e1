"""Findings on a screen: found, means, mend."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from sriovctl.plan import Finding, Severity
from sriovctl.view.harmless import harmless
from sriovctl.view.text import BAD, QUIET, WARN

STYLES = {
    Severity.INFO: "cyan",
    Severity.WARNING: WARN,
    Severity.ERROR: BAD,
    Severity.BLOCKED: BAD,
}


def render_findings(findings: Iterable[Finding], console: Console) -> None:
    """Print findings, the worst first; nothing for none.

    :param console: of :func:`sriovctl.view.text.screen`, or a test's own
    """
    worst_first = list(Severity)[::-1]
    listed = sorted(findings, key=lambda f: worst_first.index(f.severity))
    width = max((len(finding.severity.value) for finding in listed), default=0)
    for finding in listed:
        said = Text(f"{finding.severity.value:<{width}}", style=STYLES[finding.severity])
        said = Text.assemble(said, "  ", harmless(f"{finding.about}: {finding.found}"))
        margin = " " * (width + 2)
        if finding.means:
            said.append(f"\n{margin}{harmless(finding.means)}", style=QUIET)
        if finding.mend:
            said.append(f"\n{margin}mend: ", style=QUIET)
            said.append(harmless(finding.mend))
        # left to the terminal to fold: a command that it folds can still be copied whole
        console.print(said, soft_wrap=True)
