"""A bench's result as a person reads it. Imports rich."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from sriovctl.trial.bench.flows import MEASURES
from sriovctl.trial.bench.result import Measured, Result, number
from sriovctl.view.harmless import harmless
from sriovctl.view.text import NOTHING, Cell, put, screen, table


def print_result(result: Result) -> None:
    """On standard output."""
    out = screen()
    about = result.circumstances
    out.print(
        Text(
            harmless(
                f"{about.host}, Linux {about.kernel}: from {about.sent_from}, runs of "
                f"{about.seconds} s in turns, medians (smallest to largest)"
            ),
            style="bold",
        )
    )
    headings = ["", *(f"{one.path.name}, {one.path.kind}" for one in result.measured)]
    ratio = _ratio_of(result)
    if ratio is not None:
        headings.append("VFs : bridge")
    put(out, table([harmless(heading) for heading in headings], _rows(result, ratio)))
    for one in result.measured:
        for line in _comparison(one, about.kernel):
            out.print(Text(harmless(line)))
    for why in result.skipped:
        out.print(Text(harmless(f"skipped  {why}")))


def _ratio_of(result: Result) -> tuple[Measured, Measured] | None:
    """The one path over VFs and the one over a bridge, where there is one of each."""
    by_kind = [[one for one in result.measured if one.path.kind == k] for k in ("VFs", "bridge")]
    if [len(found) for found in by_kind] != [1, 1]:
        return None
    return by_kind[0][0], by_kind[1][0]


def _rows(result: Result, ratio: tuple[Measured, Measured] | None) -> Iterator[list[Cell]]:
    for measure in MEASURES:
        found = [one.figures.get(measure.name) for one in result.measured]
        if not any(found):
            continue
        cells: list[Cell] = [NOTHING if figure is None else figure.text for figure in found]
        if ratio is not None:
            ours, other = (one.figures.get(measure.name) for one in ratio)
            known = ours is not None and other is not None and other.median > 0
            cells.append(f"{ours.median / other.median:.2f}" if known and ours and other else "")
        yield [measure.words, *cells]


def _comparison(one: Measured, kernel: str) -> Iterator[str]:
    """How the path did the last time, those measures that are other by a tenth or more."""
    if one.before is None:
        return
    changes = [
        f"{measure.words} {number(then)} → {number(now)} {measure.unit}"
        for measure, then, now in one.changes()
        if abs(now - then) > 0.1 * then
    ]
    was = one.before.get("kernel")
    under = "" if was == kernel else f", Linux {was}"
    said = "; ".join(changes) or "all within a tenth"
    yield f"{one.path.name} since {str(one.before.get('date'))[:16]}{under}: {said}"
