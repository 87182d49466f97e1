"""Who may come in: accounts, lockout, a limit of sessions. Pure: whoever calls brings the time."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sriovctl.lab.bmc.messages import RefusedError

Role = Literal["Administrator", "ReadOnly"]


@dataclass(frozen=True)
class Account:
    """A user of the BMC."""

    name: str
    password: str = field(repr=False)
    role: Role = "Administrator"


DEFAULT_ACCOUNT = Account("root", "calvin")
"""As an iDRAC comes from the factory, and as the guide still has it."""


class Logins:
    """Checks passwords; too many wrong ones in a row lock the account for a while.

    :param failures: so many lock; 0 for never
    :param lockout: seconds
    """

    def __init__(self, accounts: tuple[Account, ...], failures: int, lockout: float) -> None:
        self._accounts = {account.name: account for account in accounts}
        self._failures = failures
        self._lockout = timedelta(seconds=lockout)
        self._wrong: dict[str, int] = {}
        self._locked: dict[str, datetime] = {}

    def check(self, name: str, password: str, now: datetime) -> Account:
        """The account, if name and password are right.

        :raises RefusedError: SYS415, whatever is wrong: an iDRAC does not tell
        """
        if (until := self._locked.get(name)) is not None:
            if now < until:
                raise RefusedError("SYS415")
            del self._locked[name]
        account = self._accounts.get(name)
        if account is not None and hmac.compare_digest(
            account.password.encode(), password.encode()
        ):
            self._wrong.pop(name, None)
            return account
        self._wrong[name] = self._wrong.get(name, 0) + 1
        if self._failures and self._wrong[name] >= self._failures:
            self._locked[name] = now + self._lockout
            del self._wrong[name]
        raise RefusedError("SYS415")


@dataclass
class Session:
    """Somebody who is logged in to Redfish."""

    id: str
    token: str = field(repr=False)
    account: Account
    used: datetime


class Sessions:
    """Redfish sessions.

    :param limit: so many at a time
    :param timeout: seconds after which an unused one is forgotten
    """

    def __init__(self, limit: int, timeout: float) -> None:
        self.limit = limit
        self.timeout = timeout
        self._sessions: dict[str, Session] = {}
        self._count = 0

    def open(self, account: Account, now: datetime) -> Session:
        """A new session.

        :raises RefusedError: RAC0218
        """
        if len(self.all(now)) >= self.limit:
            raise RefusedError("RAC0218")
        self._count += 1
        session = Session(str(self._count), secrets.token_hex(16), account, now)
        self._sessions[session.id] = session
        return session

    def all(self, now: datetime) -> list[Session]:
        """Sessions that have not timed out."""
        for session in list(self._sessions.values()):
            if (now - session.used).total_seconds() > self.timeout:
                del self._sessions[session.id]
        return list(self._sessions.values())

    def by_token(self, token: str, now: datetime) -> Session:
        """The session of a token, now used.

        :raises RefusedError: there is none any more
        """
        for session in self.all(now):
            if hmac.compare_digest(session.token.encode(), token.encode()):
                session.used = now
                return session
        raise RefusedError("SYS415")

    def close(self, session_id: str) -> None:
        """End a session.

        :raises RefusedError: SYS403, there is none of that id
        """
        if self._sessions.pop(session_id, None) is None:
            raise RefusedError("SYS403", session_id)
