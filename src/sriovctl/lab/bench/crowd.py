"""Many sshd on the loopback interface, each a host for whoever logs in, and the way to them."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.shell import command

SSHD_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin"
START_S = 60.0
FIRST_PORTS = range(20_000, 60_000, 1000)


@dataclass(frozen=True)
class Crowd:
    """Hosts that listen, on ports one after the other."""

    folder: Path
    first: int
    count: int

    @property
    def config(self) -> Path:
        """For ssh."""
        return self.folder / "ssh_config"

    @property
    def key(self) -> Path:
        """The private key that is let in."""
        return self.folder / "key"

    @property
    def known_hosts(self) -> Path:
        """With a line for each host."""
        return self.folder / "known_hosts"

    def rack(self, hosts: int) -> Path:
        """A rack file of so many of them, one entry."""
        path = self.folder / f"rack-{hosts}.yaml"
        start = f"{self.first:05}"
        path.write_text(
            f"hosts:\n  host-[{start}-{self.first + hosts - 1:05}]:\n    address: 127.0.0.1\n"
            f"    port: '[{start}-{self.first + hosts - 1}]'\n    user: root\n"
            "    pfs: {em1: 7, em2: 7}\n"
        )
        return path

    def inventory(self) -> Path:
        """The same for Ansible."""
        path = self.folder / "hosts"
        lines = [
            f"host-{port} ansible_host=127.0.0.1 ansible_port={port} ansible_user=root"
            for port in range(self.first, self.first + self.count)
        ]
        path.write_text("\n".join(lines) + "\n")
        return path


@contextlib.contextmanager
def crowd(folder: Path, count: int) -> Iterator[Crowd]:
    """So many sshd, for as long as they are wanted.

    :raises UsageError: there is no sshd here
    :raises SriovctlError: one does not start
    """
    sshd = shutil.which("sshd", path=SSHD_PATH)
    if sshd is None:
        raise UsageError("no sshd here", "each host of the measure is one", "make setup")
    here = Crowd(folder, _free(count), count)
    for name in ("host_key", "key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd asks for it when it is root
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1\nHostKey {folder / 'host_key'}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {here.key}.pub\nStrictModes no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\n"
    )
    public = (folder / "host_key.pub").read_text()
    ports = range(here.first, here.first + count)
    here.known_hosts.write_text("".join(f"[127.0.0.1]:{port} {public}" for port in ports))
    here.config.write_text(
        f"Host *\n User root\n IdentityFile {here.key}\n UserKnownHostsFile {here.known_hosts}\n"
        " StrictHostKeyChecking yes\n"
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        for port in ports:
            words = [sshd, "-D", "-f", str(config), "-p", str(port)]
            started.append(subprocess.Popen(words, stderr=subprocess.DEVNULL))
        for port, process in zip(ports, started, strict=True):
            _await_listener(port, process, command(*words, "-e"))
        yield here
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def _free(count: int) -> int:
    """The first of so many ports of which none is taken."""
    for first in FIRST_PORTS:
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + count):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise SriovctlError(f"no {count} free ports in a row")


def _await_listener(port: int, process: subprocess.Popen[bytes], by_hand: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise SriovctlError(f"no sshd on port {port}", "", f"see why: {by_hand}")
        time.sleep(0.01)
