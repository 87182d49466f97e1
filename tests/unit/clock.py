"""A clock for what waits: no test waits for it."""

from __future__ import annotations


class Clock:
    """In place of the module ``time``: time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
