"""What the bench wants of the host, and how much of it is there."""

from __future__ import annotations

import shlex

import pytest

from sriovctl import chain
from sriovctl.lab.bench import __main__ as command_line
from sriovctl.lab.bench.applying import floor
from sriovctl.lab.bench.onhost import TimedReach
from sriovctl.lab.bench.scene import VFS, Scene, reached, want
from sriovctl.lab.layout import Server
from sriovctl.lab.state import Lab
from tests.unit.chain.hostmodel import HostModel
from tests.unit.chain.worlds import bare_host, bare_pf

BARE = bare_host(bare_pf(1), bare_pf(2))


def test_nothing_is_reached_before_and_all_after_the_plan() -> None:
    wanted = want(BARE.pfs)
    assert reached(wanted, BARE) == (0, 0)
    model = HostModel(BARE)
    for step in chain.plan(wanted, BARE).steps:
        model.run(step.do)
    assert reached(wanted, model.state) == (2 * VFS, 2 * VFS * 5)


def test_the_floor_sets_what_the_plan_sets() -> None:
    lab = Lab("bench", (2,), "tcg", "", "", {"server-2": 22})
    script = floor(Scene(TimedReach(lab, Server(2)), BARE.pfs))
    orders = [shlex.split(step.do) for step in chain.plan(want(BARE.pfs), BARE).steps]
    wishes = [wish for order in orders if order[0] == "set_vfs" for wish in order[2:]]
    assert len(wishes) == 2 * VFS
    for wish in wishes:
        index, _, attributes = wish.partition(" ")
        assert f" vf {index} {attributes}\n" in script


@pytest.mark.parametrize("words", [["flying"], ["--rounds", "0"], ["--rounds", "x"]])
def test_bad_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.main(words)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err
