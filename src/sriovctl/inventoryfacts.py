"""What an inventory says, whoever keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """What an inventory says of the way to a host."""

    name: str
    address: str | None = None
    """``local``: the machine that this runs on."""
    port: int | None = None
    user: str | None = None


@dataclass(frozen=True)
class Inventory:
    """Hosts by name, and names of hosts by group."""

    hosts: Mapping[str, Known]
    groups: Mapping[str, tuple[str, ...]]
