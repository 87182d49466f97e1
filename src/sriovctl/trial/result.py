"""What a trial found: the figures, as JSON, and against a budget. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sriovctl.trial.failover import Round
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


@dataclass(frozen=True)
class Result:
    """A whole trial."""

    vm: str
    address: str
    sent_from: str
    rate: float
    """Packets a second that were asked for."""
    detection: str | None
    """What the bond's monitor needs at least, in words; None: not known."""
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
        """Over, and no longer than the budget, where there is one."""
        return one.over and (self.budget_ms is None or one.ms <= self.budget_ms)

    @property
    def held(self) -> bool:
        """Every outage was within the budget."""
        outages = [one for m in self.measured for one in (m.failover, m.failback)]
        return all(self.within_budget(one) for one in outages)

    def as_json(self) -> dict[str, Any]:
        """For programs. Times in ms, moments in seconds since 1970."""
        return {
            "vm": self.vm,
            "address": self.address,
            "sent_from": self.sent_from,
            "rate": {"asked": self.rate, "sent": round(self.sent_rate, 1)},
            "detection": self.detection,
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
            "failover": {**asdict(one.failover), "within": self.within_budget(one.failover)},
            "failback": {**asdict(one.failback), "within": self.within_budget(one.failback)},
            "lost_before": one.lost_before,
            "moments": moments,
        }


def measure(rounds: Sequence[Round], probes: Sequence[Probe]) -> tuple[Measured, ...]:
    """The figures of each round."""
    return tuple(_measured(one, probes) for one in rounds)


def _measured(one: Round, probes: Sequence[Probe]) -> Measured:
    near = [probe for probe in probes if one.began <= probe.sent < one.until]
    gone = onset(near, one.taken)
    return Measured(
        round=one,
        failover=outage(near, gone, one.back),
        failback=outage(near, one.back, one.until),
        lost_before=outage(near, one.began, gone).lost,
    )
