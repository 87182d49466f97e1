"""What pydantic found wrong with a file's value, in plain words, place by place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from sriovctl.yamltree import Place, Tree

LONGEST_QUOTE = 60
"""Characters of a wrong value that are shown."""
UNSHOWN = ("password",)
"""Keys whose wrong value is not repeated: it may be a password that somebody wrote there."""


class Wrong(NamedTuple):
    """One wrong key or value, and what would be right."""

    place: Place
    """As far as the file has it."""
    at_key: bool
    """The key itself is wrong, not its value."""
    found: str
    allowed: str


def explain(error: ValidationError, tree: Tree, schema: dict[str, Any]) -> list[Wrong]:
    """Every error of a validation, one for each place.

    :param tree: what was validated
    :param schema: the JSON schema of the model that it was validated against
    """
    said: dict[tuple[Place, bool], Wrong] = {}
    for details in error.errors(include_url=False):
        wrong = _explain_one(details, tree, schema)
        # a union's branches each complain of one place; the words of its schema name them all
        said.setdefault((wrong.place, details["type"] == "missing"), wrong)
    return list(said.values())


def quoted(value: Any) -> str:
    """A value as a person would write it, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'vfs'? `` for a slip of the pen, empty where nothing is near."""
    names = list(known)
    swapped = [other for other in names if sorted(other) == sorted(name)]
    close = swapped or difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}? " if close else ""


_LISTS = ("pairs", "legs", "switches", "groups", "bios", "arp_ip_targets", "address", "dns")
"""Keys with a list; a number under another key is the key of a mapping."""


def spoken(place: Place) -> str:
    """A place as a path: ``hosts.server-2.pfs.em1``, ``pairs[0]``, odd names in quotes."""
    path = ""
    for key in place:
        if isinstance(key, int) and path.endswith(_LISTS):
            path += f"[{key}]"
        else:
            text = str(key)
            odd = not text.isprintable() or any(char in " .:[]'\"" for char in text) or not text
            path += f".{text!r}" if odd else f".{text}"
    return path.removeprefix(".")


def _explain_one(details: Any, tree: Tree, schema: dict[str, Any]) -> Wrong:
    kind, loc = details["type"], tuple(details["loc"])
    at_key = "[key]" in loc
    place, value = _real(loc[: loc.index("[key]")] if at_key else loc, tree.value)
    message = str(details.get("ctx", {}).get("error", ""))
    shown = "a value that is not shown" if place[-1:] and place[-1] in UNSHOWN else quoted(value)
    if kind == "extra_forbidden":
        known = sorted({k for s in _at(schema, place[:-1]) for k in s.get("properties", ())})
        key = str(place[-1])
        hint = nearest(key, known)
        return Wrong(place, True, f"unknown key {quoted(key)}", f"{hint}allowed: {_list(known)}")
    if kind == "missing" and isinstance(value, dict):
        field = [s["properties"][loc[-1]] for s in _at(schema, place) if "properties" in s]
        return Wrong(place, True, f"no {loc[-1]!r} here", _expected(_alternatives(schema, field)))
    if at_key and not message:
        name = str(place[-1])
        return Wrong(
            place,
            True,
            f"the name {name}, which YAML reads as a number",
            f"text: put it in quotes, {name!r}",
        )
    if kind == "value_error" and at_key:
        return Wrong(place, True, f"the name {quoted(place[-1])}", message)
    if kind == "value_error":
        if isinstance(value, str):
            return Wrong(place, False, shown, message)
        return Wrong(place, False, message, "")
    return Wrong(place, False, shown, _expected(_at(schema, place)))


def _real(loc: Place, value: Any) -> tuple[Place, Any]:
    """The part of pydantic's place that is in the file: it adds names of types and of defaults."""
    place: list[str | int] = []
    for key in loc:
        in_list = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if in_list or (isinstance(value, dict) and key in value):
            value = value[key]
            place.append(key)
    return tuple(place), value


def _at(schema: dict[str, Any], place: Place) -> list[dict[str, Any]]:
    """What the schema allows at a place: one alternative or several."""
    here = _alternatives(schema, [schema])
    for key in place:
        below: list[dict[str, Any]] = []
        for part in here:
            if isinstance(key, int) and "items" in part:
                below.append(part["items"])
            elif key in part.get("properties", {}):
                below.append(part["properties"][key])
            else:
                below += part.get("patternProperties", {}).values()
                if isinstance(part.get("additionalProperties"), dict):
                    below.append(part["additionalProperties"])
        here = _alternatives(schema, below)
    return here


def _alternatives(schema: dict[str, Any], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [deep for part in parts for deep in _resolve(schema, part)]


def _resolve(schema: dict[str, Any], part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in part:
        yield from _resolve(schema, schema["$defs"][part["$ref"].rpartition("/")[2]])
    elif "anyOf" in part:
        for branch in part["anyOf"]:
            yield from _resolve(schema, branch)
    else:
        yield part


def _expected(parts: list[dict[str, Any]]) -> str:
    words = [_words(part) for part in parts if part.get("type") != "null"]
    return "expected " + (", or ".join(dict.fromkeys(words)) or "nothing")


def _words(part: dict[str, Any]) -> str:
    if "enum" in part:
        return " or ".join(str(value) for value in part["enum"])
    if "const" in part:
        return quoted(part["const"])
    match part.get("type"):
        case "integer":
            least, most = part.get("minimum"), part.get("maximum")
            if least is None and most is None:
                return "a whole number"
            return f"a whole number from {least} to {most}"
        case "boolean":
            return "true or false"
        case "array":
            most = part.get("maxItems")
            return "a list" if most is None else f"a list of {part.get('minItems', 0)} to {most}"
        case "object":
            keys = list(part.get("properties", ()))
            if keys:
                return f"a mapping with keys of {_list(keys)}"
            return "a mapping with at least one key" if "minProperties" in part else "a mapping"
        case _:
            return "text" + (f" such as {part['examples'][0]}" if "examples" in part else "")


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"
