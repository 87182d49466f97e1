"""What the pages say is so: links lead somewhere, rack files load, commands are the program's."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from sriovctl.cli import parser
from sriovctl.errors import RackError
from sriovctl.rackfile import load

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"^ *(?:\$ )?(sriovctl .*)$|`(sriovctl [^`]+)`", re.MULTILINE)
PLACEHOLDER = re.compile(r"[A-Z]{3,}|…|\.\.\.|\[[^\d]|\\\|")
"""``RACK``, ``[--json]``, ``on\\|off``: more than one command."""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def headings(page: Path) -> set[str]:
    """As links name them."""
    text = BLOCK.sub("", page.read_text("utf-8"))
    found = [line.lower() for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w -]", "", line).replace(" ", "-") for line in found}


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_to_a_heading_lead_there(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text("utf-8"))
    targets = [(page.parent / link if link else page, heading) for link, heading in links]
    assert [heading for target, heading in targets if heading not in headings(target)] == []


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


def verbs_of(
    verb: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every verb with its parser, the program itself first."""
    yield words, verb
    for action in verb._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from verbs_of(below, (*words, word))


VERBS = dict(verbs_of(parser()))


def commands_of(page: Path) -> list[tuple[str, bool]]:
    """What stands there as a command, and whether it stands on a line of its own."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    return [(alone or within, bool(alone)) for alone, within in COMMAND.findall(text)]


def words_of(command: str) -> list[str]:
    """Up to a comment, a pipe, or the next command."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|><")
    lexer.whitespace_split = True
    words = list(lexer)[1:]
    ends = [place for place, word in enumerate(words) if set(word) <= set(";&|><")]
    return words[: min(ends, default=len(words))]


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_commands_are_the_programs(page: Path) -> None:
    for command, alone in commands_of(page):
        words = words_of(command)
        verb = max((one for one in VERBS if list(one) == words[: len(one)]), key=len)
        assert verb or words[0].startswith("-"), command
        known = {name for action in VERBS[verb]._actions for name in action.option_strings}
        named = {word.partition("=")[0].strip("[]") for word in words if re.match(r"\[?--", word)}
        assert named <= known, command
        if alone and not PLACEHOLDER.search(command):
            parser().parse_args(words)


def test_every_verb_and_every_option_stands_on_a_page() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    for words, verb in VERBS.items():
        assert " ".join(("sriovctl", *words)) in text
        options = [action.option_strings for action in verb._actions if action.option_strings]
        unsaid = [
            either
            for either in options
            if not any(re.search(rf"(?<![\w-]){name}(?![\w-])", text) for name in either)
        ]
        assert [either for either in unsaid if "--help" not in either] == [], words


def test_every_page_and_example_is_linked_and_what_is_beside_is_named() -> None:
    links = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in LINK.findall(page.read_text("utf-8"))
    }
    assert [names(path) for path in (*PAGES, *EXAMPLES) if path not in links] == []
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    beside = [names(path) for path in (ROOT / "contrib").rglob("*") if path.is_file()]
    assert [name for name in beside if name.partition("@")[0] not in text] == []


def test_both_readmes_say_the_same() -> None:
    english, chinese = (
        (ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md")
    )
    blocks = [[text for _, text in BLOCK.findall(page)] for page in (english, chinese)]
    assert re.sub(r"#.*", "", blocks[0][0]) == re.sub(r"#.*", "", blocks[1][0])
    assert blocks[0][1:] == blocks[1][1:]
    verbs = re.compile(r"^\| `(sriovctl .+?)` \|", re.MULTILINE)
    assert verbs.findall(english) == verbs.findall(chinese)
    for what in (LINK, re.compile(r"^(#+)", re.M)):
        said = [sorted(what.findall(page)) for page in (english, chinese)]
        said = [[one for one in found if not one.startswith("README")] for found in said]
        assert said[0] == said[1]
