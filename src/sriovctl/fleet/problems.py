"""What is wrong where a host cannot be connected to."""

from __future__ import annotations

import paramiko
from pyinfra.api.exceptions import ConnectError

from sriovctl.errors import UnreachableError
from sriovctl.fleet.address import Address, Patience
from sriovctl.shell import command


def connect_problem(
    error: Exception,
    client: paramiko.SSHClient | None,
    address: Address,
    ssh_config: str | None,
    patience: Patience,
) -> UnreachableError:
    """What a failed connection means, and what mends it.

    :param client: that failed, still open
    :param ssh_config: for the command that the message names
    """
    ssh = address.ssh(ssh_config)
    cause = error.__context__ if isinstance(error, ConnectError) else error
    if isinstance(cause, paramiko.BadHostKeyException):
        return UnreachableError(
            f"{address.shown}: its host key has changed: it shows {cause.key.fingerprint}, "
            f"known is {cause.expected_key.fingerprint}",
            "it was installed anew, or somebody stands in between; no connection was made",
            f"if it was installed anew: {_forget(client, cause.hostname)}, then {ssh}",
        )
    if "No host key for" in str(cause):
        shown = _shown_key(client)
        return UnreachableError(
            f"{address.shown}: its host key is not known"
            + (f"; it shows {shown}" if shown else ""),
            "nobody can say that it is the right machine; no connection was made",
            "compare it with the machine's own (there: ssh-keygen -lf /etc/ssh/ssh_host_*.pub),"
            f" then answer yes to: {ssh}",
        )
    if isinstance(cause, paramiko.AuthenticationException):
        # paramiko has these two in words only (auth_handler.py, wait_for_response)
        if "timeout" in str(cause):
            return UnreachableError(
                f"{address.shown}: no answer to the login within {patience.connect_s:g} s",
                "the server is busy, or waits for a directory or PAM; no key was refused",
                f"try: {ssh}; or wait longer: --connect-timeout",
            )
        if "saw EOF" in str(cause):
            return UnreachableError(
                f"{address.shown}: it closed the connection at the login",
                "it takes no more tries (MaxAuthTries: one a key), or no more logins",
                f"try: {ssh}",
            )
        return UnreachableError(
            f"{address.shown}: login refused: {cause}",
            "no key of this user or its agent is let in",
            f"try: {ssh}",
        )
    return UnreachableError(
        f"{address.shown}: {cause or error}", "there is no connection", f"try: {ssh}"
    )


def _shown_key(client: paramiko.SSHClient | None) -> str | None:
    transport = client.get_transport() if client is not None else None
    key = getattr(transport, "host_key", None)
    return key.fingerprint if isinstance(key, paramiko.PKey) else None


def _forget(client: paramiko.SSHClient | None, hostname: str) -> str:
    """The command that takes a host's old key out of its known_hosts file."""
    port = getattr(client, "_ssh_config", {}).get("port", 22)
    file = getattr(client, "_host_keys_filename", None)
    return command(
        "ssh-keygen",
        *(("-f", file) if file else ()),
        "-R",
        hostname if port == 22 else f"[{hostname}]:{port}",
    )
