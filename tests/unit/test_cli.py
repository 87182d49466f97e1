"""What the whole program does with its output, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SRIOVCTL = (sys.executable, "-m", "sriovctl.cli")
TIMEOUT_S = 60


def test_a_full_disk_is_told_without_a_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*SRIOVCTL, "schema"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("sriovctl: ")
    assert "No space left" in line


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("def run(a): print('x' * 100_000); return 0", 1),
        # what is still to be written when an error ends it
        ("def run(a): print('x'); raise SriovctlError('no')", 1),
    ],
)
def test_nobody_who_reads_is_no_traceback(program: str, code: int) -> None:
    script = (
        "import sys, time\nfrom sriovctl import cli, verbs\n"
        f"from sriovctl.errors import SriovctlError\n{program}\n"
        "verbs.schema = run\nsys.stdin.read()\nsys.exit(cli.main(['schema']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    process.stdin.close()
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.wait(TIMEOUT_S) == code
    process.stderr.close()
    assert said in ("", "sriovctl: no\n")


def test_a_terminal_that_lacks_letters_gets_help_too() -> None:
    done = subprocess.run(
        [*SRIOVCTL, "apply", "--help"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "300"},
        capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "$1, $2, \\u2026" in done.stdout
