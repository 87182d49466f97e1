"""The virtual rack itself: is it what it says it is?"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sriovctl.errors import SriovctlError
from sriovctl.lab import layout, lifecycle, state, switches
from tests.rack.conftest import Rack

SERVER = "server-2"


@pytest.fixture
def whole(rack: Rack) -> Iterator[Rack]:
    """The rack, mended after the test."""
    yield rack
    rack.mend()


def carrier(rack: Rack, port: str) -> str:
    return rack.must(SERVER, f"cat /sys/class/net/{port}/carrier")


def eventually(rack: Rack, command: str, wanted: str, limit_s: float = 20) -> str:
    """What the command says in the server, as soon as it is what is wanted, or after the limit."""
    deadline = time.monotonic() + limit_s
    while True:
        said = rack.must(SERVER, command)
        if said == wanted or time.monotonic() > deadline:
            return said


def test_server_is_who_it_says(rack: Rack) -> None:
    assert rack.must(SERVER, "hostname") == SERVER
    assert rack.must(SERVER, "systemctl is-system-running") == "running"
    assert "inet 10.8.0.2/24" in rack.must(SERVER, "ip -4 address show br0")


def test_cards_make_seven_virtual_functions_each(rack: Rack) -> None:
    for port in ("em1", "em2"):
        device = f"/sys/class/net/{port}/device"
        assert rack.must(SERVER, f"cat {device}/sriov_totalvfs") == "7"
        assert rack.must(SERVER, f"basename $(readlink {device}/driver)") == "igb"


def test_iommu_and_nested_kvm_are_there(rack: Rack) -> None:
    assert int(rack.must(SERVER, "ls /sys/kernel/iommu_groups | wc -l")) > 0
    assert rack.ssh(SERVER, "test -c /dev/kvm").returncode == 0
    assert "<domain>kvm</domain>" in rack.must(SERVER, "virsh domcapabilities --virttype kvm")


def test_bond_over_both_ports_by_hand(rack: Rack) -> None:
    members = rack.must(SERVER, "cat /sys/class/net/bond0/bonding/slaves")
    assert sorted(members.split()) == ["em1", "em2"]
    assert "active-backup" in rack.must(SERVER, "cat /sys/class/net/bond0/bonding/mode")
    assert rack.ping("10.8.0.2").returncode == 0


def test_nothing_leaks_into_the_machines_own_network(rack: Rack) -> None:
    done = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    for name in (*layout.SWITCHES, "s2-em1", "s2-em2", layout.INTERLINK):
        assert name not in done.stdout


def test_wrong_host_key_is_refused(rack: Rack, tmp_path: Path) -> None:
    known = rack.lab.folder / "known_hosts"
    other = tmp_path / "known_hosts"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True
    )
    key = " ".join((tmp_path / "k.pub").read_text().split()[:2])
    other.write_text(f"{known.read_text().split()[0]} {key}\n")
    done = subprocess.run(
        ["ssh", "-F", rack.ssh_config, "-o", f"UserKnownHostsFile={other}", SERVER, "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_admin_has_sudo_and_is_not_root(rack: Rack) -> None:
    done = subprocess.run(
        ["ssh", "-F", rack.ssh_config, "-l", "admin", SERVER, "id -un; sudo id -un"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["admin", "root"]


def test_cut_cable_is_dead_at_both_ends(whole: Rack) -> None:
    whole.cut(SERVER, "em1")
    assert eventually(whole, "cat /sys/class/net/em1/carrier", "0") == "0"
    tap = whole.inside(["cat", "/sys/class/net/s2-em1/operstate"]).stdout.strip()
    assert tap == "down"
    assert carrier(whole, "em2") == "1"
    assert eventually(whole, "cat /sys/class/net/bond0/bonding/active_slave", "em2") == "em2"
    assert whole.ping("10.8.0.2").returncode == 0
    whole.mend()
    assert eventually(whole, "cat /sys/class/net/em1/carrier", "1") == "1"


def test_dead_switch_takes_its_ports_down_and_the_lab_moves(whole: Rack) -> None:
    whole.cut("switch-1")
    assert eventually(whole, "cat /sys/class/net/em1/carrier", "0") == "0"
    assert eventually(whole, "cat /sys/class/net/bond0/bonding/active_slave", "em2") == "em2"
    assert whole.ping("10.8.0.2").returncode == 0


def test_status_says_what_is_cut(whole: Rack) -> None:
    whole.cut(SERVER, "em2")
    done = subprocess.run(
        [sys.executable, "-m", "sriovctl.cli", "lab", "status", "--name", whole.name, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(done.stdout)
    (server,) = facts["servers"]
    assert server["power"] == "on"
    assert server["system"] == "running"
    assert [cable["link"] for cable in server["cables"].values()] == ["up", "cut"]


def test_lab_that_is_up_is_left_alone(rack: Rack) -> None:
    before = rack.must(SERVER, "cat /proc/sys/kernel/random/boot_id")
    lifecycle.up(rack.name, count=1, peer=False, wait=True, progress=rack.progress)
    assert rack.must(SERVER, "cat /proc/sys/kernel/random/boot_id") == before
    with pytest.raises(SriovctlError, match="is up with server-2"):
        lifecycle.up(rack.name, count=2, peer=False, wait=True, progress=rack.progress)


def test_names_of_two_labs_do_not_meet(rack: Rack) -> None:
    other = f"{rack.name}-x"
    assert layout.namespace(other) != rack.lab.namespace
    assert state.find(other) is None
    assert not switches.exists(layout.namespace(other))
    assert len(set(rack.lab.ssh_ports.values())) == len(rack.lab.servers)
