"""A test that needs mounts of its own skips where there are none, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.namespaces import why_no_mounts

SAID = "unshare: cannot change root filesystem propagation: Invalid argument"


@pytest.mark.parametrize(
    ("program", "why"), [(None, "no unshare here"), (f"echo '{SAID}' >&2; exit 1", SAID), ("", "")]
)
def test_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None, why: str
) -> None:
    if program is not None:
        stub = tmp_path / "unshare"
        stub.write_text(f"#!/bin/sh\n{program}\n")
        stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_no_mounts("--net") == why
