"""Hosts set up by hand, each in another way: a rack file from them wants nothing more of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rack.clear import clear
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look
from tests.rack.program import sriovctl

EM1, EM2 = "0000:01:00.0", "0000:02:00.0"
AGAIN = "udevadm control --reload; udevadm trigger --settle --action=add /sys/class/net/em?"


@dataclass(frozen=True)
class ByHand:
    """A file that makes VFs at boot, and what makes it do so now."""

    file: str
    text: str
    run: str
    vfs: tuple[int, int]


WAYS = {
    "rc.local": ByHand(
        "/etc/rc.local",
        "#!/bin/sh\n"
        "echo 3 >/sys/class/net/em1/device/sriov_numvfs\n"
        f"echo 2 >/sys/bus/pci/devices/{EM2}/sriov_numvfs\n",
        "sh /etc/rc.local",
        (3, 2),
    ),
    "a loop in rc.local": ByHand(
        "/etc/rc.local",
        "#!/bin/sh\nfor port in em1 em2; do\n"
        "  echo 2 >/sys/class/net/$port/device/sriov_numvfs\ndone\n",
        "sh /etc/rc.local",
        (2, 2),
    ),
    "a systemd unit": ByHand(
        "/etc/systemd/system/vfs-by-hand.service",
        "[Service]\nType=oneshot\n"
        "ExecStart=/bin/sh -c 'echo 2 >/sys/class/net/em1/device/sriov_numvfs'\n"
        "ExecStart=/bin/sh -c 'ip link set em1 vf 1 vlan 100 spoofchk off'\n",
        "systemctl daemon-reload; systemctl start vfs-by-hand",
        (2, 0),
    ),
    "a udev rule": ByHand(
        "/etc/udev/rules.d/99-vfs-by-hand.rules",
        'ACTION=="add", SUBSYSTEM=="net", KERNEL=="em2", ATTR{device/sriov_numvfs}="2"\n',
        AGAIN,
        (0, 2),
    ),
    "a .link file": ByHand(
        "/etc/systemd/network/05-vfs-by-hand.link",
        f"[Match]\nPath=pci-{EM1}\n[Link]\nName=em1\nSR-IOVVirtualFunctions=2\n",
        AGAIN,
        (2, 0),
    ),
}
POOL = """<network><name>by-hand</name><forward mode='hostdev' managed='yes'><pf dev='{pf}'/>
</forward></network>"""


@pytest.fixture
def bare_ports(rack: Rack) -> Iterator[None]:
    """No VFs, no pools and no VMs before, nothing of ours or by hand after."""
    clear(rack)
    yield
    files = " ".join(dict.fromkeys(way.file for way in WAYS.values()))
    rack.must(SERVER, f"rm -f {files}; systemctl daemon-reload; udevadm control --reload")
    clear(rack)


@pytest.mark.parametrize("way", WAYS)
def test_a_rack_file_from_it_wants_nothing_more(
    rack: Rack, bare_ports: None, way: str, tmp_path: Path
) -> None:
    made = WAYS[way]
    rack.must(SERVER, f"cat >{made.file}", made.text)
    rack.must(SERVER, made.run)
    ports = {pf.name: pf for pf in look(rack).pfs}
    assert (ports["em1"].numvfs, ports["em2"].numvfs) == made.vfs
    for pf in ports.values():
        if pf.numvfs:
            rack.must(
                SERVER,
                "virsh net-define /dev/stdin && virsh net-start by-hand && "
                "virsh net-autostart by-hand",
                POOL.format(pf=pf.name),
            )
            break
    file = tmp_path / "rack.yaml"
    file.write_text(sriovctl(rack, "init", "--from", SERVER).stdout)
    assert f"restored_by: host  # by {made.file}" in file.read_text()
    done = sriovctl(rack, "plan", file)
    assert "nothing to do" in done.stdout
    assert "fight" not in done.stdout
