"""Remote hosts, one or a thousand, over ssh: the only module that imports pyinfra.

pyinfra makes the connections (ssh configuration, agents, keys, jump hosts); a greenlet a host works
on them at the same time. Import this module before any other that opens sockets: gevent makes the
standard library cooperative here, and connecting is one after the other without that.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import logging  # noqa: E402
import socket  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, TypeVar  # noqa: E402

import gevent  # noqa: E402
import gevent.hub  # noqa: E402
import gevent.pool  # noqa: E402
import paramiko  # noqa: E402
from pyinfra.api.config import Config  # noqa: E402
from pyinfra.api.exceptions import ConnectError, PyinfraError  # noqa: E402
from pyinfra.api.host import Host  # noqa: E402
from pyinfra.api.inventory import Inventory  # noqa: E402
from pyinfra.api.state import State  # noqa: E402
from pyinfra.connectors.ssh import SSHConnector  # noqa: E402

from sriovctl.errors import SriovctlError, UnreachableError, UsageError  # noqa: E402
from sriovctl.reach import (  # noqa: E402
    LineSplitter,
    Output,
    OverdueError,
    Reach,
    encode,
)
from sriovctl.shell import command  # noqa: E402

T = TypeVar("T")

# What goes wrong is said once, by an exception; the libraries' own words for it would stand between
# the lines of a table.
for _name in ("pyinfra", "paramiko"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

# Ctrl-C is said by whoever ends the command, and not by gevent's traceback as well.
gevent.hub.Hub.NOT_ERROR = (*gevent.hub.Hub.NOT_ERROR, KeyboardInterrupt)


@dataclass(frozen=True)
class Address:
    """The way to a host."""

    name: str
    """As the rack file calls it."""
    hostname: str
    """A name that DNS or the ssh configuration knows, or an IP address."""
    port: int | None = None
    """None: the ssh configuration's, or 22."""
    user: str | None = None
    """None: the ssh configuration's, or the local user's name."""


@dataclass(frozen=True)
class Patience:
    """How long remote hosts are waited for."""

    connect_s: float = 10.0
    """For each of: the TCP connection, the server's first words, and logging in."""
    silence_s: float = 30.0
    """For a host to acknowledge what was sent; then the connection is taken for dead."""


def run_each(
    hosts: Sequence[Address],
    work: Callable[[Reach], T],
    *,
    ssh_config: str | None = None,
    patience: Patience | None = None,
    host_s: float | None = None,
    at_once: int = 100,
) -> dict[str, T | SriovctlError]:
    """Do a piece of work on each host, on all of them at the same time.

    :param work: given a host's reach; one host's error does not disturb another
    :param ssh_config: file in place of ``~/.ssh/config``
    :param host_s: seconds after which a host is given up, whatever it does; None: never
    :param at_once: connections open at any time
    :returns: by host's name, in the order of ``hosts``, what the work gave or the error it raised
    :raises UsageError: there is no such ssh configuration file
    """
    if ssh_config is not None and not Path(ssh_config).is_file():
        raise UsageError(f"no ssh configuration file {ssh_config}")
    patience = patience or Patience()
    reaches = _reaches(hosts, ssh_config, patience)

    def one(reach: SSHReach) -> T | SriovctlError:
        limit = gevent.Timeout(host_s)
        try:
            with limit:
                return work(reach)
        except SriovctlError as error:
            return error
        except gevent.Timeout as timeout:
            if timeout is not limit:
                raise
            return OverdueError(
                f"{reach.name}: not done after {host_s:g} s",
                "what was begun on it goes on by itself: it is changed in the end, or as it was",
                "run this again later: it goes on from what is",
            )
        finally:
            reach.close()

    pool = gevent.pool.Pool(at_once)
    try:
        greenlets = [pool.spawn(one, reach) for reach in reaches]
        gevent.joinall(greenlets)
    except BaseException:
        pool.kill(block=False)
        raise
    # a greenlet's own mistake comes up here, after every host has come to its end
    return {reach.name: greenlet.get() for reach, greenlet in zip(reaches, greenlets, strict=True)}


def _reaches(
    hosts: Sequence[Address], ssh_config: str | None, patience: Patience
) -> list[SSHReach]:
    # pyinfra gives names a meaning ("@local"); these are never shown
    names = [(f"host-{n}", _data(host, ssh_config, patience)) for n, host in enumerate(hosts)]
    inventory = Inventory((names, {}))  # type: ignore[no-untyped-call]
    config = Config(CONNECT_TIMEOUT=patience.connect_s)  # type: ignore[no-untyped-call]
    State(inventory, config)  # binds itself to the inventory
    return [
        SSHReach(address, host, patience, ssh_config)
        for address, host in zip(hosts, inventory, strict=True)
    ]


def _data(host: Address, ssh_config: str | None, patience: Patience) -> dict[str, object]:
    """A host's settings for pyinfra's ssh connector (its ``ConnectorData``), None left out."""
    data = {
        "ssh_hostname": host.hostname,
        "ssh_port": host.port,
        "ssh_user": host.user,
        "ssh_config_file": ssh_config,
        "ssh_strict_host_key_checking": "yes",
        "ssh_paramiko_connect_kwargs": {
            "banner_timeout": patience.connect_s,
            "auth_timeout": patience.connect_s,
            "channel_timeout": patience.connect_s,
            "transport_factory": _transport,
        },
    }
    return {key: value for key, value in data.items() if value is not None}


POLL_S = 1.0
"""How often paramiko looks whether a connection that is silent was closed meanwhile. At its own 0.1
a hundred hosts at work cost a tenth of a processor."""


def _transport(*words: Any, **settings: Any) -> paramiko.Transport:
    """paramiko's, but for its pace and its taste.

    A cipher that authenticates by itself goes first where the server has one, and the others keep
    their order: of any other paramiko compares each packet's sum byte by byte, in Python.
    """
    transport = paramiko.Transport(*words, **settings)
    options = transport.get_security_options()
    options.ciphers = sorted(options.ciphers, key=lambda name: "gcm" not in name)
    transport.sock.settimeout(POLL_S)
    return transport


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
        transport = self._connected()
        try:
            channel = transport.open_session(timeout=min(self._patience.connect_s, timeout_s))
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            raise self._lost(error) from error
        words = ("sh", "-s", "--", *arguments)
        if transport.get_username() != "root":
            words = ("sudo", "-n", "--", *words)
        out = LineSplitter(on_line)
        err = LineSplitter(None)
        talk = gevent.spawn(_drain, channel, err)
        try:
            channel.exec_command(f"exec {command(*words)}")
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

    @property
    def _connector(self) -> SSHConnector:
        connector = self._host.connector
        assert isinstance(connector, SSHConnector)
        return connector

    def _connected(self) -> paramiko.Transport:
        client = self._connector.client
        transport = client.get_transport() if client is not None else None
        if self._host.connected and transport is not None and transport.is_active():
            return transport
        self.close()
        # jump hosts and many keys each take their time; this is the bound on all of it together
        whole = gevent.Timeout(4 * self._patience.connect_s)
        try:
            with whole:
                self._host.connect(show_errors=False, raise_exceptions=True)
        except gevent.Timeout:
            self.close()
            raise UnreachableError(
                f"{self._where} did not answer within {4 * self._patience.connect_s:g} s",
                "there is a connection, but no ssh server that speaks on it",
                f"try: {self._ssh}",
            ) from None
        except (PyinfraError, paramiko.SSHException, OSError) as error:
            problem = self._connect_problem(error)
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

    def _connect_problem(self, error: Exception) -> UnreachableError:
        cause = error.__context__ if isinstance(error, ConnectError) else error
        if isinstance(cause, paramiko.BadHostKeyException):
            return UnreachableError(
                f"{self._where}: its host key has changed: it shows {cause.key.fingerprint}, "
                f"known is {cause.expected_key.fingerprint}",
                "it was installed anew, or somebody stands in between; no connection was made",
                f"if it was installed anew: {self._forget(cause.hostname)}, then {self._ssh}",
            )
        if "No host key for" in str(cause):
            shown = self._shown_key()
            return UnreachableError(
                f"{self._where}: its host key is not known"
                + (f"; it shows {shown}" if shown else ""),
                "nobody can say that it is the right machine; no connection was made",
                "compare it with the machine's own (there: ssh-keygen -lf /etc/ssh/ssh_host_*.pub),"
                f" then answer yes to: {self._ssh}",
            )
        if isinstance(cause, paramiko.AuthenticationException):
            # paramiko has these two in words only (auth_handler.py, wait_for_response)
            if "timeout" in str(cause):
                return UnreachableError(
                    f"{self._where}: no answer to the login within {self._patience.connect_s:g} s",
                    "the server is busy, or waits for a directory or PAM; no key was refused",
                    f"try: {self._ssh}; or wait longer: --connect-timeout",
                )
            if "saw EOF" in str(cause):
                return UnreachableError(
                    f"{self._where}: it closed the connection at the login",
                    "it takes no more tries (MaxAuthTries: one a key), or no more logins",
                    f"try: {self._ssh}",
                )
            return UnreachableError(
                f"{self._where}: login refused: {cause}",
                "no key of this user or its agent is let in",
                f"try: {self._ssh}",
            )
        return UnreachableError(
            f"{self._where}: {cause or error}", "there is no connection", f"try: {self._ssh}"
        )

    def _shown_key(self) -> str | None:
        client = self._connector.client
        transport = client.get_transport() if client is not None else None
        key = getattr(transport, "host_key", None)
        return key.fingerprint if isinstance(key, paramiko.PKey) else None

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
            f"{self._where}: the connection was lost" + (f": {error}" if error else ""),
            "what was running on the host goes on by itself",
            f"try: {self._ssh}",
        )

    @property
    def _where(self) -> str:
        return self.name + (
            f" ({self._address.hostname})" if self._address.hostname != self.name else ""
        )

    def _forget(self, hostname: str) -> str:
        """The command that takes a host's old key out of its known_hosts file."""
        client = self._connector.client
        port = getattr(client, "_ssh_config", {}).get("port", 22)
        file = getattr(client, "_host_keys_filename", None)
        return command(
            "ssh-keygen",
            *(("-f", file) if file else ()),
            "-R",
            hostname if port == 22 else f"[{hostname}]:{port}",
        )

    @property
    def _ssh(self) -> str:
        config = ("-F", self._ssh_config) if self._ssh_config else ()
        port = ("-p", self._address.port) if self._address.port else ()
        user = f"{self._address.user}@" if self._address.user else ""
        return command("ssh", *config, *port, f"{user}{self._address.hostname}")


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
