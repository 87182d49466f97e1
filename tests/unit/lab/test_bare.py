"""The argument on a bare server's disk."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sriovctl.errors import SriovctlError
from sriovctl.lab import bare, image

MIB = 1024 * 1024
CONFIG = (image.RECIPE / "root/etc/default/grub").read_bytes()


def lines(block: bytes) -> list[bytes]:
    return [line for line in block.splitlines() if not line.startswith(b"#")]


def test_argument_goes_into_the_image_and_nothing_else_changes() -> None:
    block = CONFIG.ljust(4096, b"\0")
    changed = bare._with_argument("/etc/default/grub", block)
    assert len(changed) == len(block)
    assert [line.count(bare.ARGUMENT) for line in lines(changed)].count(1) == 1
    assert [line.replace(bare.ARGUMENT, b"") for line in lines(changed)] == lines(block)


@pytest.mark.parametrize("text", [b"", b"# no_timer_check\n", b"#\nlinux no_timer_check quiet\n"])
def test_image_of_another_kind_is_refused(text: bytes) -> None:
    with pytest.raises(SriovctlError, match="not as sriovctl"):
        bare._with_argument("/boot/grub/grub.cfg", text)


TOOLS = ("mkfs.ext4", "sfdisk", "debugfs", "qemu-io", "qemu-img")


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")
def test_overlay_has_it_and_the_image_does_not(tmp_path: Path) -> None:
    root, base, disk, flat = (tmp_path / name for name in ("root", "base", "disk", "flat"))
    for name in ("etc/default/grub", "boot/grub/grub.cfg"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(CONFIG)
    with base.open("wb") as raw:
        raw.truncate(17 * MIB)
    run("mkfs.ext4", "-q", "-F", "-b", 4096, "-E", f"offset={MIB}", "-d", root, base, "16m")
    run("sfdisk", "--quiet", base, text=f"{MIB // 512},,83,*\n")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, disk)
    bare.prepare(base, disk)
    run("qemu-img", "convert", "-O", "raw", disk, flat)
    for path in ("/etc/default/grub", "/boot/grub/grub.cfg"):
        changed = run("debugfs", "-R", f"cat {path}", f"{flat}?offset={MIB}").encode()
        assert bare.ARGUMENT in changed.splitlines()[5]
        assert run("debugfs", "-R", f"cat {path}", f"{base}?offset={MIB}").encode() == CONFIG


def run(*command: object, text: str | None = None) -> str:
    """What a command prints."""
    words = [str(word) for word in command]
    return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout
