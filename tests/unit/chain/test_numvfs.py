"""Writing ``sriov_numvfs`` ends when the kernel has answered, also where TERM is ignored."""

from __future__ import annotations

import os
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.unit.shells import PATIENCE_S, SHELLS, shell_folder

PCI = "0000:01:00.0"
FUNCTIONS = files("sriovctl").joinpath("chain/nics.sh").read_text("utf-8")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("trap", ["", "trap '' TERM"])
def test_an_answer_ends_the_wait(tmp_path: Path, shell: str, trap: str) -> None:
    """An undo ignores TERM; its clock (here an hour) must not be waited for."""
    shells = shell_folder(shell, tmp_path / "shells")
    if shells is None:
        pytest.skip(f"no {shell} here")
    device = tmp_path / "bus/pci/devices" / PCI
    device.mkdir(parents=True)
    numvfs = device / "sriov_numvfs"
    numvfs.write_text("7\n")
    done = subprocess.run(
        [shells / "sh", "-c", f"{FUNCTIONS}\n{trap}\n( set -e; write_numvfs {PCI} 0 )"],
        env={
            **os.environ,
            "SRIOVCTL_SYSFS": str(tmp_path),
            "SRIOVCTL_NUMVFS_TIMEOUT_S": "3600",
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert numvfs.read_text() == "0\n"
    assert not list(tmp_path.glob("sriovctl-numvfs*"))
