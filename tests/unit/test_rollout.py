"""An apply over many hosts, without any: who is begun, who is left alone, and why."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sriovctl.errors import BlockedError, HostError, SriovctlError, UnreachableError
from sriovctl.observer import Silent
from sriovctl.plan import Plan, Stage
from sriovctl.reach import LocalReach, Reach
from sriovctl.reconcile import Outcome
from sriovctl.rollout import Pace, Result, Rollout, Stop, UntouchedError, Work
from sriovctl.targets import Target
from sriovctl.waves import Share

NAMES = tuple(f"server-{number:02}" for number in range(20))


class Room:
    """Twenty hosts that differ, and what is wrong with some of them."""

    def __init__(self) -> None:
        self.as_wanted: set[str] = set()
        self.lost: dict[str, SriovctlError] = {}
        self.fails: dict[str, SriovctlError] = {}
        self.set_back: set[str] = set()
        self.gate: Callable[[Sequence[Target]], str | None] = lambda _: None
        self.on_change: Callable[[str], None] = lambda _: None
        self.begun: list[list[str]] = []
        self.said: list[str] = []
        self.stop = Stop(self.said.append)

    def each(self, targets: Sequence[Target], work: Callable[..., Any]) -> dict[str, Any]:
        results: dict[str, Any] = {}
        self.begun.append([])
        for target in targets:
            try:
                results[target.name] = work(LocalReach(target.name), target)
            except SriovctlError as error:
                results[target.name] = error
        return results

    def look(self, _: Reach, target: Target) -> Outcome | None:
        if target.name in self.lost:
            raise self.lost[target.name]
        plan = Plan(host=target.name)
        return Outcome(target.name, plan) if target.name in self.as_wanted else None

    def change(self, _: Reach, target: Target) -> Outcome:
        if target.name in self.as_wanted:
            return Outcome(target.name, Plan(host=target.name))
        self.stop.begin(target.name)
        self.begun[-1].append(target.name)
        self.on_change(target.name)
        if target.name in self.fails:
            raise self.fails[target.name]
        self.as_wanted.add(target.name)
        return Outcome(target.name, Plan(host=target.name), (Stage(title="VFs", steps=()),))

    def check(self, _: Reach, target: Target) -> None:
        if target.name in self.set_back:
            self.as_wanted.discard(target.name)
            raise HostError(f"{target.name}: not any more")

    def run(self, most_failed: str = "0", batch: str = "25%") -> dict[str, Result]:
        return self.rollout(NAMES, most_failed, batch)[1]

    def rollout(
        self, names: Sequence[str], most_failed: str = "0", batch: str = "25%"
    ) -> tuple[Rollout, dict[str, Result]]:
        work = Work(self.look, self.change, self.check, lambda wave: self.gate(wave))
        pace = Pace(Share.parse(batch), Share.parse(most_failed))
        self.begun = []
        rollout = Rollout(self.each, work, pace, Silent(), self.stop, self.said.append)
        return rollout, rollout.run([Target(name) for name in names])

    @property
    def waves(self) -> list[list[str]]:
        return [begun for begun in self.begun if begun]


def ends(results: dict[str, Result]) -> dict[type, list[str]]:
    found: dict[type, list[str]] = {}
    for name, result in results.items():
        found.setdefault(type(result), []).append(name)
    return found


@pytest.fixture
def room() -> Room:
    return Room()


def test_one_first_then_the_others(room: Room) -> None:
    assert list(ends(room.run())) == [Outcome]
    assert [len(wave) for wave in room.waves] == [1, 5, 5, 5, 4]
    assert room.run().keys() == set(NAMES)
    assert room.waves == []


def test_a_canary_that_fails_is_the_last(room: Room) -> None:
    room.fails["server-00"] = HostError("server-00: step 1 failed")
    found = ends(room.run())
    assert found == {HostError: ["server-00"], UntouchedError: list(NAMES[1:])}
    assert "1 of 20 hosts failed" in room.said[-1]
    # mended, it goes on
    room.fails.clear()
    assert list(ends(room.run())) == [Outcome]


def test_it_ends_after_the_wave_in_which_too_many_failed(room: Room) -> None:
    room.fails = {name: HostError(name) for name in NAMES[3:6]}
    found = ends(room.run(most_failed="2"))
    assert len(room.waves) == 2
    assert found[HostError] == list(NAMES[3:6])
    assert found[UntouchedError] == list(NAMES[6:])


def test_a_part_may_fail(room: Room) -> None:
    room.fails = {name: HostError(name) for name in NAMES[3:6]}
    assert len(ends(room.run(most_failed="15%"))[Outcome]) == 17


def test_who_cannot_be_looked_at_stands_in_nobodys_way(room: Room) -> None:
    room.lost = {
        "server-00": UnreachableError("server-00: no way there"),
        "server-09": BlockedError("server-09: held by VM-2"),
    }
    found = ends(room.run())
    assert found[UnreachableError] == ["server-00"]
    assert found[BlockedError] == ["server-09"]
    assert len(found[Outcome]) == 18
    assert room.waves[0] == ["server-01"]


def test_who_is_as_wanted_is_not_begun(room: Room) -> None:
    room.as_wanted = set(NAMES[:19])
    room.run()
    assert room.waves == [["server-19"]]


def test_a_host_that_is_set_back_counts_as_failed(room: Room) -> None:
    room.set_back = {"server-00"}
    found = ends(room.run())
    assert found[HostError] == ["server-00"]
    assert found[UntouchedError] == list(NAMES[1:])


def test_the_operators_gate_ends_it(room: Room) -> None:
    asked: list[list[str]] = []

    def gate(wave: Sequence[Target]) -> str | None:
        asked.append([target.name for target in wave])
        return "the gate said 1" if len(asked) == 2 else None

    room.gate = gate
    found = ends(room.run())
    assert asked == [list(NAMES[:1]), list(NAMES[1:6])]
    assert found[Outcome] == list(NAMES[:6])
    assert found[UntouchedError] == list(NAMES[6:])


@pytest.mark.parametrize("count", [1, 2])
def test_a_gate_that_says_no_after_the_last_wave_is_told(room: Room, count: int) -> None:
    asked: list[str] = []

    def gate(wave: Sequence[Target]) -> str | None:
        asked.extend(target.name for target in wave)
        return "the gate said 1" if len(asked) == count else None

    room.gate = gate
    rollout, results = room.rollout(NAMES[:count])
    assert asked == list(NAMES[:count])
    assert list(ends(results)) == [Outcome]
    assert rollout.stopped
    assert "the gate said 1" in room.said[-1]
    # nothing was changed, so there is nothing for a gate to look at
    assert not room.rollout(NAMES[:count])[0].stopped


def test_ctrl_c_at_a_gate_ends_it(room: Room) -> None:
    def gate(_: Sequence[Target]) -> str | None:
        signal.raise_signal(signal.SIGINT)
        return None

    room.gate = gate
    with room.stop:
        found = ends(room.run())
    assert room.stop.asked
    assert found == {Outcome: [NAMES[0]], UntouchedError: list(NAMES[1:])}


def test_ctrl_c_lets_those_at_work_come_to_their_end(room: Room) -> None:
    def interrupt(name: str) -> None:
        if name == "server-02":
            signal.raise_signal(signal.SIGINT)

    room.on_change = interrupt
    with room.stop:
        found = ends(room.run())
    # the wave's later hosts had not begun
    assert found[Outcome] == list(NAMES[:3])
    assert found[UntouchedError] == list(NAMES[3:])
    assert any("coming to an end: server-02" in line for line in room.said)


def test_ctrl_c_again_leaves_them(room: Room) -> None:
    def interrupt(name: str) -> None:
        if name == "server-02":
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    room.on_change = interrupt
    with room.stop:
        results = room.run()
    left = results["server-02"]
    assert isinstance(left, SriovctlError)
    assert "left while it was at work" in left.found
    assert [name for name, r in results.items() if isinstance(r, Outcome)] == list(NAMES[:2])
    assert len(ends(results)[UntouchedError]) == 17


def test_ctrl_c_before_anything_is_begun_ends_at_once(room: Room) -> None:
    with pytest.raises(KeyboardInterrupt), room.stop:
        signal.raise_signal(signal.SIGINT)
