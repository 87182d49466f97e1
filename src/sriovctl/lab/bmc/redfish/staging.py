"""Setting a device over Redfish: a PATCH of its settings, and giving up what is pending."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.personality import Personality
from sriovctl.lab.bmc.redfish.answers import Json, etag, read_body, shown, succeeded
from sriovctl.lab.bmc.redfish.resources import TASKS

_APPLY_TIME = "@Redfish.SettingsApplyTime"


async def stage(controller: Controller, request: Request, target: str, now: Json) -> Response:
    """The answer to a PATCH.

    :param target: the device, by FQDD
    :param now: the settings resource as it is, for its ETag
    :raises RefusedError: SYS011 and others
    :raises AttributesRefusedError: attributes that cannot be set so
    """
    personality = controller.personality
    body = await read_body(request)
    wanted = request.headers.get("If-Match")
    if personality.etags and wanted not in (None, "*", etag(now)):
        raise RefusedError("SYS400")
    for name in body:
        if name != "Attributes" and not name.startswith("@"):
            raise RefusedError("SYS407", name)
    changes = body.get("Attributes")
    if not isinstance(changes, dict):
        raise RefusedError("SYS406", "Attributes")
    commit = _commits(personality, body)
    controller.stage(changes, target)
    if not commit or not controller.device(target).pending:
        return shown(personality, succeeded(personality))
    job = controller.commit(target)
    return shown(personality, succeeded(personality), 202, Location=f"{TASKS}/{job.id}")


def _commits(personality: Personality, body: Json) -> bool:
    """Whether the request itself makes the job; firmware without apply times overlooks it."""
    if _APPLY_TIME not in body or not personality.apply_times:
        return False
    wish = body[_APPLY_TIME]
    time = wish.get("ApplyTime") if isinstance(wish, dict) else None
    if time not in personality.apply_times:
        raise RefusedError("SYS409", str(time), "ApplyTime")
    return True
