"""Runs the tests of remote hosts in a process of their own.

``sriovctl.fleet`` makes the whole process's sockets and threads gevent's; no other test should get
that. The tests themselves are in ``remote.py``, for one host, and ``room.py``, for many.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TIMEOUT_S = 900.0
"""Against a test that hangs."""


@pytest.mark.parametrize("file", ["remote.py", "room.py"])
def test_remote_hosts(file: str) -> None:
    if shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None:
        pytest.skip("no sshd here: install openssh-server (scripts/setup does)")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:anyio",
            file,
        ],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
