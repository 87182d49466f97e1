"""A kernel's command line, word by word as the kernel itself reads it.

Words are whole: ``iommu=pt`` is not in ``amd_iommu=pt``, and ``intel_iommu=on,sm_on`` says on.
Where a word comes twice the last one holds, as it does for the kernel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from sriovctl.plan import Frozen

_WORD: Final = re.compile(r'(?:[^ \t\n\v\f\r"]|"[^"]*"?)+')
"""Quotes may begin and end anywhere in a word (lib/cmdline.c, next_arg)."""

_LISTS: Final = frozenset({"intel_iommu", "amd_iommu", "iommu", "pci"})
"""Their values are words between commas, and each time they are given counts
(drivers/iommu/intel/iommu.c, drivers/iommu/amd/init.c, arch/x86/kernel/pci-dma.c,
drivers/pci/pci.c)."""

_CONTRARY: Final[dict[tuple[str, str], frozenset[str]]] = {
    ("intel_iommu", "on"): frozenset({"off"}),
    ("iommu", "pt"): frozenset({"nopt"}),
    ("pci", "realloc"): frozenset({"realloc=off"}),
}
"""Words of a list that take another one back."""


class Arguments(Frozen):
    """What a command line should say (``intel_iommu=on``) and should not (``iommu=off``).

    Of a list such as ``intel_iommu`` each is one word of it; of anything else, the whole value.
    """

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.present or self.absent)


@dataclass(frozen=True)
class Change:
    """``line[start:end]`` is to become ``text``."""

    start: int
    end: int
    text: str

    def on(self, line: str) -> str:
        """The line with it done."""
        return line[: self.start] + self.text + line[self.end :]


@dataclass(frozen=True)
class _Word:
    start: int
    end: int
    text: str

    @cached_property
    def key(self) -> str:
        # the kernel takes - and _ for the same (kernel/params.c, parameq)
        return self.text.lstrip('"').partition("=")[0].replace("-", "_")

    @property
    def value(self) -> str | None:
        _, equals, value = self.text.partition("=")
        return value.replace('"', "") if equals else None

    @property
    def items(self) -> list[str]:
        return (self.value or "").split(",")


def words(line: str) -> list[str]:
    """The words of a command line, quotes left as they are."""
    return [match[0] for match in _WORD.finditer(line)]


def holds(line: str, argument: str) -> bool:
    """Does a kernel with this command line do what the argument says?"""
    wanted = _Word(0, len(argument), argument)
    answer = False
    for word in _kernel_words(line):
        if word.key != wanted.key:
            continue
        if wanted.key not in _LISTS:
            answer = word.value == wanted.value
            continue
        for item in word.items:
            if item == wanted.value:
                answer = True
            elif item in _contrary(wanted):
                answer = False
    return answer


def says(line: str, argument: str) -> bool:
    """Does the argument stand anywhere in the command line, taken back later or not?"""
    return _first_saying(line, _Word(0, len(argument), argument)) is not None


def satisfied(line: str, wanted: Arguments) -> bool:
    """Does the command line say all that is wanted, and nothing that is not?"""
    return all(holds(line, a) for a in wanted.present) and not any(
        says(line, a) for a in wanted.absent
    )


def set_arguments(line: str, wanted: Arguments) -> str:
    """The command line with what is wanted in it; unchanged where it is :func:`satisfied`."""
    while (change := correction(line, wanted)) is not None:
        line = change.on(line)
    for argument in wanted.present:
        if not holds(line, argument):
            line = addition(line, argument).on(line)
    return line


def correction(line: str, wanted: Arguments) -> Change | None:
    """The first word that is not as wanted and how to put it right; None where only words miss.

    Each correction that is done leaves one less to do.
    """
    for argument in wanted.present:
        if holds(line, argument):
            continue
        word = _Word(0, len(argument), argument)
        if word.key not in _LISTS:
            same = [w for w in _kernel_words(line) if w.key == word.key]
            if same:
                return Change(same[-1].start, same[-1].end, argument)
        for opposite in sorted(_contrary(word)):
            change = _item_change(line, f"{word.key}={opposite}", word.value)
            if change is not None:
                return change
        lists = [w for w in _kernel_words(line) if w.key == word.key and w.value]
        if word.key in _LISTS and lists:
            return _with_items(lists[-1], [*lists[-1].items, word.value or ""])
    for argument in wanted.absent:
        change = _item_change(line, argument, None)
        if change is not None:
            return change
    return None


def addition(line: str, argument: str) -> Change:
    """Where and how an argument is added: after the last word, what follows it stays."""
    every = list(_WORD.finditer(line))
    # what stands behind a lone -- goes to init, not to the kernel (init/main.c), and what stands
    # behind a quote that never closes is part of that word
    end = next((m for m in every if m[0] == "--" or m[0].count('"') % 2), None)
    before = [m for m in every if end is None or m.start() < end.start()]
    if before:
        place = before[-1].end()
        return Change(place, place, f" {argument}")
    if end is not None:
        return Change(end.start(), end.start(), f"{argument} ")
    return Change(0, 0, argument)


@lru_cache(maxsize=16)
def _kernel_words(line: str) -> tuple[_Word, ...]:
    # each of a host's few lines is asked for many arguments
    found = []
    for match in _WORD.finditer(line):
        if match[0] == "--":
            break
        found.append(_Word(match.start(), match.end(), match[0]))
    return tuple(found)


def _contrary(word: _Word) -> frozenset[str]:
    return _CONTRARY.get((word.key, word.value or ""), frozenset())


def _first_saying(line: str, wanted: _Word) -> _Word | None:
    for word in _kernel_words(line):
        if word.key != wanted.key:
            continue
        if word.value == wanted.value or (word.key in _LISTS and wanted.value in word.items):
            return word
    return None


def _with_items(word: _Word, items: list[str]) -> Change:
    name = word.text.lstrip('"').partition("=")[0]
    return Change(word.start, word.end, f"{name}={','.join(items)}")


def _item_change(line: str, argument: str, instead: str | None) -> Change | None:
    """An argument, or that item of a list, becomes another item or goes."""
    wanted = _Word(0, len(argument), argument)
    word = _first_saying(line, wanted)
    if word is None:
        return None
    items = [item for item in word.items if item != wanted.value] if word.key in _LISTS else []
    if instead is not None:
        # in its place, so that the order of the others stays
        items = [instead if item == wanted.value else item for item in word.items]
        items = list(dict.fromkeys(items))
    if items:
        return _with_items(word, items)
    # with one blank, as an addition brings one: so the one takes back the other
    before, rest = line[: word.start], line[word.end :]
    if words(before) and before[-1] in " \t":
        return Change(word.start - 1, word.end, "")
    if words(rest) and rest[0] in " \t":
        return Change(word.start, word.end + 1, "")
    return Change(word.start, word.end, "")
