"""What commands print for a person. Imports rich: import it only when something is drawn."""

from __future__ import annotations

from collections.abc import Iterable

from sriovctl.host import HostState
from sriovctl.plan import Finding
from sriovctl.view.findings import render_findings
from sriovctl.view.host import render_host
from sriovctl.view.text import screen

__all__ = ["print_findings", "print_host", "render_findings", "render_host", "screen"]


def print_host(state: HostState) -> None:
    """A host's whole chain on standard output."""
    render_host(state, screen())


def print_findings(findings: Iterable[Finding]) -> None:
    """Findings on standard output, the worst first."""
    render_findings(findings, screen())
