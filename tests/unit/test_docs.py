"""What the pages say is so: their links lead somewhere, their rack files load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sriovctl.errors import RackError
from sriovctl.rackfile import load

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def rack_files() -> list[tuple[str, str]]:
    return [
        (f"{names(page)} block {number}", text)
        for page in PAGES
        for number, (kind, text) in enumerate(BLOCK.findall(page.read_text("utf-8")))
        if kind == "yaml" and re.search("^hosts:", text, re.MULTILINE) and "slips" not in text
    ]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in rack_files()])
def test_rack_files_load(tmp_path: Path, text: str) -> None:
    (tmp_path / "rack.yaml").write_text(text, "utf-8")
    for vm in re.findall(r"domain: (\S+)\.xml", text):
        (tmp_path / f"{vm}.xml").write_text(f"<domain><name>{vm}</name></domain>")
    load(tmp_path / "rack.yaml")


def test_the_errors_that_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "rack-file.md").read_text("utf-8"))
    at = next(number for number, (_, text) in enumerate(blocks) if "slips" in text)
    monkeypatch.chdir(tmp_path)
    Path("rack.yaml").write_text(blocks[at][1], "utf-8")
    with pytest.raises(RackError) as caught:
        load(Path("rack.yaml"))
    assert caught.value.found + "\n" == blocks[at + 1][1]
