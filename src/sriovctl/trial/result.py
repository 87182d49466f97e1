"""What a trial found: the figures, as JSON, and against a budget. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sriovctl.trial.failover import Round
from sriovctl.trial.learned import Learned
from sriovctl.trial.monitor import Monitor
from sriovctl.trial.probes import Outage, Probe, onset, outage
from sriovctl.trial.ways import Skipped


@dataclass(frozen=True)
class Measured:
    """One leg away and back, in figures."""

    round: Round
    failover: Outage
    """From when the leg was taken until it was given back."""
    failback: Outage
    """From when it was given back until nobody looked any more."""
    lost_before: int
    """Packets lost while nothing was done: what the network loses anyway."""
    taken: float
    """When the leg was gone, seconds since 1970: the silence's beginning, where there is one."""
    learned: tuple[Learned, Learned]
    """What the peers learned since the leg was taken, and since it was given back."""


@dataclass(frozen=True)
class Result:
    """A whole trial."""

    date: str
    host: str
    vm: str
    address: str
    sent_from: str
    rate: float
    """Packets a second that were asked for."""
    monitor: Monitor | None
    """What the VM's bond watches by; None: not known."""
    budget_ms: float | None
    probes: tuple[Probe, ...]
    measured: tuple[Measured, ...]
    skipped: tuple[Skipped, ...]

    @property
    def sent_rate(self) -> float:
        """Packets a second that were sent."""
        if len(self.probes) < 2:
            return 0.0
        return (len(self.probes) - 1) / (self.probes[-1].sent - self.probes[0].sent)

    def within_budget(self, one: Outage) -> bool:
        """Seen, over, and no longer than the budget, where there is one."""
        return one.sent > 0 and one.over and (self.budget_ms is None or one.ms <= self.budget_ms)

    @property
    def held(self) -> bool:
        """There were outages, all that could be, and every one was within the budget."""
        outages = [one for m in self.measured for one in (m.failover, m.failback)]
        seen = bool(outages) and not any(skipped.silent for skipped in self.skipped)
        return seen and all(self.within_budget(one) for one in outages)

    def as_json(self) -> dict[str, Any]:
        """For programs. Times in ms, moments in seconds since 1970."""
        return {
            "date": self.date,
            "host": self.host,
            "vm": self.vm,
            "address": self.address,
            "sent_from": self.sent_from,
            "rate": {"asked": self.rate, "sent": round(self.sent_rate, 1)},
            "detection": None if self.monitor is None else self.monitor.detection,
            "notices_ms": None if self.monitor is None else self.monitor.notices_ms,
            "budget_ms": self.budget_ms,
            "held": self.held,
            "rounds": [self._round(one) for one in self.measured],
            "skipped": [{"way": s.name, "leg": s.leg, "why": s.why} for s in self.skipped],
        }

    def _round(self, one: Measured) -> dict[str, Any]:
        moments = {key: getattr(one.round, key) for key in ("taken", "back", "until")}
        before, meanwhile, after = one.round.carried
        return {
            "way": one.round.way,
            "leg": one.round.leg,
            "carried": {"before": before, "away": meanwhile, "after": after},
            "failover": self._outage(one.failover, one.learned[0]),
            "failback": self._outage(one.failback, one.learned[1]),
            "lost_before": one.lost_before,
            "moments": moments,
        }

    def _outage(self, one: Outage, learned: Learned) -> dict[str, Any]:
        return {**asdict(one), "within": self.within_budget(one), "learned": asdict(learned)}


def measure(
    rounds: Sequence[Round],
    probes: Sequence[Probe],
    learned: Callable[[float, float], Learned],
) -> tuple[Measured, ...]:
    """The figures of each round.

    :param learned: what the peers learned between two moments
    """
    return tuple(_measured(one, probes, learned) for one in rounds)


def _measured(
    one: Round, probes: Sequence[Probe], learned: Callable[[float, float], Learned]
) -> Measured:
    near = [probe for probe in probes if one.began <= probe.sent < one.until]
    gone = onset(near, one.taken)
    return Measured(
        round=one,
        failover=outage(near, gone, one.back),
        failback=outage(near, one.back, one.until),
        lost_before=outage(near, one.began, gone).lost,
        taken=gone,
        learned=(learned(gone, one.back), learned(one.back, one.until)),
    )
