"""shut_down_vms: all are asked, each is waited for by libvirt's events, in bounded time."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from tests.unit.shells import PATIENCE_S, SHELLS, shell_folder

VIRSH = """#!/bin/sh
# a VM is a file with the number of power-button presses that it overhears, gone once it is off
for word; do vm=$word; done
words=$*
case $words in
*event*) echo event >>"$FOLDER/calls"; [ -z "$NO_EVENTS" ] ;;
*domstate*)
    if [ -e "$FOLDER/$vm.state" ]; then cat "$FOLDER/$vm.state"; exit; fi
    if [ -e "$FOLDER/$vm.starting" ]; then echo paused; exit; fi
    if [ -e "$FOLDER/$vm" ]; then echo running; else echo 'shut off'; fi ;;
*start*)
    [ ! -e "$FOLDER/$vm.state" ] || exit 1
    [ ! -e "$FOLDER/$vm.starting" ] || { mv "$FOLDER/$vm.starting" "$FOLDER/$vm"; exit 1; }
    echo "start $vm" >>"$FOLDER/calls"
    [ ! -e "$FOLDER/$vm.broken" ] || exit 1
    echo 0 >"$FOLDER/$vm" ;;
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


@dataclass(frozen=True)
class Host:
    """VMs in a folder, and the functions of guests.sh."""

    shells: Path
    vms: Path

    def run(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        chain = files("sriovctl").joinpath("chain")
        texts = (chain.joinpath(f"{name}.sh").read_text("utf-8") for name in ("virsh", "guests"))
        functions = "\n".join(texts)
        return subprocess.run(
            [self.shells / "sh", "-c", f'{functions}\nset -e\n"$@"', "sh", *words],
            env={
                "PATH": f"{self.shells}:{os.environ['PATH']}",
                "FOLDER": str(self.vms),
                "NO_EVENTS": "",
                **settings,
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def file(self, name: str, text: str = "") -> None:
        (self.vms / name).write_text(f"{text}\n")

    @property
    def calls(self) -> list[str]:
        calls = self.vms / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def host(shells: Path) -> Host:
    vms = shells.parent / "vms"
    vms.mkdir()
    return Host(shells, vms)


def shut_down(
    host: Host, overhear: dict[str, int], **settings: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    for name, presses in overhear.items():
        host.file(name, str(presses))
    done = host.run("shut_down_vms", *overhear, **settings)
    return done, host.calls


def test_all_are_asked_before_any_is_waited_for(host: Host) -> None:
    done, calls = shut_down(host, {"a": 1, "b": 0, "c": 0})
    assert (done.returncode, done.stderr) == (0, "")
    assert calls[:3] == ["shutdown a", "shutdown b", "shutdown c"]


def test_one_that_overheard_the_button_is_asked_again(host: Host) -> None:
    done, calls = shut_down(host, {"a": 3})
    assert (done.returncode, done.stderr) == (0, "")
    assert calls.count("shutdown a") == 4


def test_one_that_never_obeys_is_named_in_the_end(host: Host) -> None:
    done, _ = shut_down(host, {"a": 0, "b": 100000}, SRIOVCTL_VM_SHUTDOWN_TIMEOUT_S="1")
    assert done.returncode == 1
    assert done.stderr.startswith("the VM b has not shut down within 1 s; ")


def test_a_virsh_without_events_does_not_use_up_the_time(host: Host) -> None:
    """CentOS 6: such a command fails at once, and that is no second of waiting."""
    settings = {"SRIOVCTL_VM_SHUTDOWN_TIMEOUT_S": "4", "NO_EVENTS": "1"}
    done, _ = shut_down(host, {"a": 2}, **settings)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("state", ["paused", "pmsuspended", "crashed"])
def test_one_that_hears_no_button_is_named_before_any_is_asked(host: Host, state: str) -> None:
    host.file("b.state", state)
    done, calls = shut_down(host, {"a": 0, "b": 0})
    assert done.returncode == 1
    assert f"the VM b is {state}" in done.stderr
    assert calls == []


def test_undone_all_that_can_be_started_are_and_who_is_on_is_left_alone(host: Host) -> None:
    host.file("a.broken")
    host.file("b.state", "paused")
    host.file("c", "5")
    done = host.run("start_vms", "a", "b", "c", "d")
    assert done.returncode == 1
    assert host.calls == ["start a", "start d"]


def test_one_that_libvirt_is_starting_by_itself_is_waited_for(host: Host) -> None:
    host.file("a.starting", "0")
    done = host.run("start_vms", "a")
    assert (done.returncode, host.calls) == (0, [])
    assert host.run("vms_are_running", "a").returncode == 0


def test_undone_without_an_answer_of_libvirt_is_not_taken_for_undone(host: Host) -> None:
    (host.shells / "virsh").write_text("#!/bin/sh\nexit 1\n")
    assert host.run("start_vms", "a").returncode == 1
