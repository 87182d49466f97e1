"""What must not happen does not: VFs in use stay, failures are undone, runs do not mix."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, lasting, look
from tests.rack.program import EXAMPLES, rack_file, server_2, sriovctl, start

DOMAIN = """<domain type='kvm'><name>holder</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>{card}</devices></domain>"""
INTERFACE = """<interface type='hostdev' managed='yes'><mac address='02:00:00:00:99:01'/>
<source><address type='pci' domain='0' bus='{bus}' slot='{slot}' function='{function}'/></source>
</interface>"""
HOSTDEV = """<hostdev mode='subsystem' type='pci' managed='yes'>
<source><address domain='0' bus='{bus}' slot='{slot}' function='{function}'/></source></hostdev>"""
POOL = """<interface type='network'><mac address='02:00:00:00:99:01'/>
<source network='passthrough_em1'/></interface>"""


@pytest.fixture(scope="module")
def ready(rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Rack:
    """Both ports with 7 VFs and a pool, no VM running."""
    folder = tmp_path_factory.mktemp("ready")
    rack.must(SERVER, "for vm in $(virsh list --name); do virsh destroy $vm; done")
    sriovctl(rack, "apply", rack_file(folder, server_2(7, 7)))
    return rack


@pytest.fixture
def holder(ready: Rack, request: pytest.FixtureRequest) -> Iterator[str]:
    """A running VM that holds VF 0 of em1, in one of the three ways."""
    pci = look(ready).pfs[0].vfs[0].pci
    place = {"bus": f"0x{pci[5:7]}", "slot": f"0x{pci[8:10]}", "function": f"0x{pci[11]}"}
    card = request.param.format(**place)
    ready.must(SERVER, "virsh define /dev/stdin && virsh start holder", DOMAIN.format(card=card))
    try:
        yield pci
    finally:
        ready.must(SERVER, "virsh destroy holder; virsh undefine holder")


@pytest.mark.parametrize("holder", [POOL, INTERFACE, HOSTDEV], indirect=True)
def test_a_held_vf_is_never_taken(ready: Rack, holder: str, tmp_path: Path) -> None:
    before = lasting(look(ready))
    fewer = rack_file(tmp_path, server_2(5, 7))
    for verb in ("plan", "check", "apply"):
        done = sriovctl(ready, verb, fewer, expect=4)
        said = done.stdout + done.stderr
        assert "holder" in said
        assert holder in said
        assert "virsh shutdown holder" in said
    assert lasting(look(ready)) == before


@pytest.mark.parametrize(
    ("em1", "em2", "words"),
    [
        (8, 7, ["8 VFs wanted", "can have 7", "PF keeps one for itself"]),
        ({"vfs": 7, "mac": "52:54:00:99:99:99"}, 7, ["0000:01:00.0", "52:54:00:99:99:99"]),
        ({"vfs": 7, "pci": "0000:09:00.0"}, 7, ["sits in 0000:01:00.0"]),
        ({"vfs": 7, "vf": {"all": {"link_state": "disable"}}}, 7, ["igb refuses", "link_state"]),
        ({"vfs": 7, "vf": {0: {"min_rate": 100}}}, 7, ["igb refuses", "min_rate=100"]),
    ],
)
def test_what_cannot_be_changes_nothing(
    ready: Rack, tmp_path: Path, em1: Any, em2: Any, words: list[str]
) -> None:
    before = lasting(look(ready))
    done = sriovctl(ready, "apply", rack_file(tmp_path, server_2(em1, em2)), expect=3)
    for word in words:
        assert word in done.stderr
    assert "mend:" in done.stderr
    assert lasting(look(ready)) == before


@pytest.mark.parametrize(
    ("port", "word"),
    [("em9", "no port em9"), ("mgmt0", "is no PF"), ("0000:01:10.0", "itself a VF")],
)
def test_a_port_that_cannot_have_vfs(ready: Rack, tmp_path: Path, port: str, word: str) -> None:
    hosts = {"server-2": {"pfs": {port: 2}}}
    assert word in sriovctl(ready, "apply", rack_file(tmp_path, hosts), expect=3).stderr


def test_a_vm_that_is_not_there(ready: Rack, tmp_path: Path) -> None:
    path = rack_file(tmp_path, server_2(7, 7), {"VM-9": {}})
    assert "no VM VM-9" in sriovctl(ready, "apply", path, expect=3).stderr


def test_a_step_that_fails_in_the_middle_leaves_the_host_as_it_was(
    ready: Rack, tmp_path: Path
) -> None:
    """VFs, attributes, a pool and a VM are made; then a VM does not start: all is undone."""
    sriovctl(ready, "apply", rack_file(tmp_path, server_2(4, 7)))
    before = lasting(look(ready))
    (tmp_path / "VM-8.xml").write_text(
        "<domain type='kvm'><name>VM-8</name><memory unit='MiB'>64</memory><os>"
        "<type arch='x86_64' machine='q35'>hvm</type><kernel>/no/such/kernel</kernel></os></domain>"
    )
    vms = {"VM-8": {"domain": "VM-8.xml", "running": True}}
    wanted = rack_file(tmp_path, server_2({"vfs": 6, "vf": {"all": {"vlan": 9}}}, 7), vms)
    done = sriovctl(ready, "apply", wanted, expect=1)
    said = done.stdout + done.stderr
    assert "/no/such/kernel" in said
    assert "undone" in said
    assert _end(ready).startswith("end\tundone\t"), said
    assert lasting(look(ready)) == before
    sriovctl(ready, "apply", rack_file(tmp_path, server_2(7, 7)))


def test_a_driver_that_says_no_is_told_from_a_failure(ready: Rack, tmp_path: Path) -> None:
    before = lasting(look(ready))
    # above the port's speed: only the driver knows
    path = rack_file(tmp_path, server_2({"vfs": 7, "vf": {3: {"max_rate": 40000}}}, 7))
    said = sriovctl(ready, "apply", path, expect=1)
    assert "refuses max_tx_rate 40000" in said.stdout + said.stderr
    assert lasting(look(ready)) == before


def _end(rack: Rack) -> str:
    """How the server's last transaction ended, in its journal's words."""
    folder = "/var/lib/sriovctl/transactions"
    return rack.must(SERVER, f"tail -n1 {folder}/$(ls -t {folder} | head -n1)/journal")


def _wait_for_end(rack: Rack) -> None:
    """Until no transaction runs on the server."""
    rack.must(
        SERVER,
        "for i in $(seq 240); do [ -L /run/sriovctl.lock ] || exit 0; sleep 0.5; done; exit 1",
    )


def test_a_controller_killed_in_mid_apply_leaves_before_or_after(
    ready: Rack, tmp_path: Path
) -> None:
    before = lasting(look(ready))
    wanted = rack_file(tmp_path, server_2({"vfs": 3, "vf": {"all": {"trust": "on"}}}, 3))
    with start(ready, "apply", wanted, "--confirm-timeout", "5") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if re.search(r"7 → 3 VFs", line):
                break
        process.send_signal(signal.SIGKILL)
    _wait_for_end(ready)
    # nobody confirmed that the host can still be reached: it has undone everything
    assert _end(ready) == "end\tundone\tnot confirmed within 5 s"
    assert lasting(look(ready)) == before
    sriovctl(ready, "apply", rack_file(tmp_path, server_2(7, 7)))


def test_two_applies_at_once_do_not_mix(ready: Rack, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = rack_file(tmp_path / "a", server_2({"vfs": 4, "pool": False}, 7))
    second = rack_file(tmp_path / "b", server_2({"vfs": 5, "pool": False}, 7))
    runs = [start(ready, "apply", path) for path in (first, second)]
    outputs = [run.communicate()[0] for run in runs]
    codes = sorted(run.returncode for run in runs)
    said = "\n".join(outputs)
    assert codes in ([0, 0], [0, 4], [0, 1]), said
    if codes != [0, 0]:
        assert "another run" in said, said
    assert look(ready).pfs[0].numvfs in (4, 5)
    sriovctl(ready, "apply", rack_file(tmp_path, server_2(7, 7)))


def test_libvirt_that_does_not_run_is_said(ready: Rack, tmp_path: Path) -> None:
    ready.must(SERVER, "virsh net-destroy passthrough_em2")
    units = "libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket"
    ready.must(SERVER, f"systemctl stop {units}")
    try:
        done = sriovctl(ready, "apply", rack_file(tmp_path, server_2(7, 7)), expect=3)
        assert "libvirt is not running" in done.stderr
        assert "systemctl start libvirtd" in done.stderr
    finally:
        ready.must(SERVER, "systemctl start libvirtd.socket libvirtd-ro.socket libvirtd.service")
    sriovctl(ready, "apply", rack_file(tmp_path, server_2(7, 7)))


def test_a_full_disk_stops_it_before_anything_is_changed(ready: Rack, tmp_path: Path) -> None:
    before = lasting(look(ready))
    ready.must(
        SERVER,
        "mkdir -p /var/lib/sriovctl && mount -t tmpfs -o size=16k tmpfs /var/lib/sriovctl"
        " && dd if=/dev/zero of=/var/lib/sriovctl/fill bs=4k 2>/dev/null; true",
    )
    try:
        path = rack_file(tmp_path, server_2(5, 5))
        done = sriovctl(ready, "apply", path, expect=1)
        assert "disk" in done.stderr
        assert lasting(look(ready)) == before
    finally:
        ready.must(SERVER, "umount /var/lib/sriovctl")


def test_hostile_names_reach_libvirt_as_they_are(ready: Rack, tmp_path: Path) -> None:
    name = 'it\'s "$(touch owned)" & <b>; 虚机'
    room = (EXAMPLES / "machine-room" / "VM-2.xml").read_text()
    (tmp_path / "hostile.xml").write_text(
        room.replace("<name>VM-2</name>", '<name>it\'s "$(touch owned)" &amp; &lt;b>; 虚机</name>')
    )
    vms = {name: {"domain": "hostile.xml"}}
    em1: dict[str, Any] = {"vfs": 7, "pool": "pool 'of' $(touch owned) <em1>"}
    try:
        sriovctl(ready, "apply", rack_file(tmp_path, server_2(em1, 7), vms))
        state = look(ready)
        vm = state.vm_named(name)
        assert vm is not None
        assert [nic.pool for nic in vm.nics] == [em1["pool"], "passthrough_em2"]
        sriovctl(ready, "check", rack_file(tmp_path, server_2(em1, 7), vms))
        ready.must(SERVER, "[ ! -e /owned ] && [ ! -e /root/owned ]")
    finally:
        vm = look(ready).vm_named(name)
        if vm is not None:
            ready.must(SERVER, f"virsh undefine {vm.uuid}")
        pool = look(ready).pool_named(em1["pool"])
        if pool is not None:
            ready.must(SERVER, f"virsh net-destroy {pool.uuid}; virsh net-undefine {pool.uuid}")
        sriovctl(ready, "apply", rack_file(tmp_path, server_2(7, 7)))
