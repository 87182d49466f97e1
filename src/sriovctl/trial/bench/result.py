"""What a bench found: figures of each path, as documents that are kept and compared. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sriovctl.trial.bench.flows import MEASURES, Measure
from sriovctl.trial.bench.run import Path
from sriovctl.trial.store import Document


@dataclass(frozen=True)
class Circumstances:
    """What has to be known of a bench to compare it with another."""

    date: str
    rack: str
    host: str
    kernel: str
    """The host's, as ``uname -r`` says it."""
    sent_from: str
    seconds: int
    """Of each run."""


@dataclass(frozen=True)
class Figure:
    """One measure of one path, over all runs."""

    measure: Measure
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one; of an even number the mean of the middle two."""
        return median(self.values)

    @property
    def text(self) -> str:
        """``348 (340 to 352) Mbit/s``: median, smallest, largest."""
        low, middle, high = map(number, (min(self.values), self.median, max(self.values)))
        spread = "" if low == high else f" ({low} to {high})"
        return f"{middle}{spread} {self.measure.unit}"


@dataclass(frozen=True)
class Measured:
    """A path, its figures, and what was measured of it before."""

    path: Path
    figures: Mapping[str, Figure]
    """By measure's name; one that could not be measured is missing."""
    before: Document | None

    def document(self, circumstances: Circumstances) -> Document:
        """As it is kept."""
        return {
            "date": circumstances.date,
            "rack": circumstances.rack,
            "host": circumstances.host,
            "name": self.path.name,
            "path": self.path.kind,
            "address": self.path.address,
            "kernel": circumstances.kernel,
            "driver": self.path.driver,
            "sent_from": circumstances.sent_from,
            "seconds": circumstances.seconds,
            "measures": {
                name: {
                    "unit": figure.measure.unit,
                    "values": [round(value, 4) for value in figure.values],
                    "median": round(figure.median, 4),
                }
                for name, figure in self.figures.items()
            },
        }

    def changes(self) -> Iterator[tuple[Measure, float, float]]:
        """Each measure with its median before and now."""
        told = (self.before or {}).get("measures", {})
        for name, figure in self.figures.items():
            if name in told:
                yield figure.measure, float(told[name]["median"]), figure.median


@dataclass(frozen=True)
class Result:
    """A whole bench."""

    circumstances: Circumstances
    measured: tuple[Measured, ...]
    skipped: tuple[str, ...]
    """What was left out, and why."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "date": self.circumstances.date,
            "host": self.circumstances.host,
            "paths": [
                {**one.document(self.circumstances), "before": one.before} for one in self.measured
            ],
            "skipped": list(self.skipped),
        }


def figures(values: Mapping[str, Sequence[float]]) -> dict[str, Figure]:
    """Of one path, by measure's name, in the order of :data:`MEASURES`."""
    return {
        measure.name: Figure(measure, tuple(values[measure.name]))
        for measure in MEASURES
        if values.get(measure.name)
    }


def number(value: float) -> str:
    """Three digits, as many as mean something: ``14300``, ``348``, ``6.73``, ``0.0421``."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
