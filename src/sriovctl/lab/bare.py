"""What a server from bare has on its disk besides the image: an IOMMU that somebody turned off.

Debian 13's kernel turns an Intel IOMMU on by itself (CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF). So
that there is work for the kernel's arguments, a bare server's boot loader says otherwise, in the
file that a person writes and in the one that GRUB reads, before the first boot.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from sriovctl.errors import SriovctlError

ARGUMENT = b" intel_iommu=off"
_AFTER = b"no_timer_check"
_FILES = ("/etc/default/grub", "/boot/grub/grub.cfg")
_COMMENT = b"# intel_iommu=off: added by hand "
#: of mkfs.ext4 for file systems of this size, bytes
_BLOCK = 4096
_SECTOR = 512


def prepare(image: Path, disk: Path) -> None:
    """Write the argument into a server's disk.

    :param image: the server image, which stays as it is
    :param disk: the server's overlay over it
    :raises SriovctlError: the image is not as this module knows it
    """
    start = _partition(image)
    for path in _FILES:
        place = start + _block_of(image, start, path) * _BLOCK
        with image.open("rb") as raw:
            raw.seek(place)
            old = raw.read(_BLOCK)
        draft = disk.with_suffix(".block")
        draft.write_bytes(_with_argument(path, old))
        _run(["qemu-io", "-f", "qcow2", "-c", f"write -s {draft} {place} {_BLOCK}", str(disk)])
        draft.unlink()


def _with_argument(path: str, block: bytes) -> bytes:
    """The file's block with the argument; as long as before, a comment pays for it."""
    line = re.compile(rb"^(?!#)(.*" + _AFTER + rb")", re.MULTILINE)
    longer, count = line.subn(rb"\1" + ARGUMENT, block)
    comment = re.search(rb"^#.*$", longer, re.MULTILINE)
    room = len(comment[0]) - len(ARGUMENT) if comment else 0
    if count != 1 or comment is None or room < len(_COMMENT):
        raise SriovctlError(f"{path} of the server image is not as sriovctl.lab.bare knows it")
    return longer.replace(comment[0], _COMMENT.ljust(room, b"-"), 1)


def _partition(image: Path) -> int:
    """Where the first partition begins, by the MBR; bytes."""
    with image.open("rb") as raw:
        table = raw.read(_SECTOR)
    return int.from_bytes(table[454:458], "little") * _SECTOR


def _block_of(image: Path, start: int, path: str) -> int:
    """The one block of a small file."""
    said = _run(["debugfs", "-R", f"blocks {path}", f"{image}?offset={start}"])
    if not said.strip().isdigit():
        raise SriovctlError(f"debugfs says of {path} in {image}: {said.strip()!r}")
    return int(said)


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SriovctlError(f"{command[0]}: {done.stdout}{done.stderr}".strip())
    return done.stdout
