"""One stage on a host that answers oddly; the usual ways are in test_reconcile.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from sriovctl import stagerun
from sriovctl.errors import TransactionError
from sriovctl.observer import Silent
from sriovctl.plan import Stage
from sriovctl.reach import Output
from sriovctl.stagerun import Timeouts, run_stage
from tests.unit.clock import Clock


class Mute:
    """A remote host that runs the script, and has no word for who confirms."""

    name = "h"
    remote = True

    def __init__(self) -> None:
        self.asked = 0

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        timeout_s: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        if "tx_launch" in script:
            assert on_line is not None
            on_line("begin\tx\tx\t1")
            on_line("confirm-wait\t30\t/x")
            on_line("end\tundone\tnot confirmed within 30 s")
            return Output(10, "", "", 0.1)
        self.asked += 1
        return Output(137, "", "", 0.1)


def test_who_has_no_word_for_a_confirmation_is_not_asked_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, host = Clock(), Mute()
    monkeypatch.setattr(stagerun, "time", clock)
    with pytest.raises(TransactionError, match="not confirmed"):
        run_stage(
            host,
            Stage(title="files", steps=()),
            confirm_s=30,
            observer=Silent(),
            timeouts=Timeouts(retry_s=2),
        )
    assert host.asked == 15
    assert clock.now == 1030
