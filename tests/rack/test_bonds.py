"""The host's own bond: the lab's left alone, made again, there after a reboot; by netplan."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sriovctl.lab import switches
from sriovctl.reach import LocalReach
from sriovctl.trial.probes import outage
from sriovctl.trial.sender import Sender
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
    " systemctl stop systemd-networkd.socket systemd-networkd.service;"
    # else the kernel's word on links that go starts it, by its socket, and it makes half a bond;
    # so it does, about every second time, of ports that are up
    " ip link del br0; ip link del bond0; ip link set em1 down; ip link set em2 down;"
    " systemctl start systemd-networkd.service && timeout 60 sh -c '"
    "until [ -e /sys/class/net/br0/brif/bond0 ] && ip -4 addr show br0 | grep -q inet &&"
    " grep -q em1 /sys/class/net/bond0/bonding/slaves &&"
    " grep -q em2 /sys/class/net/bond0/bonding/slaves; do sleep 0.2; done'"
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


WATCH = r"""
cd /sys/class/net
while [ -e /run/watch ]; do
    read -r up _ </proc/uptime
    legs=
    for leg in */bonding_slave/mii_status; do
        read -r state <"$leg"
        legs="$legs ${leg%%/*}=$state"
    done
    read -r active <bond0/bonding/active_slave || :
    [ "$legs $active" = "$before" ] || echo "$up$legs active=$active"
    before="$legs $active"
    sleep 0.2
done >/run/watched
"""
"""In a guest: each change of its bond's legs, as its kernel has them."""
ARP_INTERVAL_MS = 2000
"""Of VM-2's monitor, in place of the scene's 300: on a busy machine ARP's answers are late."""
LEGS = "cd /sys/class/net; grep . */bonding_slave/mii_status"
WHOLE = "cd /sys/class/net; while grep -qv up */bonding_slave/mii_status; do sleep 0.2; done"
RATE = 100
"""Packets/s to VM-2."""
CALM_S = 5
MOST_S = 600
QUIETLY = ">/dev/null 2>&1 </dev/null &"
LATE_S = 15
"""Until VM-2's leg is set up again: a probe and a look take less."""


@pytest.fixture(scope="module")
def room(rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """Server-2 with VFs and VM-2, and at the end with the lab's own bond."""
    sriovctl(rack, "apply", rack_of(tmp_path_factory.mktemp("first")), "--allow", "vf-reset")
    rack.guest("VM-2", "true")
    yield rack
    if rack.ssh(SERVER, "test -d /root/lab-network").returncode == 0:
        rack.must(SERVER, BACK)
    clear(rack)


@pytest.fixture
def whole(room: Rack) -> None:
    """VM-2 with all legs of its bond up, and a monitor that a busy machine does not mislead."""
    set_arp = f"echo {ARP_INTERVAL_MS} >/sys/class/net/bond0/bonding/arp_interval"
    assert room.guest("VM-2", f"{set_arp} && {WHOLE}").returncode == 0


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


def find_leg(room: Rack) -> str:
    """Shell for VM-2 that sets ``$leg`` to its card on em2."""
    vfs = {vf.pci for vf in look(room).pfs[1].vfs}
    mac = next(mac for pci, mac in held(room) if pci in vfs)
    return f"cd /sys/class/net; leg=$(grep -l {mac} */bonding_slave/perm_hwaddr | cut -d / -f 1)"


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
        "timeout 240 sh -c 'while [ -L /run/sriovctl.lock ]; do sleep 0.2; done'",
    )
    after = look(room).network
    assert after.addresses == before.addresses
    assert [(bond.options, set(bond.legs)) for bond in after.bonds] == [
        (bond.options, set(bond.legs)) for bond in before.bonds
    ]
    assert room.must(SERVER, f"sha256sum {FOLDER}/05-*") == files
    assert [pf.numvfs for pf in look(room).pfs] == [7, 7]


@pytest.mark.usefixtures("whole")
def test_an_mtu_comes_to_one_leg_after_the_other(room: Rack, tmp_path: Path) -> None:
    """VM-2 is waited for between them, and after a change that is undone too."""
    before = look(room).network.mtus
    raised = rack_of(tmp_path, mtu=9000)
    assert sum(step["impact"] == "link-blip" for step in steps_of(room, raised)) == 1
    process = start(room, "apply", raised, "--confirm-timeout", "8")
    grown = "until [ $(cat /sys/class/net/br0/mtu) = 9000 ]; do sleep 0.1; done"
    room.must(SERVER, f"timeout 300 sh -c '{grown}'")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    room.must(SERVER, "timeout 240 sh -c 'while [ -L /run/sriovctl.lock ]; do sleep 0.2; done'")
    assert look(room).network.mtus == before
    legs = room.guest("VM-2", LEGS)
    assert legs.returncode == 0, legs.stderr
    assert "down" not in legs.stdout, "the undo has waited for it"
    active = room.must(SERVER, "cat /sys/class/net/bond0/bonding/active_slave")
    done = sriovctl(room, "apply", raised)
    assert f"{active}: waited" in done.stdout, "the active leg, after the other one"
    now = look(room).network.mtus
    assert [now[name] for name in ("em1", "em2", "bond0", "br0")] == [9000] * 4
    assert room.answers("10.8.0.12").returncode == 0
    assert "as wanted: nothing to do" in sriovctl(room, "apply", raised).stdout
    sriovctl(room, "apply", rack_of(tmp_path, mtu=1500))
    assert look(room).network.mtus == before
    # and out of the files again
    sriovctl(room, "apply", rack_of(tmp_path))


def test_it_is_there_after_a_reboot(room: Rack, tmp_path: Path) -> None:
    path = rack_of(tmp_path)
    sriovctl(room, "apply", path)
    room.reboot(SERVER)
    assert steps_of(room, path) == []
    assert look(room).network.bridge_of("bond0") == "br0"
    assert [pf.numvfs for pf in look(room).pfs] == [7, 7]
    assert room.answers("10.8.0.2").returncode == 0


@pytest.fixture
def traffic(room: Rack, whole: None, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """To VM-2 and its host while a test runs; how long they were silent is printed."""
    begun = room.guest(
        "VM-2", f"echo '{WATCH}' >/run/watch && {{ setsid sh /run/watch {QUIETLY} }}"
    )
    assert begun.returncode == 0, begun.stderr
    inside = switches.inside(room.lab.namespace, [sys.executable])
    senders = {
        name: Sender(LocalReach("the switch"), inside, address, RATE, MOST_S, MOST_S)
        for name, address in (("VM-2", "10.8.0.12"), ("the host", "10.8.0.2"))
    }
    for sender in senders.values():
        sender.wait_answer(MOST_S)
    calm = time.time()
    time.sleep(CALM_S)
    begin = time.time()
    yield
    seen = room.guest("VM-2", "rm /run/watch; cat /run/watched").stdout
    for name, sender in senders.items():
        sent = sender.finish()
        during, before = outage(sent, begin, sent[-1].sent), outage(sent, calm, begin)
        with capsys.disabled():
            sys.stdout.write(
                f"\n{name}: {during.lost} of {during.sent} lost, silent for {during.ms} ms at most"
                f" (with nothing done {before.ms} ms)"
            )
    with capsys.disabled():
        sys.stdout.write(f"\nVM-2's bond saw\n{seen}")


@pytest.fixture(scope="module")
def netplan_host(room: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """Server-2 with its address on em1, by netplan; the room gives it the lab's bond back."""
    # after a reboot VM-2 is off
    sriovctl(room, "apply", rack_of(tmp_path_factory.mktemp("netplan")))
    room.guest("VM-2", "true")
    room.must(SERVER, TO_NETPLAN, NETPLAN)
    yield room
    room.must(SERVER, FROM_NETPLAN)


TO_BOND = {
    "pfs": {"em1": 7, "em2": 7},
    "bonds": {"bond0": LAB_BOND | {"gateway": "10.8.0.254"}},
}
JOURNAL = "cat $(ls -t /var/lib/sriovctl/transactions/*/journal | head -n 3)"


@pytest.mark.usefixtures("netplan_host", "traffic")
def test_the_second_port_stays_where_it_is_if_a_vm_does_not_come_back(
    room: Rack, tmp_path: Path
) -> None:
    """VM-2's leg on the first one goes down with it, and stays down."""
    before = look(room)
    blips = room.must(SERVER, "cat /sys/class/net/em1/carrier_down_count")
    find = find_leg(room)
    path = rack_file(tmp_path, {SERVER: TO_BOND})
    process = start(room, "apply", path, "--bond-timeout", "8", "--agent-timeout", "60")
    moved = "until grep -q em2 /sys/class/net/bond0/bonding/slaves; do sleep 0.1; done"
    try:
        room.must(SERVER, f"timeout 120 sh -c '{moved}' 2>/dev/null")
        # while its bond is given time to notice
        assert room.guest("VM-2", f"{find}; ip link set $leg down").returncode == 0
        said, _ = process.communicate()
    finally:
        process.kill()
        room.guest("VM-2", f"{find}; ip link set $leg up")
    assert process.returncode == 1, said
    # the second where its bond has not noticed yet
    why = "(no other leg of bond0 is up|bond0 does not go over to eth[01])"
    assert re.search(f"VM-2: not within 8 s: {why}", said), said
    assert "em1 is left as it is" in said
    assert "everything was undone" in said
    after = look(room).network
    assert (after.bonds, after.addresses) == ((), before.network.addresses)
    assert room.must(SERVER, "cat /sys/class/net/em1/carrier_down_count") == blips


@pytest.mark.usefixtures("netplan_host", "traffic")
def test_a_host_that_netplan_has(room: Rack, tmp_path: Path) -> None:
    """VM-2's other leg is down, and about to come up."""
    path = rack_file(tmp_path, {SERVER: TO_BOND})
    late = f"ip link set $leg down; sleep {LATE_S}; ip link set $leg up"
    find = find_leg(room)
    assert room.guest("VM-2", f'{find}; {{ setsid sh -c "{late}" {QUIETLY} }}').returncode == 0
    sriovctl(room, "apply", path, "--bond-timeout", "120")
    assert "em1: waited" in room.must(SERVER, JOURNAL), "for VM-2, before its second port"
    assert room.must(SERVER, "ls /etc/netplan") == "60-bond0.yaml"
    assert look(room).network.bridge_of("bond0") == "br0"
    assert [pf.numvfs for pf in look(room).pfs] == [7, 7]
    # networkd has taken what it found, and has set the way out itself
    assert " configured" in room.must(SERVER, "networkctl --no-legend list br0")
    assert "proto static" in room.must(SERVER, "ip route show default dev br0")
    assert room.answers("10.8.0.2").returncode == 0
    assert "as wanted" in sriovctl(room, "apply", path).stdout
