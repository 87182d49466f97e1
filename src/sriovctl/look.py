"""What came of looking at one host: what is wanted of it, what is, and what check says of that."""

from __future__ import annotations

from dataclasses import dataclass

from sriovctl.errors import SriovctlError
from sriovctl.host import HostState
from sriovctl.plan import Finding, Plan
from sriovctl.wanted import HostWant


@dataclass(frozen=True)
class Look:
    """What came of looking at one host."""

    want: HostWant
    have: HostState | None = None
    """None: it could not be looked at."""
    plan: Plan | None = None
    """None: there is none, and ``error`` says why."""
    error: SriovctlError | None = None
    unmended: tuple[Finding, ...] = ()
    """What check found that no step mends: inside running VMs, at cables."""
