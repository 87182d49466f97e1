"""The bond inside a VM: a guest with systemd-networkd takes its files from a drive, or by agent."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rack.clear import clear
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look
from tests.rack.program import EXAMPLES, rack_file, server_2, sriovctl

VM = "VM-2"
ADDRESS = "10.8.0.12"
ON_DRIVE = {"arp_interval": 300, "arp_ip_targets": ["10.8.0.254"], "num_grat_arp": 5}
BY_AGENT = {"miimon": 80, "updelay": 160, "downdelay": 240, "primary": "em2"}
FILES = "/etc/systemd/network"
IMAGES = "/var/lib/libvirt/images/sriovctl-*.iso"
KERNEL_LINE = re.compile(r"(?<=<cmdline>).*(?=</cmdline>)")
DRIVE = re.compile(r" *<disk type='file' device='cdrom'>.*?</disk>\n", re.DOTALL)


def definition(rack: Rack) -> str:
    return rack.must(SERVER, f"virsh dumpxml --inactive {VM}")


def inside(rack: Rack, command: str) -> str:
    done = rack.guest(VM, command)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def patiently(rack: Rack, verb: str, path: Path) -> str:
    """What it printed once the agent answered in time: on a busy machine it may not."""
    deadline = time.monotonic() + 120
    said = sriovctl(rack, verb, path, expect=None).stdout
    while "does not answer" in said and time.monotonic() < deadline:
        said = sriovctl(rack, verb, path, expect=None).stdout
    return said


def values(rack: Rack, *words: str) -> list[str]:
    """Of the guest's bond, as its kernel has them."""
    paths = " ".join(f"/sys/class/net/bond0/bonding/{word}" for word in words)
    return inside(rack, f"cat {paths}").splitlines()


def wanted(folder: Path, bond: dict[str, Any] | None = None, **more: object) -> Path:
    pair = {"macs": "active", "bond": {"address": f"{ADDRESS}/24", **(bond or {})}}
    return rack_file(folder, server_2(2, 2), {VM: {"pairs": [pair], "domain": f"{VM}.xml", **more}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the domain file of a guest that has systemd-networkd, and no bond on its kernel line."""
    folder = tmp_path_factory.mktemp("inside")
    text = (EXAMPLES / f"machine-room/{VM}.xml").read_text()
    text = KERNEL_LINE.sub(f"console=ttyS0 quiet sriovctl.hostname={VM}", text)
    (folder / f"{VM}.xml").write_text(text.replace("guest/initrd", "guest/initrd-networkd"))
    return folder


@pytest.fixture(scope="module")
def plain(rack: Rack, folder: Path) -> Iterator[str]:
    """The VM's definition, with its cards and no drive."""
    clear(rack)
    sriovctl(rack, "apply", wanted(folder))
    yield definition(rack)
    clear(rack)


@pytest.fixture(scope="module")
def booted(rack: Rack, folder: Path, plain: str) -> Path:
    """The rack file by which the VM got its drive, and was started."""
    path = wanted(folder, ON_DRIVE, running=True, inside={"by": "drive", "system": "networkd"})
    sriovctl(rack, "apply", path)
    return path


def test_the_drive_is_all_that_is_new_in_the_definition(
    rack: Rack, plain: str, booted: Path
) -> None:
    after = definition(rack)
    assert len(DRIVE.findall(after)) == 1
    assert DRIVE.sub("", after) == plain


def test_a_guest_that_booted_with_it_has_the_bond(rack: Rack, booted: Path) -> None:
    # who pings an address that nobody has gives up within seconds
    inside(rack, "true")
    assert rack.answers(ADDRESS).returncode == 0
    names = (
        "mode", "fail_over_mac", "arp_interval", "arp_ip_target", "arp_validate", "num_grat_arp",
    )  # fmt: skip
    expected = ["active-backup 1", "active 1", "300", "10.8.0.254", "active 1", "5"]
    assert values(rack, *names) == expected
    assert "bond0" not in sriovctl(rack, "check", booted).stdout


def test_a_drive_is_not_written_twice(rack: Rack, booted: Path) -> None:
    before = rack.must(SERVER, f"stat -c '%i %Y' {IMAGES}")
    assert "nothing to do" in sriovctl(rack, "apply", booted).stdout
    assert rack.must(SERVER, f"stat -c '%i %Y' {IMAGES}") == before


def test_its_agent_takes_other_files_once_and_the_drive_goes(
    rack: Rack, folder: Path, plain: str, booted: Path
) -> None:
    by_agent = {"by": "agent", "system": "networkd"}
    path = wanted(folder, BY_AGENT, inside=by_agent)
    patiently(rack, "apply", path)
    before = inside(rack, f"stat -c '%i %Z %n' {FILES}/*")
    assert "nothing to do" in patiently(rack, "apply", path)
    assert inside(rack, f"stat -c '%i %Z %n' {FILES}/*") == before
    assert "arp_interval is 300, wanted 0" in patiently(rack, "check", path)

    # its service comes again by itself, and leaves alone what there is
    inside(rack, "ip link delete bond0; killall systemd-networkd")
    assert rack.answers(ADDRESS).returncode == 0
    names = ("fail_over_mac", "miimon", "updelay", "downdelay", "arp_interval", "num_grat_arp")
    assert values(rack, *names) == ["active 1", "80", "160", "240", "0", "3"]

    # QEMU reads the image for as long as the VM runs
    assert definition(rack) == plain
    assert len(look(rack).drives) == 1
    rack.must(SERVER, f"virsh destroy {VM}")
    sriovctl(rack, "apply", path)
    assert look(rack).drives == {}
