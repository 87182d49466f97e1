"""Everything that can go wrong, one tree, by whose fault it is.

::

    SriovctlError                exit code
    ├── UsageError               2   the command line
    ├── RackError                2   the rack file: file, line, key, found, allowed
    ├── BlockedError             4   something in use stands in the way
    ├── DiffersError             3   the host is not what a saved plan was made for
    └── HostError                1   the host, or the way to it
        ├── UnreachableError     1   no connection, wrong host key, no rights
        ├── ProbeError           1   the host answered what cannot be read
        ├── BootFileError        1   a boot loader's file on it cannot be understood
        ├── FirmwareError        1   its BMC does not do, or did not do, what it was asked
        └── TransactionError     1   a step failed; says whether it was undone
"""

from __future__ import annotations


class SriovctlError(Exception):
    """Found, meaning, mend: the three things that an operator needs of an error.

    :param found: what was seen, with names and values as they are
    :param means: what follows from it; may be empty
    :param mend: the command or the edit that puts it right; may be empty
    """

    exit_code = 1

    def __init__(self, found: str, means: str = "", mend: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.means = means
        self.mend = mend

    def __str__(self) -> str:
        lines = [self.found]
        if self.means:
            lines.append(f"  means: {self.means}")
        if self.mend:
            lines.append(f"  mend:  {self.mend}")
        return "\n".join(lines)


class UsageError(SriovctlError):
    """The command line asks for what is not there."""

    exit_code = 2


class RackError(SriovctlError):
    """The rack file says something that cannot be."""

    exit_code = 2


class BlockedError(SriovctlError):
    """Something in use stands in the way; nothing was changed."""

    exit_code = 4


class DiffersError(SriovctlError):
    """The host has moved on since the plan was saved; nothing was changed."""

    exit_code = 3


class HostError(SriovctlError):
    """The host, or the way to it, failed."""


class UnreachableError(HostError):
    """There is no way to run a script as root on the host."""


class ProbeError(HostError):
    """The host's answer to the probe cannot be read."""


class BootFileError(HostError):
    """A boot loader's file is not as its program would read it; nothing was changed.

    :param path: the file on the host
    :param line: counted from 1
    """

    def __init__(self, path: str, line: int, found: str, means: str = "", mend: str = "") -> None:
        super().__init__(f"{path}, line {line}: {found}", means, mend)
        self.path = path
        self.line = line


class TransactionError(HostError):
    """A step failed; the message says whether all was undone."""


class FirmwareError(HostError):
    """The host's BMC does not do, or did not do, what it was asked."""
