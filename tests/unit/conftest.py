"""Fixtures that several tests of running scripts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.shells import SHELLS, Machine, shell_folder


@pytest.fixture(params=SHELLS)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    """A host of its own, once for each shell that scripts must run under."""
    shells = shell_folder(request.param, tmp_path / "shell")
    if shells is None:
        pytest.skip(f"no {request.param} here")
    (tmp_path / "world").mkdir()
    return Machine(tmp_path, shells)


@pytest.fixture
def files(machine: Machine) -> list[Path]:
    """Five files that say "old"."""
    paths = [machine.world / f"file{number}" for number in range(1, 6)]
    for path in paths:
        path.write_text("old\n")
    return paths


@pytest.fixture(autouse=True)
def plain_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What rich draws follows the test, not the terminal or the machine that runs it."""
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
