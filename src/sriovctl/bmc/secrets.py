"""Passwords: from the environment, a file or the keyring; never printed, never in an argument."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

from sriovctl.errors import SriovctlError, UsageError

OTHERS: Final = 0o077
"""Permission bits that let somebody but the owner read, write or run a file."""
LARGEST: Final = 4096
"""Bytes of a password file; a longer one is not a password file."""


class SecretError(SriovctlError):
    """A password cannot be had, or is not kept well."""


class Secret:
    """A password that does not show itself: not in repr, str, format, JSON or a pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The password, for the one call that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")


def secret(reference: str, environment: Mapping[str, str] | None = None) -> Secret:
    """The password that a reference names.

    :param reference: ``env:NAME``, ``file:/path`` or ``keyring:SERVICE/USER``
    :param environment: ``os.environ`` unless given
    :raises UsageError: the reference is none of these; its text is not repeated, for it may be a
        password that somebody wrote there by mistake
    :raises SecretError: nothing is there, or others can read it
    """
    kind, mark, where = reference.partition(":")
    if mark and where:
        match kind:
            case "env":
                return from_environment(where, os.environ if environment is None else environment)
            case "file":
                return from_file(Path(where))
            case "keyring":
                return from_keyring(where)
    raise UsageError(
        "the reference to a password is none of env:NAME, file:/path, keyring:SERVICE/USER",
        "a password itself is never written in a rack file or on a command line",
        "put the password into a file of mode 0600 and write file:/path",
    )


def from_environment(name: str, environment: Mapping[str, str]) -> Secret:
    """The password in a variable.

    :raises SecretError: it is not set, or empty
    """
    value = environment.get(name, "")
    if not value:
        raise SecretError(
            f"the environment variable {name} is not set or empty",
            "the BMC's password was to come from there",
            f"read -rs {name} && export {name}",
        )
    return Secret(value)


def from_file(path: Path) -> Secret:
    """The password in a file, without the newline at its end.

    The file is checked after it was opened, so that nobody changes it in between.

    :raises SecretError: it cannot be read, is empty, is no plain file, is somebody else's, or
        others may read it
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SecretError(
            f"the password file {path} cannot be opened: {error.strerror}",
            mend=f"create {path} with mode 0600",
        ) from None
    try:
        _refuse_what_others_reach(path, os.fstat(descriptor))
        content = os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise SecretError(f"the password file {path} is longer than {LARGEST} bytes")
    try:
        value = content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # from None, and not with the bytes: they are the password
        raise SecretError(f"the password file {path} is not text in UTF-8") from None
    if not value or "\n" in value or "\0" in value:
        raise SecretError(
            f"the password file {path} is empty or has more than one line",
            mend="write the password alone, on one line",
        )
    return Secret(value)


def _refuse_what_others_reach(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise SecretError(f"the password file {path} is not a plain file")
    if facts.st_uid not in (os.geteuid(), 0):
        raise SecretError(
            f"the password file {path} belongs to user {facts.st_uid}",
            "who owns it can change it at any time",
            f"chown {os.geteuid()} {path}",
        )
    if facts.st_mode & OTHERS:
        raise SecretError(
            f"the password file {path} has mode {stat.S_IMODE(facts.st_mode):04o}",
            "others on this machine can read or change it",
            f"chmod 0600 {path}; and change the password, for it may be known",
        )


def from_keyring(where: str) -> Secret:
    """The password that the desktop's or the system's keyring has.

    :param where: ``SERVICE/USER``
    :raises SecretError: the package is not there, or has no such entry
    """
    service, mark, user = where.rpartition("/")
    if not mark or not service or not user:
        raise UsageError(
            f"keyring:{where} does not name a service and a user",
            mend="write keyring:SERVICE/USER",
        )
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise SecretError(
            "the Python package keyring is not installed", mend="pip install keyring"
        ) from None
    errors: type[Exception] = keyring.errors.KeyringError
    try:
        value = keyring.get_password(service, user)
    except errors as error:
        raise SecretError(
            f"the keyring cannot be read: {type(error).__name__}", mend="unlock it, or use a file"
        ) from None
    if not value:
        raise SecretError(
            f"the keyring has no entry {service} for {user}", mend=f"keyring set {service} {user}"
        )
    return Secret(str(value))
