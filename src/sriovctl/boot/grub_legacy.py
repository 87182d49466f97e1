"""GRUB 0.97's ``grub.conf`` or ``menu.lst``: one ``kernel`` line an entry (CentOS 6).

Normal Linux entries are what counts. Left alone: Xen (``kernel /xen.gz``, where the hypervisor has
the IOMMU), memtest and whatever else is no Linux, and entries for rescue: the way back in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sriovctl.boot.arguments import Arguments, satisfied
from sriovctl.boot.arguments import set_arguments as set_on_line
from sriovctl.boot.arguments import words as words_of
from sriovctl.errors import BootFileError

_COMMAND: Final = re.compile(r"[ \t]*([a-z]+)(?:[ \t=]+|(?=\r?$))")
"""GRUB takes ``=`` for a blank behind a command (stage2/cmdline.c, skip_to)."""

_OPTION: Final = re.compile(r"--[^ \t]*[ \t]+")
_NO_LINUX: Final = re.compile(
    r"(?:^|[/)])(xen|memtest|mboot|memdisk|gpxe|ipxe|kfreebsd|gnumach)[^/]*$"
)
_RESCUE: Final = re.compile(r"rescue|recovery|single[- ]user|failsafe", re.IGNORECASE)
_RESCUE_WORDS: Final = frozenset({"single", "S", "s", "1", "rescue", "emergency"})


@dataclass(frozen=True)
class Entry:
    """A normal Linux entry and its command line, what comes behind the kernel's file."""

    title: str
    line: int
    """Counted from 1."""
    arguments: str


def entries(path: str, text: str) -> list[Entry]:
    """The normal Linux entries, in the file's order.

    :param path: of the file, for errors
    :raises BootFileError: for a ``kernel`` line without a title, without a file, or continued
    """
    return [entry for entry, _, _ in _read(path, text)]


def set_arguments(path: str, text: str, wanted: Arguments) -> str:
    """The file with the wanted arguments on each normal Linux entry.

    :raises BootFileError: as :func:`entries`
    """
    lines = text.split("\n")
    for entry, start, raw in _read(path, text):
        if not satisfied(entry.arguments, wanted):
            rest = raw[start:]
            # an entry without arguments has no blank behind the kernel's file either
            new = set_on_line(rest, wanted) if words_of(rest) else _first_words(rest, wanted)
            lines[entry.line - 1] = raw[:start] + new
    return "\n".join(lines)


def _first_words(rest: str, wanted: Arguments) -> str:
    return "".join(f" {argument}" for argument in wanted.present) + rest


def _read(path: str, text: str) -> list[tuple[Entry, int, str]]:
    found = []
    title: str | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        command = _COMMAND.match(raw)
        if command is None:
            continue
        if command[1] == "title":
            title = raw[command.end() :].rstrip("\r")
            continue
        if command[1] != "kernel":
            continue
        place = command.end()
        while (option := _OPTION.match(raw, place)) is not None:
            place = option.end()
        kernel = re.compile(r"[^ \t\r]*").match(raw, place)
        assert kernel is not None  # it matches the empty text too
        problem = None
        if title is None:
            problem = "a kernel line before the first title"
        elif not kernel[0]:
            problem = "a kernel line without a kernel"
        elif raw.rstrip("\r").endswith("\\"):
            problem = "a kernel line that is continued"
        if problem or title is None:
            raise BootFileError(
                path,
                number,
                problem or "",
                "GRUB would not boot it, or it cannot be changed safely",
                "put the line right by hand",
            )
        arguments = raw[kernel.end() :]
        if (
            _NO_LINUX.search(kernel[0])
            or _RESCUE.search(title)
            or _RESCUE_WORDS & set(words_of(arguments))
        ):
            continue
        found.append((Entry(title, number, arguments.strip()), kernel.end(), raw))
    return found
