"""JSON schemas of what is read and printed: the rack file, hosts' states, plans."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from sriovctl.host import HostState
from sriovctl.plan import Plan
from sriovctl.rack import Rack

Kind = Literal["rack", "host", "plan"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def schema_of(kind: Kind) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a rack file, of ``show --json`` or of ``plan --json``.

    The rack's is for editors: every file that :func:`sriovctl.rackfile.load` takes passes it. The
    other two are of mappings from a host's name to its state or its plan.
    """
    title: dict[str, Any] = {}
    if kind == "rack":
        made = Rack.model_json_schema(mode="validation")
    elif kind == "host":
        title = {"title": "Hosts", "description": "What is, by host: sriovctl show --json"}
        made = TypeAdapter(dict[str, HostState]).json_schema(mode="serialization")
    else:
        title = {"title": "Plans", "description": "What is to be done, by host: plan --json"}
        made = TypeAdapter(dict[str, Plan]).json_schema(mode="serialization")
    return {"$schema": GenerateJsonSchema.schema_dialect, **title, **made}


def schema(kind: Kind) -> str:
    """:func:`schema_of`, as text that ends with a newline."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"
