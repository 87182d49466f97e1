"""shut_down_vms: all are asked, each is waited for by libvirt's events, in bounded time."""

from __future__ import annotations

import os
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.unit.shells import PATIENCE_S, SHELLS, shell_folder

VIRSH = """#!/bin/sh
# a VM is a file with the number of power-button presses that it overhears, gone once it is off
for word; do vm=$word; done
words=$*
case $words in
*event*) echo event >>"$FOLDER/calls" ;;
*domstate*) vm=$FOLDER/$vm; if [ -e "$vm" ]; then echo running; else echo 'shut off'; fi ;;
*shutdown*)
    echo "shutdown $vm" >>"$FOLDER/calls"
    read -r left <"$FOLDER/$vm" || exit 1
    if [ "$left" = 0 ]; then rm "$FOLDER/$vm"; else echo $((left - 1)) >"$FOLDER/$vm"; fi ;;
*) exit 1 ;;
esac
"""


@pytest.fixture(params=SHELLS)
def shells(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = shell_folder(request.param, tmp_path / "shells")
    if folder is None:
        pytest.skip(f"no {request.param} here")
    (folder / "virsh").write_text(VIRSH)
    (folder / "virsh").chmod(0o755)
    return folder


def shut_down(
    shells: Path, overhear: dict[str, int], seconds: int = 60
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    vms = shells.parent / "vms"
    vms.mkdir()
    for name, presses in overhear.items():
        (vms / name).write_text(f"{presses}\n")
    chain = files("sriovctl").joinpath("chain")
    functions = "\n".join(chain.joinpath(f"{n}.sh").read_text("utf-8") for n in ("virsh", "guests"))
    done = subprocess.run(
        [shells / "sh", "-c", f'{functions}\nset -e\nshut_down_vms "$@"', "sh", *overhear],
        env={
            "PATH": f"{shells}:{os.environ['PATH']}",
            "FOLDER": str(vms),
            "SRIOVCTL_VM_SHUTDOWN_TIMEOUT_S": str(seconds),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    calls = vms / "calls"
    return done, calls.read_text().splitlines() if calls.exists() else []


def test_all_are_asked_before_any_is_waited_for(shells: Path) -> None:
    done, calls = shut_down(shells, {"a": 1, "b": 0, "c": 0})
    assert (done.returncode, done.stderr) == (0, "")
    assert calls[:3] == ["shutdown a", "shutdown b", "shutdown c"]


def test_one_that_overheard_the_button_is_asked_again(shells: Path) -> None:
    done, calls = shut_down(shells, {"a": 3})
    assert (done.returncode, done.stderr) == (0, "")
    assert calls.count("shutdown a") == 4


def test_one_that_never_obeys_is_named_in_the_end(shells: Path) -> None:
    done, _ = shut_down(shells, {"a": 0, "b": 1000}, seconds=20)
    assert done.returncode == 1
    assert done.stderr == "the VM b has not shut down within 20 s\n"
