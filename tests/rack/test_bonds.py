"""The host's own bond: the lab's left alone, made again, there after a reboot; by netplan."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rack.clear import clear
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look
from tests.rack.program import rack_file, sriovctl, start

LAB_BOND = {"legs": ["em1", "em2"], "miimon": 80, "primary": "em1", "bridge": "br0",
            "address": "10.8.0.2/24"}  # fmt: skip
"""As the lab's image makes it by files of its own."""
FOLDER = "/etc/systemd/network"
AWAY = (
    f"mkdir /root/lab-network && mv {FOLDER}/3* /root/lab-network && networkctl reload &&"
    " ip link del br0 && ip link del bond0 && ip link set em1 up && ip link set em2 up"
)
BACK = (
    f"rm -f {FOLDER}/05-*; cp -R /root/lab-network/. {FOLDER} && rm -r /root/lab-network &&"
    " { ip link del br0; ip link del bond0; systemctl restart systemd-networkd; } &&"
    " timeout 30 sh -c 'until ip -4 addr show br0 | grep -q inet; do sleep 0.2; done'"
)


NETPLAN = """network:
  version: 2
  ethernets:
    em1:
      addresses: [10.8.0.2/24]
      routes: [{to: default, via: 10.8.0.254}]
    em2: {}
"""
"""A host before it has a bond."""
TO_NETPLAN = (
    "[ -d /root/lab-network ] ||"
    f" {{ mkdir /root/lab-network && mv {FOLDER}/3* /root/lab-network; }};"
    f" rm -f {FOLDER}/05-* && cat >/etc/netplan/01-host.yaml && chmod 600 /etc/netplan/* &&"
    " systemctl stop systemd-networkd.socket systemd-networkd.service && netplan generate &&"
    " ip link del br0 && ip link del bond0 && ip link set em1 down && ip link set em2 down &&"
    " systemctl start systemd-networkd.service &&"
    " timeout 60 sh -c 'until [ -n \"$(ip route show default dev em1)\" ]; do sleep 0.2; done'"
)
FROM_NETPLAN = (
    "rm -rf /etc/netplan/* /var/lib/sriovctl/aside && systemctl stop systemd-networkd.service &&"
    " netplan generate && systemctl start systemd-networkd.service"
)


def rack_of(folder: Path, vfs: int = 7, **bond: Any) -> Path:
    """Server-2 with a bond0."""
    folder.mkdir(exist_ok=True)
    host = {"pfs": {"em1": vfs, "em2": vfs}, "bonds": {"bond0": LAB_BOND | bond}}
    vm = {"domain": "machine-room/VM-2.xml", "running": True}
    return rack_file(folder, {SERVER: host}, {"VM-2": vm})


@pytest.fixture(scope="module")
def room(rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """Server-2 with VFs and VM-2, and at the end with the lab's own bond."""
    sriovctl(rack, "apply", rack_of(tmp_path_factory.mktemp("first")), "--allow", "vf-reset")
    rack.guest("VM-2", "true")
    yield rack
    if rack.ssh(SERVER, "test -d /root/lab-network").returncode == 0:
        rack.must(SERVER, BACK)
    clear(rack)


def steps_of(room: Rack, path: Path) -> list[dict[str, Any]]:
    """The steps of link bonds that a plan has."""
    plan = json.loads(sriovctl(room, "plan", path, "--json", expect=None).stdout)[SERVER]
    steps = [step for stage in plan["stages"] for step in stage["steps"]]
    return [step for step in steps if step["link"] == "bonds"]


def held(room: Rack) -> list[tuple[str, str]]:
    """Which VFs VM-2 holds, and by which addresses."""
    vm = look(room).vm_named("VM-2")
    assert vm is not None
    assert vm.running
    return [(nic.pci or "", nic.mac or "") for nic in vm.live_nics]


def test_a_bond_made_by_hand_is_left_alone(room: Rack, tmp_path: Path) -> None:
    before = look(room).network
    assert steps_of(room, rack_of(tmp_path)) == []
    assert [bond.name for bond in before.bonds] == ["bond0"]
    assert room.must(SERVER, f"ls {FOLDER} | grep -c ^05 || true") == "0"


def test_one_option_is_changed_alone(room: Rack, tmp_path: Path) -> None:
    legs = room.must(SERVER, "cat /sys/class/net/em[12]/carrier_down_count")
    (step,) = steps_of(room, rack_of(tmp_path, num_grat_arp=4))
    assert step["impact"] == "none"
    done = sriovctl(room, "apply", rack_of(tmp_path, num_grat_arp=4))
    assert "30-bond0.netdev" in done.stdout + done.stderr, "whose file says otherwise"
    assert room.must(SERVER, "cat /sys/class/net/bond0/bonding/num_grat_arp") == "4"
    assert room.must(SERVER, "cat /sys/class/net/em[12]/carrier_down_count") == legs


def test_what_was_taken_away_is_made_again_under_a_running_vm(room: Rack, tmp_path: Path) -> None:
    path = rack_of(tmp_path)
    cards = held(room)
    room.must(SERVER, AWAY)
    assert look(room).network.bonds == ()
    sriovctl(room, "apply", path)
    state = look(room)
    (bond,) = state.network.bonds
    assert (sorted(bond.legs), bond.options["miimon"], bond.options["primary"]) == (
        ["em1", "em2"], "80", "em1",
    )  # fmt: skip
    assert state.network.bridge_of("bond0") == "br0"
    assert [pf.numvfs for pf in state.pfs] == [7, 7]
    assert held(room) == cards, "the VM has its cards still"
    assert room.answers("10.8.0.2").returncode == 0
    assert room.answers("10.8.0.12").returncode == 0
    assert "as wanted" in sriovctl(room, "apply", path).stdout


def test_a_change_that_nobody_confirms_is_taken_back(room: Rack, tmp_path: Path) -> None:
    files = room.must(SERVER, f"sha256sum {FOLDER}/05-*")
    before = look(room).network
    path = rack_of(tmp_path, address=["10.8.0.2/24", "10.8.0.77/24"], fail_over_mac="active")
    process = start(room, "apply", path, "--confirm-timeout", "8")
    room.must(
        SERVER,
        "timeout 60 sh -c 'until ip addr show br0 | grep -q 10.8.0.77/; do sleep 0.05; done'",
    )
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    room.must(
        SERVER,
        "timeout 90 sh -c 'while [ -L /run/sriovctl.lock ]; do sleep 0.2; done'",
    )
    after = look(room).network
    assert after.addresses == before.addresses
    assert [(bond.options, set(bond.legs)) for bond in after.bonds] == [
        (bond.options, set(bond.legs)) for bond in before.bonds
    ]
    assert room.must(SERVER, f"sha256sum {FOLDER}/05-*") == files
    assert [pf.numvfs for pf in look(room).pfs] == [7, 7]


def test_it_is_there_after_a_reboot(room: Rack, tmp_path: Path) -> None:
    room.reboot(SERVER)
    path = rack_of(tmp_path)
    assert steps_of(room, path) == []
    assert look(room).network.bridge_of("bond0") == "br0"
    assert [pf.numvfs for pf in look(room).pfs] == [7, 7]
    assert room.answers("10.8.0.2").returncode == 0


@pytest.fixture
def netplan_host(room: Rack) -> Iterator[Rack]:
    """Server-2 with its address on em1, by netplan; the room gives it the lab's bond back."""
    room.must(SERVER, TO_NETPLAN, NETPLAN)
    yield room
    room.must(SERVER, FROM_NETPLAN)


def test_a_host_that_netplan_has(netplan_host: Rack, tmp_path: Path) -> None:
    room = netplan_host
    bond = LAB_BOND | {"gateway": "10.8.0.254"}
    host = {"pfs": {"em1": 7, "em2": 7}, "bonds": {"bond0": bond}}
    path = rack_file(tmp_path, {SERVER: host})
    sriovctl(room, "apply", path)
    assert room.must(SERVER, "ls /etc/netplan") == "60-bond0.yaml"
    assert look(room).network.bridge_of("bond0") == "br0"
    assert [pf.numvfs for pf in look(room).pfs] == [7, 7]
    # networkd has taken what it found, and has set the way out itself
    assert " configured" in room.must(SERVER, "networkctl --no-legend list br0")
    assert "proto static" in room.must(SERVER, "ip route show default dev br0")
    assert room.answers("10.8.0.2").returncode == 0
    assert "as wanted" in sriovctl(room, "apply", path).stdout
