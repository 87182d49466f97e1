"""The probe script on hosts made of files, under each shell: names, races, number of processes."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest

from sriovctl.errors import ProbeError
from tests.unit.probe.tree import Tree

NETWORK = """<network><name>{name}</name><uuid>1</uuid>
<forward mode='hostdev' managed='yes'><pf dev='em1'/>{addresses}</forward></network>
"""
HOSTILE = [
    'it\'s "$(touch owned)": x=1',
    "two words",
    "-n",
    ".hidden",
    "*",
    "größe",
    "a:b.xml",
    "VM\\x",
]


def domain(name: str, devices: str = "", description: str = "") -> str:
    name = name.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f"<domain type='kvm'>\n  <name>{name}</name>\n  <uuid>u</uuid>\n"
        f"  <description>{description}</description>\n  <devices>{devices}</devices>\n</domain>\n"
    )


def status(pid: int, text: str) -> str:
    return f"<domstatus state='running' pid='{pid}'>\n{text}</domstatus>\n"


def pool_nic(network: str, vf: str = "") -> str:
    bus, slot, function = (vf[5:7], vf[8:10], vf[11]) if vf else ("", "", "")
    actual = (
        f"<actual type='hostdev' managed='yes'><source><address type='pci' domain='0x0000' "
        f"bus='0x{bus}' slot='0x{slot}' function='0x{function}'/></source></actual>"
        if vf
        else ""
    )
    return (
        f"<interface type='network'><mac address='52:54:00:00:00:AA'/>"
        f"<source network='{network}'/>{actual}</interface>"
    )


def with_pool(tree: Tree, vfs: list[str]) -> None:
    tree.pf("0000:01:00.0", "em1", 3, vfs)
    tree.write("/etc/libvirt/qemu/networks/p.xml", NETWORK.format(name="p", addresses=""))


def test_a_host_with_nothing(tree: Tree) -> None:
    state, _ = tree.look()
    assert len(state.pfs + state.ports) == 0
    assert len(state.pools + state.vms) == 0
    assert state.kernel.virtualization == "vmx"
    assert state.kernel.iommu_groups == 0


def test_the_taps_of_a_running_vm(tree: Tree) -> None:
    with_pool(tree, ["0000:01:10.0"])
    cards = (
        "<interface type='network'><source network='default'/>{0}</interface>"
        "<interface type='bridge'><source bridge='br0'/>{1}</interface>" + pool_nic("p")
    )
    taps = [f"<target dev='vnet{number}'/>" for number in range(2)]
    tree.write("/etc/libvirt/qemu/a.xml", domain("a", cards.format("", "")))
    tree.write("/etc/libvirt/qemu/b.xml", domain("b", cards.format("", "")))
    running = status(os.getpid(), domain("a", cards.format(*taps)))
    tree.write("/run/libvirt/qemu/a.xml", running)
    tree.write(f"/proc/{os.getpid()}/comm", "qemu\n")
    state, _ = tree.look()
    assert {vm.name: vm.taps for vm in state.vms} == {
        "a": {"vnet0": "default", "vnet1": "br0"},
        "b": {},
    }
    assert {vm.networks for vm in state.vms} == {("default", "br0")}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_arrive_as_they_are(tree: Tree, name: str) -> None:
    with_pool(tree, ["0000:01:10.0"])
    file = f"{name}.xml"
    tree.write(f"/etc/libvirt/qemu/{file}", domain(name, pool_nic("p")))
    tree.write("/etc/libvirt/qemu/other.xml", domain("other"))
    tree.write(f"/run/libvirt/qemu/{file}", status(os.getpid(), domain(name, pool_nic("p"))))
    tree.write(f"/proc/{os.getpid()}/comm", "qemu\n")
    autostart = tree.root / "etc/libvirt/qemu/autostart"
    autostart.mkdir()
    (autostart / file).symlink_to(tree.root / "etc/libvirt/qemu" / file)
    state, _ = tree.look()
    vm = state.vm_named(name)
    assert vm is not None
    assert vm.running
    assert vm.persistent
    assert vm.autostart
    assert vm.nics[0].pool == "p"
    assert {vm.name for vm in state.vms} == {name, "other"}
    assert not list(tree.root.rglob("owned"))


def test_content_cannot_pass_for_a_section_or_a_file(tree: Tree) -> None:
    """What a description holds was written before the run's mark was drawn; a guess is wrong."""
    with_pool(tree, [])
    lies = "\n".join(
        [
            "sriovctl-probe 1 22222222",
            "",
            "22222222-2222-3333-4444-555555555555 end",
            "/etc/libvirt/qemu/ghost.xml:&lt;domain>&lt;name>ghost&lt;/name>&lt;/domain>",
            "./0000:09:00.0/sriov_totalvfs:63",
        ]
    )
    tree.write("/etc/libvirt/qemu/real.xml", domain("real", description=lies))
    state, _ = tree.look()
    assert [vm.name for vm in state.vms] == ["real"]
    assert [pf.pci for pf in state.pfs] == ["0000:01:00.0"]


def test_a_file_that_went_away_is_no_vm(tree: Tree) -> None:
    tree.write("/etc/libvirt/qemu/there.xml", domain("there"))
    (tree.root / "etc/libvirt/qemu/gone.xml").symlink_to("nowhere")
    (tree.root / "etc/libvirt/qemu/go:ne.xml").symlink_to("nowhere")
    state, _ = tree.look()
    assert [vm.name for vm in state.vms] == ["there"]


def test_a_definition_that_is_no_xml_is_told_and_passed_over(tree: Tree) -> None:
    tree.write("/etc/libvirt/qemu/torn.xml", "<domain><name>torn")
    tree.write("/etc/libvirt/qemu/bomb.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]>\n<domain/>\n")
    state, _ = tree.look()
    assert state.vms == ()
    assert len(state.unread) == 2


def test_a_status_that_is_no_xml_is_an_error(tree: Tree) -> None:
    tree.write("/run/libvirt/qemu/torn.xml", "<domstatus pid='1'><domain>")
    with pytest.raises(ProbeError, match=r"torn\.xml"):
        tree.look()


def test_the_status_of_a_dead_machine_is_not_taken_for_a_running_one(tree: Tree) -> None:
    tree.write("/etc/libvirt/qemu/dead.xml", domain("dead"))
    tree.write("/run/libvirt/qemu/dead.xml", status(4711, domain("dead")))
    state, _ = tree.look()
    assert not state.vms[0].running


def test_a_running_machine_holds_its_vf(tree: Tree) -> None:
    with_pool(tree, ["0000:01:10.0", "0000:01:10.2"])
    nic = pool_nic("p", "0000:01:10.2")
    tree.write("/run/libvirt/qemu/t.xml", status(77, domain("t", nic)))
    tree.write("/proc/77/comm", "qemu-kvm\n")
    address = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"
    network = NETWORK.format(name="p", addresses=address)
    tree.write("/run/libvirt/network/p.xml", f"<networkstatus>{network}</networkstatus>")
    state, _ = tree.look()
    free, held = state.pfs[0].vfs
    holder = state.holder_of(held)
    assert holder is not None
    assert (holder.name, holder.how, holder.mac) == ("t", "pool", "52:54:00:00:00:aa")
    assert state.holder_of(free) is None
    assert state.stale_pool(state.pools[0]) == "does not list 1 of em1's 2 VFs"


def test_config_drives_are_ours_only(tree: Tree) -> None:
    ours, other = (f"/var/lib/libvirt/images/{name}.iso" for name in ("sriovctl-1", "other"))
    disks = "".join(
        f"<disk type='file' device='cdrom'><source file='{path}'/></disk>" for path in (ours, other)
    )
    tree.write(ours, "")
    tree.write(other, "")
    tree.write("/etc/libvirt/qemu/t.xml", domain("t", disks))
    tree.write("/run/libvirt/qemu/t.xml", status(77, domain("t", disks)))
    tree.write("/proc/77/comm", "qemu-kvm\n")
    state, _ = tree.look()
    assert state.drives == {ours: hashlib.sha256().hexdigest()}
    assert (state.vms[0].drives, state.vms[0].live_drives) == ((ours,), (ours,))


def test_an_old_libvirt_keeps_its_networks_elsewhere(tree: Tree) -> None:
    with_pool(tree, ["0000:01:10.0"])
    address = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"
    tree.write("/var/run/libvirt/libvirtd.pid", "1\n")
    tree.write("/var/lib/libvirt/network/p.xml", NETWORK.format(name="p", addresses=address))
    tree.write("/var/run/libvirt/qemu/t.xml", status(77, domain("t")))
    tree.write("/proc/77/comm", "qemu-kvm\n")
    state, _ = tree.look()
    assert [(pool.active, pool.addresses) for pool in state.pools] == [(True, ("0000:01:10.0",))]
    assert [vm.running for vm in state.vms] == [True]


def test_other_managers_are_named_with_their_ports(tree: Tree) -> None:
    with_pool(tree, [])
    tree.write(
        "/etc/netplan/50.yaml",
        "network:\n  ethernets:\n    em1:\n      virtual-function-count: 7\n    em2: {}\n",
    )
    tree.write("/etc/modprobe.d/igb.conf", "# options igb max_vfs=3\noptions igb max_vfs=7\n")
    tree.write("/etc/rc.local", "echo 7 > /sys/class/net/eth9/device/sriov_numvfs\n")
    tree.write("/etc/systemd/system/sriovctl.service", "ExecStart=x sriov_numvfs\n")
    tree.write("/etc/rc.d/rc.local", "echo 7 >/sys/bus/pci/devices/0000:01:00.0/sriov_numvfs\n")
    managers = {m.file: (m.system, m.pfs, m.setting) for m in tree.look()[0].system.managers}
    assert managers == {
        "/etc/netplan/50.yaml": ("netplan", ("em1",), "virtual-function-count: 7"),
        "/etc/rc.local": ("rc.local", (), "echo 7 > /sys/class/net/eth9/device/sriov_numvfs"),
        "/etc/modprobe.d/igb.conf": ("modprobe", ("em1",), "options igb max_vfs=7"),
        "/etc/rc.d/rc.local": (
            "rc.local",
            ("em1",),
            "echo 7 >/sys/bus/pci/devices/0000:01:00.0/sriov_numvfs",
        ),
    }


def test_own_files_keep_their_text(tree: Tree) -> None:
    texts = {
        "/etc/sriovctl/boot.sh": "#!/bin/sh\n\n\tip link # a:b\n\n",
        "/etc/sriovctl/boot.sh:old": "x\n",
        "/etc/sriovctl/empty": "",
        "/etc/systemd/system/sriovctl.service": "[Unit]\n",
    }
    for path, text in texts.items():
        tree.write(path, text)
    state, _ = tree.look()
    assert state.files == texts


def test_a_kernel_before_3_8_shows_the_vfs_it_has(tree: Tree) -> None:
    with_pool(tree, ["0000:01:10.0", "0000:01:10.2"])
    for name in ("sriov_totalvfs", "sriov_numvfs", "sriov_drivers_autoprobe"):
        (tree.root / f"sys/bus/pci/devices/0000:01:00.0/{name}").unlink()
    (pf,) = tree.look()[0].pfs
    assert (pf.totalvfs, pf.numvfs, pf.autoprobe, len(pf.vfs)) == (2, 2, None, 2)


def test_what_stands_in_for_a_vf_is_not_taken_for_the_port(tree: Tree) -> None:
    with_pool(tree, ["0000:01:10.0"])
    tree.netdev("0000:01:00.0", "eth0", 2, phys_port_name="pf0vf0")
    tree.write("/sys/bus/pci/devices/0000:01:00.0/net/em1/phys_port_name", "p0\n")
    (pf,) = tree.look()[0].pfs
    assert pf.name == "em1"


def test_a_port_without_a_network_driver(tree: Tree) -> None:
    with_pool(tree, [])
    shutil.rmtree(tree.root / "sys/bus/pci/devices/0000:01:00.0/net")
    state, _ = tree.look()
    assert (state.pfs[0].name, state.pfs[0].mac, state.pfs[0].up) == (None, None, False)


def test_a_storage_card_with_sriov_is_no_network_port(tree: Tree) -> None:
    tree.pf("0000:01:00.0", "em1", 3, [])
    tree.device("0000:03:00.0", "10802", "nvme")
    tree.write("/sys/bus/pci/devices/0000:03:00.0/sriov_totalvfs", "127\n")
    state, _ = tree.look()
    assert [pf.pci for pf in state.pfs] == ["0000:01:00.0"]
    assert state.ports == ()


def test_a_vf_that_the_host_uses(tree: Tree) -> None:
    with_pool(tree, ["0000:01:10.0", "0000:01:10.2", "0000:01:10.4", "0000:01:10.6"])
    for number in range(4):
        tree.netdev(f"0000:01:10.{number * 2}", f"v{number}", 10 + number)
    base = "/sys/bus/pci/devices"
    tree.write(f"{base}/0000:01:10.0/net/v0/master/uevent", "INTERFACE=bond1\nIFINDEX=9\n")
    tree.write(f"{base}/0000:01:10.2/net/v1/upper_macvtap0", "")
    tree.answers["ip"] = (
        "12: v2: <UP> mtu 1500\n    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n"
        "    inet6 fe80::1/64 scope link\n    inet 10.0.0.1/24 brd 10.0.0.255 scope global v2\n"
        "13: v3: <UP> mtu 1500\n    inet6 fe80::2/64 scope link\n"
    )
    if not tree.starts_our_commands:
        pytest.skip("this busybox asks its own ip, which knows nothing of the made-up host")
    (pf,) = tree.look()[0].pfs
    assert [vf.host_use for vf in pf.vfs] == [
        "member of bond1",
        "carries macvtap0",
        "address 10.0.0.1/24",
        None,
    ]


VF_LINE = "    vf 0 MAC 52:54:00:00:00:0%s, spoof checking on"
IP_OF_2010 = f"""
case "$*" in
*addr*) echo "3: em1: <UP> mtu 1500" ;;
*) printf '3: em1: <UP>\\n{VF_LINE % 1}\\n' ;;
esac
"""
IP_THAT_OVERFLOWS = f"""
case "$*" in
*"dev em1") printf '3: em1: <UP>\\n{VF_LINE % 1}\\n' ;;
*"dev em2") echo "RTNETLINK answers: Message too long" >&2; exit 2 ;;
*) echo "1: lo: <UP>"; exit 1 ;;
esac
"""


@pytest.mark.parametrize("ip", [IP_OF_2010, IP_THAT_OVERFLOWS], ids=["old", "overflow"])
def test_an_ip_that_does_not_tell_all_at_once(tree: Tree, ip: str) -> None:
    if not tree.starts_our_commands:
        pytest.skip("this busybox asks its own ip, which knows nothing of the made-up host")
    with_pool(tree, ["0000:01:10.0"])
    tree.pf("0000:02:00.0", "em2", 4, ["0000:02:10.0"])
    tree.scripts["ip"] = ip
    one, two = tree.look()[0].pfs
    assert [vf.mac for vf in (*one.vfs, *two.vfs)] == ["52:54:00:00:00:01", None]
    assert (one.numvfs, two.numvfs) == (1, 1)


def test_processes_do_not_grow_with_vfs_and_vms(tree: Tree) -> None:
    tree.answers["ip"] = "3: em1: <UP> mtu 1500\n    vf 0 MAC 52:54:00:00:00:01"
    tree.port_above(acs_control=0x1D)
    with_pool(tree, ["0000:01:10.0"])
    tree.write("/etc/libvirt/qemu/one.xml", domain("one", pool_nic("p")))
    _, few = tree.look()
    many = [f"0000:02:{slot:02x}.{function}" for slot in range(16) for function in range(8)]
    tree.pf("0000:02:20.0", "em2", 4, many, total=128)
    for number in range(60):
        tree.write(f"/etc/libvirt/qemu/{number}.xml", domain(f"vm{number}", pool_nic("p")))
    state, started = tree.look()
    assert len(state.pfs[1].vfs) == 128
    assert len(state.vms) == 61
    if not tree.starts_our_commands:
        pytest.skip("this busybox has the commands inside, so nobody can count them")
    assert started == few == ["grep", "grep", "od", "ip"]
    assert [pf.acs for pf in state.pfs] == [True, True]


@pytest.mark.parametrize(
    ("files", "lacking"),
    [
        (["/lib/ifupdown/wait-online.sh"], ("ifenslave", "bridge-utils")),
        (["/lib/ifupdown/wait-online.sh", "/etc/network/if-pre-up.d/ifenslave"], ("bridge-utils",)),
        # another ifupdown, which makes them by itself
        ([], ()),
    ],
)
def test_what_ifupdown_needs_for_bonds_and_bridges(
    tree: Tree, files: list[str], lacking: tuple[str, ...]
) -> None:
    for file in ["/etc/network/interfaces", *files]:
        tree.write(file, "")
    tree.write("/commands/ifup", "").chmod(0o755)
    state, _ = tree.look()
    assert state.network.systems == ("ifupdown",)
    assert state.network.lacking == lacking


def test_netplans_renderer_for_the_whole_host(tree: Tree) -> None:
    device = "network:\n  version: 2\n  ethernets:\n    em1:\n      {}\n"
    tree.write("/etc/netplan/10.yaml", "network:\n  renderer: networkd\n")
    tree.write("/etc/netplan/20.yaml", device.format("renderer: NetworkManager"))
    tree.write(
        "/etc/netplan/30.yaml",
        device.format("dhcp4: true") + '    \n  renderer: "NetworkManager"\n',
    )
    tree.write("/etc/netplan/40.yaml", device.format("dhcp4: true"))
    state, _ = tree.look()
    assert state.network.renderers == {
        "/etc/netplan/10.yaml": "networkd",
        "/etc/netplan/30.yaml": "NetworkManager",
    }
    assert "renderer" not in {name for names in state.network.named.values() for name in names}
