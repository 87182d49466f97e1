"""CPU time of reading a probe's answer and planning, by the size of the host."""

from __future__ import annotations

import gc
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sriovctl import chain, probe
from sriovctl.errors import SriovctlError
from sriovctl.lab.bench import facts
from sriovctl.lab.bench.facts import Size
from sriovctl.lab.bench.figures import Series
from sriovctl.plan import Plan

T = TypeVar("T")

SIZES = (Size(4, 50), Size(8, 100), Size(16, 200))
"""A quarter, a half, all of it."""
AIM_S = 1.0
AIM_GROWTH = 1.15
"""The whole by four times the quarter, at most: linear, and room for noise."""


@dataclass(frozen=True)
class Planning:
    """Seconds of CPU for one size and one state of the host."""

    size: Size
    state: str
    steps: int
    """Of the plan."""
    parse: Series
    plan: Series

    @property
    def seconds(self) -> float:
        """Both together, medians."""
        return self.parse.median + self.plan.median


def measure(rounds: int) -> tuple[Planning, ...]:
    """Each size, before anything was done and when all is as wanted.

    :raises SriovctlError: the second of them still has steps, so that the facts are wrong
    """
    results = []
    for size in SIZES:
        want = facts.wanted(size)
        before = facts.bare(size)
        first = chain.plan(want, probe.parse(before))
        after = facts.as_wanted(size, files_of(first))
        last = chain.plan(want, probe.parse(after))
        if not last.empty or last.findings:
            raise SriovctlError(
                f"a host as wanted gave {len(last.steps)} steps, {len(last.findings)} findings",
                "; ".join([s.title for s in last.steps][:3] + [f.found for f in last.findings][:3]),
                "put right lab/bench/facts.py",
            )
        results += [
            _one(size, "nothing done yet", before, rounds),
            _one(size, "all as wanted", after, rounds),
        ]
    return tuple(results)


def growth(quarter: Planning, whole: Planning) -> float:
    """Seconds a VF and VM at the full size by those at a quarter of it; 1 is linear."""
    return whole.seconds / quarter.seconds / (whole.size.vfs / quarter.size.vfs)


def _one(size: Size, state: str, answer: str, rounds: int) -> Planning:
    want = facts.wanted(size)
    parse, plan = [], []
    steps = 0
    for _ in range(rounds):
        have, taken = _cpu(partial(probe.parse, answer))
        parse.append(taken)
        made, taken = _cpu(partial(chain.plan, want, have))
        plan.append(taken)
        steps = len(made.steps)
    return Planning(size, state, steps, Series("parse", tuple(parse)), Series("plan", tuple(plan)))


def _cpu(work: Callable[[], T]) -> tuple[T, float]:
    gc.collect()  # what the round before left is not this one's
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


def files_of(plan: Plan) -> dict[str, str]:
    """The files that a plan's steps write on the host, as a later probe will find them."""
    files = {}
    for step in plan.steps:
        words = shlex.split(step.do)
        for position, word in enumerate(words):
            if word in ("write_file", "boot_create"):
                files[words[position + 1]] = words[position + 2]
    return files
