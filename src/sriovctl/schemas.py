"""JSON schemas of what is read and printed: the rack file, a host's state, a plan."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic.json_schema import GenerateJsonSchema

Kind = Literal["rack", "host", "plan"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def schema(kind: Kind) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a rack file, of a host's state or of a plan.

    The rack's is for editors: every file that :func:`sriovctl.rackfile.load` takes passes it.
    """
    from sriovctl.host import HostState
    from sriovctl.plan import Plan
    from sriovctl.rack import Rack

    if kind == "rack":
        made = Rack.model_json_schema(mode="validation")
    elif kind == "host":
        made = HostState.model_json_schema(mode="serialization")
    else:
        made = Plan.model_json_schema(mode="serialization")
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}
