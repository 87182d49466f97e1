"""What can stand in a rack file: names that it takes, and comments."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml.comments import CommentedMap

from sriovctl.host import PF
from sriovctl.names import PortName
from sriovctl.view.harmless import harmless


def fits(kind: Any, text: Any) -> bool:
    """Whether a rack file takes this text for that kind of name."""
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


def port_key(pf: PF) -> str:
    """A port's name in a rack file: its interface's, or its PCI address."""
    return pf.name if pf.name is not None and fits(PortName, pf.name) else pf.pci


def note(mapping: CommentedMap, key: str, lines: list[str], indent: int) -> None:
    """Put comment lines above a key."""
    if lines:
        text = "\n".join(harmless(line) for line in lines)
        mapping.yaml_set_comment_before_after_key(key, before=text, indent=indent)
