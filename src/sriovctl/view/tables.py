"""What commands print for a person. Imports rich: import it only when something is drawn."""

from __future__ import annotations

from sriovctl.view.findings import render_findings
from sriovctl.view.host import render_host
from sriovctl.view.text import screen

__all__ = ["render_findings", "render_host", "screen"]
