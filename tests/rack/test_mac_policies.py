"""What happens to a pair's address at a failover: the guide's failure, and its three ways out.

The emulated cards do not enforce the spoof check, so the lab's switch ports do it for them
(``sriovctl lab spoofguard``): what is seen to be dropped here is dropped by the lab, by the
addresses and the register bits that the cards have at that moment.

One scene, and one thing changed from test to test: the guests' bonds go from ``active`` to ``none``
under ``open``, where their cards take any address, and keep that.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sriovctl.host import VF
from sriovctl.lab import spoofguard
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look
from tests.rack.program import EXAMPLES, sriovctl

ROOM = EXAMPLES / "machine-room.yaml"
ADDRESSES = {"VM-2": "10.8.0.12", "VM-3": "10.8.0.13"}
OTHERS = {"VM-1, on the bridge": "10.8.0.11", "the host, on its bond": "10.8.0.2"}
PATIENCE_S = 300
ARP_INTERVAL_MS = 600
"""Of the guests' monitor, in place of the scene's 300: on a busy machine answers are late, and
the bond leaves legs that nobody took."""
PACE = ("--rate", "20", "--away", "6", "--back", "2")
"""The guests' bonds need 1.5 to 2.1 s to notice."""
LEGS = ("em1", "em2")
EACH_WAY = {(way, leg) for way in ("cable", "switch") for leg in LEGS}


def room_with(macs: str, folder: Path, **vf: str) -> Path:
    """The guide's room with a MAC policy, its VFs given what is said."""
    if not (folder / "machine-room").exists():
        (folder / "machine-room").symlink_to(EXAMPLES / "machine-room")
    written: dict[str, Any] = YAML(typ="safe").load(ROOM)
    for port in written["hosts"][SERVER]["pfs"].values():
        port["vf"] = {"all": vf}
    for vm in ADDRESSES:
        written["vms"][vm]["pairs"] = [{"macs": macs}]
    path = folder / "rack.yaml"
    with path.open("w") as stream:
        YAML().dump(written, stream)
    return path


@pytest.fixture(scope="module")
def room(rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """The guide's scene, every VM answering."""
    sriovctl(rack, "apply", ROOM, "--allow", "vf-reset")
    for vm in ADDRESSES:
        rack.guest(vm, f"echo {ARP_INTERVAL_MS} >/sys/class/net/bond0/bonding/arp_interval")
    for address in (*ADDRESSES.values(), *OTHERS.values()):
        assert rack.answers(address, PATIENCE_S).returncode == 0
    yield rack
    rack.mend()
    spoofguard.set_off(rack.lab, rack.lab.server(SERVER))
    # their bonds are no longer as they booted
    for vm in ADDRESSES:
        rack.must(SERVER, f"virsh destroy {vm}")


def guarded(room: Rack) -> tuple[spoofguard.Guard, ...]:
    """The lab's switch ports check as the cards are set now."""
    return spoofguard.set_on(room.lab, room.lab.server(SERVER))


def until(holds: Callable[[], bool]) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def whole_and_on_em1(room: Rack) -> None:
    """Have the traffic of both VMs on em1, and em2 up in both bonds."""
    room.cut(SERVER, "em2")
    for address in ADDRESSES.values():
        assert room.answers(address, PATIENCE_S).returncode == 0
    room.mend()
    for vm in ADDRESSES:
        until(lambda vm=vm: legs_up(room, vm) == 2)  # type: ignore[misc]


def legs_up(room: Rack, vm: str) -> int:
    said = room.guest(vm, "grep -A1 'Slave Interface' /proc/net/bonding/bond0").stdout
    return said.count("MII Status: up")


def to_one_address(room: Rack, vm: str) -> None:
    """Give a running guest's bond ``fail_over_mac=none``.

    It can change only while the bond has no legs, and the guest puts them back at once.
    """
    room.guest(
        vm,
        "cd /sys/class/net/bond0/bonding; until echo none >fail_over_mac; do "
        "for leg in $(cat slaves); do echo -$leg >slaves; done; done 2>/dev/null; "
        "ip link set lo down; ip link set lo up",
    )


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


def trial(room: Rack, path: Path, *words: str) -> dict[str, dict[str, Any]]:
    """A trial of both VMs at once: what it says of each."""
    addresses = [word for vm, ip in ADDRESSES.items() for word in ("--address", f"{vm}={ip}")]
    done = sriovctl(
        room, "trial", "failover", path, *ADDRESSES, "--together", *addresses, "--lab", room.name,
        *PACE, *words, "--json", expect=None,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    told: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return told


def show(capsys: pytest.CaptureFixture[str], policy: str, told: dict[str, Any]) -> None:
    """The measured outages, for who reads the test's output."""
    lines = [
        f"{policy}, {vm}, failover/failback in ms: "
        + ", ".join(
            f"{one['way']} {one['leg']} {ms(one['failover'])}/{ms(one['failback'])}"
            for one in of_vm["rounds"]
        )
        for vm, of_vm in told.items()
    ]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")


def ms(outage: dict[str, Any]) -> str:
    return f"{'' if outage['over'] else '> '}{outage['ms']:.0f}"


def fails_over_and_back(
    room: Rack, path: Path, capsys: pytest.CaptureFixture[str], policy: str
) -> None:
    """Cable on either side and each switch, for both VMs, and who else is on the ports."""
    whole_and_on_em1(room)
    told = trial(room, path, "--way", "cable", "--way", "switch", "--patience", str(PATIENCE_S))
    show(capsys, policy, told)
    for of_vm in told.values():
        rounds = of_vm["rounds"]
        assert {(one["way"], one["leg"]) for one in rounds} == EACH_WAY
        assert all(one["failover"]["over"] for one in rounds)
        assert all(one["carried"]["away"] != one["leg"] for one in rounds)
        left = {one["leg"] for one in rounds if one["carried"]["before"] == one["leg"]}
        assert left == set(LEGS), "each leg was lost while it carried"
    for who, address in (*ADDRESSES.items(), *OTHERS.items()):
        assert room.answers(address, PATIENCE_S).returncode == 0, who


def test_active_fails_over_and_back(
    room: Rack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = room_with("active", tmp_path, spoofchk="on", trust="off")
    sriovctl(room, "apply", path)
    assert not any(guard.open_vfs for guard in guarded(room))
    fails_over_and_back(room, path, capsys, "active")


def test_open_fails_over_and_back(
    room: Rack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = room_with("open", tmp_path)
    sriovctl(room, "apply", path)
    for vm in ADDRESSES:
        to_one_address(room, vm)
    assert all(guard.open_vfs for guard in guarded(room))
    assert "may send from any MAC address" in sriovctl(room, "check", path).stdout
    fails_over_and_back(room, path, capsys, "open")


def test_a_pair_that_goes_silent_is_named_before_it_does(
    room: Rack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with a driver that lets the guest change the address, and checks by the host's."""
    own = vf_of(room, "VM-2", "em2")
    assert own.mac == vf_of(room, "VM-2", "em1").mac, "the guest's bond has one address"
    path = room_with("active", tmp_path, spoofchk="on", trust="off")
    said = sriovctl(room, "apply", path, expect=4).stderr
    assert "would be a vf-reset for VM-2" in said, "the cards' own addresses are wanted back"
    for pf in look(room).pfs:
        for vf in pf.vfs:
            room.must(SERVER, f"ip link set {pf.name} vf {vf.index} spoofchk on trust off")
    whole_and_on_em1(room)
    room.must(SERVER, f"ip link set em2 vf {own.index} mac 02:00:00:00:00:02")
    said = sriovctl(room, "lab", "spoofguard", "--name", room.name, SERVER, "on").stdout
    assert "The lab's switch ports do it instead" in said

    said = sriovctl(room, "check", path, expect=3).stdout
    assert "VM-2: its pair goes silent on em2" in said
    assert "fail_over_mac=none" in said
    for mend in ("fail_over_mac=active", "macs: shared", "macs: open"):
        assert mend in said
    assert "VM-3: its pair" not in said

    told = trial(room, path, "--way", "cable", "--patience", "10")
    show(capsys, "no policy for VM-2", told)
    assert not told["VM-2"]["held"]
    # once em1 is back its bond leaves em2, where no ARP answer came, and em2 has its turn too
    em1 = told["VM-2"]["rounds"][0]
    assert em1["leg"] == "em1"
    assert not em1["failover"]["over"], "silent until its leg is back"
    assert told["VM-3"]["rounds"][0]["failover"]["over"]
    assert spoofguard.dropped(room.lab, room.lab.server(SERVER))["em2"] > 0


def test_shared_fails_over_and_back(
    room: Rack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = room_with("shared", tmp_path, spoofchk="on", trust="off")
    strayed = vf_of(room, "VM-3", "em1").index
    room.must(SERVER, f"ip link set em1 vf {strayed} mac 02:00:00:00:00:03")
    said = sriovctl(room, "apply", path, "--allow", "vf-reset").stdout
    assert "VM VM-3: plug in a VF of passthrough_em1" in said, "its VF had another address"
    for vm in ADDRESSES:
        assert vf_of(room, vm, "em1").mac == vf_of(room, vm, "em2").mac
        assert f"VM {vm}: plug in a VF of passthrough_em2" in said, "into the running VM"
    assert not any(guard.open_vfs for guard in guarded(room))
    assert "goes silent" not in sriovctl(room, "check", path).stdout
    fails_over_and_back(room, path, capsys, "shared")
