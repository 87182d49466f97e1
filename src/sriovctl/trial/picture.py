"""Throughput over time as a small SVG, a panel for each round, its events marked. Pure.

It stands on its own and is legible on light and on dark ground.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from xml.sax.saxutils import escape

from sriovctl.trial.probes import Outage, answers_per_second
from sriovctl.trial.result import Measured, Result
from sriovctl.view.harmless import harmless

WIDTH, LEFT, RIGHT = 800, 60, 20
PANEL, TOP, BOTTOM, HEAD = 170, 40, 30, 40
"""Height of a panel, of what is above and below its plot, and of the picture's own head; in px."""
BIN_S = 0.05

# colours are said twice and not by var(), which viewers other than browsers do not know
STYLE = """
text{font:12px sans-serif;fill:#1f2328} .quiet{fill:#59636e} .ground{fill:#ffffff}
.axis{fill:none;stroke:#59636e} .rate{fill:none;stroke:#0969da;stroke-width:1.5}
.away{fill:#cf222e;opacity:.12} .taken{stroke:#cf222e} .back{stroke:#1a7f37}
.told{stroke:#8250df;stroke-dasharray:3}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc} .quiet{fill:#9198a1} .ground{fill:#0d1117} .axis{stroke:#9198a1}
.rate{stroke:#4493f8} .away{fill:#f85149;opacity:.2} .taken{stroke:#f85149} .back{stroke:#3fb950}
.told{stroke:#ab7df8}}
""".strip()


def svg(results: Sequence[Result]) -> str:
    """The picture of a trial.

    :param results: of each VM
    """
    panels = [(result, one) for result in results for one in result.measured]
    height = HEAD + PANEL * len(panels)
    vms = ", ".join(f"{result.vm} at {result.address}" for result in results)
    title = f"{vms}: answers a second, from {results[0].sent_from}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>{_text(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        f'<text x="{LEFT}" y="24" font-weight="600">{_text(title)}</text>',
    ]
    for place, (result, one) in enumerate(panels):
        parts += _panel(result, one, HEAD + place * PANEL)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(result: Result, one: Measured, y: int) -> list[str]:
    began, until = one.round.began, one.round.until
    top, floor = y + TOP, y + PANEL - BOTTOM
    points = answers_per_second(result.probes, began, until, BIN_S)
    most = max([result.rate, *(rate for _, rate in points)])

    def across(moment: float) -> float:
        return LEFT + (moment - began) / (until - began) * (WIDTH - LEFT - RIGHT)

    def up(rate: float) -> float:
        return floor - rate / most * (floor - top)

    taken, back = across(one.round.taken), across(one.round.back)
    line = " ".join(f"{across(moment + BIN_S / 2):.1f},{up(rate):.1f}" for moment, rate in points)
    heading = (
        f"{result.vm}, {one.round.way}, {one.round.leg}: failover {_figure(one.failover)}, "
        f"failback {_figure(one.failback)}"
    )
    return [
        f'<text x="{LEFT}" y="{y + 14}">{_text(heading)}</text>',
        f'<rect class="away" x="{taken:.1f}" y="{top}" width="{back - taken:.1f}" '
        f'height="{floor - top}"/>',
        f'<path class="axis" d="M{LEFT} {top}V{floor}H{WIDTH - RIGHT}"/>',
        f'<text class="quiet" x="{LEFT - 6}" y="{up(result.rate) + 4:.1f}" text-anchor="end">'
        f"{result.rate:g}/s</text>",
        f'<text class="quiet" x="{LEFT - 6}" y="{floor + 4}" text-anchor="end">0</text>',
        f'<text class="quiet" x="{LEFT}" y="{floor + 18}">0 s</text>',
        f'<text class="quiet" x="{WIDTH - RIGHT}" y="{floor + 18}" text-anchor="end">'
        f"{until - began:.1f} s</text>",
        f'<polyline class="rate" points="{line}"/>',
        *_mark("taken", taken, top, floor, "leg away"),
        *_mark("back", back, top, floor, "leg back"),
        *_told(one, across, top, floor),
    ]


def _told(one: Measured, across: Callable[[float], float], top: int, floor: int) -> Iterator[str]:
    """When the peers were told, a thin line each; names one below the other."""
    for since, learned in zip((one.taken, one.round.back), one.learned, strict=True):
        times = {"ARP": learned.arp_ms, **learned.switches_ms}
        for place, (who, ms) in enumerate((w, t) for w, t in times.items() if t is not None):
            x = across(since + ms / 1000)
            yield f'<line class="told" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{floor}"/>'
            y = top + 14 * (place + 1)
            yield f'<text class="quiet" x="{x + 4:.1f}" y="{y}">{_text(who)}</text>'


def _mark(kind: str, x: float, top: int, floor: int, words: str) -> list[str]:
    return [
        f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 6}" y2="{floor}"/>',
        f'<text x="{x:.1f}" y="{top - 9}" text-anchor="middle">{words}</text>',
    ]


def _figure(one: Outage) -> str:
    return f"{'' if one.over else 'more than '}{one.ms:.0f} ms, {one.lost} lost"


def _text(text: str) -> str:
    return escape(harmless(text))
