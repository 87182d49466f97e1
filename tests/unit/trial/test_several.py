"""Trials of several VMs: which, in which order, and what is told of them."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sriovctl import reconcile
from sriovctl.cli import parser
from sriovctl.errors import BlockedError, HostError, SriovctlError, UnreachableError, UsageError
from sriovctl.reach import LocalReach, Reach
from sriovctl.targets import Target
from sriovctl.trial import command, store
from sriovctl.trial.result import Result
from sriovctl.trial.several import Ended, Several
from sriovctl.trial.subject import Subject, subjects
from sriovctl.trial.telling import Telling, line
from tests.unit.probe.test_captures import state_of
from tests.unit.trial.test_result import result

RACK = """\
hosts:
  server-[1-3]: {pfs: {em1: 7, em2: 7}, groups: [row-a]}
  server-4: {pfs: {em1: 7, em2: 7}}
vms:
  web: {host: server-1, pairs: [{bond: {address: [10.8.0.12/24]}}]}
  bridged: {host: server-1, pairs: []}
  db: {host: server-1, pairs: [{}]}
  mail: {host: server-3, pairs: [{}]}
  off: {host: server-4, pairs: [{}]}
"""


@pytest.fixture
def rack(tmp_path: Path) -> Path:
    file = tmp_path / "rack.yaml"
    file.write_text(RACK)
    return file


def asked(rack: Path, *words: str) -> argparse.Namespace:
    return parser().parse_args(["trial", "failover", str(rack), *words])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--all"], ["web", "db", "mail", "off"]),
        (["--limit", "row-a"], ["web", "db", "mail"]),
        (["--limit", "server-[3-4]"], ["mail", "off"]),
        (["mail", "web", "mail"], ["mail", "web"]),
        (["db"], ["db"]),
    ],
)
def test_which(rack: Path, words: list[str], expected: list[str]) -> None:
    found = subjects(asked(rack, *words))
    assert [one.vm for one in found] == expected
    assert all(one.vm in [vm.name for vm in one.target.wanted.vms] for one in found)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--all", "--limit", "server-1"],
        ["web", "--all"],
        ["nobody"],
        ["bridged"],
        ["--limit", "server-2"],
        ["--limit", "server-9"],
        ["--all", "--address", "10.8.0.12"],
        ["web", "db", "--picture", "trial.svg"],
        ["web", "db", "--address", "10.8.0.12"],
        ["web", "mail", "--together"],
        ["--all", "--together"],
    ],
)
def test_what_cannot_be_asked(rack: Path, words: list[str]) -> None:
    with pytest.raises(UsageError):
        subjects(asked(rack, *words))


class Room:
    """What stands in the way of some VMs' trials, and what was done in which order."""

    def __init__(self) -> None:
        self.refused: dict[str, SriovctlError] = {}
        self.fails: dict[str, SriovctlError] = {}
        self.off: set[str] = set()
        self.done: list[tuple[str, str]] = []
        self.told: list[str] = []

    def each(
        self, targets: Sequence[Target], work: Callable[[Reach, Target], None], *, at_once: int
    ) -> dict[str, Any]:
        self.done.append(("at once", str(at_once)))
        for target in targets:
            work(LocalReach(target.name), target)
        return {}

    def runs(self, one: Subject, _: Reach) -> bool:
        self.done.append(("look", one.vm))
        if one.vm in self.refused:
            raise self.refused[one.vm]
        return one.vm not in self.off

    def trial(self, one: Subject, host: Reach) -> Any:
        assert host.name == one.target.name
        self.done.append(("trial", one.vm))
        if one.vm in self.fails:
            raise self.fails[one.vm]
        return result()

    def run(self, rack: Path) -> dict[str, Ended]:
        def tell(one: Subject, _: Ended) -> None:
            self.told.append(one.vm)

        chosen = subjects(asked(rack, "--all"))
        return Several(self.each, self.runs, self.trial, tell).run(chosen)


def test_one_that_cannot_be_tried_or_fails_stops_no_other(rack: Path) -> None:
    room = Room()
    room.refused["web"] = BlockedError("server-1: em2 has no link")
    room.refused["mail"] = UnreachableError("server-3: no way there")
    room.fails["db"] = HostError("db does not answer")
    found = room.run(rack)
    assert list(found) == ["web", "db", "mail", "off"]
    assert found["web"] is room.refused["web"]
    assert found["db"] is room.fails["db"]
    assert found["off"] is not None
    assert [vm for what, vm in room.done if what == "trial"] == ["db", "off"]
    assert sorted(room.told) == sorted(found)


def test_all_are_looked_at_before_a_leg_is_taken_and_one_is_tried_at_a_time(rack: Path) -> None:
    room = Room()
    room.off = {"off"}
    assert room.run(rack)["off"] is None
    words = [what for what, _ in room.done]
    assert words.index("trial") > max(n for n, what in enumerate(words) if what == "look")
    assert ("at once", "1") in room.done
    assert room.done.index(("at once", "1")) < words.index("trial")
    assert ("trial", "off") not in room.done


def test_a_line_a_vm_and_the_highest_exit_code(
    rack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = subjects(asked(rack, "--all"))
    ended: dict[str, Ended] = dict.fromkeys(("web", "db"), result())
    ended |= {"mail": BlockedError("server-3: em2 has no link"), "off": None}
    with Telling(chosen, silent=False) as telling:
        for one in chosen:
            telling.ended(one, ended[one.vm])
    assert telling.sum_up(ended) == 4
    said = capsys.readouterr()
    for vm, how in ended.items():
        assert f"{vm:<4}  {line(how)}\n" in said.out
    assert said.out.endswith("4 VMs on 3 hosts: 2 held, 1 failed, 1 does not run\n")
    assert "mail: server-3: em2 has no link" in said.err
    ended["mail"] = None
    assert Telling(chosen, silent=True).sum_up(ended) == 0


class Leg:
    """One that is away until it is given back."""

    def __init__(self) -> None:
        self.ended = False

    def give_back(self, _: Reach) -> None:
        self.ended = True


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rack of this machine, with VMs that run there; their trials are made up."""
    file = tmp_path / "rack.yaml"
    file.write_text(
        "hosts: {server-2: {address: local, pfs: {em1: 7, em2: 7}}}\n"
        "vms: {VM-2: {}, VM-3: {}, VM-9: {}}\n"
    )
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    state = state_of("server-2-guests")
    vms = tuple(vm.model_copy(update={"running": True}) for vm in state.vms)
    state = state.model_copy(update={"vms": vms})
    monkeypatch.setattr(reconcile, "look", lambda _: state)
    monkeypatch.setattr(command, "_permitted", lambda *_: None)
    return file


@pytest.mark.parametrize(
    "words", [["--all"], ["VM-2", "VM-3", "VM-9"], ["VM-2", "VM-3", "--together"], ["VM-3"]]
)
def test_each_result_is_told_and_kept(
    here: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def measured(_: object, chosen: Sequence[Subject], *__: object) -> list[Result]:
        if chosen[0].vm == "VM-9":
            raise HostError("VM VM-9 does not run")
        return [result(vm=o.vm, budget_ms=400 if o.vm == "VM-3" else None) for o in chosen]

    monkeypatch.setattr(command, "_measured", measured)
    code = command.failover(asked(here, *words))
    said = capsys.readouterr().out
    for vm in ("VM-2", "VM-3"):
        if vm not in words and words != ["--all"]:
            continue
        kept = store.last("failover", "rack", vm)
        assert kept is not None
        assert kept["vm"] == vm
        assert vm in said
    assert code == 3
    assert ("VM-9  does not run: not tried" in said) is (words == ["--all"])


def test_only_while_it_is_tried_term_is_ctrl_c(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)

    meanwhile = []

    def measured(_: object, chosen: Sequence[Subject], *__: object) -> list[Result]:
        meanwhile.append(signal.getsignal(signal.SIGTERM))
        return [result(vm=one.vm) for one in chosen]

    monkeypatch.setattr(command, "_measured", measured)
    command.failover(asked(here, "VM-3"))
    assert len(meanwhile) == 1
    assert before not in meanwhile
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("words", [["--all"], ["VM-3"]])
def test_ctrl_c_gives_back_what_is_away_and_tries_no_other(
    here: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    away = Leg()

    def measured(_: object, chosen: Sequence[Subject], *__: object) -> Result:
        tried.append(chosen[0].vm)
        taken: list[Any] = chosen[0].taken
        taken.append((None, away))
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_measured", measured)
    monkeypatch.setattr(command, "reach_of", lambda _, host, __: host)
    with pytest.raises(KeyboardInterrupt):
        command.failover(asked(here, *words))
    assert away.ended
    assert len(tried) == 1
