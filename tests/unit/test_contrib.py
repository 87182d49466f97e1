"""What is handed out beside the program fits it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from sriovctl.cli import parser

CONTRIB = Path(__file__).parents[2] / "contrib"
UNITS = sorted((CONTRIB / "systemd").iterdir())


def test_systemd_takes_the_units() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *UNITS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_timer_runs_a_command_that_there_is() -> None:
    (service,) = (unit for unit in UNITS if unit.suffix == ".service")
    lines = service.read_text().splitlines()
    (start,) = (line for line in lines if line.startswith("ExecStart="))
    env, program, *words = shlex.split(start.partition("=")[2])
    assert (env, program) == ("/usr/bin/env", "sriovctl")
    arguments = parser().parse_args(words)
    assert arguments.unnoticed
    assert arguments.limit == ["%I"]
