"""Shapes and words of a drawing, as elements: no name can be markup.

Classes give them their colours (``drawing.css``), in a page as on their own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from importlib.resources import files
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from sriovctl.view.room.model import Port, Standing

MARKS = {
    Standing.WANTED: "M8 1a7 7 0 1 0 .01 0zM4.5 8l2.5 2.5 4.5-5",
    Standing.DIFFERS: "M8 1.5l7 12.5h-14zM8 6v4M8 11.6v.8",
    Standing.IMPOSSIBLE: "M1.5 1.5h13v13h-13zM5 5l6 6M11 5l-6 6",
    Standing.BLOCKED: "M5 1h6l4 4v6l-4 4h-6l-4-4v-6zM4.5 8h7",
    Standing.UNREACHED: "M8 1l7 7-7 7-7-7zM6.2 6.6a1.8 1.8 0 1 1 1.8 2v.8M8 11v.6",
}
"""A shape for each standing, 16 × 16 px: colour alone tells nothing to many."""

COLOURS = 4
"""Of legs, by the switch's place in the rack file."""


def style() -> str:
    """The drawing's style sheet."""
    return files(__package__).joinpath("drawing.css").read_text("utf-8")


def word_of(standing: Standing) -> str:
    """A standing as a part of a class: ``as-wanted``."""
    return standing.value.replace(" ", "-")


def marks() -> Element:
    """The shapes of all standings, to be used by ``#mark-…``."""
    svg = Element("svg", {"width": "0", "height": "0", "aria-hidden": "true", "class": "defs"})
    define_marks(svg)
    return svg


def text_of(element: Element) -> str:
    """Markup, for HTML as for XML."""
    return tostring(element, encoding="unicode")


def define_marks(svg: Element) -> None:
    defs = SubElement(svg, "defs")
    for standing, path in MARKS.items():
        symbol = put(defs, "symbol", id=f"mark-{word_of(standing)}", viewBox="0 0 16 16")
        put(symbol, "path", d=path)


def mark(svg: Element, x: int, y: int, standing: Standing) -> None:
    word = word_of(standing)
    href = f"#mark-{word}"
    put(svg, "use", class_=f"mark {word}", href=href, x=x, y=y, width=16, height=16)


def box(svg: Element, x: int, y: int, width: int, height: int, class_: str) -> Element:
    return put(svg, "rect", class_=class_, x=x, y=y, width=width, height=height, rx=4)


def label(
    svg: Element, x: float, y: float, said: str, room: int, *, class_: str = "", anchor: str = ""
) -> None:
    """Words in so many px; what does not fit is cut off, and shown whole under the pointer."""
    shown = fit(said, int(room / _width(class_)))
    text = put(svg, "text", class_=class_, x=x, y=y, text_anchor=anchor, text=shown)
    if shown != said:
        put(text, "title", text=said)


def length(said: str, class_: str) -> float:
    """About how many px words take."""
    return sum(_columns(said)) * _width(class_)


def _width(class_: str) -> float:
    """Of a letter, in px."""
    return {"name": 7.6, "small": 6.4, "index": 6.0}.get(class_.partition(" ")[0], 7.2)


def _columns(said: str) -> list[int]:
    return [2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in said]


def fit(said: str, columns: int) -> str:
    """As much of it as so many columns take; a wide letter takes two."""
    widths = _columns(said)
    if sum(widths) <= columns:
        return said
    kept = list(_within(said, widths, columns - 1))
    return "".join(kept).rstrip() + "…"


def _within(said: str, widths: list[int], columns: int) -> Iterator[str]:
    for char, width in zip(said, widths, strict=True):
        columns -= width
        if columns < 0:
            return
        yield char


def cross(svg: Element, port: Port, x: int, y: int, half: int) -> None:
    """Over the cable of a port that is known to have no link."""
    if port.alive is False:
        d = f"M{x - half} {y - half}l{2 * half} {2 * half}m0-{2 * half}l-{2 * half} {2 * half}"
        put(svg, "path", class_="cross", d=d)


def put(parent: Element, tag: str, *, text: str = "", **attributes: Any) -> Element:
    """Add an element; ``class_`` and ``text_anchor`` are written as markup has them."""
    named = {
        key.rstrip("_").replace("_", "-"): str(value)
        for key, value in attributes.items()
        if value != ""
    }
    element = SubElement(parent, tag, named)
    if text:
        # the two that XML cannot say, even escaped
        element.text = text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    return element


def leg_class(place: int) -> str:
    """The class that gives a leg its colour, by its switch's place."""
    return f"leg-{place % COLOURS}"


def leg_of(port: Port, place: int, switches: tuple[str, ...]) -> str:
    """The same of a port; ``place`` counts where it is cabled to none."""
    return leg_class(switches.index(port.switch) if port.switch in switches else place)


def dead(port: Port) -> str:
    """The class of a cable of which no link is seen."""
    return "" if port.alive else " dead"
