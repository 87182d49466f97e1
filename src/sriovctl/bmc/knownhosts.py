"""A file of ssh host keys, as OpenSSH's ``known_hosts``: read, and changed by the line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import paramiko
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from sriovctl import wholefile
from sriovctl.errors import UsageError

HASHED: Final = re.compile(r"\|1\|[A-Za-z0-9+/]{27}=\|[A-Za-z0-9+/]{27}=")
"""A host's name as ``HashKnownHosts`` has it: salt and HMAC-SHA1, 20 bytes each."""


def recorded(path: Path, entry: str) -> tuple[paramiko.PKey, ...]:
    """The keys that a file has for a host; none where there is no such file yet.

    Lines with a marker (``@revoked``) or with a key that cannot be read make nobody known.

    :param entry: as the file names the host: ``10.8.0.2``, ``[10.8.0.2]:2222``
    :raises UsageError: the file cannot be read
    """
    keys: list[paramiko.PKey] = []
    for line in _text(path).splitlines():
        names, _ = _names(line)
        if any(_is(name, entry) for name in names):
            try:
                known = HostKeyEntry.from_line(" ".join(line.split()[:3]))
            except (InvalidHostKey, paramiko.SSHException):
                continue
            if known is not None and known.key is not None:
                keys.append(known.key)
    return tuple(keys)


def record(path: Path, entry: str, key: paramiko.PKey) -> None:
    """Have a file name this key for a host and no other; all else in it stays.

    :raises UsageError: the file cannot be read or written
    """
    wholefile.write(path, with_key(_text(path), entry, key).encode())


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the file of known hosts {path} cannot be read: {error}",
            "without it no BMC is believed over ssh",
            f"ls -l {path}",
        ) from None


def with_key(text: str, entry: str, key: paramiko.PKey) -> str:
    """A file's text with this key for a host and no other."""
    lines = [_without(line, entry) for line in text.splitlines(keepends=True)]
    kept = "".join(line for line in lines if line is not None)
    if kept and not kept.endswith("\n"):
        kept += "\n"
    return f"{kept}{entry} {key.get_name()} {key.get_base64()}\n"


def _without(line: str, entry: str) -> str | None:
    """A line without this host; None where it names no other."""
    names, rest = _names(line)
    others = [name for name in names if not _is(name, entry)]
    if len(others) == len(names):
        return line
    return ",".join(others) + rest if others else None


def _names(line: str) -> tuple[list[str], str]:
    """The hosts that a line names, and the rest of it; none for comments and @markers."""
    found = re.match(r"[^#@\s]\S*", line)
    return (found[0].split(","), line[found.end() :]) if found else ([], line)


def _is(name: str, entry: str) -> bool:
    if HASHED.fullmatch(name):
        return paramiko.HostKeys.hash_host(entry, name) == name
    return name == entry
