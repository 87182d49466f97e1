"""The BMC's ssh side: one racadm command, or its prompt."""

from __future__ import annotations

import asyncio
import shlex
from typing import Any

import asyncssh

from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.logins import Account, Logins
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.personality import Personality
from sriovctl.lab.bmc.racadm import racadm
from sriovctl.lab.bmc.racadm.wording import error

_PROMPT = "racadm>>"
_CHANGES = ("set", "serveraction")

_OLD = {
    "kex_algs": ["diffie-hellman-group14-sha1", "diffie-hellman-group1-sha1"],
    "encryption_algs": ["aes128-ctr", "aes256-ctr", "aes128-cbc", "3des-cbc"],
    "mac_algs": ["hmac-sha1", "hmac-sha1-96"],
}
"""All that the ssh of an iDRAC 7 or 8 of those years offers."""


def new_host_key() -> asyncssh.SSHKey:
    """A host key of the kind that an iDRAC has."""
    return asyncssh.generate_private_key("ssh-rsa", key_size=2048)


def algorithms(personality: Personality, key: asyncssh.SSHKey) -> dict[str, Any]:
    """Options of an asyncssh server: its host key and what it offers."""
    pairs = asyncssh.load_keypairs([key])
    if not personality.old_ssh:
        return {"server_host_keys": pairs}
    for pair in pairs:
        pair.host_key_algorithms = [b"ssh-rsa"]
    return {"server_host_keys": pairs, **_OLD}


class Shell:
    """All ssh connections of one BMC."""

    def __init__(self, controller: Controller, logins: Logins) -> None:
        self._controller = controller
        self._logins = logins
        self._open = 0
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._lingering: set[asyncio.Task[None]] = set()

    def door(self) -> asyncssh.SSHServer:
        """What asyncssh asks about each new connection."""
        return _Door(self._controller, self._logins, self._connections)

    async def hang_up(self) -> None:
        """Cut all connections."""
        connections = list(self._connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.wait_closed() for connection in connections))
        for task in self._lingering:
            task.cancel()

    async def session(self, process: asyncssh.SSHServerProcess[str]) -> None:
        """One channel: the command that was given, or commands line by line.

        The exit status is 0 whatever happened, as iDRAC's is.
        """
        if self._open >= self._controller.personality.racadm_sessions:
            self._write(process, error("RAC0218"))
            process.exit(0)
            return
        self._open += 1
        try:
            if process.command is not None:
                await self._one(process, process.command)
            else:
                await self._many(process)
        except (asyncssh.BreakReceived, asyncssh.TerminalSizeChanged, BrokenPipeError):
            pass
        finally:
            self._leave()
        process.exit(0)

    def _leave(self) -> None:
        """Free the session's place, a while after its end as iDRAC does."""
        if self._controller.timing.linger <= 0:
            self._open -= 1
            return
        task = asyncio.create_task(self._linger())
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)

    async def _linger(self) -> None:
        await self._controller.clock.sleep(self._controller.timing.linger)
        self._open -= 1

    async def _one(self, process: asyncssh.SSHServerProcess[str], line: str) -> None:
        output = await self._run(process, line)
        if output and self._controller.faults.take("drop"):
            self._write(process, output[: len(output) // 2])
            await process.stdout.drain()
            _abort(process)
            return
        self._write(process, output)

    async def _many(self, process: asyncssh.SSHServerProcess[str]) -> None:
        prompt = self._controller.personality.prompt
        self._write(process, prompt)
        async for typed in process.stdin:
            line = typed.strip()
            if line in ("exit", "quit"):
                if prompt == _PROMPT != self._controller.personality.prompt:
                    prompt = self._controller.personality.prompt
                    self._write(process, prompt)
                    continue
                return
            if line == "racadm":
                prompt = _PROMPT
            elif line:
                await self._one(process, line)
            self._write(process, prompt)

    async def _run(self, process: asyncssh.SSHServerProcess[str], line: str) -> str:
        try:
            words = shlex.split(line)
        except ValueError:
            words = [line]
        if words[:1] == ["racadm"]:
            words = words[1:]
        account: Account = process.get_extra_info("account")
        changes = words[:1] and (words[0] in _CHANGES or words[:2] in _JOB_CHANGES)
        if account.role == "ReadOnly" and changes and words[1:] != ["powerstatus"]:
            return "ERROR: User does not have the privilege to run this command.\n"
        return await racadm(self._controller, words)

    def _write(self, process: asyncssh.SSHServerProcess[str], output: str) -> None:
        """iDRAC ends its lines with CR LF; on a terminal asyncssh adds the CR itself."""
        terminal = process.get_terminal_type() is not None
        process.stdout.write(output if terminal else output.replace("\n", "\r\n"))


_JOB_CHANGES = (["jobqueue", "create"], ["jobqueue", "delete"])


def _abort(process: asyncssh.SSHServerProcess[str]) -> None:
    connection: asyncssh.SSHServerConnection = process.get_extra_info("connection")
    connection.abort()


class _Door(asyncssh.SSHServer):
    """Passwords only, by a plain question or as keyboard-interactive."""

    def __init__(
        self,
        controller: Controller,
        logins: Logins,
        connections: set[asyncssh.SSHServerConnection],
    ) -> None:
        self._controller = controller
        self._logins = logins
        self._connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        if self._controller.faults.locked:
            return False
        try:
            account = self._logins.check(username, password, self._controller.clock.now())
        except RefusedError:
            return False
        self._connection.set_extra_info(account=account)
        return True


__all__ = ["Shell", "algorithms", "new_host_key"]
