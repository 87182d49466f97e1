"""TERM and HUP while something is at work that is to be put back, and after it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from sriovctl import ending

ENDS = (signal.SIGTERM, signal.SIGHUP)


def own(_number: int, _frame: object) -> None:
    raise AssertionError("it came to who was there before")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Others than the tests were started with: under nohup HUP is ignored."""
    before = {number: signal.signal(number, own) for number in ENDS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDS)
def test_it_is_ctrl_c_meanwhile_and_what_it_was_afterwards(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), ending.as_from_the_keyboard():
        os.kill(os.getpid(), number)
    assert [signal.getsignal(one) for one in ENDS] == [own, own]


def test_one_after_the_other() -> None:
    for _ in range(2):
        with ending.as_from_the_keyboard():
            assert own not in [signal.getsignal(one) for one in ENDS]
        assert [signal.getsignal(one) for one in ENDS] == [own, own]


def test_under_nohup_a_hangup_is_nothing() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ending.as_from_the_keyboard():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
