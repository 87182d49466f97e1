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
from sriovctl.trial.bench.flows import FLOWS
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look
from tests.rack.program import EXAMPLES, sriovctl, start

ROOM = EXAMPLES / "machine-room.yaml"
VM, ADDRESS = "VM-2", "10.8.0.12"
RATE = 200
"""Packets/s. An emulated server is at its end at 1000: the guest's ARP monitor then
waits so long for its answers that the bond leaves legs that nobody took away."""
PATIENCE_S = 300
"""For anything here to happen on a machine that has much else to do."""
LEGS = {"em1", "em2"}
CONFIRM_S = 5
"""So much later than it should a leg comes back that nobody gives back."""


@pytest.fixture(scope="module", autouse=True)
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where results are kept meanwhile."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def room(rack: Rack) -> Iterator[Rack]:
    """The guide's scene, VM-2 answering, and VM-3 off: three are too many for this processor."""
    sriovctl(rack, "apply", ROOM)
    rack.must(SERVER, "virsh -q destroy VM-3")
    rack.guest(VM, "true")
    assert rack.answers(ADDRESS, PATIENCE_S).returncode == 0
    yield rack
    rack.mend()
    rack.must(SERVER, "virsh -q start VM-3")


def words(room: Rack, *more: str | Path | int) -> list[str | Path]:
    fixed = ("--address", ADDRESS, "--lab", room.name, "--rate", RATE, "--patience", PATIENCE_S)
    times = ("--back", 3, "--confirm-timeout", CONFIRM_S, "--answer-timeout", PATIENCE_S)
    return ["trial", "failover", ROOM, VM, *map(str, (*fixed, *times, *more))]


def ups(room: Rack) -> dict[str | None, bool]:
    return {pf.name: pf.up for pf in look(room).pfs}


def cards(room: Rack) -> set[tuple[str | None, str | None]]:
    """The VF and MAC address of each card that the VM has now."""
    guest = look(room).vm_named(VM)
    assert guest is not None
    return {(nic.pci, nic.mac) for nic in guest.live_nics}


def test_outages_are_measured_and_all_is_back(room: Rack, results: Path) -> None:
    before = cards(room)
    assert len(before) == 2
    picture = results / "trial.svg"
    asked = [word for way in ("pf-down", "vf-link", "cable", "unbind") for word in ("--way", way)]
    nobody_can = ("--budget", "0.001")
    done = sriovctl(
        room, *words(room, *asked, *nobody_can, "--json", "--picture", picture), expect=3
    )
    told: dict[str, Any] = json.loads(done.stdout)
    legs = {way: {one["leg"] for one in told["rounds"] if one["way"] == way} for way in asked[1::2]}
    assert legs == {"pf-down": LEGS, "vf-link": set(), "cable": LEGS, "unbind": LEGS}
    assert [one["why"] for one in told["skipped"]] == ["igb cannot set a VF's link state"] * 2
    for first in told["rounds"][::2]:
        assert first["carried"]["before"] in (first["leg"], None), "the leg that carries goes first"
    assert any(one["failover"]["ms"] > 0 and one["failover"]["lost"] for one in told["rounds"])
    assert all(one["carried"]["away"] != one["leg"] for one in told["rounds"])
    heard = [one["failover"]["learned"]["arp_ms"] for one in told["rounds"]]
    assert any(ms is not None for ms in heard), "the peer hears of it by gratuitous ARP"
    assert not told["held"]
    ElementTree.parse(picture)
    assert store.last("failover", "machine-room", VM) == told
    assert ups(room) == {"em1": True, "em2": True}
    assert room.lab.cuts == ()
    assert cards(room) == before
    slaves = "cat /sys/class/net/bond0/bonding/slaves"
    until(lambda: len(room.guest(VM, slaves).stdout.split()) == 2)
    assert room.answers(ADDRESS, PATIENCE_S).returncode == 0


def test_vfs_bridge_and_host_are_measured_and_kept(room: Rack, results: Path) -> None:
    picture = results / "bench.svg"
    runs = ("--lab", room.name, "--runs", "1", "--seconds", "1", "--patience", str(PATIENCE_S))
    bench: list[str | Path] = ["trial", "bench", ROOM, "VM-1", VM, *runs]
    told = json.loads(sriovctl(room, *bench, "--json", "--picture", picture).stdout)
    assert {one["name"]: one["path"] for one in told["paths"]} == {
        "VM-1": "bridge", VM: "VFs", SERVER: "host"
    }  # fmt: skip
    for one in told["paths"]:
        measures = one["measures"]
        assert measures["latency_median"]["median"] > 0
        for flow in FLOWS:
            left_out = any(
                why.startswith(f"{one['name']}, {flow.words}") for why in told["skipped"]
            )
            assert flow.name in measures or left_out
    assert any(one["measures"].get("cpu_tcp_to") for one in told["paths"])
    ElementTree.parse(picture)
    kept = store.last("bench", "machine-room", VM)
    assert kept is not None
    assert kept["driver"] == "igb"


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
    away_s = 10
    process = start(room, *words(room, "--way", way, "--away", away_s, "--back", 600))
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if "is taken away" in line:
                break

        def is_away() -> bool:
            # a whole probe can take longer than the leg is away
            return bool(room.lab.cuts if way == "cable" else room.must(SERVER, DOWN))

        until(is_away)
        process.send_signal(ending)
        said = process.stdout.read()
    assert "Traceback" not in said
    if ending is signal.SIGINT:
        assert process.returncode == 130, said
        assert not is_away(), "it is back before the command has ended"
    else:
        until(lambda: not is_away(), away_s + CONFIRM_S + PATIENCE_S)
    # and no sender is left
    until(lambda: not senders(room))
    assert room.answers(ADDRESS, PATIENCE_S).returncode == 0


DOWN = "for port in em1 em2; do ip link show dev $port | grep -q ,UP || echo $port; done"


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
