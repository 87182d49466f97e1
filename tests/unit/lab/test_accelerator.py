"""Hardware KVM is tried; one that hangs is not tried again before the next boot."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from sriovctl.lab import accelerator
from sriovctl.lab.accelerator import Accelerator
from sriovctl.lab.progress import Progress

HANGS, DIES, RUNS = "exec sleep 60", "echo no KVM >&2; exit 1", "exit 67"


class Machine:
    """A stand-in for QEMU that counts its starts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "qemu"
        self._starts = folder / "starts"
        self._told = io.StringIO()

    def does(self, line: str) -> None:
        self.path.write_text(f"#!/bin/sh\necho >>{self._starts}\n{line}\n")
        self.path.chmod(0o755)

    def choose(self) -> Accelerator:
        return accelerator.choose(str(self.path), Progress(self._told))

    @property
    def told(self) -> str:
        """What was told of them."""
        return self._told.getvalue()

    @property
    def starts(self) -> int:
        return len(self._starts.read_text().splitlines())


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("SRIOVCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SRIOVCTL_LAB_TIMEOUT_KVM", "0.5")
    monkeypatch.setattr(accelerator, "_KVM", tmp_path)
    monkeypatch.setattr(accelerator, "_nests", lambda: True)
    return Machine(tmp_path)


def test_one_that_hangs_is_tried_once(qemu: Machine) -> None:
    qemu.does(HANGS)
    assert qemu.choose().name == qemu.choose().name == "tcg"
    assert qemu.starts == 1
    assert qemu.told.count("tried: done") == 1
    assert "did not run; that is remembered" in qemu.choose().reason


def test_after_a_boot_or_with_another_qemu_it_is_tried_again(
    qemu: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qemu.does(HANGS)
    qemu.choose()
    (tmp_path / "boot_id").write_text("another\n")
    monkeypatch.setattr(accelerator, "_BOOT_ID", tmp_path / "boot_id")
    qemu.choose()
    assert qemu.starts == 2
    other = Machine(tmp_path / "cache")
    other.does(HANGS)
    other.choose()
    assert other.starts == 1


@pytest.mark.parametrize(("line", "name"), [(DIES, "tcg"), (RUNS, "kvm")])
def test_what_is_seen_at_once_is_tried_each_time(qemu: Machine, line: str, name: str) -> None:
    qemu.does(line)
    assert qemu.choose().name == qemu.choose().name == name
    assert qemu.starts == 2


def test_a_broken_memory_is_none(qemu: Machine, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/kvm-hangs.json").write_text("{")
    qemu.does(HANGS)
    qemu.choose()
    assert qemu.starts == 1


def test_without_kvm_nothing_is_tried(
    qemu: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "_KVM", tmp_path / "none")
    assert "no /dev/kvm" in qemu.choose().reason
    assert qemu.told == ""
