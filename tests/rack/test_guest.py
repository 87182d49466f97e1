"""The nested guest: takes NICs as they come, fails over, speaks through its agent, shuts down."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rack.conftest import Rack

SERVER = "server-2"
VM = "lab-guest"
ADDRESS = "10.8.0.42"
LEGS = {"em1": "52:54:00:08:2a:01", "em2": "52:54:00:08:2a:02"}
EXAMPLE = Path(__file__).parents[2] / "examples/machine-room/VM-2.xml"


def nic(rack: Rack, leg: str) -> str:
    """The XML of a plain hostdev interface on the last VF of a port."""
    link = rack.must(SERVER, f"basename $(readlink /sys/class/net/{leg}/device/virtfn6)")
    domain, bus, rest = link.split(":")
    slot, function = rest.split(".")
    return (
        "<interface type='hostdev' managed='yes'><source>"
        f"<address type='pci' domain='0x{domain}' bus='0x{bus}' slot='0x{slot}'"
        f" function='0x{function}'/></source><mac address='{LEGS[leg]}'/></interface>"
    )


@pytest.fixture(scope="module")
def vm(rack: Rack) -> Iterator[str]:
    """A running VM without a NIC, 7 VFs on each port; all gone afterwards."""
    for leg in LEGS:
        rack.must(SERVER, f"echo 7 >/sys/class/net/{leg}/device/sriov_numvfs")
    text = EXAMPLE.read_text().replace("VM-2", VM).replace("10.8.0.12/24", f"{ADDRESS}/24")
    rack.must(SERVER, "cat >/tmp/vm.xml && virt-xml-validate /tmp/vm.xml", text)
    rack.must(SERVER, "virsh define /tmp/vm.xml")
    try:
        rack.must(SERVER, f"virsh start {VM}")
        yield VM
    finally:
        rack.mend()
        rack.ssh(SERVER, f"virsh destroy {VM}; virsh undefine {VM}")
        for leg in LEGS:
            rack.must(SERVER, f"echo 0 >/sys/class/net/{leg}/device/sriov_numvfs")


@pytest.fixture(scope="module")
def bonded(rack: Rack, vm: str) -> str:
    """The VM with a VF of each port, plugged in while it runs."""
    assert rack.guest(vm, "hostname").stdout == f"{vm}\n"
    for leg in LEGS:
        xml = nic(rack, leg)
        rack.must(SERVER, f"cat >/tmp/nic.xml && virsh attach-device {vm} /tmp/nic.xml --live", xml)
    members = ""
    deadline = time.monotonic() + 60
    while len(members.split()) < 2 and time.monotonic() < deadline:
        members = rack.guest(vm, "cat /sys/class/net/bond0/bonding/slaves").stdout
    assert len(members.split()) == 2
    return vm


def test_output_and_exit_code_come_back(rack: Rack, vm: str) -> None:
    done = rack.guest(vm, "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)


@pytest.mark.parametrize("name", [SERVER, VM])
def test_console_answers_and_is_left(rack: Rack, vm: str, name: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sriovctl.cli", "lab", "console", "--name", rack.name, name]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        deadline = time.monotonic() + 60
        while b"answer=42" not in said and time.monotonic() < deadline:
            # what is typed before both ends are there is lost
            os.write(ours, b"echo answer=$((6 * 7))\r")
            while select.select([ours], [], [], 2)[0] and b"answer=42" not in said:
                said += os.read(ours, 4096)
        os.write(ours, b"\x1d")
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()
            os.close(ours)
    assert b"answer=42" in said, said


def test_bond_has_the_options_of_the_kernel_line(rack: Rack, vm: str) -> None:
    names = "mode fail_over_mac arp_interval arp_ip_target arp_validate num_grat_arp"
    command = f"cd /sys/class/net/bond0/bonding; for i in {names}; do cat $i; done"
    said = rack.guest(vm, command).stdout.split("\n")
    assert said[:6] == ["active-backup 1", "active 1", "300", "10.8.0.254", "active 1", "3"]


def test_nics_plugged_in_later_join_the_bond(rack: Rack, bonded: str) -> None:
    macs = rack.guest(bonded, "cat /sys/class/net/eth*/device/net/*/bonding_slave/perm_hwaddr")
    assert sorted(macs.stdout.split()) == sorted(LEGS.values())
    assert rack.ping(ADDRESS).returncode == 0


def test_cut_cable_fails_over(rack: Rack, bonded: str) -> None:
    active = "cat /sys/class/net/bond0/bonding/active_slave"
    before = rack.guest(bonded, active).stdout.strip()
    mac = rack.guest(bonded, f"cat /sys/class/net/{before}/bonding_slave/perm_hwaddr").stdout
    leg = next(leg for leg, address in LEGS.items() if address == mac.strip())
    rack.cut(SERVER, leg)
    # arp_interval 300 ms, two misses, gratuitous ARP: about a second; emulated, give it ten
    done = rack.ping(ADDRESS, count=100, interval_s=0.1)
    assert done.returncode == 0
    assert rack.guest(bonded, active).stdout.strip() not in ("", before)
    rack.mend()
    assert rack.ping(ADDRESS).returncode == 0


def test_iperf3_answers_more_than_once(rack: Rack, bonded: str) -> None:
    command = ["iperf3", "-c", ADDRESS, "-t", "1", "--connect-timeout", "5000"]
    for _ in range(3):
        # the server serves one, ends, and starts again: busy for a moment
        deadline = time.monotonic() + 30
        done = rack.inside(command)
        while done.returncode and time.monotonic() < deadline:
            done = rack.inside(command)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["agent", "acpi"])
def test_shuts_down_when_asked(rack: Rack, bonded: str, mode: str) -> None:
    if rack.must(SERVER, f"virsh domstate {bonded}").strip() != "running":
        rack.must(SERVER, f"virsh start {bonded}")
    assert rack.guest(bonded, "true").returncode == 0
    rack.must(SERVER, f"virsh shutdown {bonded} --mode {mode}")
    deadline = time.monotonic() + 60
    state = ""
    while state != "shut off" and time.monotonic() < deadline:
        state = rack.must(SERVER, f"virsh domstate {bonded}").strip()
    assert state == "shut off"
