"""The lab's folder and lock."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.lab import state
from sriovctl.lab.state import Lab
from sriovctl.lab.timeouts import DEFAULTS, seconds


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRIOVCTL_LAB_STATE", str(tmp_path))
    return tmp_path


def test_what_is_saved_is_found(root: Path) -> None:
    ports = {"server-1": 1, "server-2": 2}
    lab = Lab("l", (1, 2), "tcg", "why", "/i", ports, "idrac9", {"server-2": 3}, cuts=("switch-1",))
    (root / "l").mkdir()
    lab.save()
    assert state.find("l") == lab
    assert state.lab_names() == ["l"]
    assert [server.name for server in lab.servers] == ["server-1", "server-2"]
    assert [server.name for server in lab.servers if lab.has_bmc(server)] == ["server-2"]


def test_unknown_lab_names_those_that_are_up(root: Path) -> None:
    (root / "other").mkdir()
    Lab("other", (2,), "tcg", "", "", {}).save()
    with pytest.raises(UsageError, match="no lab 'l'") as caught:
        state.load("l")
    assert "other" in caught.value.means
    assert "sriovctl lab up --name l" in caught.value.mend


@pytest.mark.parametrize("text", ["", "{", "{}", json.dumps({"numbers": [2], "cuts": []})])
def test_broken_state_says_how_to_go_on(root: Path, text: str) -> None:
    (root / "l").mkdir()
    (root / "l/lab.json").write_text(text)
    with pytest.raises(SriovctlError, match="cannot be read") as caught:
        state.find("l")
    assert caught.value.mend == "sriovctl lab down --name l"


def test_lock_goes_with_the_lab(root: Path) -> None:
    with state.locked("l"):
        assert (root / ".l.lock").exists()
    assert list(root.iterdir()) == []


def test_second_waits_for_the_first(root: Path) -> None:
    order: list[str] = []
    asked = threading.Event()

    def tell() -> None:
        with state.locked("l", iter_events(asked)):
            order.append("second")

    with state.locked("l"):
        thread = threading.Thread(target=tell)
        thread.start()
        assert asked.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def iter_events(event: threading.Event):  # type: ignore[no-untyped-def]
    event.set()
    yield


def test_lock_held_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRIOVCTL_LAB_TIMEOUT_LOCK", "0.2")
    with (
        state.locked("l"),
        pytest.raises(SriovctlError, match="held by another"),
        state.locked("l"),
    ):
        pass


def test_timeouts_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds("boot") == DEFAULTS["boot"]
    monkeypatch.setenv("SRIOVCTL_LAB_TIMEOUT_BOOT", "7.5")
    assert seconds("boot") == 7.5
    monkeypatch.setenv("SRIOVCTL_LAB_TIMEOUT_BOOT", "soon")
    with pytest.raises(UsageError, match="soon"):
        seconds("boot")
