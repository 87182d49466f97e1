"""The probe's answer cut into its sections."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sriovctl.errors import ProbeError
from sriovctl.host import CONFIG_DRIVES

LASTING = frozenset({"system", "cpu", "boot", "parents", "config"})
"""Sections that an answer to "again" has not; of "etc" it has bonds and routes, in "files"."""
NETS = "/proc/net/"
FIRST_LINE = re.compile(r"^sriovctl-probe 1 (\S{8,})$", re.MULTILINE)


class Sections:
    """Lines by section name; a section that the host had no facts for has no lines."""

    def __init__(self, parts: list[tuple[str, list[str]]]) -> None:
        self._parts = parts

    @classmethod
    def cut(cls, text: str) -> Sections:
        """A whole answer of the probe.

        :raises ProbeError: for text that is none
        """
        first = FIRST_LINE.search(text)
        if first is None:
            said = text.strip().splitlines()[-1:] or ["nothing at all"]
            raise ProbeError(
                f"the host's answer to the probe begins with no probe's mark: {said[0][:200]!r}",
                "the script did not run there, or something swallowed its output",
                "log in there by hand: a shell for the user must run sh, and grep must be there",
            )
        # "\n" only: str.splitlines() would cut at the odd separators that names may contain
        lines = text[first.end() :].split("\n")
        mark = first[1] + " "
        parts: list[tuple[str, list[str]]] = []
        for line in lines:
            if line.startswith(mark):
                if parts and parts[-1][1][-1:] == [""]:
                    parts[-1][1].pop()
                parts.append((line[len(mark) :].rstrip("\r"), []))
            elif parts:
                parts[-1][1].append(line)
        if not parts or parts[-1][0] != "end":
            last = parts[-1][0] if parts else "the first"
            raise ProbeError(
                f"the host's answer to the probe was cut short in section {last}",
                "the connection broke, or the shell there died",
                "try again",
            )
        return cls(parts)

    def filled_from(self, before: Sections) -> Sections:
        """This answer to "again" with what was left out, taken from a whole answer.

        :raises ProbeError: the host was started anew in between
        """
        if self.facts("again").get("boot_id") != before.facts("system").get("boot_id"):
            raise ProbeError(
                "the host was started anew since the last look",
                "what was seen before need not hold any more",
                "try again",
            )
        now = [line for line in self.lines("files") if line.startswith(NETS)]
        lasting = [line for line in before.lines("etc") if not line.startswith(NETS)]
        parts = [
            *((name, lines) for name, lines in before._parts if name in LASTING),
            ("etc", lasting + now),
            *(part for part in self._parts if part[0] != "again"),
        ]
        return Sections(parts)

    def lines(self, name: str) -> list[str]:
        """All lines of the sections of this name."""
        return [line for part, lines in self._parts if part == name for line in lines]

    def named_with(self, prefix: str) -> Iterator[tuple[str, list[str]]]:
        """Sections whose name begins with a word and a blank: the rest of the name, the lines."""
        for part, lines in self._parts:
            if part.startswith(prefix + " "):
                yield part[len(prefix) + 1 :], lines

    def facts(self, name: str) -> dict[str, list[str]]:
        """The ``name=value`` lines of a section."""
        facts: dict[str, list[str]] = {}
        for line in self.lines(name):
            key, equals, value = line.partition("=")
            if equals:
                facts.setdefault(key, []).append(value)
        return facts

    def by_file(self, name: str) -> dict[str, list[str]]:
        """Lines of grep -H by file, for files whose path has no colon, in the order read."""
        files: dict[str, list[str]] = {}
        for line in self.lines(name):
            path, colon, content = line.partition(":")
            if colon:
                files.setdefault(path, []).append(content)
        return files


def drives_of(sections: Sections) -> dict[str, str]:
    """Config drives on the host: path to SHA-256, as ``sha256sum`` prints them."""
    found = (line.partition("  ") for line in sections.lines("drives"))
    return {path: digest for digest, _, path in found if path.startswith(CONFIG_DRIVES)}


def files_of(sections: Sections) -> dict[str, str]:
    """The files that sriovctl keeps on the host: path to text.

    That a file's last line has no newline cannot be seen; ours all have one.
    """
    paths = [line.removeprefix("file ") for line in sections.lines("own")]
    prefixes = tuple(f"{path}:" for path in paths)
    texts: dict[str, list[str]] = {path: [] for path in paths}
    for line in sections.lines("files"):
        if line.startswith(prefixes):
            # the longest, as one path can begin with another
            owner = max((p for p in paths if line.startswith(f"{p}:")), key=len)
            texts[owner].append(line[len(owner) + 1 :] + "\n")
    return {path: "".join(lines) for path, lines in texts.items()}
