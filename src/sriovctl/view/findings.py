"""Findings on a screen: found, means, mend."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sriovctl.plan import Finding, Severity
from sriovctl.view.harmless import harmless
from sriovctl.view.text import BAD, QUIET, WARN, put

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
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for finding in sorted(findings, key=lambda f: worst_first.index(f.severity)):
        said = Text(harmless(f"{finding.about}: {finding.found}"))
        if finding.means:
            said.append("\n" + harmless(finding.means), style=QUIET)
        if finding.mend:
            said.append("\nmend: ", style=QUIET)
            said.append(harmless(finding.mend))
        grid.add_row(Text(finding.severity.value, style=STYLES[finding.severity]), said)
    if grid.row_count:
        put(console, grid)
