"""The recipe: its key, and its packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriovctl.lab.image import RECIPE, packages, recipe_key


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    folder = tmp_path / "recipe"
    (folder / "root/etc").mkdir(parents=True)
    (folder / "packages.txt").write_text("# what\none\n\ntwo\n")
    (folder / "root/etc/fstab").write_text("x\n")
    return folder


def test_key_is_stable_and_sees_every_change(recipe: Path) -> None:
    keys = [recipe_key(recipe), recipe_key(recipe)]
    assert keys[0] == keys[1]
    (recipe / "root/etc/fstab").write_text("y\n")
    keys.append(recipe_key(recipe))
    (recipe / "root/etc/fstab").rename(recipe / "root/etc/mtab")
    keys.append(recipe_key(recipe))
    (recipe / "root/etc/fstab").symlink_to("/dev/null")
    keys.append(recipe_key(recipe))
    (recipe / "root/etc/fstab").unlink()
    (recipe / "root/etc/fstab").symlink_to("/dev/zero")
    keys.append(recipe_key(recipe))
    assert len(set(keys[1:])) == 5


def test_key_sees_the_builder(recipe: Path, tmp_path: Path) -> None:
    builder = tmp_path / "image.py"
    builder.write_text("1")
    one = recipe_key(recipe, [builder])
    builder.write_text("2")
    assert recipe_key(recipe, [builder]) != one


def test_packages_without_comments(recipe: Path) -> None:
    assert packages(recipe) == ["one", "two"]
    assert "libvirt-daemon-system" in packages(RECIPE)
