"""The recipe's key, and the mirror that is taken from apt."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriovctl.errors import SriovctlError
from sriovctl.lab.image import RECIPE, archive_uri, cache_folder, packages, recipe_key


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
    one = recipe_key(recipe, builder)
    builder.write_text("2")
    assert recipe_key(recipe, builder) != one


def test_packages_without_comments(recipe: Path) -> None:
    assert packages(recipe) == ["one", "two"]
    assert "libvirt-daemon-system" in packages(RECIPE)


def test_cache_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.delenv("SRIOVCTL_CACHE", raising=False)
    assert cache_folder() == Path("/x/sriovctl")
    monkeypatch.setenv("SRIOVCTL_CACHE", "/y")
    assert cache_folder() == Path("/y")


def apt(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        (tmp_path / name.replace("__", "/").replace("_list", ".list")).write_text(text)
    return tmp_path


def test_mirror_from_deb822(tmp_path: Path) -> None:
    text = (
        "Types: deb\nURIs: http://other/x\nSuites: a\n\nTypes: deb\n# c\nURIs: http://m/debian/\n"
    )
    etc = apt(tmp_path)
    (etc / "sources.list.d/debian.sources").write_text(text)
    assert archive_uri(etc) == "http://m/debian"


def test_disabled_stanza_is_passed_over(tmp_path: Path) -> None:
    etc = apt(tmp_path)
    (etc / "sources.list.d/a.sources").write_text(
        "Enabled: no\nURIs: http://no/debian\n\nURIs: http://yes/debian\n"
    )
    assert archive_uri(etc) == "http://yes/debian"


def test_mirror_from_one_line_format(tmp_path: Path) -> None:
    etc = apt(tmp_path)
    (etc / "sources.list").write_text(
        "# deb http://no/debian x main\ndeb [arch=amd64] http://m/debian bookworm main\n"
    )
    assert archive_uri(etc) == "http://m/debian"


def test_no_mirror_is_an_error_with_a_mend(tmp_path: Path) -> None:
    with pytest.raises(SriovctlError, match="no Debian mirror") as caught:
        archive_uri(apt(tmp_path))
    assert caught.value.mend
