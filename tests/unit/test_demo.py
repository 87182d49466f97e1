"""The demo stops where a step fails, says so, and leaves the rack unless told otherwise."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0") $*" in
"id -u") echo "${FAKE_UID:-0}" ;;
"sriovctl plan"*) exit 3 ;;
"sriovctl lab ssh-config"*) echo lab/ssh_config ;;
"sriovctl $FAILING"*) exit 7 ;;
esac
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with the demo, in which every command only writes down that it was called."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "demo", tmp_path / "scripts")
    for name in ("sriovctl", "ip", "id"):
        stub = tmp_path / ".venv" / "bin" / name
        stub.write_text(STUB)
        stub.chmod(0o755)
    (tmp_path / "calls").touch()
    (tmp_path / "lab").mkdir()
    return tmp_path


def demo(
    tree: Path, *words: str, failing: str = "nothing", uid: int = 0, origin: str = "ready"
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "CALLS": str(tree / "calls"),
        "FAILING": failing,
        "FAKE_UID": str(uid),
        "FROM": origin,
    }
    done = subprocess.run(
        ["sh", "scripts/demo", *words],
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        text=True,
        capture_output=True,
        check=False,
    )
    return done, (tree / "calls").read_text().splitlines()


DOWN = "sriovctl lab down --name demo"


def test_all_goes_well(tree: Path) -> None:
    done, calls = demo(tree)
    assert done.returncode == 0, done.stderr
    verbs = [call.split()[1] for call in calls if call.startswith("sriovctl")]
    assert verbs == ["lab", "lab", "plan", "apply", "show", "apply", "check"]
    assert DOWN not in calls
    assert DOWN in done.stdout
    # what is shown can be pasted
    assert "$ sriovctl apply examples/machine-room.yaml\n" in done.stdout
    assert "$ ip netns exec sriovctl-demo iperf3 -f m -t 5 -c 10.8.0.13\n" in done.stdout


def test_from_bare_the_rack_file_has_the_bmc_and_a_restart_is_asked_for(tree: Path) -> None:
    done, calls = demo(tree, origin="bare")
    assert done.returncode == 0, done.stderr
    assert "sriovctl lab up --from bare --name demo" in calls
    assert "sriovctl lab rack-file --name demo examples/machine-room.yaml" in calls
    assert "sriovctl apply --reboot lab/rack.yaml" in calls
    assert calls.count("sriovctl apply lab/rack.yaml") == 1
    assert "$ sriovctl apply --reboot lab/rack.yaml\n" in done.stdout


def test_an_unknown_origin(tree: Path) -> None:
    done, calls = demo(tree, origin="bear")
    assert done.returncode == 2
    assert calls == []


def test_down_when_asked(tree: Path) -> None:
    done, calls = demo(tree, "--down")
    assert done.returncode == 0, done.stderr
    assert calls[-1] == DOWN


@pytest.mark.parametrize("failing", ["lab up", "apply", "show", "check"])
@pytest.mark.parametrize("words", [(), ("--down",)], ids=["leave", "down"])
def test_a_step_fails(tree: Path, failing: str, words: tuple[str, ...]) -> None:
    done, calls = demo(tree, *words, failing=failing)
    assert done.returncode == 7
    assert f"demo: stopped at: sriovctl {failing}" in done.stderr
    assert (calls[-1] == DOWN) is bool(words)
    assert (DOWN in done.stderr) is not bool(words)


def test_needs_root(tree: Path) -> None:
    done, calls = demo(tree, uid=1000)
    assert done.returncode == 1
    assert "run as root" in done.stderr
    assert calls == ["id -u"]


def test_unknown_argument(tree: Path) -> None:
    done, calls = demo(tree, "--dwon")
    assert done.returncode == 2
    assert calls == []
