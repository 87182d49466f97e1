"""Faults on demand: what goes wrong with a BMC, for as long as it is set."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints

from sriovctl.errors import UsageError


@dataclass
class Faults:
    """Everything that can be made to go wrong. The default is a sound BMC.

    The certificate and the ssh host key are exchanged by
    :meth:`sriovctl.lab.bmc.server.BMC.new_certificate` and ``new_host_key``.
    """

    lifecycle: Literal["ready", "busy", "waiting", "disabled"] = "ready"
    """``busy`` refuses jobs (RED023), ``waiting`` takes one that does not become scheduled
    (JCP024), ``disabled`` refuses them (RAC1155)."""
    unavailable: int = 0
    """So many Redfish answers are a 503 (SYS518)."""
    not_ready: int = 0
    """So many Redfish answers are a 400 that iDRAC is not ready (SWC0700)."""
    drop: int = 0
    """So many answers, of Redfish and racadm alike, break off in the middle."""
    slow_job: float = 0.0
    """Seconds that a job takes longer, before its values show and after, half of it each."""
    job_end: Literal["Completed", "CompletedWithErrors", "Failed"] = "Completed"
    reset_refused: bool = False
    locked: bool = False
    """No login is let in, however right its password."""
    no_registry: bool = False
    """The BIOS attribute registry is a 404."""
    no_redfish: bool = False
    """Redfish is switched off: each address is a 404, as on firmware without it."""

    def set(self, name: str, value: object) -> None:
        """Set one by its name.

        :raises UsageError: there is no such fault, or the value is none of its
        """
        known = [field.name for field in fields(self)]
        if name not in known:
            raise UsageError(f"there is no fault {name!r}", mend=f"one of {', '.join(known)}")
        hint = get_type_hints(Faults)[name]
        allowed = get_args(hint)
        if hint is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if value not in allowed if allowed else type(value) is not hint:
            what = ", ".join(map(str, allowed)) if allowed else hint.__name__
            raise UsageError(f"fault {name} cannot be {value!r}", mend=f"give {what}")
        setattr(self, name, value)

    def take(self, name: Literal["unavailable", "not_ready", "drop"]) -> bool:
        """Whether this answer is one of those that go wrong; counts it."""
        left: int = getattr(self, name)
        if left <= 0:
            return False
        setattr(self, name, left - 1)
        return True
