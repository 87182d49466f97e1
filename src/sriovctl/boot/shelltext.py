"""Assignments in a file of shell text, where each is and what it says, found without running it.

``/etc/default/grub`` is shell: ``grub-mkconfig`` reads it with ``.``. What is needed of that is
quoting, references, ``+=``, comments and continued lines; conditions are seen and told apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sriovctl.boot.arguments import Change
from sriovctl.errors import BootFileError

REFERENCE: Final = "\ue000"
"""Stands in a value for a ``$NAME``, ``$(…)`` or the like: one character of no known text."""

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=)")
_NAME: Final = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_OPENS: Final = frozenset({"if", "case", "for", "while", "until", "{"})
_CLOSES: Final = frozenset({"fi", "esac", "done", "}"})
_GOES_ON: Final = frozenset({"then", "else", "elif", "do", "in", "!"})


@dataclass(frozen=True)
class _Piece:
    """One character of a value, where it stands in the file, and in what quotes."""

    text: str
    start: int
    end: int
    quote: str
    segment: int
    """Quotes opened and closed before it: two pieces of one segment stand in the same quotes."""
    name: str | None = None
    """Of a reference: the variable."""


@dataclass(frozen=True)
class Assignment:
    """``NAME=value`` or ``NAME+=value`` as a command of its own."""

    name: str
    line: int
    appends: bool
    conditional: bool
    """It stands in an ``if``, a loop, a function or the like, or behind ``&&`` or ``||``."""
    start: int
    """Of the value, in the file."""
    end: int
    pieces: tuple[_Piece, ...]

    @property
    def value(self) -> str:
        """The value, :data:`REFERENCE` for each reference."""
        return "".join(piece.text for piece in self.pieces)

    def with_values(self, known: Mapping[str, str]) -> str:
        """The value, with what is known put in for the references to it."""
        return "".join(
            known.get(p.name, REFERENCE) if p.text == REFERENCE and p.name is not None else p.text
            for p in self.pieces
        )


@dataclass
class _Reader:
    path: str
    text: str
    at: int = 0
    segment: int = 0
    found: list[Assignment] = field(default_factory=list)
    open: list[tuple[str, int]] = field(default_factory=list)

    def error(self, at: int, found: str) -> BootFileError:
        return BootFileError(
            self.path,
            self.text.count("\n", 0, at) + 1,
            found,
            "the shell, and so the boot loader's generator, cannot read the file",
            f"put it right by hand; sh -n {self.path} checks it",
        )

    def word(self) -> tuple[_Piece, ...]:
        pieces: list[_Piece] = []
        quote, opened = "", self.at
        while self.at < len(self.text):
            char, start = self.text[self.at], self.at
            if quote == "":
                if char in " \t\n;&|()<>":
                    break
                if char in "'\"":
                    quote, opened = char, start
                    self.at += 1
                    self.segment += 1
                    continue
            elif char == quote:
                quote = ""
                self.at += 1
                self.segment += 1
                continue
            name = None
            if char == "\\" and quote != "'":
                following = self.text[start + 1 : start + 2]
                if following == "\n":
                    self.at += 2
                    continue
                if following and (quote == "" or following in '$`"\\'):
                    char = following
                    self.at += 2
                else:
                    self.at += 1
            elif char == "`" and quote != "'":
                self.skip_to("`", "the command in backquotes")
                char = REFERENCE
            elif char == "$" and quote != "'":
                char, name = self.reference()
            else:
                self.at += 1
            pieces.append(_Piece(char, start, self.at, quote, self.segment, name))
        if quote:
            raise self.error(opened, f"the quote {quote} is never closed")
        return tuple(pieces)

    def reference(self) -> tuple[str, str | None]:
        match = _NAME.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            return REFERENCE, match[1] or match[2]
        following = self.text[self.at + 1 : self.at + 2]
        if following == "{":
            self.skip_to("}", "${")
        elif following == "(":
            self.skip_parentheses()
        elif following and following in "0123456789@*#?-$!":
            self.at += 2
        else:
            self.at += 1
            return "$", None
        return REFERENCE, None

    def skip_to(self, end: str, what: str) -> None:
        place = self.text.find(end, self.at + 1)
        if place < 0:
            raise self.error(self.at, f"{what} is never closed")
        self.at = place + 1

    def skip_parentheses(self) -> None:
        depth, start = 0, self.at
        for place in range(start, len(self.text)):
            depth += {"(": 1, ")": -1}.get(self.text[place], 0)
            if depth == 0 and self.text[place] == ")":
                self.at = place + 1
                return
        raise self.error(start, "$( is never closed")

    def blanks(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] in " \t\r":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def command(self, behind: str) -> None:
        """One simple command: assignments, or words, up to an operator."""
        assignments: list[Assignment] = []
        first: str | None = None
        while True:
            self.blanks()
            start = self.at
            match = _ASSIGNMENT.match(self.text, start) if first in (None, "export") else None
            if match is not None:
                self.at = match.end()
            pieces = self.word()
            if self.at == start:
                break
            if match is not None:
                line = self.text.count("\n", 0, start) + 1
                conditional = bool(self.open) or behind in ("&&", "||")
                assignments.append(
                    Assignment(
                        match[1],
                        line,
                        match[2] == "+=",
                        conditional,
                        match.end(),
                        self.at,
                        pieces,
                    )
                )
            elif first is None:
                first = "".join(piece.text for piece in pieces)
                if first in _OPENS:
                    self.open.append((first, start))
                elif first in _CLOSES:
                    if not self.open:
                        raise self.error(start, f"{first} closes nothing")
                    self.open.pop()
                if first in _GOES_ON or first in ("if", "while", "until", "{"):
                    first = None
                elif assignments:
                    # an assignment before a command is for that command only
                    self._not_quoted(assignments[-1], first)
                elif first.startswith("GRUB_CMDLINE") and self.text[self.at :].lstrip(" ")[:1] in (
                    "=",
                    "+",
                ):
                    raise self.error(start, f"a blank before the = of {first}")
        if first in (None, "export"):
            self.found += assignments

    def _not_quoted(self, assignment: Assignment, word: str) -> None:
        if assignment.name.startswith("GRUB_CMDLINE"):
            raise self.error(
                assignment.start, f"{word!r} stands behind {assignment.name}= without quotes"
            )

    def read(self) -> list[Assignment]:
        behind = ""
        while self.at < len(self.text):
            start = self.at
            self.command(behind)
            if self.at >= len(self.text):
                break
            char = self.text[self.at]
            behind = self.text[self.at : self.at + 2]
            if behind in ("&&", "||", ";;"):
                self.at += 2
                continue
            if behind == "<<":
                raise self.error(self.at, "a here-document")
            self.at += 1
            if char in "<>":
                self.blanks()
                self.word()
            elif char == "(":
                self.open.append(("(", start))
            elif char == ")" and not (self.open and self.open[-1][0] == "case"):
                if not self.open or self.open[-1][0] != "(":
                    raise self.error(start, ") closes nothing")
                self.open.pop()
        if self.open:
            what, start = self.open[-1]
            raise self.error(start, f"{what} is never closed")
        return self.found


def assignments(path: str, text: str) -> list[Assignment]:
    """Every assignment that lasts, in the file's order.

    :param path: of the file, for errors
    :raises BootFileError: for text that the shell could not read, or ``GRUB_CMDLINE…=`` without
        quotes around several words
    """
    return _Reader(path, text).read()


def edited(path: str, text: str, assignment: Assignment, change: Change) -> str:
    """The file with part of one assignment's value changed, in the quotes that are there.

    :param assignment: one that :func:`assignments` found in this text
    :param change: of its :attr:`Assignment.value`
    :raises BootFileError: where the part to be changed is not in one pair of quotes, or comes from
        a reference
    """
    pieces = assignment.pieces
    part = pieces[change.start : change.end]
    if any(p.text == REFERENCE for p in part) or len({p.segment for p in part}) > 1:
        raise BootFileError(
            path,
            assignment.line,
            f"the value of {assignment.name} is put together of several parts",
            "what is to be changed in it cannot be told apart",
            "write it in one pair of quotes",
        )
    if part:
        start, end, quote = part[0].start, part[-1].end, part[0].quote
    elif change.start:
        before = pieces[change.start - 1]
        start, end, quote = before.end, before.end, before.quote
    elif pieces:
        start, end, quote = pieces[0].start, pieces[0].start, pieces[0].quote
    else:
        raw = text[assignment.start : assignment.end]
        quote = raw[:1]
        start = end = assignment.start + len(quote)
    if quote == "" and change.text and not part:
        return _quoted(text, assignment, change)
    return text[:start] + _in_quotes(change.text, quote) + text[end:]


def _in_quotes(text: str, quote: str) -> str:
    if quote == "'":
        return text.replace("'", "'\\''")
    escaped = re.sub(r'([\\"$`])', r"\\\1", text)
    return escaped if quote == '"' or re.fullmatch(r"[\w@%+=:,./-]*", text) else f'"{escaped}"'


def _quoted(text: str, assignment: Assignment, change: Change) -> str:
    """An addition to a value that has no quotes there: such a value gets some if it is plain."""
    raw = text[assignment.start : assignment.end]
    line_end = raw[len(raw.rstrip("\r")) :]
    if any(piece.quote or piece.text == REFERENCE for piece in assignment.pieces) or "\\" in raw:
        place = assignment.pieces[change.start - 1].end if change.start else assignment.start
        return text[:place] + f'"{_in_quotes(change.text, chr(34))}"' + text[place:]
    value = change.on(assignment.value.rstrip("\r"))
    return (
        text[: assignment.start]
        + f'"{_in_quotes(value, chr(34))}"'
        + line_end
        + text[assignment.end :]
    )
