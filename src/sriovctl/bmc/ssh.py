"""One racadm command over ssh: a connection, a command, its output. Strict about whom it is."""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import paramiko

from sriovctl.bmc import knownhosts
from sriovctl.bmc.door import LostAnswerError, Patience
from sriovctl.bmc.secrets import Secret
from sriovctl.errors import UnreachableError

# what paramiko logs, with a traceback where nobody asked to see any, it raises here too
logging.getLogger("paramiko").addHandler(logging.NullHandler())

OLD: Final = {
    "kex": [
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group-exchange-sha1",
        "diffie-hellman-group1-sha1",
    ],
    "keys": ["ssh-rsa", "ssh-dss"],
    "pubkeys": ["ssh-rsa", "ssh-dss"],
    "ciphers": ["3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc", "blowfish-cbc"],
    "macs": ["hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96"],
}
"""Broken or weak, and all that an iDRAC 7 or 8 offers: only spoken where that is marked."""

RSA: Final = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")}
"""How a key of a kind may sign, the best first; other kinds sign in one way, by their own name."""

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of one answer; racadm's longest, all BIOS settings, is some 30 kB."""


@dataclass(frozen=True)
class SshTarget:
    """Where a BMC's ssh is and how it is recognised.

    :param known_hosts: file with its recorded key, as OpenSSH's
    :param old_ciphers: it is so old that it needs SHA-1 and CBC
    """

    host: str
    user: str
    known_hosts: Path
    port: int = 22
    old_ciphers: bool = False

    @property
    def entry(self) -> str:
        """How known_hosts names it."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


def run(target: SshTarget, password: Secret, command: str, patience: Patience) -> str:
    """Run one command in exec mode.

    :returns: all it printed, raw
    :raises UnreachableError: no connection, an unknown or changed host key, no login
    :raises UsageError: the file of known hosts cannot be read
    :raises LostAnswerError: the connection broke, or the time was up, before its end
    """
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    for key in knownhosts.recorded(target.known_hosts, target.entry):
        client.get_host_keys().add(target.entry, key.get_name(), key)
    try:
        _connect(client, target, password, patience)
        return _output(client, target, command, patience)
    finally:
        client.close()


def _connect(
    client: paramiko.SSHClient, target: SshTarget, password: Secret, patience: Patience
) -> None:
    try:
        plain = socket.create_connection((target.host, target.port), patience.connect)
        # paramiko sends in small pieces and leaves Nagle's algorithm on: 40 ms for each
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        known = list(client.get_host_keys().lookup(target.entry) or ())

        def transport(*words: Any, **more: Any) -> paramiko.Transport:
            made = paramiko.Transport(*words, **more)
            _prefer(made, known)
            return made

        client.connect(
            target.host,
            target.port,
            target.user,
            password.reveal(),
            sock=plain,
            timeout=patience.connect,
            banner_timeout=patience.request,
            auth_timeout=patience.request,
            channel_timeout=patience.request,
            # nothing but the password: each key that is offered counts as a wrong login
            allow_agent=False,
            look_for_keys=False,
            disabled_algorithms=None if target.old_ciphers else OLD,
            transport_factory=transport,
        )
    except paramiko.BadHostKeyException as error:
        raise UnreachableError(
            f"{target.entry} shows another ssh key than the recorded one: "
            f"{fingerprint(error.key)}, recorded {fingerprint(error.expected_key)}",
            "the BMC got a new key, or somebody stands between; no password was sent",
            "compare, and only then record the new one: sriovctl trust RACK --write --replace",
        ) from None
    except paramiko.AuthenticationException:
        raise UnreachableError(
            f"{target.entry} refuses the login of {target.user}",
            "user or password is wrong, or the account is locked; it was tried once, because each "
            "further try may lock it",
            "check the password; a locked account opens after some minutes",
        ) from None
    except paramiko.SSHException as error:
        raise _no_ssh(target, error) from None
    except (OSError, EOFError) as error:
        raise UnreachableError(
            f"{target.entry} does not answer to ssh: {error}",
            "the BMC is not there, its ssh is off, or a firewall is between",
            "check its address and cable; on an iDRAC: racadm set iDRAC.SSH.Enable 1",
        ) from None


def _no_ssh(target: SshTarget, error: paramiko.SSHException) -> UnreachableError:
    text = str(error)
    if "not found in known_hosts" in text:
        return UnreachableError(
            f"{target.entry} has no recorded ssh key in {target.known_hosts}",
            "nothing says that it is the right machine; no password was sent",
            "compare the fingerprint and record it: sriovctl trust RACK --write",
        )
    if "Incompatible ssh" in text or "no acceptable" in text.lower():
        return UnreachableError(
            f"{target.entry} offers only ssh algorithms that are broken: {text}",
            "an iDRAC 7 or 8 with old firmware is so",
            "update its firmware, or mark this BMC as one that may use old ciphers",
        )
    return UnreachableError(f"{target.entry}: ssh failed: {text}")


def _output(client: paramiko.SSHClient, target: SshTarget, command: str, patience: Patience) -> str:
    lost = LostAnswerError(
        f"{target.entry} broke off in the middle of {command.partition(' ')[2] or command!r}",
        "it may have done what it was asked",
    )
    try:
        stdin, stdout, _ = client.exec_command(command, timeout=patience.request)
        stdin.close()
        output = stdout.read(LARGEST)
        channel = stdout.channel
        ended = channel.status_event.wait(patience.request)
        # a broken connection gives neither an exit status nor an end of file; some firmware gives
        # no exit status in the best of times
        if not ended or (channel.exit_status == -1 and not channel.eof_received):
            raise lost
    except (OSError, EOFError, paramiko.SSHException, TimeoutError):
        raise lost from None
    return output.decode("utf-8", "replace")


def _prefer(transport: paramiko.Transport, kinds: Iterable[str]) -> None:
    signatures = [name for kind in kinds for name in RSA.get(kind, (kind,))]
    options = transport.get_security_options()
    first = tuple(name for name in signatures if name in options.key_types)
    options.key_types = (*first, *(name for name in options.key_types if name not in first))


def fingerprint(key: paramiko.PKey) -> str:
    """As OpenSSH prints it: ``SHA256:…``."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def host_key(
    host: str, port: int = 22, timeout: float = 10.0, kinds: Iterable[str] = ()
) -> paramiko.PKey:
    """The key that is shown there now, to record after a person compared it. It is not checked.

    :param timeout: seconds, for connecting and for the handshake each
    :param kinds: of the recorded keys: one of these is asked for where there is a choice
    :raises UnreachableError: nobody speaks ssh there
    """
    try:
        with socket.create_connection((host, port), timeout) as plain:
            transport = paramiko.Transport(plain)
            _prefer(transport, kinds)
            try:
                transport.start_client(timeout=timeout)
                return transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise UnreachableError(f"{host}:{port} does not answer to ssh: {error}") from None
