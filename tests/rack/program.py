"""The program as a person runs it: the command line, its exit code and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.rack.conftest import Done, Rack

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = [sys.executable, "-m", "sriovctl.cli"]


def environment(rack: Rack) -> dict[str, str]:
    """What a person exports after ``sriovctl lab up``."""
    return {**os.environ, "SRIOVCTL_SSH_CONFIG": str(rack.ssh_config), "COLUMNS": "200"}


def sriovctl(rack: Rack, *words: str | Path, expect: int | None = 0) -> Done:
    """Run one command line.

    :param expect: the exit code that it must have; None for any
    """
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        env=environment(rack),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert expect is None or done.returncode == expect, said
    assert "Traceback" not in done.stderr, said
    return done


def start(rack: Rack, *words: str | Path) -> subprocess.Popen[str]:
    """The same, while it runs; its standard output is a pipe."""
    return subprocess.Popen(
        [*COMMAND, *map(str, words)],
        env=environment(rack),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rack_file(folder: Path, hosts: dict[str, Any], vms: dict[str, Any] | None = None) -> Path:
    """A rack file of a test's own, with the guide's VMs' domain files beside it."""
    path = folder / "rack.yaml"
    link = folder / "machine-room"
    if not link.exists():
        link.symlink_to(EXAMPLES / "machine-room")
    with path.open("w") as stream:
        YAML().dump({"rack": "test", "hosts": hosts, "vms": vms or {}}, stream)
    return path


def server_2(em1: Any, em2: Any) -> dict[str, Any]:
    """``hosts:`` for server-2, a count or a mapping for each port."""
    return {"server-2": {"pfs": {"em1": em1, "em2": em2}}}
