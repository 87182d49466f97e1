"""Whom a BMC's TLS is believed, and what it shows to somebody who wants to record it."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from sriovctl.errors import UnreachableError, UsageError
from sriovctl.names import sha256_digits


@dataclass(frozen=True)
class TlsTrust:
    """How a BMC's certificate is checked; by the system's authorities if nothing is given.

    :param fingerprint: SHA-256 of the certificate, 64 hex digits, colons and a leading ``sha256:``
        allowed. An iDRAC's own certificate names no host: it can be pinned, not verified
    :param authority: file with the authorities' certificates, PEM
    :param insecure: believe anybody
    :raises UsageError: more than one of them, no fingerprint, no such file
    """

    fingerprint: str | None = None
    authority: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        given = (self.fingerprint is not None, self.authority is not None, self.insecure)
        if sum(given) > 1:
            raise UsageError(
                "a BMC's certificate is checked in one way", mend="give one of the three"
            )
        if self.authority is not None and not self.authority.is_file():
            raise UsageError(
                f"no file {self.authority}",
                "a BMC's certificate was to be checked by the authorities in it",
                "put it there, or give the certificate's fingerprint",
            )
        if self.fingerprint is not None:
            object.__setattr__(self, "fingerprint", _digits(self.fingerprint))

    @property
    def verify(self) -> bool | str:
        """For requests: whether, and against which file."""
        if self.authority is not None:
            return str(self.authority)
        return self.fingerprint is None and not self.insecure


def _digits(text: str) -> str:
    try:
        return sha256_digits(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no SHA-256 fingerprint",
            str(error),
            "openssl s_client -connect BMC:443 </dev/null | openssl x509 -noout -sha256 "
            "-fingerprint",
        ) from None


class Pinned(HTTPAdapter):
    """Takes one certificate and no other, whoever signed it and whatever it is made out to."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`HTTPAdapter`; urllib3 compares before a request is sent."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().init_poolmanager(
            *args,
            assert_fingerprint=self._fingerprint,
            # or urllib3 reads all authorities of the system for each request, to ask none of them
            ssl_context=context,
            **kwargs,
        )


def certificate_fingerprint(host: str, port: int = 443, timeout: float = 10.0) -> str:
    """SHA-256 of the certificate that is shown there now, 64 hex digits. It is not checked.

    :param timeout: seconds, for connecting and for the handshake each
    :raises UnreachableError: nobody speaks TLS there
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            shown = tls.getpeercert(binary_form=True)
    except OSError as error:
        raise UnreachableError(f"{host}:{port} does not answer to TLS: {error}") from None
    return hashlib.sha256(shown or b"").hexdigest()


def disbelief(base: str, trust: TlsTrust, timeout: float = 10.0) -> str:
    """Why the authorities do not vouch for who is there; empty where they do.

    Nothing but a bare request is sent, no name and no password.

    :param base: ``https://10.8.0.1``
    :param timeout: seconds, for connecting and for the answer each
    :raises UnreachableError: nobody answers
    """
    with requests.Session() as session:
        session.trust_env = False
        try:
            session.head(base, verify=trust.verify, timeout=timeout, allow_redirects=False)
        except requests.exceptions.SSLError as error:
            return why_not_believed(str(error))
        except requests.RequestException as error:
            raise UnreachableError(f"{base} does not answer: {type(error).__name__}") from None
    return ""


def why_not_believed(text: str) -> str:
    """The reason in what TLS said."""
    match = re.search(r"certificate verify failed: ([^(]+)", text)
    return match[1].strip() if match else "TLS failed"
