"""Where trees are cached, and the mirror that is taken from apt."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriovctl.errors import SriovctlError
from sriovctl.lab.debian import archive_uri, cache_folder


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
