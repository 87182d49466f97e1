"""The guide's scene, from one rack file: VFs, pools, VMs on pairs of VFs; again; after a reboot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sriovctl.host import VF, HostState
from tests.rack.clear import clear
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look
from tests.rack.program import EXAMPLES, rack_file, server_2, sriovctl

ROOM = EXAMPLES / "machine-room.yaml"
IN_THE_GUIDE = {"VM-1": "10.8.0.11", "VM-2": "10.8.0.12", "VM-3": "10.8.0.13"}


@pytest.fixture(scope="module")
def cleared(rack: Rack) -> Rack:
    """The rack with nothing on it."""
    clear(rack)
    return rack


@pytest.fixture(scope="module")
def room(cleared: Rack) -> Rack:
    """The rack after the first apply of the guide's scene."""
    sriovctl(cleared, "apply", ROOM)
    return cleared


def test_plan_before_says_what_and_why(cleared: Rack) -> None:
    done = sriovctl(cleared, "plan", ROOM, expect=3)
    assert re.search(r"em1: 0 → 7 VFs\s+\[link-blip\]", done.stdout)
    assert "pool passthrough_em2: define over em2, start, start at boot" in done.stdout
    assert "VM VM-3: define with 2 VFs of passthrough_em1, passthrough_em2" in done.stdout
    assert sum(pf.numvfs for pf in look(cleared).pfs) == 0, "a plan changes nothing"


def test_all_is_as_wanted(room: Rack) -> None:
    state = look(room)
    assert [(pf.name, pf.numvfs, pf.autoprobe) for pf in state.pfs] == [
        ("em1", 7, False),
        ("em2", 7, False),
    ]
    assert {vf.spoofchk for pf in state.pfs for vf in pf.vfs} == {"on"}
    assert {(pool.active, pool.autostart) for pool in state.pools} == {(True, True)}
    for name in ("VM-2", "VM-3"):
        vm = state.vm_named(name)
        assert vm is not None
        assert vm.running
        held = [pf.name for pf in state.pfs for vf in pf.vfs if _held_by(state, vf, name)]
        assert held == ["em1", "em2"], f"{name} has one VF of each leg"
    assert sriovctl(room, "check", ROOM).returncode == 0


def test_the_room_is_drawn_as_the_guide_has_it(room: Rack) -> None:
    drawing = ElementTree.fromstring(sriovctl(room, "report", "--svg", ROOM).stdout)
    words = {text for part in drawing.iter() if (text := part.text or "")}
    assert words >= {SERVER, "switch-1", "switch-2", "em1", "em2", "bond0", "br0", *IN_THE_GUIDE}
    assert any(re.fullmatch(r"vnet\d+, br0", word) for word in words), "VM-1 is on the bridge"


def _held_by(state: HostState, vf: VF, name: str) -> bool:
    holder = state.holder_of(vf)
    return holder is not None and holder.name == name


@pytest.mark.parametrize("vm", IN_THE_GUIDE)
def test_traffic_from_the_switch_reaches_the_vm(room: Rack, vm: str) -> None:
    room.guest(vm, "true")
    assert room.answers(IN_THE_GUIDE[vm]).returncode == 0
    done = room.ping(IN_THE_GUIDE[vm], count=10)
    assert done.returncode == 0, done.stdout


def test_all_xml_passes_libvirts_own_schema(room: Rack) -> None:
    for pool in ("passthrough_em1", "passthrough_em2"):
        room.must(
            SERVER,
            f"virsh net-dumpxml --inactive {pool} >/tmp/x.xml &&"
            " virt-xml-validate /tmp/x.xml network",
        )
    for vm in IN_THE_GUIDE:
        room.must(
            SERVER,
            f"virsh dumpxml --inactive {vm} >/tmp/x.xml && virt-xml-validate /tmp/x.xml domain",
        )
    room.must(SERVER, "rm /tmp/x.xml")


def test_a_second_apply_writes_nothing(room: Rack, tmp_path: Path) -> None:
    """Seen by the kernel's own account of every process of the run, not by our words."""
    room.must(
        SERVER,
        "rm -f /tmp/trace; setsid strace -f -qq -o /tmp/trace"
        " -e trace=open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,"
        "mkdirat,symlink,symlinkat,link,linkat,truncate,chmod,fchmodat,mknod,mknodat,sendmsg,sendto"
        ' -p "$(cat /run/sshd.pid 2>/dev/null || pgrep -o -x sshd)" >/dev/null 2>&1 </dev/null &'
        " for i in $(seq 50); do [ -s /tmp/trace ] && break; grep -q '^TracerPid:.[1-9]'"
        " /proc/$(pgrep -o -x sshd)/status && break; sleep 0.1; done",
    )
    try:
        done = sriovctl(room, "apply", ROOM)
    finally:
        room.must(SERVER, "pkill -x strace || true")
    trace = room.must(SERVER, "cat /tmp/trace; rm -f /tmp/trace").splitlines()
    assert any("/sys/bus/pci/devices" in line or "sriov_numvfs" in line for line in trace), (
        "the run was not seen: " + "\n".join(trace[:20])
    )
    writes = [line for line in trace if _writes(line)]
    assert writes == []
    assert "as wanted" in done.stdout


def _writes(line: str) -> bool:
    """Does this system call change a file under /sys or /etc, or the kernel's network?"""
    if re.search(r"RTM_(NEW|SET|DEL)", line) and "sendmsg" in line:
        return True
    if re.search(r"\b(rename|unlink|mkdir|symlink|link|truncate|chmod|mknod|creat)\w*\(", line):
        # ssh's and the login's own book-keeping
        return not re.search(r'"/(tmp|run|proc|dev|var/run)/', line)
    opened = re.search(r'open(?:at2?)?\(.*?"([^"]*)".*?(O_WRONLY|O_RDWR|O_CREAT)', line)
    if opened is None:
        return False
    return not re.match(
        r"/(dev|proc|run|var/run|var/log|tmp)/|/sys/fs/cgroup/|/sys/fs/selinux", opened[1]
    )


def test_a_saved_plan_is_applied_only_to_the_host_it_was_made_for(
    room: Rack, tmp_path: Path
) -> None:
    other = rack_file(tmp_path, server_2({"vfs": 7, "vf": {6: {"vlan": 77}}}, 7))
    saved = tmp_path / "plan.json"
    sriovctl(room, "plan", other, "-o", saved, expect=3)
    room.must(SERVER, "ip link set em1 vf 6 vlan 78")
    try:
        refused = sriovctl(room, "apply", saved, expect=3)
        assert "moved on" in refused.stderr or "differ" in refused.stderr
        room.must(SERVER, "ip link set em1 vf 6 vlan 0")
        sriovctl(room, "apply", saved)
        assert look(room).pfs[0].vfs[6].vlan == 77
        script = sriovctl(
            room, "plan", rack_file(tmp_path, server_2({"vfs": 7, "vf": {6: {"vlan": 0}}}, 7)),
            "--script", expect=3,
        ).stdout  # fmt: skip
        # carried by hand: a file, run on the host itself
        room.must(SERVER, "cat >/tmp/by-hand.sh && sh /tmp/by-hand.sh; rm /tmp/by-hand.sh", script)
        assert look(room).pfs[0].vfs[6].vlan == 0
    finally:
        room.must(SERVER, "ip link set em1 vf 6 vlan 0")


def test_init_writes_a_rack_file_whose_plan_is_empty(room: Rack, tmp_path: Path) -> None:
    text = sriovctl(room, "init", "--from", SERVER, "--rack-name", "adopted").stdout
    path = tmp_path / "adopted.yaml"
    path.write_text(text)
    plan = json.loads(sriovctl(room, "plan", path, "--json", expect=None).stdout)[SERVER]
    titles = [step["title"] for stage in plan["stages"] for step in stage["steps"]]
    # an earlier test's rack file gives VFs to no VM, so it took the modules' file away
    at_boot = {
        "VFs come back at boot and with their driver",
        "vfio-pci and vfio_iommu_type1 loaded, now and at boot",
    }
    assert set(titles) <= at_boot


def test_a_vms_cards_come_and_go_while_it_runs(room: Rack, tmp_path: Path) -> None:
    """Move VM-1 onto a pair, off it again: its other XML stays as it is."""
    before = room.must(SERVER, "virsh dumpxml --inactive VM-1")
    with_pair = rack_file(tmp_path, server_2(7, 7), {"VM-1": {"pairs": [{"legs": ["em1", "em2"]}]}})
    sriovctl(room, "apply", with_pair)
    state = look(room)
    vm = state.vm_named("VM-1")
    assert vm is not None
    assert len(vm.nics) == len(vm.live_nics) == 2
    seen = room.guest("VM-1", "ls /sys/class/net").stdout
    assert len(seen.split()) >= 4, f"the guest sees its new cards: {seen}"
    without = rack_file(tmp_path, server_2(7, 7), {"VM-1": {"pairs": []}})
    blocked = sriovctl(room, "apply", without, expect=4)
    assert "VM-1" in blocked.stderr
    assert "--allow vf-reset" in blocked.stderr
    sriovctl(room, "apply", without, "--allow", "vf-reset")
    assert room.must(SERVER, "virsh dumpxml --inactive VM-1") == before
    vm = look(room).vm_named("VM-1")
    assert vm is not None
    assert vm.live_nics == ()


def test_ports_named_by_address_and_a_vf_with_its_network_driver(
    room: Rack, tmp_path: Path
) -> None:
    em1, em2 = look(room).pfs
    port = {"vfs": 7, "autoprobe": "off", "vf": {6: {"driver": "network"}}}
    pfs = {
        em1.mac: {**port, "pool": "passthrough_em1"},
        em2.pci: {**port, "pool": "passthrough_em2"},
    }
    by_address = rack_file(tmp_path, {SERVER: {"pfs": pfs}})
    done = sriovctl(room, "apply", by_address)
    for pf in look(room).pfs:
        assert pf.vfs[6].driver == "igbvf", done.stdout
        assert pf.vfs[6].netdev is not None
    assert "nothing to do" in sriovctl(room, "apply", by_address).stdout


def test_after_a_reboot_all_is_back_before_the_vms_start(room: Rack) -> None:
    sriovctl(room, "apply", ROOM)
    room.reboot(SERVER)
    for vm, address in IN_THE_GUIDE.items():
        room.guest(vm, "true")
        assert room.answers(address).returncode == 0
    assert "as wanted" in sriovctl(room, "check", ROOM).stdout
    bond = room.must(SERVER, "cat /sys/class/net/bond0/bonding/slaves").split()
    assert sorted(bond) == ["em1", "em2"], "VFs at boot did not cost the host its bond"


def test_a_reloaded_driver_gets_its_vfs_back(room: Rack) -> None:
    for vm in ("VM-2", "VM-3"):
        room.must(SERVER, f"virsh destroy {vm}")
    room.must(SERVER, "modprobe -r igbvf; modprobe -r igb && modprobe igb")
    room.must(
        SERVER,
        "for pf in 0000:01:00.0 0000:02:00.0; do"
        " timeout 60 sh -c 'until systemctl show -p Result,ExecMainExitTimestampMonotonic"
        ' sriovctl-pf@"$0".service | grep -q "Result=success" &&'
        ' [ "$(cat /sys/bus/pci/devices/"$0"/sriov_numvfs)" = 7 ]; do sleep 0.5; done\' $pf ||'
        " exit 1; done",
    )
    state = look(room)
    assert [pf.numvfs for pf in state.pfs] == [7, 7]
    sriovctl(room, "apply", ROOM)
    for vm in ("VM-2", "VM-3"):
        room.guest(vm, "true")
        assert room.answers(IN_THE_GUIDE[vm]).returncode == 0
