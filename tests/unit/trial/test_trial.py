"""Several VMs on trial at once: who may be, and what becomes of one that goes silent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import cast

import pytest

from sriovctl.errors import HostError, UsageError
from sriovctl.plan import Stage
from sriovctl.reach import LocalReach
from sriovctl.trial.failover import OnTrial, Pace, Round, Trial, check_same_ports
from sriovctl.trial.sender import Sender
from sriovctl.trial.ways import Way
from tests.unit.trial.legs import leg

LEGS = (leg(1), leg(2))
PACE = Pace(rate=100, away_s=0, back_s=0, patience_s=0, answer_s=5, confirm_s=5)


class Silent:
    """A sender whose VM does not answer."""

    def answers_since(self, _moment: float) -> int:
        return 0


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
