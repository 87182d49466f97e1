"""A change to many hosts in waves: one first, then some at a time. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """So many hosts, or a part of all of them: ``5``, ``10%``."""

    number: float
    percent: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the command line.

        :raises ValueError: neither a whole number nor a percentage from 0 to 100
        """
        match = re.fullmatch(r"([0-9]{1,9})|([0-9]{1,3}(?:\.[0-9]{1,9})?)%", text.strip())
        if match is None or (match[2] and float(match[2]) > 100):
            raise ValueError(f"{text!r} is neither a number of hosts nor a percentage of them")
        return cls(float(match[1] or match[2]), percent=match[1] is None)

    def of(self, total: int) -> int:
        """How many of so many; of a percentage as many as are full."""
        return math.floor(self.number * total / 100) if self.percent else int(self.number)

    def __str__(self) -> str:
        return f"{self.number:g}" + ("%" if self.percent else "")


def waves(hosts: Sequence[T], batch: Share) -> Iterator[Sequence[T]]:
    """One host alone, the canary; then batches, each of at least one.

    :param batch: of all hosts
    """
    yield from (hosts[:1],) if hosts else ()
    size = max(1, batch.of(len(hosts)))
    for start in range(1, len(hosts), size):
        yield hosts[start : start + size]


def too_many(failed: int, total: int, most: Share) -> bool:
    """Whether so many failures end the run.

    :param total: hosts that there was something to do for
    :param most: that may fail without ending it
    """
    return failed > most.of(total)
