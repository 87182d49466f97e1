"""Boot loaders' files come through to the byte, under each shell, and passwords do not."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from sriovctl.host import HostState
from sriovctl.probe import parse, script
from sriovctl.reach import decode

from .tree import ABSOLUTE, PATIENCE_S, Tree

ODD = [
    "",
    "\n",
    "quiet",
    "quiet\r\n",
    "a\n\n\n",
    "\n==> /etc/default/grub <==\n",
    "\ttitle x  \n\tkernel /vmlinuz ro",
    "虚机 $(reboot) 'it''s' \\\n",
]


def look(tree: Tree) -> HostState:
    """What the probe finds, to the byte."""
    done = subprocess.run(
        [str(tree.shell / "sh")],
        input=ABSOLUTE.sub(f"{tree.root}/", script()).encode(),
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
        env={**os.environ},
    )
    return parse(decode(done.stdout).replace(str(tree.root), ""))


@pytest.mark.parametrize("text", ODD)
def test_a_file_comes_through_as_it_is(tree: Tree, text: str) -> None:
    tree.write("/etc/default/grub", text)
    tree.write("/etc/kernel/cmdline", "root=/dev/sda1")
    assert look(tree).boot.files == {
        "/etc/default/grub": text,
        "/etc/kernel/cmdline": "root=/dev/sda1",
    }


def test_a_password_stays_on_the_host(tree: Tree) -> None:
    tree.write("/boot/grub/grub.conf", "timeout=5\npassword --md5 $1$secret\ntitle x\n")
    [text] = look(tree).boot.files.values()
    assert text == "timeout=5\npassword\ntitle x\n"


@pytest.mark.parametrize("line", ["  password a b", "password=x", "\tpasswordx y", "my password z"])
def test_only_a_line_that_sets_a_password_loses_it(tree: Tree, line: str) -> None:
    tree.write("/boot/grub/grub.conf", line)
    [text] = look(tree).boot.files.values()
    assert text == re.sub(r"^(\s*password\S*)\s.*", r"\1", line)


def test_bytes_that_are_no_text_are_marked(tree: Tree) -> None:
    tree.write("/etc/default/grub", "").write_bytes(b"# \xd0\xe9\nGRUB_TIMEOUT=5\n")
    [text] = look(tree).boot.files.values()
    assert text == "# \ufffd\ufffd\nGRUB_TIMEOUT=5\n"


def test_a_host_without_any(tree: Tree) -> None:
    boot = look(tree).boot
    assert boot.files == {}
    assert not boot.efi
    assert not boot.proxmox


def test_firmware_and_built_in_modules(tree: Tree) -> None:
    tree.write("/sys/firmware/efi/runtime", "")
    tree.write("/sys/firmware/acpi/tables/DMAR", "")
    tree.write("/sys/module/vfio_pci/parameters/ids", "")
    tree.write("/etc/kernel/proxmox-boot-uuids", "AAAA-BBBB\n")
    state = look(tree)
    assert state.boot.efi
    assert state.boot.proxmox
    assert state.kernel.iommu_table == "DMAR"
    assert state.kernel.modules == ("vfio_pci",)


WINDOW = "0x00000000fe800000 0x00000000fe81ffff 0x000000000014220c\n"
UNSET = "0x0000000000000000 0x000000000001ffff 0x000000002014220c\n"
NONE = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (NONE * 7 + WINDOW + NONE * 5, True),
        (NONE * 7 + UNSET + NONE * 2 + WINDOW + NONE * 2, False),
        (WINDOW * 7 + NONE * 6, False),
        (WINDOW * 7, None),
    ],
    ids=["as on the rack", "one has no place", "none has", "a kernel that does not show them"],
)
def test_memory_windows_of_vfs(tree: Tree, lines: str, answer: bool | None) -> None:
    tree.pf("0000:01:00.0", "em1", 2, [])
    tree.write("/sys/bus/pci/devices/0000:01:00.0/resource", lines)
    [pf] = look(tree).pfs
    assert pf.vf_memory is answer
