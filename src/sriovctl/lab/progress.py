"""What the lab is doing and how long each part took, one line a part."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Writes `name ... what 12.3 s` lines to a stream; silent where the stream is None.

    On a terminal the line of the running part is shown at once and completed in place;
    elsewhere each part is one plain line when it ends, and one when it begins.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._live = bool(stream and stream.isatty())

    def say(self, line: str) -> None:
        """A line without a time."""
        if self._stream:
            self._stream.write(line + "\n")
            self._stream.flush()

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """Time a part; says so whether it ends well or not."""
        begin = time.monotonic()
        if self._stream:
            self._stream.write(f"  {what} ..." + ("" if self._live else "\n"))
            self._stream.flush()
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            took = time.monotonic() - begin
            if self._stream:
                start = "\r\x1b[K" if self._live else ""
                self._stream.write(f"{start}  {what}: {outcome}, {took:.1f} s\n")
                self._stream.flush()


def to_stderr() -> Progress:
    """Progress for a person at a command line."""
    return Progress(sys.stderr)
