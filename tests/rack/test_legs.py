"""Leg by leg: another count of VFs under running VMs, and nobody is without a card meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from sriovctl.host import HostState
from sriovctl.lab import switches
from sriovctl.reach import LocalReach
from sriovctl.trial.probes import Probe, outage
from sriovctl.trial.sender import Sender
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, lasting, look
from tests.rack.program import EXAMPLES, sriovctl, start

ROOM = EXAMPLES / "machine-room.yaml"
VMS = {"VM-2": "10.8.0.12", "VM-3": "10.8.0.13"}
RATE = 50
"""Packets/s to each VM; the emulated server carries 200 with all three VMs, and nothing else."""
MOST_S = 900
CALM_S = 5
"""Traffic before anything is done, to compare with."""
INTERVAL = "/sys/class/net/bond0/bonding/arp_interval"
ARP_INTERVAL_MS = 2000
"""Of the guests' monitor, in place of the scene's 300: on a busy machine ARP's answers are late,
and the bond leaves legs that nobody took."""
PATIENCE_S = 300
BY_LEG = ("--leg-by-leg", "--bond-timeout", "120")

COUNT_CARDS = r"""
trap 'exit 0' TERM
cd /run/libvirt/qemu
while :; do
    grep -c "<actual type='hostdev'" VM-2.xml VM-3.xml
    sleep 0.5
done >/run/cards
"""
"""libvirt's own record of what is plugged in, twice a second: no daemon is asked."""


@pytest.fixture(scope="module")
def room(rack: Rack) -> Iterator[Rack]:
    """The guide's scene, VM-2 and VM-3 answering; it is left as it was found."""
    sriovctl(rack, "apply", ROOM)
    for vm, address in VMS.items():
        assert rack.guest(vm, f"echo {ARP_INTERVAL_MS} >{INTERVAL}").returncode == 0
        assert rack.answers(address, PATIENCE_S).returncode == 0
    yield rack
    rack.mend()
    sriovctl(rack, "apply", ROOM, *BY_LEG)
    for vm in VMS:
        rack.guest(vm, f"echo 300 >{INTERVAL}")


@pytest.fixture
def five(tmp_path: Path) -> Path:
    """The same rack with five VFs a port."""
    (tmp_path / "machine-room").symlink_to(EXAMPLES / "machine-room")
    path = tmp_path / "five.yaml"
    path.write_text(ROOM.read_text().replace("vfs: 7", "vfs: 5"))
    return path


def cards(state: HostState) -> dict[str, list[str]]:
    """Addresses of the cards that are plugged in."""
    return {vm.name: sorted(nic.mac or "" for nic in vm.live_nics) for vm in state.vms}


def counts(state: HostState) -> list[int]:
    return [pf.numvfs for pf in state.pfs]


@pytest.fixture
def traffic(room: Rack, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """To both VMs while a test runs; how long each was silent is printed."""
    inside = switches.inside(room.lab.namespace, [sys.executable])
    senders = {
        vm: Sender(LocalReach("the switch"), inside, address, RATE, MOST_S, PATIENCE_S)
        for vm, address in VMS.items()
    }
    for sender in senders.values():
        sender.wait_answer(PATIENCE_S)
    calm = time.time()
    time.sleep(CALM_S)
    begin = time.time()
    yield
    for vm, sender in senders.items():
        sent = sender.finish()
        with capsys.disabled():
            sys.stdout.write(
                f"\n{vm}: {silence(sent, begin, sent[-1].sent)}"
                f"\n  with nothing done: {silence(sent, calm, begin)}\n"
            )


def silence(sent: list[Probe], since: float, until: float) -> str:
    """Silent: all that was asked is lost. An answer can also be late, with all that was asked."""
    worst = outage(sent, since, until)
    assert worst.over
    heard = sorted(p.received for p in sent if p.received is not None and since <= p.sent < until)
    waited_ms = max((b - a for a, b in pairwise(heard)), default=0) * 1000
    return (
        f"{worst.lost} of {worst.sent} lost, silent for {worst.ms} ms at most, "
        f"an answer waited for for {waited_ms:.0f} ms at most"
    )


@pytest.fixture
def least_cards(room: Rack) -> Iterator[Callable[[], dict[str, int]]]:
    """How many cards each VM had at the least, since the test began."""
    room.must(SERVER, "cat >/run/cards.sh", COUNT_CARDS)
    room.must(
        SERVER, "setsid sh /run/cards.sh >/dev/null 2>&1 </dev/null & echo $! >/run/cards.pid"
    )

    def least() -> dict[str, int]:
        seen = room.must(SERVER, "sort -ru /run/cards").splitlines()
        return {vm: int(count) for vm, _, count in (line.partition(".xml:") for line in seen)}

    yield least
    room.must(SERVER, "kill $(cat /run/cards.pid); rm /run/cards*")


def test_a_bond_that_has_lost_its_other_leg_inside_blocks_by_name(room: Rack, five: Path) -> None:
    before = lasting(look(room))
    mac = next(
        nic.mac
        for vm in look(room).vms
        for nic in vm.live_nics
        if (vm.name, nic.pool) == ("VM-3", "passthrough_em2")
    )
    find = f"cd /sys/class/net; grep -l {mac} */bonding_slave/perm_hwaddr | cut -d / -f 1"
    leg = room.guest("VM-3", find).stdout.strip()
    assert leg
    seen = f"until grep -q down /sys/class/net/{leg}/bonding_slave/mii_status; do sleep 0.2; done"
    room.guest("VM-3", f"ip link set {leg} down && {seen}")
    try:
        done = sriovctl(room, "apply", five, "--leg-by-leg", "--bond-timeout", "1", expect=4)
        assert "VM-3: no other leg of bond0 is up" in done.stderr
        assert "VM-2" not in done.stderr
    finally:
        room.guest("VM-3", f"ip link set {leg} up")
    assert lasting(look(room)) == before


def test_without_the_other_leg_nothing_is_touched(room: Rack, five: Path) -> None:
    before = lasting(look(room))
    room.cut(SERVER, "em2")
    try:
        done = sriovctl(room, "apply", five, "--leg-by-leg", "--bond-timeout", "1", expect=4)
        for vm in VMS:
            assert f"{vm} has no second leg: em2 has no link" in done.stderr
        done = sriovctl(room, "leg", "out", ROOM, SERVER, "em1", "--bond-timeout", "1", expect=4)
        assert "VM-3 has no second leg" in done.stderr
    finally:
        room.mend()
    assert lasting(look(room)) == before


@pytest.mark.usefixtures("traffic")
def test_both_ports_change_under_traffic(
    room: Rack, five: Path, least_cards: Callable[[], dict[str, int]]
) -> None:
    before = cards(look(room))
    sriovctl(room, "apply", five, *BY_LEG)
    assert counts(look(room)) == [5, 5]
    assert cards(look(room)) == before
    assert least_cards() == dict.fromkeys(VMS, 1)


@pytest.mark.usefixtures("traffic")
def test_a_run_that_was_killed_between_out_and_in_is_gone_on_with(room: Rack, five: Path) -> None:
    """The controller and what it began on the host, as if the power had gone. On the way back."""
    sriovctl(room, "apply", five, *BY_LEG)
    before = cards(look(room))
    with start(room, "apply", ROOM, *BY_LEG) as process:
        # waited for on the host: by way of the screen, a fast one would be through
        room.must(
            SERVER,
            "timeout 300 sh -c"
            " 'while virsh net-list | grep -qw passthrough_em1; do sleep 0.05; done' &&"
            " worker=$(readlink /run/sriovctl.lock); kill -9 ${worker%%.*}",
        )
        process.kill()
        said, _ = process.communicate()
    assert cards(look(room)) != before, said
    checked = sriovctl(room, "check", ROOM, expect=4)
    assert "em1 is out: VM-2, VM-3" in checked.stdout
    sriovctl(room, "apply", ROOM, *BY_LEG)
    assert counts(look(room)) == [7, 7]
    assert cards(look(room)) == before


def test_a_leg_is_free_for_its_driver_to_be_loaded_anew(room: Rack) -> None:
    sriovctl(room, "apply", ROOM, *BY_LEG)
    before = look(room)
    sriovctl(room, "leg", "out", ROOM, SERVER, "em1", "--bond-timeout", "120")
    state = look(room)
    em1 = state.pf_named("em1")
    assert em1 is not None
    assert [vf for vf in em1.vfs if state.holder_of(vf)] == []
    assert [vm.nics for vm in state.vms] == [vm.nics for vm in before.vms]
    driver = f"/sys/bus/pci/devices/{em1.pci}/driver"
    room.must(SERVER, f"cd $(readlink -f {driver}) && echo {em1.pci} >unbind")
    room.must(SERVER, f"echo {em1.pci} >/sys/bus/pci/drivers/igb/bind")
    room.must(SERVER, "udevadm settle")
    sriovctl(room, "leg", "in", ROOM, SERVER, "em1", "--bond-timeout", "120")
    assert cards(look(room)) == cards(before)
    assert "as wanted" in sriovctl(room, "check", ROOM).stdout
