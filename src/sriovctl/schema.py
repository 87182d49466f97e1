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

        made = Rack.model_json_schema(mode="validation")
    elif kind == "host":
        from sriovctl.host import HostState

        made = TypeAdapter(dict[str, HostState]).json_schema(mode="serialization")
    else:
        from sriovctl.plan import Plan

        made = TypeAdapter(dict[str, Plan]).json_schema(mode="serialization")
    return {"$schema": DIALECT, **made, "title": f"sriovctl {kind}"}


def schema(kind: str) -> str:
    """:func:`schema_of` as indented JSON text that ends with a newline.

    :param kind: ``rack``, ``host`` or ``plan``
    :raises UsageError: for another kind
    """
    if kind not in KINDS:
        raise UsageError(f"there is no schema {kind!r}", "", f"ask for one of {', '.join(KINDS)}")
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"
