"""From what was sent and answered to outages. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """One packet there and back. Times in seconds by this machine's clock (since 1970)."""

    sent: float
    received: float | None
    """None: never answered."""


@dataclass(frozen=True)
class Outage:
    """The longest silence among some probes, and what was lost."""

    ms: float
    """From the last answered probe's sending to that of the next one that was answered; 0 where
    none between two was lost."""
    sent: int
    lost: int
    over: bool
    """Did the VM answer again? If not, ``ms`` is what was seen of it."""


def parse(line: str) -> Probe | None:
    """A probe of one line of the pinger's; None for another line."""
    match line.split():
        case ["answer", sent, received] if sent.isdigit() and received.isdigit():
            return Probe(int(sent) / 1e6, int(received) / 1e6)
        case ["lost", sent] if sent.isdigit():
            return Probe(int(sent) / 1e6, None)
    return None


def outage(probes: Sequence[Probe], since: float, until: float) -> Outage:
    """The worst of what was sent between two moments.

    A silence that begins before ``since`` is not of this window; one that ends after ``until`` is
    not over.

    :param probes: in the order of their sending
    """
    window = [probe for probe in probes if since <= probe.sent < until]
    worst, over = 0.0, True
    left = since
    for lost, group in itertools.groupby(window, key=lambda probe: probe.received is None):
        run = list(group)
        if not lost:
            left = run[-1].sent
            continue
        after = next((p.sent for p in window if p.sent > run[-1].sent), None)
        silence = (until if after is None else after) - left
        if silence > worst:
            worst, over = silence, after is not None
    return Outage(
        ms=round(worst * 1000, 1),
        sent=len(window),
        lost=sum(probe.received is None for probe in window),
        over=over,
    )


def onset(probes: Sequence[Probe], moment: float) -> float:
    """When the silence began in which a moment lies; the moment itself where it lies in none.

    A leg is gone some milliseconds before the host's word of it is here.

    :param probes: in the order of their sending
    """
    began = moment
    for probe in reversed([probe for probe in probes if probe.sent < moment]):
        if probe.received is not None:
            break
        began = probe.sent
    return began


def answers_per_second(
    probes: Sequence[Probe], since: float, until: float, bin_s: float
) -> list[tuple[float, float]]:
    """How many probes a second were answered, by when they were sent.

    :returns: ``(moment, answers per second)`` of each bin, its beginning as the moment
    """
    count = max(1, round((until - since) / bin_s))
    bins = [0] * count
    for probe in probes:
        place = int((probe.sent - since) / bin_s)
        if probe.received is not None and since <= probe.sent and 0 <= place < count:
            bins[place] += 1
    return [(since + place * bin_s, answered / bin_s) for place, answered in enumerate(bins)]
