"""Words for a screen: figures with units, tables without noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from sriovctl.view.harmless import harmless

HEADING = "bold"
QUIET = "dim"
GOOD = "green"
WARN = "yellow"
BAD = "red"
NOTHING = "–"
PIPED_WIDTH = 120
"""Columns where there is no terminal to ask: wide enough that no row of a usual host is folded."""
ROOMY = 100
"""Columns from which on the less asked-for columns are shown even where they say nothing."""

Cell = str | Text


@dataclass(frozen=True)
class Part:
    """A table of the chain, however it is drawn."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: str = ""
    """Headings of columns with figures, blank-separated."""


def screen(*, color: bool | None = None, width: int | None = None) -> Console:
    """A console on standard output.

    :param color: None for colour on a terminal only (rich also heeds NO_COLOR)
    :param width: columns; None for the terminal's, or :data:`PIPED_WIDTH` where there is none
    """
    console = Console(highlight=False, soft_wrap=False, markup=False, emoji=False)
    if width is None and not console.is_terminal:
        width = PIPED_WIDTH
    return Console(
        highlight=False,
        markup=False,
        emoji=False,
        width=width,
        no_color=None if color is None else not color,
    )


def put(console: Console, content: RenderableType) -> None:
    """Print without the blanks that a table leaves at the ends of its lines."""
    for line in console.render_lines(content, pad=False):
        kept = list(line)
        while kept and not kept[-1].text.strip():
            kept.pop()
        if kept:
            kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
        console.print(Segments([*kept, Segment.line()]), end="")


def table(headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, right: str = "") -> Table:
    """A table without rules: headings, rows, columns two blanks apart.

    :param right: headings of columns with figures, set to the right, blank-separated
    """
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=QUIET)
    flush = right.split()
    for heading in headings:
        grid.add_column(
            heading,
            justify="right" if heading in flush else "left",
            overflow="fold",
            no_wrap=heading in ("PCI address", "MAC", "VF"),
        )
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(harmless(cell)) for cell in row))
    return grid


def part(
    title: str, headings: Iterable[str], rows: Iterable[Iterable[Cell]], right: str = ""
) -> Part:
    """A table of the chain."""
    return Part(title, tuple(headings), tuple(tuple(row) for row in rows), right)


def speed(mbits: int) -> str:
    """A link's speed from Mbit/s: ``1 Gbit/s``, ``100 Mbit/s``."""
    return f"{mbits / 1000:g} Gbit/s" if mbits >= 1000 else f"{mbits} Mbit/s"


def count(number: int, one: str, many: str) -> str:
    """``1 VF``, ``7 VFs``."""
    return f"{number} {one if number == 1 else many}"
