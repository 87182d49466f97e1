"""The probe on a real host: what it says against what sysfs, ip and virsh say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from sriovctl.adopt import Found, rack_from
from sriovctl.host import VF, HostState
from sriovctl.probe import parse, script
from sriovctl.rackfile import load
from tests.rack.conftest import Rack

SERVER = "server-2"
POOL = "seeing pool $(x)"
BY_POOL = 'seeing: it\'s "by pool" $(reboot) ü'
BY_INTERFACE = "seeing-by-interface"
BY_HOSTDEV = "seeing-by-hostdev"
WAYS = {BY_POOL: "pool", BY_INTERFACE: "interface", BY_HOSTDEV: "hostdev"}
DOMAIN = """<domain type='kvm'><name>{name}</name><memory unit='MiB'>32</memory>
<description>{lies}</description>
<os><type arch='x86_64' machine='q35'>hvm</type></os><on_crash>destroy</on_crash>
<devices>{devices}</devices></domain>
"""
LIES = """sriovctl-probe 1 00000000-0000-0000-0000-000000000000
00000000-0000-0000-0000-000000000000 end
./0000:09:00.0/sriov_totalvfs:63"""


def look(rack: Rack, shell: str = "sh") -> HostState:
    done = rack.ssh(SERVER, shell, script())
    assert done.returncode == 0, done.stderr
    return parse(done.stdout)


def virsh(rack: Rack, *words: str, text: str | None = None) -> str:
    return rack.must(SERVER, shlex.join(["virsh", *words]), text)


def source(vf: VF) -> str:
    bus, slot, function = vf.pci[5:7], vf.pci[8:10], vf.pci[11]
    return (
        f"<source><address type='pci' domain='0' bus='0x{bus}' slot='0x{slot}' "
        f"function='0x{function}'/></source>"
    )


def define(rack: Rack, name: str, devices: str) -> None:
    text = DOMAIN.format(name=escape(name), lies=LIES, devices=devices)
    virsh(rack, "define", "/dev/stdin", text=text)


@pytest.fixture(scope="module")
def vfs(rack: Rack) -> Iterator[dict[str, list[VF]]]:
    """The free VFs of both ports, at least three each; counts are put back."""
    before = {pf.name or "": pf.numvfs for pf in look(rack).pfs}
    for name, count in before.items():
        if count == 0:
            rack.must(SERVER, f"echo 4 >/sys/class/net/{name}/device/sriov_numvfs; udevadm settle")
    state = look(rack)
    yield {pf.name or "": [vf for vf in pf.vfs if state.holder_of(vf) is None] for pf in state.pfs}
    for name, count in before.items():
        if count == 0:
            rack.must(SERVER, f"echo 0 >/sys/class/net/{name}/device/sriov_numvfs")


@pytest.fixture(scope="module")
def guests(rack: Rack, vfs: dict[str, list[VF]]) -> Iterator[dict[str, VF]]:
    """Three running VMs, each with a VF in another way; by name the VF, None for the pool's."""
    held = {BY_INTERFACE: vfs["em2"][-1], BY_HOSTDEV: vfs["em2"][-2]}
    network = (
        f"<network><name>{POOL}</name>"
        "<forward mode='hostdev' managed='yes'><pf dev='em1'/></forward></network>"
    )
    # libvirt does not hand out past another pool of the same port what that one has given away
    there = [pool.name for pool in look(rack).pools if pool.active and pool.pf == "em1"]
    if not there:
        virsh(rack, "net-define", "/dev/stdin", text=network)
        virsh(rack, "net-start", POOL)
    pool = [*there, POOL][0]
    interface = f"<interface type='hostdev' managed='yes'>{source(held[BY_INTERFACE])}</interface>"
    plain = (
        "<hostdev mode='subsystem' type='pci' managed='yes'>" + source(held[BY_HOSTDEV])
    ) + "</hostdev>"
    try:
        pooled = f"<interface type='network'><source network='{pool}'/></interface>"
        define(rack, BY_POOL, pooled)
        define(rack, BY_INTERFACE, interface)
        define(rack, BY_HOSTDEV, plain)
        for name in WAYS:
            virsh(rack, "start", "--domain", name)
        yield held
    finally:
        for name in WAYS:
            rack.ssh(SERVER, shlex.join(["virsh", "destroy", "--domain", name]))
            rack.ssh(SERVER, shlex.join(["virsh", "undefine", "--domain", name]))
        if not there:
            rack.ssh(SERVER, shlex.join(["virsh", "net-destroy", POOL]))
            rack.ssh(SERVER, shlex.join(["virsh", "net-undefine", POOL]))


def names(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if line.strip()}


def test_it_says_what_virsh_and_sysfs_say(rack: Rack, guests: dict[str, VF]) -> None:
    state = look(rack)
    assert {vm.name for vm in state.vms} == names(virsh(rack, "list", "--all", "--name"))
    running = {vm.name for vm in state.vms if vm.running}
    assert running == names(virsh(rack, "list", "--name"))
    assert {pool.name for pool in state.pools if pool.active} | set(state.other_networks) >= names(
        virsh(rack, "net-list", "--name")
    )
    for pf in state.pfs:
        there = rack.must(SERVER, f"cat /sys/class/net/{pf.name}/device/sriov_numvfs")
        assert pf.numvfs == len(pf.vfs) == int(there)
        linked = rack.must(SERVER, f"cd /sys/class/net/{pf.name}/device; readlink virtfn*")
        assert {vf.pci for vf in pf.vfs} == {Path(line).name for line in linked.splitlines()}


@pytest.mark.parametrize("shell", ["bash", "busybox sh"])
def test_every_shell_sees_the_same(rack: Rack, guests: dict[str, VF], shell: str) -> None:
    assert look(rack, shell) == look(rack)


def test_the_three_ways_to_hold_a_vf(rack: Rack, guests: dict[str, VF]) -> None:
    state = look(rack)
    ways = {}
    for pf in state.pfs:
        for vf in pf.vfs:
            holder = state.holder_of(vf)
            if holder is not None and holder.name in WAYS:
                ways[holder.name] = holder.how
                assert vf.driver == "vfio-pci"
                assert holder.name not in guests or guests[holder.name].pci == vf.pci
    assert ways == WAYS
    # libvirt's own QEMUs are not named a second time
    assert state.vfio_users == ()


def test_init_of_it_loads(rack: Rack, guests: dict[str, VF], tmp_path: Path) -> None:
    file = tmp_path / "rack.yaml"
    file.write_text(rack_from([Found(look(rack))], "room"))
    assert BY_POOL in load(file).vms


def test_a_process_with_a_vf_through_vfio_is_named(rack: Rack, vfs: dict[str, list[VF]]) -> None:
    vf = vfs["em1"][-1]
    device = f"/sys/bus/pci/devices/{vf.pci}"
    took = f"""echo vfio-pci >{device}/driver_override
modprobe vfio-pci
[ ! -e {device}/driver ] || echo {vf.pci} >{device}/driver/unbind
echo {vf.pci} >/sys/bus/pci/drivers_probe
udevadm settle
(exec sleep 600) 9<>/dev/vfio/{vf.iommu_group} >/dev/null 2>&1 &
echo $!"""
    pid = int(rack.must(SERVER, took))
    try:
        state = look(rack)
        now = next(one for pf in state.pfs for one in pf.vfs if one.pci == vf.pci)
        holder = state.holder_of(now)
        assert holder is not None
        assert (holder.kind, holder.name) == ("process", f"sleep (pid {pid})")
    finally:
        rack.must(
            SERVER,
            f"kill {pid}; echo >{device}/driver_override; "
            f"echo {vf.pci} >{device}/driver/unbind; echo {vf.pci} >/sys/bus/pci/drivers_probe",
        )


def test_a_stale_pool_is_seen(rack: Rack, guests: dict[str, VF]) -> None:
    state = look(rack)
    if any(vm.name not in WAYS and vm.running for vm in state.vms):
        pytest.skip("somebody else's VM runs on this rack, so VFs cannot be taken away")
    pool = next(pool for pool in state.pools if pool.pf == "em1" and pool.active)
    assert state.stale_pool(pool) is None
    virsh(rack, "destroy", "--domain", BY_POOL)
    count = next(pf.numvfs for pf in state.pfs if pf.name == "em1")
    numvfs = "/sys/class/net/em1/device/sriov_numvfs"
    rack.must(SERVER, f"echo 0 >{numvfs}; echo 2 >{numvfs}")
    try:
        state = look(rack)
        assert re.fullmatch(f"lists {count - 2} VFs? no longer there", state.stale_pool(pool) or "")
    finally:
        rack.must(SERVER, f"echo 0 >{numvfs}; echo {count} >{numvfs}; udevadm settle")


def test_a_dead_vm_is_not_taken_for_a_running_one(rack: Rack, guests: dict[str, VF]) -> None:
    """Its QEMU dies while no daemon is there to see it: the status file stays behind."""
    name = BY_HOSTDEV
    rack.must(
        SERVER,
        "systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket",
    )
    try:
        assert look(rack).vm_named(name) is not None
        pid = rack.must(SERVER, f"cat /run/libvirt/qemu/{name}.pid")
        rack.must(SERVER, f"kill -9 {pid}; while [ -d /proc/{pid} ]; do :; done")
        rack.must(SERVER, f"test -e /run/libvirt/qemu/{name}.xml")
        vm = look(rack).vm_named(name)
        assert vm is not None
        assert not vm.running
        assert not look(rack).system.libvirt
    finally:
        rack.must(SERVER, "systemctl start libvirtd.socket libvirtd.service")
