"""What stands before every Redfish request: faults on demand, login, privilege."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.logins import Account, Logins, Sessions
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.redfish.answers import refused

SESSION_PATHS = ("/redfish/v1/SessionService/Sessions", "/redfish/v1/Sessions")
_OPEN = ("/redfish", "/redfish/v1")


class Gate:
    """Lets a request through to the resources, or answers it.

    A path that nobody may see without a password is a 401 even where there is nothing.
    """

    def __init__(
        self, app: ASGIApp, controller: Controller, logins: Logins, sessions: Sessions
    ) -> None:
        self._app = app
        self._controller = controller
        self._logins = logins
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # an iDRAC takes an address with and without a slash at its end
        scope["path"] = scope["path"].rstrip("/") or "/"
        if self._controller.faults.take("drop"):
            send = _breaking_off(send)
        answer = self._answer(Request(scope))
        await (self._app if answer is None else answer)(scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        """The answer to a request that does not get through; None for one that does."""
        faults = self._controller.faults
        try:
            if faults.take("unavailable"):
                raise RefusedError("SYS518")
            if faults.take("not_ready"):
                raise RefusedError("SWC0700")
            path = request.url.path
            if faults.no_redfish:
                raise RefusedError("SYS403", path)
            if path in _OPEN or (path in SESSION_PATHS and request.method == "POST"):
                return None
            account = self._account(request)
            request.state.account = account
            own = path.startswith(SESSION_PATHS)
            if account.role == "ReadOnly" and request.method not in ("GET", "HEAD") and not own:
                raise RefusedError("SYS416", account.name)
        except RefusedError as error:
            return refused(self._controller.personality, error)
        return None

    def _account(self, request: Request) -> Account:
        """Whose request it is: by token, or by name and password.

        :raises RefusedError: nobody's
        """
        now = self._controller.clock.now()
        if self._controller.faults.locked:
            raise RefusedError("SYS415")
        if (token := request.headers.get("X-Auth-Token")) is not None:
            return self._sessions.by_token(token, now).account
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise RefusedError("SYS415")
        try:
            decoded = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise RefusedError("SYS415") from None
        name, _, password = decoded.partition(":")
        return self._logins.check(name, password, now)


def _breaking_off(send: Send) -> Send:
    """A send that gives the headers and half of the body, then no more."""
    broken = False

    async def half(message: Message) -> None:
        nonlocal broken
        if broken:
            return
        if message["type"] == "http.response.body":
            broken = True
            body = message.get("body", b"")
            message = {
                "type": "http.response.body",
                "body": body[: len(body) // 2],
                "more_body": True,
            }
        await send(message)

    return half
