"""JSON schemas of what is read and printed: the rack file, hosts' states, plans.

Published in docs/schema; tests/unit/test_schema.py keeps those files fresh.
"""

from __future__ import annotations

import json
from typing import Any, Literal, get_args

from sriovctl.errors import UsageError

Kind = Literal["rack", "host", "plan"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: Kind) -> dict[str, Any]:
    """The JSON schema of a rack file, of ``show --json`` or of ``plan --json``.

    The rack's is for editors: every file that :func:`sriovctl.rackfile.load` takes passes it. The
    other two are of mappings from a host's name to its state or its plan.
    """
    from pydantic import TypeAdapter

    made: dict[str, Any]
    if kind == "rack":
        from sriovctl.rack import Rack

        made = _with_ranges(Rack.model_json_schema(mode="validation"))
    elif kind == "host":
        from sriovctl.host import HostState

        made = TypeAdapter(dict[str, HostState]).json_schema(mode="serialization")
    else:
        from sriovctl.plan import Plan

        made = TypeAdapter(dict[str, Plan]).json_schema(mode="serialization")
    return {"$schema": DIALECT, **made, "title": f"sriovctl {kind}"}


_RANGE = r"\[[0-9]+-[0-9]+\]"


def _with_ranges(part: Any) -> Any:
    """The same schema, where a text or a number may have a range in it, as templates do."""
    if isinstance(part, list):
        return [_with_ranges(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "integer":
        number = {key: part[key] for key in ("type", "minimum", "maximum") if key in part}
        others = {key: value for key, value in part.items() if key not in number}
        return {"anyOf": [number, {"type": "string", "pattern": _RANGE}], **others}
    widened = {key: _with_ranges(value) for key, value in part.items()}
    if isinstance(part.get("pattern"), str):
        widened["pattern"] = f"{part['pattern']}|{_RANGE}"
    if "patternProperties" in part:
        widened["patternProperties"] = {
            f"{pattern}|{_RANGE}": inner for pattern, inner in widened["patternProperties"].items()
        }
    return widened


def schema(kind: str) -> str:
    """:func:`schema_of` as indented JSON text that ends with a newline.

    :param kind: ``rack``, ``host`` or ``plan``
    :raises UsageError: for another kind
    """
    if kind not in KINDS:
        raise UsageError(f"there is no schema {kind!r}", "", f"ask for one of {', '.join(KINDS)}")
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"
