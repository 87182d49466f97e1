"""What differs between two texts of a file, by lines: a step says no more than it changes."""

from __future__ import annotations

import re


def hunks(before: str, after: str) -> list[tuple[int, str, str]]:
    """What differs: the number of the first line, counted from 1, its old and its new text.

    Lines stay in their places, but for those at the end of the file.
    """
    old, new = _lines(before), _lines(after)
    if len(old) == len(new):
        return [(n, a, b) for n, (a, b) in enumerate(zip(old, new, strict=True), 1) if a != b]
    same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    start = min(len(old), len(new)) if same is None else same
    return [(start + 1, "".join(old[start:]), "".join(new[start:]))]


def _lines(text: str) -> list[str]:
    # "\n" alone ends a line: str.splitlines() knows more line ends than sed does
    return [line for line in re.split(r"(?<=\n)", text) if line]


def as_words(changes: list[tuple[int, str, str]]) -> list[str | int]:
    """Changes as ``boot_edit`` of kernel.sh takes them: five words each."""
    return [
        word
        for first, old, new in changes
        for word in (first, len(_lines(old)), old, len(_lines(new)), new)
    ]
