"""What stands between waves: a command, or the failover trial of the hosts just changed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from sriovctl import gates, targets
from sriovctl.cli import parser
from sriovctl.errors import HostError, UsageError
from sriovctl.trial import command

RACK = """\
hosts: {'server-[1-2]': {pfs: {em1: 7, em2: 7}}, empty: {pfs: {em1: 7}}}
vms: {web: {host: server-1}, db: {host: server-2}}
"""


@pytest.fixture
def rack(tmp_path: Path) -> Path:
    file = tmp_path / "rack.yaml"
    file.write_text(RACK)
    return file


def gate(rack: Path, line: str, *words: str, saved: bool = False) -> gates.Gate:
    arguments = parser().parse_args(["apply", str(rack), "--gate", line, *words])
    return gates.gate(arguments, saved=saved)


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_command_gets_the_names_and_says_no_by_its_end(
    rack: Path, words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    wave = targets.of_rack(str(rack), ["server-*"])
    assert gate(rack, 'echo "$1 and $2"', *words)(wave) is None
    said = capfd.readouterr()
    assert (said.err if words else said.out) == "server-1 and server-2\n"
    assert gate(rack, "exit 3", *words)(wave) == "the gate said 3: exit 3"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[argparse.Namespace]:
    """What trials were asked for; each ends with 0."""
    asked: list[argparse.Namespace] = []

    def failover(arguments: argparse.Namespace) -> int:
        asked.append(arguments)
        return 0

    monkeypatch.setattr(command, "failover", failover)
    return asked


def test_a_trial_is_of_the_wave_and_goes_the_same_way(
    rack: Path, asked: list[argparse.Namespace]
) -> None:
    ask = gate(rack, "trial --budget 500 --way pf-down", "--inventory", "hosts.ini")
    assert ask(targets.of_rack(str(rack), ["server-2", "empty"])) is None
    (one,) = asked
    assert (one.limit, one.vms, one.all) == (["server-2"], [], False)
    assert (one.rack, one.inventory, one.budget, one.way) == (
        str(rack), "hosts.ini", 500, ["pf-down"],
    )  # fmt: skip
    # everything that a trial reads is there, whatever way it was asked for
    by_hand = parser().parse_args(["trial", "failover", str(rack), "--limit", "server-2"])
    assert vars(one).keys() >= vars(by_hand).keys() - {"debug", "run"}


def test_without_a_vm_there_is_nothing_to_try(rack: Path, asked: list[argparse.Namespace]) -> None:
    assert gate(rack, "trial")(targets.of_rack(str(rack), ["empty"])) is None
    assert asked == []


def no_sender(_: argparse.Namespace) -> int:
    raise HostError("sender: no way there")


@pytest.mark.parametrize("how", [lambda _: 3, lambda _: 1, no_sender])
def test_a_trial_that_does_not_hold_says_no(
    rack: Path, monkeypatch: pytest.MonkeyPatch, how: Callable[[argparse.Namespace], int]
) -> None:
    monkeypatch.setattr(command, "failover", how)
    assert gate(rack, "trial")(targets.of_rack(str(rack), ["server-1"]))


@pytest.mark.parametrize(
    "line", ["trial web", "trial --all", "trial --limit server-1", "trial --budget '500"]
)
def test_a_trial_of_others_is_refused_before_anything_is_changed(rack: Path, line: str) -> None:
    with pytest.raises(UsageError):
        gate(rack, line)


def test_a_trial_needs_the_rack_file(rack: Path) -> None:
    with pytest.raises(UsageError, match="saved plan"):
        gate(rack, "trial", saved=True)
    with pytest.raises(SystemExit, match="2"):
        gate(rack, "trial --no-such-option")
