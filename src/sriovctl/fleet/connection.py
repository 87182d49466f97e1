"""One remote host over ssh, by pyinfra's connector."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import paramiko
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector

from sriovctl.errors import UnreachableError
from sriovctl.fleet.address import Address, Patience
from sriovctl.fleet.problems import connect_problem
from sriovctl.reach import LineSplitter, Output, OverdueError, encode
from sriovctl.shell import command

POLL_S = 1.0
"""How often paramiko looks whether a connection that is silent was closed meanwhile. At its own 0.1
a hundred hosts at work cost a tenth of a processor."""


def transport(*words: Any, **settings: Any) -> paramiko.Transport:
    """paramiko's, but for its pace and its taste.

    A cipher that authenticates by itself goes first where the server has one, and the others keep
    their order: of any other paramiko compares each packet's sum byte by byte, in Python.
    """
    made = paramiko.Transport(*words, **settings)
    options = made.get_security_options()
    options.ciphers = sorted(options.ciphers, key=lambda name: "gcm" not in name)
    made.sock.settimeout(POLL_S)
    return made


class SSHReach:
    """A remote host, as root or through sudo. Connects when first used, and again when lost."""

    remote = True

    def __init__(
        self, address: Address, host: Host, patience: Patience, ssh_config: str | None
    ) -> None:
        """
        :param host: pyinfra's, not connected yet
        :param ssh_config: for the commands that messages name
        """
        self.name = address.name
        self._ssh_config = ssh_config
        self._address = address
        self._host = host
        self._patience = patience

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        timeout_s: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        """See :meth:`sriovctl.reach.Reach.run`.

        :raises UnreachableError: also where sudo refuses
        """
        began = time.monotonic()
        deadline = began + timeout_s
        transport, channel = self._begin(arguments, min(self._patience.connect_s, timeout_s))
        out = LineSplitter(on_line)
        err = LineSplitter(None)
        talk = gevent.spawn(_drain, channel, err)
        try:
            gevent.spawn(_send, channel, encode(script))
            while chunk := _receive(channel, deadline):
                out.feed(chunk)
            talk.join(max(0.0, deadline - time.monotonic()))
            if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            status = channel.recv_exit_status()
        except TimeoutError as error:
            self.close()  # it may be dead; whoever asks next gets a new one
            raise OverdueError(
                f"{self.name}: no end after {timeout_s:g} s",
                "a transaction that it had begun goes on by itself",
            ) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            raise self._lost(error) from error
        finally:
            channel.close()
        if status < 0:  # paramiko's word for "the channel ended and no status came"
            if not transport.is_active():
                self.close()
            raise self._lost(transport.get_exception())
        output = Output(status, out.text, err.text, time.monotonic() - began)
        self._check_sudo(output)
        return output

    def close(self) -> None:
        """End the connection; the next run makes a new one."""
        client = self._connector.client
        self._host.connected = False
        if client is not None:
            client.close()

    def _begin(
        self, arguments: Sequence[str], timeout_s: float
    ) -> tuple[paramiko.Transport, paramiko.Channel]:
        """A shell on the host, which has read nothing yet.

        A connection can have died since it was last used, and nobody knows before it is used
        again: then one anew, as nothing was done over the old one.
        """
        transport = self._present()
        if transport is not None:
            try:
                return transport, _shell(transport, arguments, timeout_s)
            except (OSError, EOFError, paramiko.SSHException):
                pass
        transport = self._connected()
        try:
            return transport, _shell(transport, arguments, timeout_s)
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            raise self._lost(error) from error

    @property
    def _connector(self) -> SSHConnector:
        connector = self._host.connector
        assert isinstance(connector, SSHConnector)
        return connector

    def _present(self) -> paramiko.Transport | None:
        client = self._connector.client
        transport = client.get_transport() if client is not None else None
        if self._host.connected and transport is not None and transport.is_active():
            return transport
        return None

    def _connected(self) -> paramiko.Transport:
        self.close()
        # jump hosts and many keys each take their time; this is the bound on all of it together
        whole = gevent.Timeout(4 * self._patience.connect_s)
        try:
            with whole:
                self._host.connect(show_errors=False, raise_exceptions=True)
        except gevent.Timeout:
            self.close()
            raise UnreachableError(
                f"{self._address.shown} did not answer within {4 * self._patience.connect_s:g} s",
                "its name server, a jump host or its ssh server keeps us waiting",
                f"try: {self._address.ssh(self._ssh_config)}",
            ) from None
        except (PyinfraError, paramiko.SSHException, OSError) as error:
            problem = connect_problem(
                error, self._connector.client, self._address, self._ssh_config, self._patience
            )
            self.close()
            raise problem from error
        client = self._connector.client
        assert client is not None
        transport = client.get_transport()
        assert transport is not None
        self._notice_silence(transport)
        return transport

    def _notice_silence(self, transport: paramiko.Transport) -> None:
        transport.set_keepalive(max(1, int(self._patience.silence_s / 3)))
        if isinstance(transport.sock, socket.socket):  # else a jump host's channel
            transport.sock.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._patience.silence_s * 1000)
            )

    def _check_sudo(self, output: Output) -> None:
        if output.status == 0 or output.stdout:
            return
        # a login shell's own complaints may stand before sudo's
        lines = [line for line in output.stderr.splitlines() if "sudo" in line]
        if lines and (output.status == 127 or lines[-1].startswith("sudo: ")):
            raise UnreachableError(
                f"{self.name}: {lines[-1]}",
                "the user may not become root without a password, or sudo is missing",
                "log in as root, or allow it in sudoers: USER ALL=(root) NOPASSWD: ALL",
            )

    def _lost(self, error: Exception | None) -> UnreachableError:
        return UnreachableError(
            f"{self._address.shown}: the connection was lost" + (f": {error}" if error else ""),
            "what was running on the host goes on by itself",
            f"try: {self._address.ssh(self._ssh_config)}",
        )


def _shell(
    transport: paramiko.Transport, arguments: Sequence[str], timeout_s: float
) -> paramiko.Channel:
    channel = transport.open_session(timeout=timeout_s)
    words = ("sh", "-s", "--", *arguments)
    if transport.get_username() != "root":
        words = ("sudo", "-n", "--", *words)
    channel.settimeout(timeout_s)
    channel.exec_command(f"exec {command(*words)}")
    return channel


def _receive(channel: paramiko.Channel, deadline: float) -> bytes:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    channel.settimeout(left)
    return channel.recv(65536)


def _drain(channel: paramiko.Channel, err: LineSplitter) -> None:
    """Standard error, beside standard output, so that a full window of one holds up neither."""
    while True:
        try:
            chunk = channel.recv_stderr(65536)
        except TimeoutError:
            continue  # the reader of standard output has set its own limit, which it will keep
        if not chunk:
            return
        err.feed(chunk)


def _send(channel: paramiko.Channel, script: bytes) -> None:
    try:
        channel.sendall(script)
        channel.shutdown_write()
    except OSError:
        pass  # it ended before it was read to its end; its output and status say why
