"""The lab's folder: what was started, and a lock so that two commands do not mix.

``<root>/<lab>/`` holds lab.json, the ssh key and configuration, and a folder a server.
The root is $SRIOVCTL_LAB_STATE, else /run/sriovctl-lab for root, else in $XDG_RUNTIME_DIR.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.lab import layout
from sriovctl.lab.layout import Server
from sriovctl.lab.timeouts import seconds


def state_root() -> Path:
    """The folder of all labs' folders; it may not exist yet."""
    if named := os.environ.get("SRIOVCTL_LAB_STATE"):
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/run/sriovctl-lab")
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "sriovctl-lab"
    raise UsageError(
        "no folder for the lab's state",
        "XDG_RUNTIME_DIR is not set and this is not root",
        "set SRIOVCTL_LAB_STATE to a folder of yours",
    )


def lab_names() -> list[str]:
    """Labs that have a folder, by name."""
    root = state_root()
    if not root.is_dir():
        return []
    return sorted(path.parent.name for path in root.glob("*/lab.json"))


@dataclass(frozen=True)
class Lab:
    """What `lab up` made. Times and processes are not in here: they are looked at."""

    name: str
    numbers: tuple[int, ...]
    accelerator: str
    reason: str
    image: str
    ssh_ports: dict[str, int]
    #: what the KVM hosts' BMCs are, idrac8 or idrac9; None where they have none
    personality: str | None = None
    #: server → port of its BMC's Redfish, and of its racadm shell
    redfish_ports: dict[str, int] = field(default_factory=dict)
    racadm_ports: dict[str, int] = field(default_factory=dict)
    #: "server-2/em1", "switch-1" or "interlink": what is cut now
    cuts: tuple[str, ...] = field(default=())

    @property
    def folder(self) -> Path:
        return state_root() / self.name

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(Server(number) for number in self.numbers)

    @property
    def namespace(self) -> str:
        return layout.namespace(self.name)

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    def server_folder(self, server: Server) -> Path:
        return self.folder / server.name

    def server(self, name: str) -> Server:
        """The server of that name.

        :raises UsageError: the lab has none
        """
        for server in self.servers:
            if server.name == name:
                return server
        known = ", ".join(server.name for server in self.servers)
        raise UsageError(f"lab {self.name} has no server {name!r}", mend=f"name one of {known}")

    def has_bmc(self, server: Server) -> bool:
        """Whether a BMC owns the server's power and BIOS: no server's, or every KVM host's."""
        return server.name in self.redfish_ports

    def with_cuts(self, cuts: set[str]) -> Lab:
        return replace(self, cuts=tuple(sorted(cuts)))

    def save(self) -> None:
        """Write lab.json in one move."""
        target = self.folder / "lab.json"
        draft = target.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(target)


def find(name: str) -> Lab | None:
    """The lab of that name, or None where there is none."""
    path = state_root() / layout.check_name(name) / "lab.json"
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise SriovctlError(
            f"cannot read {path}", "the lab belongs to another user", "run this as root"
        ) from None
    try:
        facts = json.loads(text)
        facts["numbers"] = tuple(facts["numbers"])
        facts["cuts"] = tuple(facts["cuts"])
        return Lab(**facts)
    except (ValueError, KeyError, TypeError) as error:
        raise SriovctlError(
            f"{path} cannot be read: {error}",
            "it was written by another version of sriovctl, or by hand",
            f"sriovctl lab down --name {name}",
        ) from None


def load(name: str) -> Lab:
    """The lab of that name.

    :raises UsageError: there is none
    """
    lab = find(name)
    if lab is None:
        others = lab_names()
        means = f"labs that are up: {', '.join(others)}" if others else "no lab is up"
        raise UsageError(f"there is no lab {name!r}", means, f"sriovctl lab up --name {name}")
    return lab


@contextmanager
def locked(name: str, waiting: Iterator[None] | None = None) -> Iterator[None]:
    """Hold the lab alone. The lock's file goes with the lab.

    :param waiting: advanced once when another process holds the lab (to say so)
    :raises SriovctlError: it was held for longer than the `lock` timeout
    """
    root = state_root()
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = root / f".{layout.check_name(name)}.lock"
    deadline = time.monotonic() + seconds("lock")
    told = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            if not told and waiting is not None:
                next(waiting, None)
                told = True
            if time.monotonic() > deadline:
                raise SriovctlError(
                    f"lab {name} is held by another command",
                    f"{path} stayed locked",
                    "wait for it, or raise SRIOVCTL_LAB_TIMEOUT_LOCK",
                ) from None
            # flock has no wait with a limit; nothing but asking again tells
            time.sleep(0.1)
            continue
        if _is_still(path, descriptor):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        if not (root / name).exists():
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the locked file is the one under that name (the last holder may have removed it)."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
