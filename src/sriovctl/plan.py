"""What is to be done: steps, stages, plans. Data only; nothing here touches a host."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

Link = Literal["firmware", "kernel", "nics", "pools", "guests", "bonds"]
"""A station of the chain, in the order of the metal."""


class Frozen(BaseModel):
    """Facts and plans do not change once made; a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Impact(StrEnum):
    """What a step may do to who is running now, from nothing to everything."""

    NONE = "none"
    LINK_BLIP = "link-blip"
    VF_RESET = "vf-reset"
    VM_RESTART = "vm-restart"
    REBOOT = "reboot"
    POWER_CYCLE = "power-cycle"

    @property
    def rank(self) -> int:
        """0 for none up to 5 for a power cycle."""
        return list(Impact).index(self)


class Severity(StrEnum):
    """How bad a finding is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    """Cannot be as wanted: nothing is applied to this host, exit code 3."""
    BLOCKED = "blocked"
    """Something in use stands in the way: nothing is applied, exit code 4."""


class Finding(Frozen):
    """Something a person should know of a host.

    ``about`` names the object (``em1``, ``VM-2``, ``pool passthrough_em1``); the other three are
    what was found, what it means and the command or edit that mends it.
    """

    severity: Severity
    link: Link
    about: str
    found: str
    means: str = ""
    mend: str = ""
    may_pass: bool = False
    """A restart that is due may mend it: then it does not count, and is looked at again after."""


class Step(Frozen):
    """One change with its check and its undo, each a piece of POSIX sh.

    ``do``, ``check`` and ``undo`` use the functions that ``transaction.sh`` and the link's own
    ``.sh`` file provide; every word in them was quoted by :func:`sriovctl.shell.command`.
    ``check`` exits 0 when the change holds. An empty ``undo`` says that there is nothing to undo.
    """

    link: Link
    title: str
    reason: str
    do: str
    check: str
    undo: str
    impact: Impact = Impact.NONE
    affects: tuple[str, ...] = ()
    """VMs and interfaces that feel the impact, by name."""


class Stage(Frozen):
    """Steps that run together; in a transaction all of them, or none."""

    title: str
    steps: tuple[Step, ...]
    kind: Literal["transaction", "firmware", "power-cycle", "reboot"] = "transaction"
    """How it is run: by a script on the host, through the BMC, or by a restart and looking again.
    All but a transaction have steps that only tell: no ``do``, ``check`` or ``undo``."""

    @property
    def impact(self) -> Impact:
        """The worst of its steps."""
        return max((s.impact for s in self.steps), key=lambda i: i.rank, default=Impact.NONE)

    @property
    def links(self) -> tuple[Link, ...]:
        """Links that have a step here, each once, in the order of the steps."""
        return tuple(dict.fromkeys(step.link for step in self.steps))


class Plan(Frozen):
    """All that must change on one host, and what stands in the way."""

    host: str
    stages: tuple[Stage, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing to do."""
        return not self.stages

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step of every stage, in order."""
        return tuple(step for stage in self.stages for step in stage.steps)

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(f for f in self.findings if f.severity is severity)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON form, 64 hex digits: the same plan, the same digest."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()
