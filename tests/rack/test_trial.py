"""Failover on trial: outages are measured, and whatever happens no leg stays away."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sriovctl.trial import store
from sriovctl.trial.failover import BOUND_S
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look
from tests.rack.program import EXAMPLES, sriovctl, start

ROOM = EXAMPLES / "machine-room.yaml"
VM, ADDRESS = "VM-2", "10.8.0.12"
RATE = 200
"""Packets/s. An emulated server with three VMs is at its end at 1000: the guest's ARP monitor then
waits so long for its answers that the bond leaves legs that nobody took away."""
PATIENCE_S = 300
"""For anything here to happen on a machine that has much else to do."""
LEGS = {"em1", "em2"}


@pytest.fixture(scope="module")
def room(rack: Rack) -> Iterator[Rack]:
    """The guide's scene, VM-2 answering."""
    sriovctl(rack, "apply", ROOM)
    rack.guest(VM, "true")
    assert rack.answers(ADDRESS, PATIENCE_S).returncode == 0
    yield rack
    rack.mend()


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def words(room: Rack, *more: str | Path) -> list[str | Path]:
    fixed = ("--address", ADDRESS, "--lab", room.name, "--rate", str(RATE))
    return ["trial", "failover", ROOM, VM, *fixed, "--patience", str(PATIENCE_S), *more]


def ups(room: Rack) -> dict[str | None, bool]:
    return {pf.name: pf.up for pf in look(room).pfs}


@pytest.mark.parametrize("way", ["pf-down", "cable"])
def test_an_outage_is_measured_and_all_is_back(room: Rack, tmp_path: Path, way: str) -> None:
    picture = tmp_path / "trial.svg"
    done = sriovctl(
        room, *words(room, "--way", way, "--json", "--picture", picture), expect=None
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr  # 3: the last outage was not over in time
    told: dict[str, Any] = json.loads(done.stdout)
    assert {one["leg"] for one in told["rounds"]} == LEGS
    first = told["rounds"][0]
    assert first["carried"]["before"] in (first["leg"], None), "the leg that carries goes first"
    assert any(one["failover"]["ms"] > 0 and one["failover"]["lost"] for one in told["rounds"])
    assert all(one["carried"]["away"] != one["leg"] for one in told["rounds"])
    heard = [one["failover"]["learned"]["arp_ms"] for one in told["rounds"]]
    assert any(ms is not None for ms in heard), "the peer hears of it by gratuitous ARP"
    ElementTree.parse(picture)
    assert store.last("failover", "machine-room", VM) == told
    assert ups(room) == {"em1": True, "em2": True}
    assert room.lab.cuts == ()
    assert room.answers(ADDRESS, PATIENCE_S).returncode == 0


def test_a_budget_that_nobody_can_keep_is_told(room: Rack) -> None:
    done = sriovctl(room, *words(room, "--way", "cable", "--budget", "0.001"), expect=3)
    assert "over 0.001 ms" in done.stdout or "not over" in done.stdout


def test_what_igb_cannot_is_skipped_with_its_reason(room: Rack) -> None:
    done = sriovctl(room, *words(room, "--way", "vf-link"))
    assert "skipped  vf-link, em1: igb cannot set a VF's link state" in done.stdout


def test_a_leg_that_is_the_last_is_refused(room: Rack) -> None:
    room.must(SERVER, "ip link set em2 down")
    try:
        done = sriovctl(room, *words(room, "--way", "pf-down"), expect=4)
    finally:
        room.must(SERVER, "ip link set em2 up")
    assert "em2 has no link" in done.stderr
    assert "10.8.0.2/24 on br0" in done.stderr
    assert ups(room) == {"em1": True, "em2": True}
    until(lambda: all(pf.carrier for pf in look(room).pfs))
    assert room.answers(ADDRESS, PATIENCE_S).returncode == 0


@pytest.mark.parametrize("way", ["pf-down", "cable"])
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill-9"])
def test_a_trial_that_is_ended_half_way_leaves_no_leg_down(
    room: Rack, way: str, ending: signal.Signals
) -> None:
    away_s = 5
    process = start(room, *words(room, "--way", way, "--away", str(away_s), "--back", "600"))
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if "is taken away" in line:
                break

        def is_away() -> bool:
            return bool(room.lab.cuts) if way == "cable" else not all(ups(room).values())

        until(is_away)
        process.send_signal(ending)
        said = process.stdout.read()
    assert "Traceback" not in said
    if ending is signal.SIGINT:
        assert process.returncode == 130, said
        assert not is_away(), "it is back before the command has ended"
    else:
        until(lambda: not is_away(), away_s + BOUND_S + PATIENCE_S)
    # and no sender is left
    until(lambda: not senders(room))
    assert room.answers(ADDRESS, PATIENCE_S).returncode == 0


def senders(room: Rack) -> str:
    """Process ids of whatever runs in the lab's network namespace."""
    command = ["ip", "netns", "pids", room.lab.namespace]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def until(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
