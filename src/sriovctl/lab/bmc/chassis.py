"""The server below a BMC: the contract that a machine of the lab fulfils, and a pretended one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, Protocol

PowerState = Literal["on", "off"]


class Ended(StrEnum):
    """Why a machine stopped by itself."""

    SHUTDOWN = "shutdown"
    """Its system shut down, or it died: it stays off."""
    RESET = "reset"
    """Its system rebooted: the BMC runs what is due at a reset, then starts it again."""


class Chassis(Protocol):
    """A machine whose power and BIOS a BMC owns; nothing else switches it.

    Every method may take its time. :meth:`wait_off` can be cancelled; the others are never broken
    off, and never two at a time. All run in the BMC's event loop: what blocks belongs into
    :func:`asyncio.to_thread`.
    """

    async def power(self) -> PowerState:
        """Whether the machine runs now."""

    async def power_on(self, bios: Mapping[str, str]) -> None:
        """Start the machine with these BIOS values (all of them, by their attribute names).

        Returns once it has started, not when its system is up.
        """

    async def power_off(self, force: bool) -> None:
        """Cut the power and return when it is off; or, not forced, press the button and return.

        What the system does about the button shows in :meth:`wait_off`.
        """

    async def wait_off(self) -> Ended:
        """Wait until the machine has stopped by itself or was stopped, and say why.

        Returns at once where it is off. A machine of QEMU should be started with
        ``-action reboot=shutdown``: its event SHUTDOWN then says ``guest-reset`` for a reboot.
        """


class FakeChassis:
    """A machine in memory. Its system obeys the power button when ``obeys`` is set.

    :param on: whether it runs already
    """

    def __init__(self, on: bool = True) -> None:
        self.on = on
        self.boots: list[dict[str, str]] = []
        """The BIOS values of each start, oldest first."""
        self.obeys = asyncio.Event()
        self.obeys.set()
        self.may_start = asyncio.Event()
        """Cleared: :meth:`power_on` takes until it is set again."""
        self.may_start.set()
        self._stopped = asyncio.Event()
        self._why = Ended.SHUTDOWN
        self._started = asyncio.Condition()
        self._button: asyncio.Task[None] | None = None
        if not on:
            self._stopped.set()

    async def power(self) -> PowerState:
        """See :class:`Chassis`."""
        return "on" if self.on else "off"

    async def power_on(self, bios: Mapping[str, str]) -> None:
        """See :class:`Chassis`."""
        await self.may_start.wait()
        async with self._started:
            self.on = True
            self._stopped.clear()
            self.boots.append(dict(bios))
            self._started.notify_all()

    async def power_off(self, force: bool) -> None:
        """See :class:`Chassis`."""
        if force:
            self.stop(Ended.SHUTDOWN)
        elif self._button is None or self._button.done():
            self._button = asyncio.create_task(self._pressed())

    async def wait_off(self) -> Ended:
        """See :class:`Chassis`."""
        await self._stopped.wait()
        return self._why

    async def wait_boots(self, count: int) -> None:
        """Wait until it was started so many times."""
        async with self._started:
            await self._started.wait_for(lambda: len(self.boots) >= count)

    def stop(self, why: Ended) -> None:
        """The system shuts down or reboots."""
        self.on = False
        self._why = why
        self._stopped.set()

    async def _pressed(self) -> None:
        await self.obeys.wait()
        if self.on:
            self.stop(Ended.SHUTDOWN)
