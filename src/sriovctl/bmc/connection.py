"""sushy's connector, made strict: whom it believes, what it sends twice, how long it waits.

sushy sends any request again when the connection breaks. To a BMC that would be a second job, or a
second reset: what changes something is sent once here, and a lost answer is told as such.
"""

from __future__ import annotations

import re
from typing import Any

import requests
from sushy import auth as sushy_auth
from sushy import exceptions as said
from sushy.connector import Connector

from sriovctl.bmc.codes import BUSY, meaning
from sriovctl.bmc.door import LostAnswerError, NoAnswerError, Patience, RefusedError
from sriovctl.bmc.secrets import Secret
from sriovctl.bmc.trust import Pinned, TlsTrust, why_not_believed
from sriovctl.errors import UnreachableError


class Connection(Connector):  # type: ignore[misc]
    """HTTPS to one BMC.

    Name and password go with each request at first; :meth:`sushy.auth.SessionAuth` may take over.

    :param base: ``https://10.8.0.1``
    """

    def __init__(
        self, base: str, user: str, password: Secret, trust: TlsTrust, patience: Patience
    ) -> None:
        super().__init__(
            base,
            # of a pinned one sushy must not hear: it would silence warnings for all of the process
            verify=True if trust.fingerprint else trust.verify,
            response_callback=self._answered,
            default_request_timeout=patience.request,
            connect_timeout=patience.connect,
            server_side_retries=1,
        )
        self._verify = trust.verify
        # neither a proxy, nor .netrc, nor REQUESTS_CA_BUNDLE may change whom we speak to
        self._session.trust_env = False
        if trust.fingerprint:
            self._session.mount("https://", Pinned(trust.fingerprint))
        self._where = base
        self._patience = patience
        self._retry_after: float | None = None
        self._heard = False
        self.round_trips = 0
        """Requests sent so far."""
        basic = sushy_auth.BasicAuth(user, password.reveal())
        basic.set_context(root_resource=self, connector=self)
        basic.authenticate()

    def _answered(self, response: requests.Response) -> None:
        self._heard = True
        seconds = response.headers.get("Retry-After", "")
        self._retry_after = float(seconds) if re.fullmatch(r"\d{1,6}", seconds) else None

    def _op(self, method: str, path: str = "", *args: Any, **more: Any) -> requests.Response:
        """One request, as sushy's, until the BMC is ready for it.

        :raises UnreachableError: no connection, a certificate that is not believed, no login
        :raises LostAnswerError: a change was sent, and the connection broke
        :raises RefusedError: the BMC says no
        :raises sushy.exceptions.ResourceNotFoundError: 404
        """
        harmless = method in ("GET", "DELETE") or path.endswith("Sessions")
        deadline = self._patience.now() + self._patience.busy
        more["server_side_retries_left"] = 0
        while True:
            self.round_trips += 1
            self._retry_after = None
            try:
                response: requests.Response = super()._op(method, path, *args, **more)
            except said.ConnectionError as error:
                problem = self._broken(method, error, harmless)
                wait = self._patience.poll
            except said.ResourceNotFoundError as error:
                if method in ("GET", "DELETE"):
                    raise
                raise self._refusal(error) from None
            except said.HTTPError as error:
                problem = self._refusal(error)
                if not BUSY.intersection(codes(error)) and error.status_code != 503:
                    raise problem from None
                wait = self._patience.poll if self._retry_after is None else self._retry_after
            else:
                if harmless and _cut(response):
                    problem = LostAnswerError(f"{self._where} broke off its answer to {method}")
                    wait = self._patience.poll
                else:
                    return response
            if self._patience.now() + wait > deadline:
                raise problem from None
            self._patience.sleep(wait)

    def _broken(self, method: str, error: said.ConnectionError, harmless: bool) -> Exception:
        """What to raise when the time is up; raises at once what no time will mend."""
        cause = error.__context__
        if isinstance(cause, requests.exceptions.SSLError):
            raise self._distrust(str(cause)) from None
        never = isinstance(cause, requests.exceptions.ConnectTimeout) or "NewConnection" in str(
            cause
        )
        gone = NoAnswerError(
            f"{self._where} does not answer: {type(cause).__name__}",
            "the BMC is not there, or a firewall is between",
            "check its address and cable; a BMC that was just restarted takes minutes",
        )
        if never and not self._heard:
            raise gone from None
        if never:
            return gone
        lost = LostAnswerError(
            f"{self._where} broke off its answer to {method}",
            "it may have done what it was asked" if not harmless else "",
        )
        if not harmless:
            raise lost from None
        return lost

    def _distrust(self, text: str) -> UnreachableError:
        match = re.search(r'Expected "([0-9a-fA-F:]+)", got "([0-9a-fA-F:]+)"', text)
        if match:
            return UnreachableError(
                f"{self._where} shows another certificate than the recorded one: "
                f"sha256 {match[2].replace(':', '')}, recorded {match[1].replace(':', '')}",
                "the BMC got a new certificate, or somebody stands between; no password was sent",
                "compare, and only then record the new one: sriovctl trust RACK --write --replace",
            )
        return UnreachableError(
            f"{self._where}: its certificate is not believed",
            f"no password was sent ({why_not_believed(text)})",
            "compare its fingerprint and record it: sriovctl trust RACK --write; or give the "
            "authority that signed it",
        )

    def _refusal(self, error: said.HTTPError) -> Exception:
        texts = "; ".join(messages(error)) or str(error.detail or "")
        if error.status_code == 401:
            return UnreachableError(
                f"{self._where} refuses the login",
                "user or password is wrong, or the account is locked; it was tried once, because "
                "each further try may lock it",
                "check the password; a locked account opens after some minutes, or by an "
                "administrator of the BMC",
            )
        if error.status_code == 403:
            return RefusedError(
                codes(error),
                f"{self._where} does not allow this to the user: {texts}",
                mend="give the user the privileges to configure and to control the server",
            )
        ids = codes(error)
        return RefusedError(ids, f"{self._where} refuses: {texts}", *meaning(ids))


def _cut(response: requests.Response) -> bool:
    """Whether the body is shorter than was said; some firmware closes instead of telling."""
    length = response.headers.get("Content-Length", "")
    return length.isdecimal() and len(response.content) < int(length)


def messages(error: said.HTTPError) -> list[str]:
    """Each of the answer's messages with its id."""
    entries = error.extended_info if isinstance(error.extended_info, list) else []
    return [f"{_code(each)}: {each.get('Message', '')}" for each in entries]


def codes(error: said.HTTPError) -> tuple[str, ...]:
    """Message ids without their registry's prefix, which varies: ``IDRAC.2.8.SYS011``."""
    entries = error.extended_info if isinstance(error.extended_info, list) else []
    return tuple(_code(each) for each in entries)


def _code(entry: dict[str, Any]) -> str:
    return str(entry.get("MessageId", "")).rpartition(".")[2]
