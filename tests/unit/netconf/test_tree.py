"""The tree of tools is made once, whole, and leaves nothing half made."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sriovctl.errors import SriovctlError
from sriovctl.lab import debian
from tests.unit.netconf import tree


class Archive:
    """In place of mmdebstrap."""

    def __init__(self) -> None:
        self.made: list[Path] = []
        self.works = True

    def bootstrap(self, root: Path, packages: Iterable[str], log: Path, *options: str) -> None:
        self.made.append(root)
        (root / "usr").mkdir(parents=True)
        time.sleep(0.1)  # the other one comes meanwhile
        if not self.works:
            raise SriovctlError("the archive is away", "none")
        (root / "whole").touch()


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Archive:
    archive = Archive()
    monkeypatch.setenv("SRIOVCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(debian, "bootstrap", archive.bootstrap)
    monkeypatch.setattr(debian, "need", lambda tools, what: None)
    return archive


def trees(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").iterdir() if path.is_dir())


def test_two_at_once_make_it_once(archive: Archive, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: tree.ensure(), range(2))
    assert one == other
    assert (one / "whole").exists()
    assert len(archive.made) == 1
    assert trees(tmp_path) == [one.name]


def test_what_fails_leaves_nothing_and_is_tried_again(archive: Archive, tmp_path: Path) -> None:
    archive.works = False
    with pytest.raises(SriovctlError):
        tree.ensure()
    assert trees(tmp_path) == []
    archive.works = True
    assert (tree.ensure() / "whole").exists()


def test_what_a_killed_build_left_goes_and_so_do_old_ones(archive: Archive, tmp_path: Path) -> None:
    for place, name in enumerate(("net-tools.new-x", "net-tools-1", "net-tools-2", "net-tools-3")):
        (tmp_path / "cache" / name).mkdir(parents=True)
        os.utime(tmp_path / "cache" / name, (place, place))
    made = tree.ensure()
    assert trees(tmp_path) == sorted(["net-tools-3", made.name])


def test_other_packages_are_another_tree() -> None:
    assert tree.key() == tree.key()
    assert tree.key(("one", "two")) != tree.key(("one",))
