"""What a guest's bond watches its legs by, and how soon it can notice at best."""

from __future__ import annotations

from dataclasses import dataclass

from sriovctl.rackbond import GuestBond

MISSES = 2
"""ARP intervals without an answer until the kernel leaves a leg (Linux bond_main.c, missed_max)."""


@dataclass(frozen=True)
class Monitor:
    """A bond's monitor; times in ms, 0 for off."""

    miimon_ms: int
    arp_interval_ms: int
    updelay_ms: int = 0
    downdelay_ms: int = 0
    missed_max: int = MISSES

    @property
    def detection(self) -> str:
        """How long it takes to notice, in words."""
        if self.arp_interval_ms:
            least = self.arp_interval_ms * self.missed_max
            return (
                f"ARP every {self.arp_interval_ms} ms, {self.missed_max} misses: "
                f"{least} to {least + self.arp_interval_ms} ms to notice"
            )
        if self.miimon_ms:
            most = self.miimon_ms + self.downdelay_ms
            return f"link every {self.miimon_ms} ms: up to {most} ms to notice"
        return "off: it never notices"


def of_rack(bond: GuestBond) -> Monitor | None:
    """As the rack file has it; None where it says nothing of it, so that nobody knows."""
    if bond.miimon is None and bond.arp_interval is None:
        return None
    return Monitor(
        miimon_ms=bond.miimon or 0,
        arp_interval_ms=bond.arp_interval or 0,
        updelay_ms=bond.updelay or 0,
        downdelay_ms=bond.downdelay or 0,
    )


def of_guest(lab: str, vm: str) -> Monitor | None:
    """As a lab's guest has it now; None where it has no bond."""
    from sriovctl.lab import guest, state

    names = "miimon arp_interval updelay downdelay arp_missed_max"
    line = f"cd /sys/class/net/bond0/bonding && for i in {names}; do cat $i; done"
    words = guest.run(state.load(lab), vm, [line], patient=True).stdout.split()
    if len(words) < 4 or not all(word.isdigit() for word in words):
        return None
    return Monitor(*map(int, words))
