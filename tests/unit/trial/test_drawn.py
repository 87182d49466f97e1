"""A picture on disk: as SVG, as PNG, or a word before anything is measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sriovctl.errors import UsageError
from sriovctl.trial import drawn

PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="20">'
    '<style>text{{font:12px sans-serif}}</style><text y="15">{}</text></svg>'
)


def test_svg_is_written_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    drawn.check(str(file))
    drawn.write(str(file), PICTURE.format("é"))
    assert file.read_text("utf-8") == PICTURE.format("é")
    drawn.check(None)


def test_a_png_has_the_words_too(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    seen = set()
    for words in ("", "VM-2", "VM-3"):
        file = tmp_path / f"a{words}.PNG"
        drawn.check(str(file))
        drawn.write(str(file), PICTURE.format(words))
        data = file.read_bytes()
        assert data.startswith(b"\x89PNG\r\n")
        assert int.from_bytes(data[16:20], "big") == 100 * drawn.ZOOM
        seen.add(data)
    assert len(seen) == 3


def test_without_any_font_it_is_said_and_nothing_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resvg_py")
    monkeypatch.setattr(drawn, "FONTS", ("No Such Font",))
    with pytest.raises(UsageError, match="No Such Font"):
        drawn.check("a.png")


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(UsageError, match=r"sriovctl\[png\]"):
        drawn.check("a.png")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        drawn.write(str(tmp_path / "no" / "a.svg"), PICTURE.format(""))
