"""A rack file's entries that stand for many: ``server-[01-99]:`` becomes 99 hosts. Pure.

A range in the key counts; the same range, or another of as many numbers, inside the entry counts
with it. Expanded is the file's tree, before any model sees it, and every place keeps its mark: an
error in one of the 99 names the one line that they have.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sriovctl.yamltree import Fault, Mark, Place, Tree

RANGE = re.compile(r"\[([0-9]{1,9})-([0-9]{1,9})\]")
SECTIONS = ("hosts", "vms")
LARGEST = 1000
"""Entries that one template makes without being asked for more, by the key ``largest_template``."""


@dataclass(frozen=True)
class Span:
    """The numbers of one range: ``[08-10]`` is 08, 09, 10."""

    text: str
    first: int
    last: int
    width: int
    """Digits at least; more than one where the first number was written with zeros before it."""

    @property
    def count(self) -> int:
        """How many numbers; none or less where the last is before the first."""
        return self.last - self.first + 1

    def number(self, index: int) -> str:
        """The number at a place, counted from 0."""
        return f"{self.first + index:0{self.width}}"


def spans_of(text: str) -> list[Span]:
    """The ranges in a text, from left to right."""
    return [
        Span(match[0], int(match[1]), int(match[2]), len(match[1]))
        for match in RANGE.finditer(text)
    ]


def names_of(text: str) -> Iterator[str]:
    """What a text with ranges stands for, the last range counting fastest."""
    for indices in _combinations(spans_of(text)):
        yield _filled(text, iter([span.number(i) for span, i in indices]))


def expand(tree: Tree) -> Tree:
    """A rack file's tree with every template written out.

    An entry that has its own name in the file goes before a template's of that name.

    :returns: the same tree where there is none; what cannot be is among its faults
    """
    sections = [section for section in SECTIONS if _has_templates(tree, section)]
    if not sections:
        return tree
    expansion = _Expansion(tree)
    value = dict(tree.value)
    for section in sections:
        value[section] = expansion.of(section)
    return Tree(
        value,
        _Marks(tree.keys, expansion.origins),
        _Marks(tree.values, expansion.origins),
        tree.faults + expansion.faults,
    )


def _has_templates(tree: Tree, section: str) -> bool:
    entries = tree.value.get(section) if isinstance(tree.value, dict) else None
    return isinstance(entries, dict) and any(RANGE.search(str(name)) for name in entries)


class _Marks(dict[Place, Mark]):
    """Marks by place, where a written-out entry's are those of its template."""

    def __init__(self, written: Mapping[Place, Mark], origins: Mapping[Place, str]) -> None:
        super().__init__(written)
        self._origins = origins

    def __missing__(self, place: Place) -> Mark:
        origin = self._origins.get(place[:2])
        if origin is None:
            raise KeyError(place)
        return self[(place[0], origin, *place[2:])]


class _Expansion:
    """One walk over the templates; a class for what it gathers on the way."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.origins: dict[Place, str] = {}
        """The template's name, by the place of what it made."""
        self.faults: list[Fault] = []

    def of(self, section: str) -> dict[str | int, Any]:
        entries: dict[str | int, Any] = self._tree.value[section]
        made: dict[str | int, Any] = {}
        for name, body in entries.items():
            if not RANGE.search(str(name)):
                made[name] = body
                continue
            template = str(name)
            place = (section, template)
            spans = spans_of(template)
            if not self._sound(place, spans):
                continue
            links = _Links(spans, place)
            links.walk(body, place)
            self.faults += [self._fault(*wrong) for wrong in links.wrong]
            for indices in _combinations(spans) if not links.wrong else ():
                one = _filled(template, iter([span.number(i) for span, i in indices]))
                if one in entries:
                    continue
                first = self.origins.setdefault((section, one), template)
                if first != template:
                    self.faults.append(
                        self._fault(place, f"it makes {one!r}, and so does {first!r}")
                    )
                    break
                made[one] = links.filled(body, [i for _, i in indices])
        return made

    def _sound(self, place: Place, spans: list[Span]) -> bool:
        for span in spans:
            if span.count < 1:
                self.faults.append(
                    self._fault(place, f"the range {span.text} ends before it begins")
                )
                return False
        largest = self._tree.value.get("largest_template", LARGEST)
        count = math.prod(span.count for span in spans)
        if isinstance(largest, int) and count > largest:
            self.faults.append(
                self._fault(
                    place,
                    f"this makes {count} entries",
                    f"up to {largest}; if it is meant, say at the top of the file "
                    f"largest_template: {count}",
                )
            )
            return False
        return True

    def _fault(self, place: Place, found: str, allowed: str = "") -> Fault:
        return Fault(self._tree.values[place], place, found, allowed)


class _Links:
    """Which of a template's ranges each range inside its entry counts with."""

    def __init__(self, spans: list[Span], template: Place) -> None:
        self._spans = spans
        self._template = template[-1]
        self._with: dict[str, int] = {}
        self.wrong: list[tuple[Place, str, str]] = []

    def walk(self, value: Any, place: Place) -> None:
        """Find them all."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self.walk(inner, (*place, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self.walk(inner, (*place, index))
        elif isinstance(value, str):
            for span in spans_of(value):
                self._link(span, place)

    def _link(self, span: Span, place: Place) -> None:
        alike = [i for i, own in enumerate(self._spans) if own.text == span.text]
        fitting = alike or [i for i, own in enumerate(self._spans) if own.count == span.count]
        if len(fitting) == 1:
            self._with[span.text] = fitting[0]
            return
        counts = ", ".join(f"{own.text} {own.count}" for own in self._spans)
        self.wrong.append(
            (
                place,
                f"the range {span.text} has {span.count} numbers, and {self._template} has: "
                f"{counts}",
                "as many as exactly one of them, or the same text as one of them",
            )
        )

    def filled(self, value: Any, indices: list[int]) -> Any:
        """A copy of a value with the numbers of one entry. A text that becomes a number is one."""
        if isinstance(value, dict):
            return {key: self.filled(inner, indices) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner, indices) for inner in value]
        spans = spans_of(value) if isinstance(value, str) else []
        if not spans:
            return value
        text = _filled(value, iter([s.number(indices[self._with[s.text]]) for s in spans]))
        return int(text) if re.fullmatch("0|[1-9][0-9]*", text) else text


def _combinations(spans: list[Span]) -> Iterator[list[tuple[Span, int]]]:
    for indices in itertools.product(*(range(span.count) for span in spans)):
        yield list(zip(spans, indices, strict=True))


def _filled(text: str, numbers: Iterator[str]) -> str:
    return RANGE.sub(lambda _: next(numbers), text)
