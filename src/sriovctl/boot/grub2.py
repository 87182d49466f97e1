"""GRUB 2's ``/etc/default/grub`` and ``/etc/default/grub.d/*.cfg``, from which grub.cfg is made.

A normal entry gets ``GRUB_CMDLINE_LINUX`` and then ``GRUB_CMDLINE_LINUX_DEFAULT``, one for recovery
only the first (util/grub.d/10_linux.in). So what is wanted goes into the second where there is
one: the way back in stays as it was. Files of the folder are read after the main one, by name
(util/grub-mkconfig.in, as Debian and Ubuntu have it), and may replace what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sriovctl.boot.arguments import (
    Arguments,
    addition,
    correction,
    holds,
    satisfied,
    says,
)
from sriovctl.boot.shelltext import Assignment, assignments, edited
from sriovctl.errors import BootFileError

MAIN: Final = "/etc/default/grub"
FOLDER: Final = "/etc/default/grub.d/"
_VARIABLES: Final = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
"""In the order in which they come on the command line."""


def is_config(path: str) -> bool:
    """Is this a file that grub-mkconfig takes settings from?"""
    return path == MAIN or (path.startswith(FOLDER) and path.endswith(".cfg"))


def command_line(files: Mapping[str, str]) -> str:
    """The arguments that a normal entry would be made with.

    :param files: path to text; others than GRUB's are passed over
    :raises BootFileError: for a file that the shell could not read
    """
    return " ".join(_values(_all(files)))


def set_arguments(files: Mapping[str, str], wanted: Arguments) -> dict[str, str]:
    """The files that must change, path to new text; empty where all is as wanted.

    :param files: path to text; others than GRUB's are passed over
    :raises BootFileError: for a file that the shell could not read, or where what is to be changed
        is set in a way that only a person can change
    """
    texts = {path: text for path, text in files.items() if is_config(path)}
    while not satisfied(command_line(texts), wanted):
        line = command_line(texts)
        missing = tuple(a for a in wanted.present if not holds(line, a))
        rest = Arguments(present=missing, absent=wanted.absent)
        if not _correct(texts, rest):
            _add(texts, rest)
    return {path: text for path, text in texts.items() if text != files.get(path)}


def _all(files: Mapping[str, str]) -> list[tuple[str, Assignment]]:
    order = sorted((p for p in files if is_config(p)), key=lambda path: (path != MAIN, path))
    found = []
    for path in order:
        for assignment in assignments(path, files[path]):
            if assignment.name in _VARIABLES and assignment.conditional:
                raise BootFileError(
                    path,
                    assignment.line,
                    f"{assignment.name} is set in a condition, a loop or a function",
                    "which value holds cannot be told from the text",
                    "set it in a line of its own, or set the arguments by hand",
                )
            found.append((path, assignment))
    return found


def _values(found: list[tuple[str, Assignment]]) -> list[str]:
    known: dict[str, str] = {}
    for _, assignment in found:
        value = assignment.with_values({**dict.fromkeys(_VARIABLES, ""), **known})
        before = known.get(assignment.name, "") if assignment.appends else ""
        known[assignment.name] = before + value
    return [known[name] for name in _VARIABLES if name in known]


def _lasting(found: list[tuple[str, Assignment]], name: str) -> list[tuple[str, Assignment]]:
    """The assignments of a variable of which something is left at the end."""
    mine = [(path, assignment) for path, assignment in found if assignment.name == name]
    for index in range(len(mine) - 1, -1, -1):
        assignment = mine[index][1]
        if not assignment.appends and not any(p.name == name for p in assignment.pieces):
            return mine[index:]
    return mine


def _correct(texts: dict[str, str], wanted: Arguments) -> bool:
    """Puts one word right that is there and wrong; False where there is none."""
    found = _all(texts)
    for name in _VARIABLES:
        for path, assignment in reversed(_lasting(found, name)):
            change = correction(assignment.value, wanted)
            if change is not None:
                texts[path] = edited(path, texts[path], assignment, change)
                return True
    return False


def _add(texts: dict[str, str], wanted: Arguments) -> None:
    found = _all(texts)
    line = " ".join(_values(found))
    set_now = {assignment.name for _, assignment in found}
    name = next((n for n in reversed(_VARIABLES) if n in set_now), None)
    for argument in wanted.absent:
        if says(line, argument):
            path, assignment = _lasting(found, name or _VARIABLES[0])[-1]
            raise BootFileError(
                path,
                assignment.line,
                f"{argument} comes from another variable",
                "it cannot be taken out here",
                f"take {argument} out by hand",
            )
    if name is None:
        text = texts.get(MAIN, "")
        newline = "\r\n" if text.endswith("\r\n") else "\n"
        start = text if not text or text.endswith("\n") else text + newline
        texts[MAIN] = f'{start}{_VARIABLES[0]}="{" ".join(wanted.present)}"{newline}'
        return
    path, assignment = _lasting(found, name)[-1]
    argument = wanted.present[0]
    texts[path] = edited(path, texts[path], assignment, addition(assignment.value, argument))
    if not holds(command_line(texts), argument):
        raise BootFileError(
            path,
            assignment.line,
            f"{argument} has no effect at the end of {name}",
            "another variable or a -- in it stands in the way",
            f"set {argument} by hand",
        )
