"""Several VMs on trial at once: who may be, and what becomes of one that goes silent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from sriovctl.errors import HostError, UnreachableError, UsageError
from sriovctl.plan import Stage
from sriovctl.reach import LocalReach, Output
from sriovctl.trial.failover import (
    OnTrial,
    Pace,
    Round,
    Trial,
    check_permitted,
    check_same_ports,
)
from sriovctl.trial.sender import Sender
from sriovctl.trial.ways import Way
from tests.unit.chain.worlds import bare_host
from tests.unit.trial.legs import leg

LEGS = (leg(1), leg(2))
PACE = Pace(rate=100, away_s=0, back_s=0, patience_s=0, answer_s=5, confirm_s=5)


class Silent:
    """A sender whose VM does not answer."""

    def answers_since(self, _moment: float) -> int:
        return 0


class Broken:
    """A sender that ends by Ctrl-C, and cannot be told to stop."""

    def __init__(self) -> None:
        self.told = 0

    def wait_answer(self, _patience_s: float) -> None:
        raise KeyboardInterrupt

    def stop(self) -> None:
        self.told += 1
        raise UnreachableError("gone")


def test_what_ends_it_is_told_and_every_sender_is_stopped() -> None:
    senders = [Broken(), Broken()]
    vms = tuple(OnTrial("VM-2", LEGS, cast(Sender, sender)) for sender in senders)
    with pytest.raises(KeyboardInterrupt):
        dataclasses.replace(trial(), vms=vms).run()
    assert [sender.told for sender in senders] == [1, 1]


class Fake(LocalReach):
    """A sender's host, on which it ends so."""

    def __init__(self, script: str) -> None:
        super().__init__("peer", need_root=False)
        self._instead = script

    def run(self, script: str, *_: Any, **how: Any) -> Output:
        return super().run(self._instead if script.startswith("exec") else script, **how)


def test_a_sender_that_broke_off_has_measured_nothing() -> None:
    answered = "echo answer 1000000 1001000"
    assert len(Sender(Fake(answered), (), "10.0.0.1", 1, 60, 60).finish()) == 1
    with pytest.raises(HostError, match=r"peer: the sender broke off: no memory"):
        Sender(Fake(f"{answered}; echo no memory >&2; exit 1"), (), "a", 1, 60, 60).finish()


def test_a_host_that_does_not_say_what_would_be_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ip").write_text("#!/bin/sh\necho no netlink >&2\nexit 1\n")
    (tmp_path / "ip").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    here = LocalReach("here", need_root=False)
    with pytest.raises(HostError, match="cannot be seen: no netlink"):
        check_permitted(LEGS, ["pf-down"], here, bare_host(), 5)


def trial(rounds: Sequence[Round] = ()) -> Trial:
    vms = (OnTrial("VM-2", LEGS, cast(Sender, Silent())),)
    here = LocalReach("here", need_root=False)
    return Trial(vms, ("cable",), PACE, here, None, lambda _: None, [], rounds=list(rounds))


def ways() -> list[Way]:
    return [Way("cable", one.name, Stage(title="", steps=()), on_host=False) for one in LEGS]


def test_a_vm_that_never_answers_enough_is_an_error() -> None:
    with pytest.raises(HostError, match="VM-2: less than half is answered"):
        trial()._both(ways())


def test_a_vm_that_stays_silent_ends_the_way_and_keeps_what_was_seen() -> None:
    seen = Round("VM-2", "cable", "em1", 0, 1, 2, 3, ("em1", None, None))
    one = trial([seen])
    one._both(ways())
    assert one.rounds == [seen]
    assert [skipped.leg for skipped in one.skipped] == ["em1", "em2"]


def test_vms_on_other_ports_are_tried_by_themselves() -> None:
    third = dataclasses.replace(LEGS[1], pf=leg(3).pf)
    check_same_ports({"VM-2": LEGS, "VM-3": LEGS})
    with pytest.raises(UsageError, match="VM-2 is on em1 and em2; VM-3 is on em1 and em3"):
        check_same_ports({"VM-2": LEGS, "VM-3": (LEGS[0], third)})
