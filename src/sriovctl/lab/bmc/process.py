"""A BMC as a process of its own: up until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from sriovctl.lab.bmc.control import control
from sriovctl.lab.bmc.server import BMC


async def serve(bmc: BMC, socket: Path | None, ready: Callable[[BMC], None]) -> None:
    """Run until SIGINT or SIGTERM; the server below is left as it is.

    :param socket: of its control, or None for none
    :param ready: called once it answers
    """
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bmc)
        if socket is not None:
            await stack.enter_async_context(control(bmc, socket))
        ready(bmc)
        await over.wait()
