"""A bench's medians and spreads as a small SVG: a group of bars a measure, a bar a path. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from sriovctl.trial.bench.flows import MEASURES
from sriovctl.trial.bench.result import Figure, Measured, Result
from sriovctl.view.harmless import harmless

WIDTH, LEFT, RIGHT = 800, 300, 200
HEAD, BAR, GAP = 40, 16, 14
"""Height of the picture's head, of a bar, and between two groups, in px."""

STYLE = """
text{font:12px sans-serif;fill:#1f2328} .quiet{fill:#59636e} .ground{fill:#ffffff}
.VFs{fill:#1a7f37} .bridge{fill:#0969da} .host{fill:#8c959f} .spread{stroke:#1f2328}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc} .quiet{fill:#9198a1} .ground{fill:#0d1117}
.VFs{fill:#3fb950} .bridge{fill:#4493f8} .host{fill:#6e7681} .spread{stroke:#f0f6fc}}
""".strip()


def svg(result: Result) -> str:
    """The picture of a bench; each measure has a scale of its own."""
    groups = [
        [(one, one.figures[measure.name]) for one in result.measured if measure.name in one.figures]
        for measure in MEASURES
    ]
    groups = [group for group in groups if group]
    height = HEAD + sum(len(group) * BAR + GAP for group in groups)
    about = result.circumstances
    title = f"{about.host}, Linux {about.kernel}, from {about.sent_from}: medians and spreads"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>{_text(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        f'<text x="20" y="24" font-weight="600">{_text(title)}</text>',
    ]
    y = HEAD
    for group in groups:
        parts += _group(group, y)
        y += len(group) * BAR + GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


def _group(group: list[tuple[Measured, Figure]], y: int) -> Iterator[str]:
    most = max(max(figure.values) for _, figure in group) or 1.0

    def across(value: float) -> float:
        return LEFT + value / most * (WIDTH - LEFT - RIGHT)

    yield f'<text x="20" y="{y + 12}">{_text(group[0][1].measure.words)}</text>'
    for place, (one, figure) in enumerate(group):
        top = y + place * BAR
        low, high = across(min(figure.values)), across(max(figure.values))
        length = across(figure.median) - LEFT
        yield (
            f'<text class="quiet" x="{LEFT - 8}" y="{top + 12}" text-anchor="end">'
            f"{_text(one.path.name)}</text>"
        )
        yield (
            f'<rect class="{one.path.kind}" x="{LEFT}" y="{top + 2}" width="{length:.1f}" '
            f'height="{BAR - 4}"/>'
        )
        middle = top + BAR / 2
        yield (f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>')
        yield f'<text x="{WIDTH - RIGHT + 8}" y="{top + 12}">{_text(figure.text)}</text>'


def _text(text: str) -> str:
    return escape(harmless(text))
