"""Results are found again, the latest first, whatever things are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriovctl.errors import UsageError
from sriovctl.trial import store


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["VM-2", "..", ".", "a/../b", "机房", "two words"])
def test_a_result_is_found_again_within_the_folder(state: Path, name: str) -> None:
    document = {"date": store.now(), "vm": name}
    path = store.keep("failover", name, name, document)
    assert path.resolve().is_relative_to(state / "sriovctl" / "trials")
    assert len(path.relative_to(state / "sriovctl" / "trials").parts) == 4
    assert store.last("failover", name, name) == document
    assert store.last("bench", name, name) is None


def test_the_latest_that_can_be_read_counts() -> None:
    for day in (9, 10, 8):
        store.keep("bench", "rack", "VM-2", {"date": f"2026-11-{day:02}T00:00:00+00:00"})
    newest = store.last("bench", "rack", "VM-2")
    assert newest == {"date": "2026-11-10T00:00:00+00:00"}
    broken = store.place("bench", "rack", "VM-2") / "2027-01-01T00%3A00%3A00%2B00%3A00.json"
    broken.write_text("{")
    assert store.last("bench", "rack", "VM-2") == newest


def test_a_folder_that_cannot_be_is_said(state: Path) -> None:
    (state / "sriovctl").write_text("a file")
    with pytest.raises(UsageError, match="cannot make"):
        store.keep("bench", "rack", "VM-2", {"date": store.now()})
