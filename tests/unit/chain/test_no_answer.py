"""A libvirt that does not answer has not said that something is gone."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.unit.shells import PATIENCE_S, SHELLS, shell_folder

REFUSES = """#!/bin/sh
echo "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': Connection refused" >&2
exit 1
"""
KNOWS_NONE = """#!/bin/sh
case "$*" in
*" list "* | *" net-list "*) exit 0 ;;
esac
echo "error: failed to get domain" >&2
exit 1
"""
AWAY_FOR_ONE_QUESTION = """#!/bin/sh
case "$*" in
*" list --all --uuid") echo uuid ;;
*" net-list --all") echo ' pool   active   yes   yes' ;;
*list*) ;;
*) exit 1 ;;
esac
"""
HANGS = """#!/bin/sh
exec sleep 600
"""
CARD = "02:00:00:00:00:01 pool 0000:01:00.0 --config"
GONE = [
    "undefine_pool pool",
    "stop_pool pool",
    "no_autostart_pool pool",
    "no_pool pool",
    "pool_is_not pool active yes",
    "undefine_vm uuid",
    "no_vm uuid",
    f"detach_nic_if_there uuid {CARD}",
    f"vm_lacks_nic uuid {CARD}",
    "unplug_drive uuid /drive",
    "lacks_drive uuid /drive",
]
"""What succeeds where there is nothing to take away."""


def ask(folder: Path, shell: str, virsh: str, line: str) -> subprocess.CompletedProcess[str]:
    """One of the links' functions, as a step calls it, with 1 s for libvirt."""
    shells = shell_folder(shell, folder / "shells")
    if shells is None:
        pytest.skip(f"no {shell} here")
    (shells / "virsh").write_text(virsh)
    (shells / "virsh").chmod(0o755)
    chain = files("sriovctl").joinpath("chain")
    names = ("virsh", "pools", "guests", "drive")
    library = "\n".join(chain.joinpath(f"{name}.sh").read_text("utf-8") for name in names)
    library += files("sriovctl").joinpath("agent.sh").read_text("utf-8")
    limits = "SRIOVCTL_VIRSH_TIMEOUT_S=1 SRIOVCTL_UNPLUG_TIMEOUT_S=0"
    return subprocess.run(
        [shells / "sh", "-c", f"{limits}\n{library}\n{line}"],
        env={"PATH": f"{shells}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line", GONE)
def test_nothing_is_gone_for_want_of_an_answer(tmp_path: Path, shell: str, line: str) -> None:
    done = ask(tmp_path, shell, REFUSES, f"( set -e; {line} )")
    assert done.returncode != 0
    assert "Connection refused" in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line", GONE)
def test_what_it_lists_is_not_gone(tmp_path: Path, shell: str, line: str) -> None:
    assert ask(tmp_path, shell, AWAY_FOR_ONE_QUESTION, f"( set -e; {line} )").returncode != 0


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line", GONE)
def test_what_it_does_not_find_is_gone(tmp_path: Path, shell: str, line: str) -> None:
    assert ask(tmp_path, shell, KNOWS_NONE, f"( set -e; {line} )").returncode == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_a_pool_is_put_back_where_it_is_not_seen(tmp_path: Path, shell: str) -> None:
    tx = f"tx_dir={tmp_path} tx_begun=1"
    assert ask(tmp_path, shell, REFUSES, f"{tx}\nput_back_pool pool").returncode != 0


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "line", ["virsh_quietly net-list", "agent_clock; agent_ask uuid $((now + 1)) '{}'"]
)
def test_an_undo_does_not_wait_for_ever_either(tmp_path: Path, shell: str, line: str) -> None:
    """It ignores TERM, by which timeout ends what it has begun."""
    # longer than this test has patience
    done = ask(tmp_path, shell, HANGS, f"agent_file={tmp_path}/agent\ntrap '' TERM\n{line}")
    assert done.returncode != 0
