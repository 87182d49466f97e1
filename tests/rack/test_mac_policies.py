"""What happens to a pair's address at a failover: the guide's failure, and its three ways out.

The emulated cards do not enforce the spoof check, so the lab's switch ports do it for them
(``sriovctl lab spoofguard``): what is seen to be dropped here is dropped by the lab, by the
addresses and the register bits that the cards have at that moment.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sriovctl.host import VF
from sriovctl.lab import spoofguard
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look
from tests.rack.program import rack_file, server_2, sriovctl

ADDRESSES = {"VM-2": "10.8.0.12", "VM-3": "10.8.0.13"}
OTHERS = {"VM-1, on the bridge": "10.8.0.11", "the host, on its bond": "10.8.0.2"}
PATIENCE_S = 300
PACE = ("--rate", "50", "--away", "4", "--back", "4", "--patience", str(PATIENCE_S))
"""The guest's bond needs 0.6 to 0.9 s to notice, more where much else runs."""


def rack_of(folder: Path, macs: str, **vf: str) -> Path:
    """The guide's room with a MAC policy, VFs given what is said."""
    folder.mkdir(exist_ok=True)
    port = {"vfs": 7, "vf": {"all": vf}} if vf else 7
    guests: dict[str, Any] = {
        vm: {"domain": f"machine-room/{vm}.xml", "running": True, "pairs": [{"macs": macs}]}
        for vm in ADDRESSES
    }
    bridged = {"domain": "machine-room/VM-1.xml", "running": True, "pairs": []}
    return rack_file(folder, server_2(port, port), {"VM-1": bridged, **guests})


@pytest.fixture(scope="module")
def room(rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """The guide's scene, every VM answering."""
    path = rack_of(tmp_path_factory.mktemp("room"), "active", trust="off")
    sriovctl(rack, "apply", path, "--allow", "vf-reset")
    for vm in ADDRESSES:
        rack.guest(vm, "true")
    for address in (*ADDRESSES.values(), *OTHERS.values()):
        assert rack.answers(address, PATIENCE_S).returncode == 0
    yield rack
    rack.mend()
    spoofguard.set_off(rack.lab, rack.lab.server(SERVER))


def rebond(room: Rack, vm: str, fail_over_mac: str) -> None:
    """Give a running guest's bond another setting; its cards join again by themselves.

    The setting can change only while the bond has no legs, and the guest puts them back at once.
    """
    option = "/sys/class/net/bond0/bonding"
    line = (
        f"cd {option}; for n in 1 2 3 4 5 6 7 8 9; do for l in $(cat slaves); do echo -$l >slaves; "
        f"done; echo {fail_over_mac} >fail_over_mac && break; done; cat fail_over_mac; "
        "ip link set lo down; ip link set lo up"
    )
    until(lambda: f"{fail_over_mac} " in room.guest(vm, line).stdout)


def legs_up(room: Rack, vm: str) -> int:
    said = room.guest(vm, "grep -A1 'Slave Interface' /proc/net/bonding/bond0").stdout
    return said.count("MII Status: up")


def whole(room: Rack) -> None:
    """Wait for both bonds to have both legs."""
    for vm in ADDRESSES:
        until(lambda vm=vm: legs_up(room, vm) == 2)  # type: ignore[misc]
        assert room.answers(ADDRESSES[vm], PATIENCE_S).returncode == 0


def vf_of(room: Rack, vm: str, port: str) -> VF:
    """The VF of a port that a VM holds."""
    state = look(room)
    holders = state.holders()
    (found,) = (
        vf
        for pf in state.pfs
        for vf in pf.vfs
        if pf.name == port and vf.pci in holders and holders[vf.pci].name == vm
    )
    return found


def trial(room: Rack, path: Path, vm: str, *ways: str) -> list[dict[str, Any]]:
    words = [word for way in ways for word in ("--way", way)]
    done = sriovctl(
        room, "trial", "failover", path, vm, "--address", ADDRESSES[vm], "--lab", room.name,
        *words, *PACE, "--json", expect=None,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    rounds: list[dict[str, Any]] = json.loads(done.stdout)["rounds"]
    return rounds


def told(vm: str, macs: str, rounds: list[dict[str, Any]]) -> str:
    """The measured outages, for who reads the test's output."""
    words = [
        f"{one['way']} {one['leg']} {'' if one['failover']['over'] else '>'}"
        f"{one['failover']['ms']:.0f}/{one['failback']['ms']:.0f} ms"
        for one in rounds
    ]
    return f"\n{vm}, policy {macs}, failover/failback: {', '.join(words)}\n"


def test_a_pair_that_goes_silent_is_named_before_it_does(
    room: Rack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vm = "VM-2"
    # as a driver does it that lets the guest change the address, and checks by the host's
    sriovctl(room, "apply", rack_of(tmp_path, "active", trust="on"))
    own = vf_of(room, vm, "em2")
    rebond(room, vm, "none")
    whole(room)
    assert vf_of(room, vm, "em2").mac == vf_of(room, vm, "em1").mac
    path = rack_of(tmp_path, "active", trust="off")
    sriovctl(room, "apply", path)
    room.must(SERVER, f"ip link set em2 vf {own.index} mac {own.mac}")
    guarded = sriovctl(room, "lab", "spoofguard", "--name", room.name, SERVER, "on").stdout
    assert "The lab's switch ports do it instead" in guarded

    done = sriovctl(room, "check", path, expect=3)
    assert f"{vm}: its pair goes silent on em2" in done.stdout
    assert "fail_over_mac=none" in done.stdout
    for mend in ("fail_over_mac=active", "macs: shared", "macs: open"):
        assert mend in done.stdout
    assert "VM-3: its pair" not in done.stdout

    rounds = trial(room, path, vm, "cable")
    with capsys.disabled():
        sys.stdout.write(told(vm, "none", rounds))
    (em1,) = (one for one in rounds if one["leg"] == "em1")
    assert not em1["failover"]["over"], "silent until its leg is back"
    assert spoofguard.dropped(room.lab, room.lab.server(SERVER))["em2"] > 0


@pytest.mark.parametrize(
    ("macs", "fail_over_mac"), [("active", "active"), ("open", "none"), ("shared", "none")]
)
def test_each_policy_fails_over_and_back(
    room: Rack, tmp_path: Path, capsys: pytest.CaptureFixture[str], macs: str, fail_over_mac: str
) -> None:
    # a card gets its address back when it leaves a bond, and igb mutes an untrusted VF for trying
    sriovctl(room, "apply", rack_of(tmp_path, macs, trust="on"), "--allow", "vf-reset")
    for vm in ADDRESSES:
        rebond(room, vm, fail_over_mac)
    path = rack_of(tmp_path, macs, trust="on" if macs == "open" else "off")
    sriovctl(room, "apply", path)
    whole(room)
    guards = spoofguard.set_on(room.lab, room.lab.server(SERVER))
    assert all(bool(guard.open_vfs) == (macs == "open") for guard in guards)
    checked = sriovctl(room, "check", path)
    assert "goes silent" not in checked.stdout
    assert ("may send from any MAC address" in checked.stdout) == (macs == "open")
    for vm in ADDRESSES:
        rounds = trial(room, path, vm, "cable", "switch")
        with capsys.disabled():
            sys.stdout.write(told(vm, macs, rounds))
        assert {(one["way"], one["leg"]) for one in rounds} == {
            (way, leg) for way in ("cable", "switch") for leg in ("em1", "em2")
        }
        assert all(one["failover"]["over"] and one["failback"]["over"] for one in rounds)
        assert all(one["carried"]["away"] != one["leg"] for one in rounds)
    for who, address in OTHERS.items():
        assert room.answers(address, PATIENCE_S).returncode == 0, who


def until(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)
