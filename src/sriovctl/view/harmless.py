"""Names from hosts, as they can be shown."""

from __future__ import annotations

import unicodedata

ACTING = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories that a terminal, a line or the writing direction obeys: control and format
characters, surrogates, line and paragraph separators."""


def harmless_lines(text: str) -> str:
    """The same for a message of several lines: its newlines stay."""
    return "\n".join(harmless(line) for line in text.split("\n"))


def harmless(text: str) -> str:
    """A name as it can be shown: what a screen would act on is written as an escape.

    >>> harmless("VM\\x1b[2J")
    'VM\\\\x1b[2J'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in ACTING
        else char
        for char in text
    )
