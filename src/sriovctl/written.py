"""What all parts of the rack file have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ConfigDict

from sriovctl.plan import Frozen


class Written(Frozen):
    """A part of the rack file: taken as written, so that ``'7'`` and ``on`` stay text."""

    model_config = ConfigDict(strict=True)


def no_twins(value: Any, read: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Refuse two keys that are written differently and name one thing, such as 3 and '3'."""
    known = read(value)
    first: dict[str, Any] = {}
    for key in value:
        (name,) = read({key: value[key]})
        if name in first:
            raise ValueError(f"{first[name]!r} and {key!r} are the same thing, {name!r}")
        first[name] = key
    return known
