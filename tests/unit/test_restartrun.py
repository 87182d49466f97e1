"""Waiting for a host that restarts: by its boot id and by what its init says, not by a clock."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from sriovctl import restartrun
from sriovctl.errors import DiffersError, HostError, UnreachableError
from sriovctl.observer import Silent
from sriovctl.reach import Output
from sriovctl.stagerun import Timeouts
from tests.unit.shells import PATIENCE_S, SHELLS, shell_folder

QUICK = Timeouts(retry_s=0.0)
AWAY = UnreachableError("no connection")


class Answers:
    """A host that gives one answer after the other; the last one for good."""

    name = "server-2"

    def __init__(self, *answers: str | UnreachableError, remote: bool = True) -> None:
        self.remote = remote
        self._answers: Iterator[str | UnreachableError] = iter(answers)
        self._last: str | UnreachableError = AWAY
        self.scripts: list[str] = []

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        timeout_s: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        self.scripts.append(script)
        self._last = next(self._answers, self._last)
        if isinstance(self._last, UnreachableError):
            raise self._last
        return Output(0, self._last, "", 0.0)


@pytest.mark.parametrize(
    "answers",
    [
        ("new running",),
        ("old running", AWAY, "new running"),
        ("old stopping", AWAY, AWAY, "new starting", "new running"),
        (AWAY, "new starting", "new degraded"),
        # half an answer of a host on its way down
        ("", "new running"),
        # SELinux has relabelled its files, and it starts once more
        ("new stopping", AWAY, "newer starting", "newer running"),
    ],
)
def test_it_waits_until_another_boot_has_finished_starting(
    answers: tuple[str | UnreachableError, ...],
) -> None:
    host = Answers(*answers)
    restartrun.await_boot(host, "old", observer=Silent(), timeouts=QUICK)
    assert len(host.scripts) == len(answers)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (AWAY, "no connection"),
        ("old running", "still runs the same boot"),
        ("new starting", "still starting"),
        ("", "no better than: 0"),
    ],
)
def test_it_gives_up_and_says_what_it_saw(answer: str | UnreachableError, said: str) -> None:
    limits = Timeouts(retry_s=0.0, boot_s=0.0)
    with pytest.raises(HostError, match=said):
        restartrun.await_boot(Answers(answer), "old", observer=Silent(), timeouts=limits)


def test_a_connection_that_the_reboot_cuts_is_no_failure() -> None:
    host = Answers(AWAY, "old running", "new running")
    restartrun.reboot(host, "old", observer=Silent(), timeouts=QUICK)
    assert host.scripts[0] == restartrun.REBOOT
    assert host.scripts.count(restartrun.REBOOT) == 1


def reboot_script(
    folder: Path,
    boot_id: str | None,
    holder: tuple[int, str] | None,
    lock_at: str = "/run/sriovctl.lock",
) -> subprocess.CompletedProcess[str]:
    """Run it so that it only says something where it would reboot.

    :param folder: in which ``sh`` is the shell to use
    :param boot_id: that was looked at; None for the present one
    :param holder: pid that holds the lock of transactions, and when that began; None for no lock
    :param lock_at: where a host has its lock
    """
    lock = folder / "lock"
    places = dict.fromkeys(("/run/sriovctl.lock", "/var/run/sriovctl.lock"), f"{folder}/none")
    places[lock_at] = str(lock)
    now = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    if holder is not None:
        lock.symlink_to(f"{holder[0]}.{holder[1]}.{now}.2.transaction")
    # busybox would take its own reboot whatever stands in PATH
    harmless = restartrun.REBOOT.replace("systemctl reboot", "echo yes").replace(
        "else reboot", "else echo yes"
    )
    assert "reboot" not in harmless
    return subprocess.run(
        [folder / "sh", "-s", "--", boot_id or now],
        input=re.sub(r"(?<= )\S*/run/sriovctl\.lock", lambda at: places[at[0]], harmless),
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


NOBODY = 2**22
"""Above the kernel's largest pid (PID_MAX_LIMIT, include/linux/threads.h)."""
US = os.getpid(), Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("boot_id", "holder", "status", "said"),
    [
        (None, None, 0, "yes\n"),
        ("another", None, 0, ""),
        (None, US, 12, ""),
        (None, (NOBODY, "1"), 0, "yes\n"),
        (None, (os.getpid(), "1"), 0, "yes\n"),
    ],
    ids=["free", "restarted meanwhile", "at work", "a dead run's lock", "its pid is another's"],
)
def test_who_is_rebooted(
    tmp_path: Path,
    shell: str,
    boot_id: str | None,
    holder: tuple[int, str] | None,
    status: int,
    said: str,
) -> None:
    folder = shell_folder(shell, tmp_path)
    if folder is None:
        pytest.skip(f"no {shell} here")
    done = reboot_script(folder, boot_id, holder)
    assert (done.returncode, done.stdout) == (status, said)
    assert bool(done.stderr) == bool(status)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_without_run_has_its_lock_elsewhere(tmp_path: Path, shell: str) -> None:
    """As CentOS 6."""
    folder = shell_folder(shell, tmp_path)
    if folder is None:
        pytest.skip(f"no {shell} here")
    assert reboot_script(folder, None, US, "/var/run/sriovctl.lock").returncode == 12


@pytest.mark.parametrize("shell", SHELLS)
def test_a_run_that_has_ended_is_not_at_work(tmp_path: Path, shell: str) -> None:
    """Though nobody has asked for its exit status yet."""
    folder = shell_folder(shell, tmp_path)
    if folder is None:
        pytest.skip(f"no {shell} here")
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        began = Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()[19]
        assert reboot_script(folder, None, (ended.pid, began)).stdout == "yes\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_without_systemd_the_services_that_upstart_starts_are_waited_for(
    tmp_path: Path, shell: str
) -> None:
    folder = shell_folder(shell, tmp_path)
    if folder is None:
        pytest.skip(f"no {shell} here")
    script = restartrun.STATE.replace("/run/systemd/system", str(tmp_path / "none"))
    for said, state in (
        ("echo rc start/running, process 1234", "starting"),
        ("echo rc stop/waiting", "running"),
        ("exit 127", "running"),
    ):
        (folder / "initctl").write_text(f"#!/bin/sh\n{said}\n")
        (folder / "initctl").chmod(0o755)
        done = subprocess.run(
            [folder / "sh", "-s"],
            input=script,
            env={"PATH": f"{folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        assert done.stdout.split()[1:] == [state]


def test_this_machine_is_not_waited_for() -> None:
    host = Answers("", remote=False)
    with pytest.raises(DiffersError, match="reboots now"):
        restartrun.reboot(host, "old", observer=Silent(), timeouts=QUICK)
