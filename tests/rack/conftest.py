"""The rack for tests: one lab for the whole run, removed at its end.

SRIOVCTL_TEST_LAB names it (default: one of this run's own); with SRIOVCTL_KEEP_LAB=1 a lab
of that name that is up is used as it is, and stays.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sriovctl.lab import access, cables, guest, layout, lifecycle, power, state, switches
from sriovctl.lab.progress import Progress, to_stderr
from sriovctl.lab.state import Lab

HERE = Path(__file__).parent
Done = subprocess.CompletedProcess[str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the rack."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.rack)


@dataclass
class Rack:
    """A lab that is up, and what a person would do with it."""

    name: str
    progress: Progress

    @property
    def lab(self) -> Lab:
        """The lab as it is now."""
        return state.load(self.name)

    @property
    def ssh_config(self) -> Path:
        return self.lab.ssh_config

    def ssh(self, server: str, command: str, text: str | None = None) -> Done:
        """Run a line of shell in a server as root.

        :param text: standard input
        """
        return access.run(self.lab, self.lab.server(server), ["sh", "-c", command], text)

    def must(self, server: str, command: str, text: str | None = None) -> str:
        """The same, where failing fails the test; gives its output without the last newline."""
        done = self.ssh(server, command, text)
        assert done.returncode == 0, f"{server}: {command}\n{done.stdout}{done.stderr}"
        return done.stdout.rstrip("\n")

    def guest(self, vm: str, command: str) -> Done:
        """Run a line of shell inside a VM, by its agent; waits until the agent answers."""
        return guest.run(self.lab, vm, [command], patient=True)

    def ping(self, address: str, count: int = 3, interval_s: float = 0.2) -> Done:
        """Ping from the switch; the exit code says whether anything answered."""
        command = ["ping", "-n", "-c", str(count), "-i", str(interval_s), "-W", "2", address]
        return self.inside(command)

    def answers(self, address: str, within_s: int = 120) -> Done:
        """Ping from the switch until the first answer; the exit code says whether there was one.

        After a bond's change of legs a switch keeps sending a silent VM's frames to the old port
        until the VM has said something: the first pings may well be lost.
        """
        return self.inside(["ping", "-n", "-c", "1", "-w", str(within_s), address])

    def inside(self, command: list[str]) -> Done:
        """Run a command in the lab's own network namespace, at 10.8.0.254."""
        return subprocess.run(
            switches.inside(self.lab.namespace, command),
            capture_output=True,
            text=True,
            check=False,
        )

    def cut(self, what: str, port: str | None = None) -> None:
        """Cut `server-2`'s `em1`, or `switch-1`, or `interlink`."""
        cables.cut(self.name, cables.target(self.lab, what, port))

    def mend(self) -> None:
        """Mend all that is cut."""
        cables.mend(self.name, None)

    def power(self, server: str, order: str, graceful: bool = False) -> None:
        """Power button: `on`, `off`, `reset`; on and reset wait for the boot."""
        power.press(self.name, self.lab.server(server), order, graceful, self.progress)

    def reboot(self, server: str) -> str:
        """Reboot in good order and wait; gives the new boot's id."""
        return power.reboot(self.lab, self.lab.server(server), self.progress)


@pytest.fixture(scope="session")
def rack() -> Iterator[Rack]:
    """The run's lab, booted."""
    if os.geteuid() != 0:
        pytest.fail("the virtual rack needs root: sudo make test", pytrace=False)
    keep = os.environ.get("SRIOVCTL_KEEP_LAB") == "1"
    name = os.environ.get("SRIOVCTL_TEST_LAB", f"test-{os.getpid()}")
    progress = to_stderr()
    lifecycle.up(name, count=1, peer=False, wait=True, progress=progress)
    try:
        yield Rack(name, progress)
    finally:
        if not keep:
            take_down(name, progress)


def take_down(name: str, progress: Progress) -> None:
    """Remove a lab, and see that nothing of it is left."""
    processes = [*lifecycle.processes(name), *lifecycle.bmc_processes(name)]
    lifecycle.down(name, progress)
    left = [f"process {process.pid}" for process in processes if process.alive()]
    if switches.exists(layout.namespace(name)):
        left.append(f"namespace {layout.namespace(name)}")
    left += [str(path) for path in state.state_root().glob(f"*{name}*")]
    assert not left, f"lab {name} left something behind: {', '.join(left)}"
