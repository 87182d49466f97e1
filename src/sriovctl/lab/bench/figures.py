"""Medians, spreads, ratios and their table. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Unit = Literal["s", "ms", "Mbit/s", "packets/s", "s/Gbit"]

_SCALE: dict[Unit, float] = {"s": 1.0, "ms": 1e3, "Mbit/s": 1.0, "packets/s": 1.0, "s/Gbit": 1.0}


@dataclass(frozen=True)
class Series:
    """One thing measured several times.

    :param values: in the order taken; times in seconds, all else in its own unit
    :raises ValueError: there are none
    """

    what: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"nothing was measured of {self.what}")

    @property
    def median(self) -> float:
        """The middle one; of an even number the mean of the middle two."""
        return median(self.values)

    def text(self, unit: Unit) -> str:
        """``2.61 s (2.55 to 2.90)``: median, smallest, largest; without the spread where none."""
        low, high = min(self.values), max(self.values)
        middle = f"{_number(self.median, unit)} {unit}"
        ends = _number(low, unit), _number(high, unit)
        return middle if ends[0] == ends[1] else f"{middle} ({ends[0]} to {ends[1]})"


@dataclass(frozen=True)
class Comparison:
    """Ours against another, taken in turns in the same run.

    :param aim: the ratio that ours must not exceed; None: it is only shown
    """

    ours: Series
    other: Series
    unit: Unit
    aim: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Median by median; infinite against nothing at all, 1 where both are nothing."""
        if self.other.median == 0:
            return 1.0 if self.ours.median == 0 else float("inf")
        return self.ours.median / self.other.median

    @property
    def verdict(self) -> str:
        """``aim 1.15: met``, ``aim 1.15: missed``, or empty without an aim."""
        return "" if self.aim is None else verdict(self.ratio, self.aim)

    def row(self) -> tuple[str, ...]:
        """One row of :data:`COLUMNS`."""
        return (
            f"{self.ours.what}: {self.ours.text(self.unit)}",
            f"{self.other.what}: {self.other.text(self.unit)}",
            f"{self.ratio:.2f}",
            self.verdict,
            self.note,
        )


COLUMNS = ("ours", "against", "ratio", "verdict", "note")


def verdict(value: float, aim: float, unit: str = "") -> str:
    """Whether a value keeps within its aim, as it is, not as it is rounded for showing."""
    words = f"aim {aim:.3g} {unit}".rstrip()
    return f"{words}: {'met' if value <= aim else 'missed'}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that reads as well on a terminal. Columns that are empty are left out."""
    cells = [[_escaped(cell) for cell in row] for row in rows]
    kept = [i for i in range(len(columns)) if any(row[i] for row in cells)]
    widths = {i: max(_width(row[i]) for row in [list(columns), *cells]) for i in kept}

    def line(row: Sequence[str]) -> str:
        padded = (row[i] + " " * (widths[i] - _width(row[i])) for i in kept)
        return f"| {' | '.join(padded)} |"

    rule = "|" + "|".join("-" * (widths[i] + 2) for i in kept) + "|"
    return "\n".join([line(columns), rule, *(line(row) for row in cells)])


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _number(value: float, unit: Unit) -> str:
    """Three digits, as many as mean something."""
    scaled = value * _SCALE[unit]
    if scaled >= 100:
        return f"{scaled:.0f}"
    return f"{scaled:.1f}" if scaled >= 10 else f"{scaled:.2f}"
