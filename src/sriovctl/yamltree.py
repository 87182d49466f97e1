"""YAML text into plain values, with the place of every key.

ruamel.yaml composes the nodes; they are not constructed, so nothing in a file can make an object,
and on and off stay text as YAML 1.2 has it. An alias is copied, within a bound.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

MOST_NODES = 200_000
"""Keys and values in one file with its aliases written out: some 20,000 VMs."""
LONGEST_NUMBER = 40
"""Characters; nothing that a rack file counts comes near."""
NUMBER_BASES = {"0x": 16, "0o": 8, "0b": 2}
_TAG = "tag:yaml.org,2002:"
_PLAIN = ("str", "timestamp", "value")
_COMMON_SLIPS = (
    ("character '\\t'", "a tab: YAML takes blanks only"),
    ("mapping values are not allowed", "a colon where none fits: indent as above, or quote"),
    ("expected <block end>", "this line fits none of the indents above"),
    ("found unexpected end of stream", "the file ends inside quotes or brackets"),
    ("could not find expected ':'", "a key without a colon after it"),
    ("found another document", "a second document: a rack file is one"),
    ("that cannot start any token", "a value that begins with this character needs quotes"),
)

Place = tuple[str | int, ...]
"""Keys and list places from the top of the file down."""


class Mark(NamedTuple):
    """A place in the text, counted from 1."""

    line: int
    column: int


class Fault(NamedTuple):
    """One thing that is wrong in a file."""

    mark: Mark
    place: Place
    found: str
    allowed: str = ""


class Tree(NamedTuple):
    """A file's value, where everything in it stands, and what was wrong already."""

    value: Any
    keys: dict[Place, Mark]
    """Where a key or a list's item begins."""
    values: dict[Place, Mark]
    """Where a scalar begins; for a mapping or a list, the same as its key."""
    faults: list[Fault]


def parse(text: str) -> Tree:
    """Read one YAML 1.2 document.

    :returns: the tree; what cannot be read at all is a tree of None with one fault
    """
    directive = re.search(r"^%YAML\s+(?!1\.2\s*$).*", text.split("\n---", 1)[0], re.MULTILINE)
    if directive:
        line = text.count("\n", 0, directive.start()) + 1
        return _broken(Mark(line, 1), directive.group(), "YAML 1.2: take this line out")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            node = YAML(typ="rt", pure=True).compose(text)
        return _Reading().tree(node)
    except RecursionError:
        return _broken(Mark(1, 1), "brackets or aliases nested too deep", "a handful of levels")
    except ReaderError as error:
        return _broken(
            mark_at(text, error.position), f"the character {chr(error.character)!r}", "text"
        )
    except MarkedYAMLError as error:
        return _slip(error)
    except (YAMLError, ValueError, AttributeError, AssertionError, IndexError) as error:
        # ruamel's scanner answers some garbage with Python's own errors
        return _broken(Mark(1, 1), f"YAML cannot be read here: {error}")


def mark_at(text: str, index: int) -> Mark:
    """Line and column of a character by its index."""
    return Mark(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def _broken(mark: Mark, found: str, allowed: str = "") -> Tree:
    return Tree(None, {}, {}, [Fault(mark, (), found, allowed)])


def _slip(error: MarkedYAMLError) -> Tree:
    problem = str(error.problem or error.context or "")
    words = next((said for slip, said in _COMMON_SLIPS if slip in problem), problem)
    at = error.problem_mark or error.context_mark
    if "end of stream" in problem and error.context_mark is not None:
        at = error.context_mark
    return _broken(Mark(1, 1) if at is None else Mark(at.line + 1, at.column + 1), words)


class _Reading:
    """One walk over the nodes; a class for what it gathers on the way."""

    def __init__(self) -> None:
        self.keys: dict[Place, Mark] = {}
        self.values: dict[Place, Mark] = {}
        self.faults: list[Fault] = []
        self.open: set[int] = set()
        self.nodes = 0

    def tree(self, node: Node | None) -> Tree:
        value = None if node is None else self.value(node, (), _mark(node))
        return Tree(value, self.keys, self.values, self.faults)

    def wrong(self, node: Node, place: Place, found: str, allowed: str = "") -> None:
        self.faults.append(Fault(_mark(node), place, found, allowed))

    def value(self, node: Node, place: Place, key: Mark) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise ValueError(f"more than {MOST_NODES} keys and values, aliases counted each time")
        self.keys[place] = self.values[place] = key
        if isinstance(node, ScalarNode):
            if node.value:
                # a value left out has its mark wherever the next word begins
                self.values[place] = _mark(node)
            return self.scalar(node, place)
        if id(node) in self.open:
            self.wrong(node, place, "an alias of something that it is itself part of")
            return None
        self.open.add(id(node))
        try:
            if _kind(node) not in ("map", "seq"):
                self.wrong(node, place, f"the tag {node.tag}", "no tags")
            if isinstance(node, SequenceNode):
                return [
                    self.value(item, (*place, index), _mark(item))
                    for index, item in enumerate(node.value)
                ]
            return self.mapping(node, place) if isinstance(node, MappingNode) else None
        finally:
            self.open.discard(id(node))

    def mapping(self, node: MappingNode, place: Place) -> dict[str | int, Any]:
        read: dict[str | int, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node, place)
            if key is None:
                continue
            if key in read:
                first = self.keys[*place, key].line
                self.wrong(
                    key_node, (*place, key), f"this key stands here twice, first on line {first}"
                )
                continue
            read[key] = self.value(value_node, (*place, key), _mark(key_node))
        return read

    def key(self, node: Node, place: Place) -> str | int | None:
        if not isinstance(node, ScalarNode):
            self.wrong(node, place, "a mapping or a list as a key", "text")
            return None
        if _kind(node) == "merge":
            self.wrong(node, place, "<<, which YAML 1.2 does not have", "write the keys out")
            return None
        if _kind(node) in _PLAIN:
            return self.text(node, place)
        value = self.scalar(node, place)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        reads = {bool: "true or false", float: "a fraction", type(None): "nothing"}
        self.wrong(
            node,
            place,
            f"the name {node.value}, which YAML reads as {reads.get(type(value), 'no text')}",
            f"text: put it in quotes, {node.value!r}",
        )
        return str(node.value)

    def text(self, node: ScalarNode, place: Place) -> str:
        text = str(node.value)
        whole = text.encode("utf-8", "replace").decode()
        if whole != text:
            self.wrong(node, place, f"half a character in {text[:60]!r}", "Unicode text")
        return whole

    def scalar(self, node: ScalarNode, place: Place) -> Hashable:
        kind, text = _kind(node), str(node.value)
        if kind in _PLAIN:
            return self.text(node, place)
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        try:
            if len(text) > LONGEST_NUMBER:
                raise ValueError(text)
            if kind == "int":
                return _whole_number(text)
            if kind == "float":
                return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
        except ValueError:
            self.wrong(node, place, f"{text[:60]!r}, which is no number that can be used here")
            return None
        self.wrong(node, place, f"the tag {node.tag}", "no tags")
        return None


def _whole_number(text: str) -> int:
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    return sign * int(digits, NUMBER_BASES.get(digits[:2], 10))


def _kind(node: Node) -> str:
    return str(node.tag).removeprefix(_TAG)


def _mark(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
