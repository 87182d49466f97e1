"""How racadm words things: message ids, wrapped lines, errors."""

from __future__ import annotations

import textwrap

from sriovctl.lab.bmc.messages import text

WIDTH = 75
"""Text is wrapped at this column: of RAC1017, ``pending state.`` goes to a second line."""


class UsageError(Exception):
    """The words are no command."""


def said(code: str, *arguments: str) -> str:
    """A message with its id, wrapped, further lines below the text."""
    head = f"{code}: "
    return _wrapped(head, text(code, *arguments))


def error(code: str, *arguments: str) -> str:
    """The same for what was not done."""
    return _wrapped(f"ERROR: {code}: ", text(code, *arguments))


def _wrapped(head: str, sentence: str) -> str:
    hanging = " " * len(head)
    lines = textwrap.wrap(
        sentence,
        WIDTH,
        initial_indent=head,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines) + "\n"
