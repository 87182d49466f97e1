"""What ends a program from outside ends it as Ctrl-C does: all that it has begun is put back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_from_the_keyboard() -> Iterator[None]:
    """TERM and HUP are Ctrl-C meanwhile; what is ignored, as under nohup, stays so."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    heard = [number for number, does in before.items() if does is not signal.SIG_IGN]
    try:
        for number in heard:
            signal.signal(number, _stop)
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _stop(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
