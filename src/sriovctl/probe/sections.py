"""The probe's answer cut into its sections."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sriovctl.errors import ProbeError

FIRST_LINE = re.compile(r"^sriovctl-probe 1 (\S{8,})$", re.MULTILINE)


class Sections:
    """Lines by section name; a section that the host had no facts for has no lines.

    :raises ProbeError: for text that is no whole answer of the probe
    """

    def __init__(self, text: str) -> None:
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
        self._parts: list[tuple[str, list[str]]] = []
        for line in lines:
            if line.startswith(mark):
                if self._parts and self._parts[-1][1][-1:] == [""]:
                    self._parts[-1][1].pop()
                self._parts.append((line[len(mark) :].rstrip("\r"), []))
            elif self._parts:
                self._parts[-1][1].append(line)
        if not self._parts or self._parts[-1][0] != "end":
            last = self._parts[-1][0] if self._parts else "the first"
            raise ProbeError(
                f"the host's answer to the probe was cut short in section {last}",
                "the connection broke, or the shell there died",
                "try again",
            )

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
