"""A host of files for each shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.probe.tree import Tree
from tests.unit.shells import SHELLS, shell_folder


@pytest.fixture(params=SHELLS)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    """An empty host; the probe looks at it with one of the shells it must run under."""
    shell = shell_folder(request.param, tmp_path / "shell")
    if shell is None:
        pytest.skip(f"no {request.param} here")
    (tmp_path / "host").mkdir()
    return Tree(tmp_path / "host", shell)
