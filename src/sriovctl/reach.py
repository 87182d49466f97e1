"""The way to a host: hand it a script, get its output. Here: the machine that this runs on."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Protocol

from sriovctl.errors import UnreachableError, UsageError


class OverdueError(UnreachableError):
    """The script has not ended in time; the host itself may be well."""


@dataclass(frozen=True)
class Output:
    """What a script gave."""

    status: int
    """Exit status; negative: ended by that signal."""
    stdout: str
    stderr: str
    seconds: float


class Reach(Protocol):
    """A host to which scripts can be handed."""

    @property
    def name(self) -> str:
        """The host's name, for messages."""

    @property
    def remote(self) -> bool:
        """Whether a change of the host's network could cut this way off."""

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        timeout_s: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        """Have ``sh`` on the host run a script, as root where that is possible.

        :param script: POSIX sh, handed over through standard input
        :param arguments: its ``$1``, ``$2``, …
        :param timeout_s: seconds until this gives up waiting
        :param on_line: called with each line of standard output as it comes, without its newline
        :raises OverdueError: no end within ``timeout_s``
        :raises UnreachableError: the host cannot be reached, or was lost while the script ran
        """


class LineSplitter:
    """Bytes as they come in become lines, each handed on once it is whole."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._on_line = on_line
        self._chunks: list[bytes] = []
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """More bytes."""
        self._chunks.append(chunk)
        if self._on_line is None:
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._on_line(decode(line))

    @property
    def text(self) -> str:
        """All of it."""
        return decode(b"".join(self._chunks))


@lru_cache(maxsize=4)
def encode(script: str) -> bytes:
    """A script as bytes; bytes of names that are no UTF-8 come out as they came in.

    Hosts that are sent the same at the same time share one copy.
    """
    return script.encode("utf-8", "surrogateescape")


def decode(output: bytes) -> str:
    """The inverse of :func:`encode`."""
    return output.decode("utf-8", "surrogateescape")


class LocalReach:
    """This machine."""

    remote = False

    def __init__(self, name: str, *, need_root: bool = True, shell: str = "sh") -> None:
        """
        :param name: the host's name in the rack file, for messages
        :param need_root: False for looking only
        :param shell: the POSIX shell that runs scripts
        """
        self.name = name
        self._need_root = need_root
        self._shell = shell

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        timeout_s: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        """See :meth:`Reach.run`.

        :raises UsageError: not root though root is needed
        :raises UnreachableError: no shell
        """
        if self._need_root and os.geteuid() != 0:
            raise UsageError(
                f"{self.name}: this user is not root",
                "only root sees all of libvirt, and changes VFs, libvirt networks and machines",
                "run it as: sudo sriovctl …",
            )
        began = time.monotonic()
        try:
            process = subprocess.Popen(
                [self._shell, "-s", "--", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us, not for what runs on the host
            )
        except OSError as error:
            raise UnreachableError(f"{self.name}: cannot start {self._shell}: {error}") from error
        out = LineSplitter(on_line)
        err = LineSplitter(None)
        with process:
            try:
                _talk(process, encode(script), out, err, began + timeout_s)
                status = process.wait(max(0.0, began + timeout_s - time.monotonic()))
            except (TimeoutError, subprocess.TimeoutExpired) as error:
                process.kill()
                raise OverdueError(
                    f"{self.name}: no end after {timeout_s:g} s",
                    "the script was killed; a transaction that it had begun goes on by itself",
                ) from error
            except BaseException:
                process.kill()
                raise
        return Output(status, out.text, err.text, time.monotonic() - began)


def _talk(
    process: subprocess.Popen[bytes],
    script: bytes,
    out: LineSplitter,
    err: LineSplitter,
    deadline: float,
) -> None:
    """Write standard input and read both outputs, as each is ready, until both have ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    sinks: dict[IO[bytes], LineSplitter] = {process.stdout: out, process.stderr: err}
    waiting = memoryview(script)
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        for stream in sinks:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                raise TimeoutError
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    try:
                        waiting = waiting[os.write(key.fd, waiting) :]
                    except BrokenPipeError:  # the script ended before it was read to its end
                        waiting = waiting[:0]
                    if not waiting:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                chunk = os.read(key.fd, 65536)
                for stream, sink in sinks.items():
                    if key.fileobj is stream and chunk:
                        sink.feed(chunk)
                if not chunk:
                    selector.unregister(key.fileobj)
