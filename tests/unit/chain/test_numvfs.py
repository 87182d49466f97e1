"""Writing ``sriov_numvfs`` ends when the kernel has answered, also where TERM is ignored."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from importlib.resources import files
from pathlib import Path

import pytest

from tests.unit.shells import PATIENCE_S, SHELLS, shell_folder

PCI = "0000:01:00.0"
FUNCTIONS = files("sriovctl").joinpath("chain/nics.sh").read_text("utf-8")


CLOCK_S = f"3600.{os.getpid()}"
"""Of no other process on this machine."""


def written(folder: Path, shell: str, numvfs: Path, before: str = "") -> tuple[int, str]:
    """Exit status and words of a write of 0 to a port whose file is ``numvfs``."""
    shells = shell_folder(shell, folder / "shells")
    if shells is None:
        pytest.skip(f"no {shell} here")
    device = folder / "bus/pci/devices" / PCI
    device.mkdir(parents=True)
    (device / "sriov_numvfs").symlink_to(numvfs)
    # to a file, as a step's: a writer that the kernel keeps would keep a pipe open
    said = folder / "said"
    with said.open("w") as output:
        done = subprocess.run(
            [shells / "sh", "-c", f"{FUNCTIONS}\n{before}\n( set -e; write_numvfs {PCI} 0 )"],
            env={**os.environ, "SRIOVCTL_SYSFS": str(folder), "SRIOVCTL_NUMVFS_TIMEOUT_S": CLOCK_S},
            stdout=output,
            stderr=output,
            timeout=PATIENCE_S,
            check=False,
        )
    return done.returncode, said.read_text("utf-8")


def clocks() -> list[bytes]:
    """Clocks that are running."""
    return [line for line in running() if CLOCK_S.encode() in line.split(b"\0")]


def running() -> list[bytes]:
    """Command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return found


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("trap", ["", "trap '' TERM"])
def test_an_answer_ends_the_wait(tmp_path: Path, shell: str, trap: str) -> None:
    """An undo ignores TERM; its clock (here an hour) must neither be waited for nor stay."""
    numvfs = tmp_path / "numvfs"
    numvfs.write_text("7\n")
    assert written(tmp_path, shell, numvfs, trap) == (0, "")
    assert numvfs.read_text() == "0\n"
    # what was told to end needs a moment for it; a clock that was not told stays for an hour
    until = time.monotonic() + PATIENCE_S
    while clocks() and time.monotonic() < until:
        time.sleep(0.01)
    assert not clocks()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_kernels_refusal_is_told(tmp_path: Path, shell: str) -> None:
    status, said = written(tmp_path, shell, Path("/dev/full"))
    assert status == 1
    assert re.fullmatch(rf"{PCI}: sriov_numvfs=0: .+\n", said)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_kernel_that_does_not_answer_is_not_waited_for_for_ever(
    tmp_path: Path, shell: str
) -> None:
    """A pipe that nobody reads keeps its writer as the kernel does."""
    numvfs = tmp_path / "numvfs"
    os.mkfifo(numvfs)
    kills = tmp_path / "kills"
    kills.touch()
    before = f"""NUMVFS_TIMEOUT_S=0.1
        kill() {{ echo "$2" >>'{kills}'; command kill "$@"; }}"""
    try:
        status, said = written(tmp_path, shell, numvfs, before)
    finally:
        killed = kills.read_text()
        # lets the writer go
        os.close(os.open(numvfs, os.O_RDONLY | os.O_NONBLOCK))
    assert status == 1
    assert "has not answered sriov_numvfs=0 for 0.1 s" in said
    # the clock's number may be another's by now: who was waited for in vain kills nobody
    until = time.monotonic() + PATIENCE_S
    while any(bytes(kills) in line for line in running()) and time.monotonic() < until:
        time.sleep(0.01)
    assert kills.read_text() == killed
