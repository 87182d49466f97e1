"""VMs on ports that are to be moved get time for their other leg before the plan is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from sriovctl import bondwait, inside
from sriovctl.host import HostState
from sriovctl.insidefacts import Inside, InsideFile
from sriovctl.observer import Silent
from sriovctl.reach import LocalReach
from sriovctl.stagerun import Timeouts
from tests.unit.chain.test_legs import look, mac
from tests.unit.chain.test_pairs import host, seen, want, warnings
from tests.unit.clock import Clock

SECOND = tuple(mac(vm.name, "em2") for vm in host().vms)
"""Each VM's card on the second port."""


@dataclass
class Looks:
    """In place of looks into VMs: one after the other, the last one again and again."""

    left: list[dict[str, Inside]]
    asked: list[list[str]] = field(default_factory=list)

    def __call__(self, _: object, vms: Iterable[str], **__: object) -> dict[str, Inside]:
        self.asked.append(sorted(vms))
        found = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return {vm: found[vm] for vm in self.asked[-1]}


class Said(Silent):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def said(self, host: str, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bondwait, "time", clock)
    return clock


def waited(
    state: HostState, bond_s: float, observer: Silent | None = None, retry_s: float = 0
) -> HostState:
    return bondwait.await_other_legs(
        LocalReach("server-2"),
        want(),
        state,
        observer=observer or Silent(),
        timeouts=Timeouts(bond_s=bond_s, retry_s=retry_s),
    )


def test_a_leg_that_is_about_to_be_up_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """By apply, before its plan; what else was seen inside stays."""
    first, *others = host().vms
    half = seen(host(), down=SECOND)
    file = {"/etc/file": InsideFile(mode=0o644, text="text")}
    with_file = half.inside[first.uuid or ""].model_copy(update={"files": file})
    half = half.model_copy(update={"inside": half.inside | {first.uuid or "": with_file}})
    silent = {vm: Inside(vm=vm, why_not="its agent is slow") for vm in half.inside}
    whole = look(host())
    only_first = half.inside | {vm.uuid or "": whole[vm.uuid or ""] for vm in others}
    looks = Looks([half.inside, silent, only_first, whole])
    monkeypatch.setattr(inside, "look", looks)
    said = Said()
    have = waited(half, 60, said)
    assert said.texts == [f"waited 0 s for another leg of {', '.join(vm.name for vm in half.vms)}"]
    assert [len(vms) for vms in looks.asked] == [len(half.vms)] * 3 + [1]
    assert warnings(have, want()) == []
    assert have.inside[first.uuid or ""].files == file


def test_a_leg_that_stays_down_is_waited_for_that_long(monkeypatch: pytest.MonkeyPatch) -> None:
    half = seen(host(), down=SECOND)
    looks = Looks([half.inside])
    monkeypatch.setattr(inside, "look", looks)
    assert waited(half, 0) == half
    assert looks.asked == []
    assert waited(half, 0.05, retry_s=1) == half
    assert looks.asked != []


def test_nobody_is_waited_for_who_cannot_be_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an agent, or with its card in no bond; and where no port is moved."""
    looks = Looks([{}])
    monkeypatch.setattr(inside, "look", looks)
    first, second, *_ = host().vms
    unable = {
        first.uuid or "": Inside(vm="2", why_not="no agent"),
        second.uuid or "": Inside(vm="3", bonds=()),
    }
    state = seen(host())
    state = state.model_copy(update={"inside": state.inside | unable})
    assert waited(state, 60) == state
    bonded = seen(host(bonded=True), down=SECOND)
    assert waited(bonded, 60) == bonded
    assert looks.asked == []
