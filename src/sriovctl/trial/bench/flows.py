"""What is measured, and what iperf3, ping and /proc/stat say of it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

SMALL_BYTES = 64
"""Payload of a small packet."""
PING_INTERVAL_S = 0.01


@dataclass(frozen=True)
class Flow:
    """One kind of traffic, as iperf3 makes it."""

    name: str
    words: str
    unit: str
    options: tuple[str, ...]
    per_second: float
    """Bits of payload in one of the unit."""
    with_cpu: bool = True
    begins_at: str | None = None
    """The flow whose rate is offered first, and doubled or halved while more arrives: a receiver
    that is offered far too much takes next to nothing. None: as much as the sender can."""


_MEGABIT, _SMALL = 1e6, SMALL_BYTES * 8.0
_UDP, _SMALL_UDP = ("-u",), ("-u", "-l", str(SMALL_BYTES))
_ALL, _BACK = ("-b", "0"), ("-R",)
FLOWS = (
    Flow("tcp_to", "TCP to it", "Mbit/s", (), _MEGABIT),
    Flow("tcp_from", "TCP from it", "Mbit/s", _BACK, _MEGABIT),
    Flow("udp_from", "UDP from it", "Mbit/s", (*_UDP, *_ALL, *_BACK), _MEGABIT),
    Flow("udp_to", "UDP to it", "Mbit/s", _UDP, _MEGABIT, begins_at="udp_from"),
    Flow(
        "small_from", "64-byte UDP from it", "packets/s", (*_SMALL_UDP, *_ALL, *_BACK), _SMALL,
        with_cpu=False,
    ),
    Flow(
        "small_to", "64-byte UDP to it", "packets/s", _SMALL_UDP, _SMALL,
        with_cpu=False, begins_at="small_from",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """One figure of a path: how it is called, and its unit."""

    name: str
    words: str
    unit: str


MEASURES = (
    *(Measure(flow.name, flow.words, flow.unit) for flow in FLOWS),
    Measure("latency_median", "ping, median", "ms"),
    Measure("latency_p99", "ping, 99 of 100", "ms"),
    *(
        Measure(f"cpu_{flow.name}", f"host's CPU, {flow.words}", "s/Gbit")
        for flow in FLOWS
        if flow.with_cpu
    ),
    *(
        Measure(f"cpu_all_{flow.name}", f"... with its VMs, {flow.words}", "s/Gbit")
        for flow in FLOWS
        if flow.with_cpu
    ),
)


class RunError(Exception):
    """A run gave no figure; why."""

    @property
    def unserved(self) -> bool:
        """No iperf3 server takes it just now: there is none, or it is at work for another run."""
        return any(words in str(self) for words in ("unable to connect", "server is busy"))


def received(text: str) -> float:
    """Bits per second that arrived, by iperf3's JSON.

    :raises RunError: it failed, or was cut off
    """
    try:
        told = json.loads(text)
    except ValueError:
        raise RunError("it ended without a result") from None
    if "error" in told:
        raise RunError(str(told["error"]))
    try:
        end = told["end"]
        if "sum_received" in end:
            return float(end["sum_received"]["bits_per_second"])
        # of UDP, iperf3 before 3.2 tells only what was sent, and how much of it was lost
        total = end["sum"]
        return float(total["bits_per_second"]) * (1 - float(total["lost_percent"]) / 100)
    except (KeyError, TypeError, ValueError):
        raise RunError("its result has no figure of what arrived") from None


def round_trips(text: str) -> list[float]:
    """Milliseconds of each answer that ping had."""
    return [float(found) for found in re.findall(r"\btime=([0-9.]+) ms", text)]


def latency(trips: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile of one run.

    :param trips: two or more
    """
    return {
        "latency_median": median(trips),
        "latency_p99": quantiles(trips, n=100, method="inclusive")[98],
    }


def cpu_per_gigabit(text: str, bits_per_second: float) -> tuple[float, float] | None:
    """Processor seconds for each gigabit that arrived: the host's own, and with its guests'.

    :param text: the number of processors, and two ``cpu`` lines of /proc/stat, some time apart
    :returns: None where nothing can be said
    """
    lines = [[int(word) for word in re.findall(r"\d+", line)] for line in text.splitlines()]
    if len(lines) != 3 or len(lines[0]) != 1 or min(map(len, lines[1:])) < 8:
        return None
    # Linux fs/proc/stat.c; user and nice have the guests' time in them
    spent = [after - before for before, after in zip(lines[1], lines[2], strict=True)]
    user, nice, system, _idle, _iowait, irq, softirq, _steal, *guests = spent
    total = sum(spent[:8])
    if total <= 0 or bits_per_second <= 0:
        return None
    busy = user + nice + system + irq + softirq
    scale = lines[0][0] / total / (bits_per_second / 1e9)
    return (busy - sum(guests)) * scale, busy * scale
