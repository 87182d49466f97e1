"""What a guest says of itself: the typed facts of :mod:`sriovctl.inside`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sriovctl.plan import Frozen


class InsideLeg(Frozen):
    """A card in a guest's bond."""

    name: str
    mac: str
    """The present one, lower case; the bond's with ``fail_over_mac=none``."""
    permanent_mac: str
    """Its own: that which the host gave the VF."""
    up: bool
    """As the bond sees it, by the link or by ARP."""


class InsideBond(Frozen):
    """A bond in a guest, with the kernel's values. Times in ms, 0 for off."""

    name: str
    mode: str
    """``active-backup``."""
    fail_over_mac: Literal["none", "active", "follow"]
    active: str | None
    """Name of the leg that carries; None where none does, and in modes that have no such one."""
    miimon_ms: int
    updelay_ms: int
    downdelay_ms: int
    arp_interval_ms: int
    arp_ip_targets: tuple[str, ...] = ()
    arp_validate: str | None = None
    """``active``; None where its kernel has no such option."""
    num_grat_arp: int
    primary: str | None
    mac: str
    legs: tuple[InsideLeg, ...] = ()


class InsideFile(Frozen):
    """A file in a guest."""

    mode: int
    text: str


class Inside(Frozen):
    """One look into a running VM."""

    vm: str
    """As it was asked for: a name or a UUID."""
    bonds: tuple[InsideBond, ...] = ()
    files: dict[str, InsideFile] = Field(default_factory=dict)
    """By path, of those that were asked for the ones that are there."""
    why_not: str = ""
    """Why nothing is known; empty where it is known."""
