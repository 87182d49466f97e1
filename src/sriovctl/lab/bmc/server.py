"""A whole BMC: Redfish over HTTPS and racadm over ssh in front of one controller.

In an event loop: ``async with BMC(controller) as bmc: …``. From ordinary code:
``with in_thread(lambda: BMC(Controller(IDRAC9, chassis))) as bmc: …``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import asyncssh
import uvicorn

from sriovctl.lab.bmc.certificate import Certificate, self_signed
from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.logins import DEFAULT_ACCOUNT, Account, Logins
from sriovctl.lab.bmc.redfish import redfish_app
from sriovctl.lab.bmc.shell import Shell, algorithms, new_host_key

Thing = TypeVar("Thing")


class BMC:
    """One BMC on the network.

    :param address: where it listens
    :param https_port: 0 for any that is free
    :param ssh_port: 0 for any that is free
    :param names: what its certificate is made out to, see :func:`self_signed`
    """

    def __init__(
        self,
        controller: Controller,
        *,
        address: str = "127.0.0.1",
        https_port: int = 0,
        ssh_port: int = 0,
        accounts: tuple[Account, ...] = (DEFAULT_ACCOUNT,),
        names: tuple[str, ...] = (),
        certificate: Certificate | None = None,
        host_key: asyncssh.SSHKey | None = None,
    ) -> None:
        self.controller = controller
        self.faults = controller.faults
        self.address = address
        self._names = names
        self.certificate = certificate or self_signed(controller.tag, controller.clock.now(), names)
        self.host_key = host_key or new_host_key()
        personality = controller.personality
        logins = Logins(accounts, personality.failed_logins, controller.timing.lockout)
        self._app = redfish_app(controller, logins)
        self._shell = Shell(controller, logins)
        self._https = _listening(address, https_port)
        self._ssh = _listening(address, ssh_port)
        self.https_port: int = self._https.getsockname()[1]
        self.ssh_port: int = self._ssh.getsockname()[1]
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.certificate.load(self._context)

    @property
    def url(self) -> str:
        """``https://127.0.0.1:port``."""
        return f"https://{self.address}:{self.https_port}"

    async def __aenter__(self) -> BMC:
        await self.controller.start()
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
        )
        config.load()
        config.ssl = self._context
        # started and ended here and not by its serve(): that one takes the process's signals and
        # ticks ten times a second
        self._web = uvicorn.Server(config)
        self._web.lifespan = config.lifespan_class(config)
        await self._web.startup(sockets=[self._https])
        await self._listen_ssh()
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._web.servers:
            server.close()
        self._https.close()
        for connection in list(self._web.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.gather(*self._web.server_state.tasks, return_exceptions=True)
        self._acceptor.close()
        await self._shell.hang_up()
        await self._acceptor.wait_closed()
        self._ssh.close()
        await self.controller.stop()

    async def _listen_ssh(self) -> None:
        self._acceptor = await asyncssh.listen(
            sock=self._ssh.dup(),
            server_factory=self._shell.door,
            process_factory=self._shell.session,
            allow_scp=False,
            **algorithms(self.controller.personality, self.host_key),
        )

    def new_certificate(self, certificate: Certificate | None = None) -> None:
        """Answer with another certificate from the next connection on."""
        now = self.controller.clock.now()
        self.certificate = certificate or self_signed(self.controller.tag, now, self._names)
        self.certificate.load(self._context)

    async def new_host_key(self, key: asyncssh.SSHKey | None = None) -> None:
        """Answer with another ssh host key from the next connection on."""
        self.host_key = key or new_host_key()
        self._acceptor.update(**algorithms(self.controller.personality, self.host_key))


def _listening(address: str, port: int) -> socket.socket:
    """A socket that takes connections from now on, before anybody answers them."""
    listening = socket.create_server((address, port), backlog=64)
    # asyncio sets it only where the socket names its protocol; without, each answer takes 40 ms
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


@contextlib.contextmanager
def in_thread(make: Callable[[], AbstractAsyncContextManager[Thing]]) -> Iterator[Thing]:
    """Run a BMC, or whatever lives in an event loop, in a thread with a loop of its own.

    :param make: makes it, in that thread
    :returns: what it gives on entering
    :raises Exception: whatever kept it from starting
    """
    loop = asyncio.new_event_loop()
    over = asyncio.Event()
    entered: Future[Thing] = Future()

    async def live() -> None:
        async with make() as thing:
            entered.set_result(thing)
            await over.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            try:
                runner.run(live())
            except Exception as error:
                if entered.done():
                    raise
                entered.set_exception(error)

    thread = threading.Thread(target=run, name="bmc", daemon=True)
    thread.start()
    try:
        yield entered.result()
    finally:
        if thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(over.set)
        thread.join()
