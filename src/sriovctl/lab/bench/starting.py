"""How long the command line takes to start, against the interpreter that it starts in."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from sriovctl.errors import SriovctlError
from sriovctl.lab.bench.figures import Comparison, Series

ROUNDS = 15
"""Each takes some 50 ms, so more of them than of what takes seconds."""
AIM = 4.0


def measure() -> Comparison:
    """``sriovctl --help`` against ``python3 -c pass`` of the same interpreter, in turns.

    :raises SriovctlError: sriovctl is not installed beside this interpreter, or fails
    """
    program = Path(sys.executable).with_name("sriovctl")
    if not program.exists():
        raise SriovctlError(f"there is no {program}", "", "make setup")
    ours = [str(program), "--help"]
    other = [sys.executable, "-c", "pass"]
    for command in (ours, other):
        _seconds(command)
    taken = [(_seconds(ours), _seconds(other)) for _ in range(ROUNDS)]
    return Comparison(
        Series("sriovctl --help", tuple(first for first, _ in taken)),
        Series("python3 -c pass", tuple(second for _, second in taken)),
        "ms",
        AIM,
    )


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SriovctlError(f"{' '.join(command)} ended with {done.returncode}")
    return seconds
