"""Redfish answers: successes and errors with @Message.ExtendedInfo, as an iDRAC words them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sriovctl.lab.bmc.messages import MESSAGES, RefusedError, text
from sriovctl.lab.bmc.personality import Personality
from sriovctl.lab.bmc.settings import AttributesRefusedError

Json = dict[str, Any]

RETRY_AFTER = 30
"""Seconds that a 503 names."""


def info(
    personality: Personality, code: str, arguments: Sequence[str] = (), attribute: str | None = None
) -> Json:
    """One entry of @Message.ExtendedInfo, with an id of iDRAC's own."""
    message = MESSAGES[code]
    related = [] if attribute is None else [f"#/Attributes/{attribute}"]
    return {
        "Message": text(code, *arguments),
        "MessageArgs": list(arguments),
        "MessageArgs@odata.count": len(arguments),
        "MessageId": f"{personality.messages}.{code}",
        "RelatedProperties": related,
        "RelatedProperties@odata.count": len(related),
        "Resolution": message.resolution,
        "Severity": message.severity,
    }


def succeeded(personality: Personality, code: str = "SYS413") -> Json:
    """The body of an answer that only says that it went well."""
    standard = {
        "Message": "Successfully Completed Request",
        "MessageArgs": [],
        "MessageArgs@odata.count": 0,
        "MessageId": f"{personality.base_messages}.Success",
        "RelatedProperties": [],
        "RelatedProperties@odata.count": 0,
        "Resolution": "None",
        "Severity": "OK",
    }
    return {"@Message.ExtendedInfo": [standard, info(personality, code)]}


def refused(personality: Personality, error: RefusedError | AttributesRefusedError) -> Response:
    """The answer to a request that is not granted."""
    refusals = error.refusals if isinstance(error, AttributesRefusedError) else (error,)
    status = MESSAGES[refusals[0].code].status
    body = {
        "error": {
            "@Message.ExtendedInfo": [
                info(personality, each.code, each.arguments, each.attribute) for each in refusals
            ],
            "code": f"{personality.base_messages}.GeneralError",
            "message": "A general error has occurred. See ExtendedInfo for more information",
        }
    }
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="RedfishService"'
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER)
    return JSONResponse(body, status, headers)


def resource(path: str, kind: str, context: str, name: str, **properties: Any) -> Json:
    """The frame that every Redfish resource has.

    :param kind: ``#Bios.v1_0_0.Bios``
    :param context: ``Bios.Bios``
    """
    return {
        "@odata.context": f"/redfish/v1/$metadata#{context}",
        "@odata.id": path,
        "@odata.type": kind,
        "Id": path.rpartition("/")[2],
        "Name": name,
        **properties,
    }


def collection(path: str, kind: str, name: str, members: Sequence[str | Json]) -> Json:
    """A collection: of links, or of whole resources where ``$expand`` was asked.

    :param kind: ``ComputerSystemCollection``
    """
    body = resource(path, f"#{kind}.{kind}", f"{kind}.{kind}", name)
    del body["Id"]
    body["Members"] = [link(each) if isinstance(each, str) else each for each in members]
    body["Members@odata.count"] = len(members)
    return body


def link(path: str) -> Json:
    """A reference to another resource."""
    return {"@odata.id": path}


def etag(body: Mapping[str, Any]) -> str:
    """A weak ETag of a resource: other content, other tag."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return f'W/"{digest[:8]}"'


def shown(personality: Personality, body: Json, status: int = 200, **headers: str) -> Response:
    """A body as the answer, with an ETag where the firmware gives one."""
    answer = JSONResponse(body, status, {"OData-Version": "4.0", "Cache-Control": "no-cache"})
    if personality.etags:
        answer.headers["ETag"] = etag(body)
    answer.headers.update(headers)
    return answer


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object of a request.

    :raises RefusedError: it is something else
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError("SYS401")
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise RefusedError("SYS405") from None
    if not isinstance(body, dict):
        raise RefusedError("SYS405")
    return body
