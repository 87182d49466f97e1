"""A picture on disk: SVG as it is, or a PNG of it where its file's name asks for one."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from sriovctl.errors import UsageError

FONTS = ("DejaVu Sans", "Liberation Sans", "Noto Sans", "Arial", "Helvetica", "Ubuntu", "Cantarell")
"""The first one that is here is the PNG's; resvg knows no fonts by what they are like."""
ZOOM = 2
"""So that it is sharp on a page, and on paper."""
SAMPLE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    '<text y="9" style="font:9px sans-serif">0</text></svg>'
)


def check(file: str | None) -> None:
    """Whether a picture can be written as that file's name says, before anything is measured.

    :raises UsageError: no PNG can be made here
    """
    if file is not None and _is_png(file):
        _font()


def write(file: str, svg: str) -> None:
    """A picture, where the user wants it.

    :raises UsageError: it cannot be written there, or no PNG can be made here
    """
    data = _png(svg) if _is_png(file) else svg.encode()
    try:
        Path(file).write_bytes(data)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}", "", "name another file") from (
            error
        )


def _is_png(file: str) -> bool:
    return Path(file).suffix.lower() == ".png"


def _png(svg: str) -> bytes:
    data: bytes = _resvg().svg_to_bytes(svg_string=svg, zoom=ZOOM, sans_serif_family=_font())
    return data


def _font() -> str:
    """A font that is here.

    :raises UsageError: there is none, and words would be left out without a word
    """
    draw = _resvg().svg_to_bytes
    blank = draw(svg_string=SAMPLE, skip_system_fonts=True)
    for name in FONTS:
        if draw(svg_string=SAMPLE, sans_serif_family=name) != blank:
            return name
    raise UsageError(
        f"a PNG needs one of the fonts {', '.join(FONTS)}",
        "none is here, so the picture would have no words",
        "install one, as: apt-get install fonts-dejavu-core; or name a file.svg",
    )


def _resvg() -> Any:
    """The library that draws it, an extra that not everybody needs.

    :raises UsageError: it is not installed
    """
    try:
        return import_module("resvg_py")
    except ImportError:
        raise UsageError(
            "a PNG needs resvg-py, which is not installed",
            "pictures are SVG",
            "pip install 'sriovctl[png]', or name a file.svg",
        ) from None
