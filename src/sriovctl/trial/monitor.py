"""What a guest's bond watches its legs by, and how soon it can notice at best."""

from __future__ import annotations

from dataclasses import dataclass

from sriovctl.rackbond import GuestBond

MISSES = 2
"""ARP intervals without an answer until the kernel leaves a leg (Linux bond_main.c, missed_max)."""
ARP_ONLY = 1 | 4
"""Bits of ``arp_validate`` by which the leg in use lives by ARP alone (Linux bonding.h)."""


@dataclass(frozen=True)
class Monitor:
    """A bond's monitor; times in ms, 0 for off."""

    miimon_ms: int
    arp_interval_ms: int
    updelay_ms: int = 0
    downdelay_ms: int = 0
    missed_max: int = MISSES
    arp_only: bool = False
    """Only ARP counts as a sign of life (``arp_validate``); otherwise any frame does."""

    @property
    def notices_ms(self) -> tuple[float, float] | None:
        """How soon and how late it notices that a leg under traffic is dead; None: never.

        It looks once an interval. A leg is dead if it was silent for the misses and half an
        interval (Linux bond_main.c, bond_time_in_interval). Where only ARP counts, the silence
        began with an answer to its own question, just after a look.
        """
        if self.arp_interval_ms:
            silent = self.missed_max if self.arp_only else self.missed_max + 0.5
            return silent * self.arp_interval_ms, (silent + 1) * self.arp_interval_ms
        if self.miimon_ms:
            return self.downdelay_ms, self.miimon_ms + self.downdelay_ms
        return None

    @property
    def detection(self) -> str:
        """How long it takes to notice, in words."""
        if self.notices_ms is None:
            return "off: it never notices"
        least, most = self.notices_ms
        if self.arp_interval_ms:
            watch = f"ARP every {self.arp_interval_ms} ms, {self.missed_max} misses"
            return f"{watch}: {least:g} to {most:g} ms to notice"
        return f"link every {self.miimon_ms} ms: up to {most:g} ms to notice"


def of_rack(bond: GuestBond) -> Monitor | None:
    """As the rack file has it; None where it says nothing of it, so that nobody knows."""
    if bond.miimon is None and bond.arp_interval is None:
        return None
    return Monitor(
        miimon_ms=bond.miimon or 0,
        arp_interval_ms=bond.arp_interval or 0,
        updelay_ms=bond.updelay or 0,
        downdelay_ms=bond.downdelay or 0,
        arp_only=bond.validates in ("active", "all"),
    )


def of_guest(lab: str, vm: str) -> Monitor | None:
    """As a lab's guest has it now; None where it has no bond."""
    from sriovctl.lab import guest, state

    names = "miimon arp_interval updelay downdelay arp_missed_max arp_validate"
    line = f"cd /sys/class/net/bond0/bonding && for i in {names}; do cat $i; done"
    said = guest.run(state.load(lab), vm, [line], patient=True).stdout
    values = [text.split()[-1] for text in said.splitlines()]  # arp_validate says "none 0"
    if len(values) < 6 or not all(value.isdigit() for value in values):
        return None
    miimon, arp_interval, updelay, downdelay, misses, validate = map(int, values)
    return Monitor(
        miimon, arp_interval, updelay, downdelay, misses, arp_only=bool(validate & ARP_ONLY)
    )
