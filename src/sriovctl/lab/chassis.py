"""A QEMU server as the machine below a BMC. Lives in the BMC's process and event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from sriovctl.errors import SriovctlError
from sriovctl.lab import firmware, machine, power, state
from sriovctl.lab.bmc.chassis import Ended, PowerState
from sriovctl.lab.layout import Server
from sriovctl.lab.timeouts import seconds


class QemuChassis:
    """See :class:`sriovctl.lab.bmc.chassis.Chassis`.

    :param lab: its name; what the lab is, its cut cables too, is looked up at each start
    :param qemu: path of QEMU
    :param memory: file that keeps the BIOS values of the last start, for the BMC's next process
    """

    def __init__(self, lab: str, server: Server, qemu: str, memory: Path) -> None:
        self._lab = lab
        self._server = server
        self._qemu = qemu
        self._memory = memory
        self._folder = state.load(lab).server_folder(server)
        self._life: asyncio.Task[Ended] | None = None

    async def power(self) -> PowerState:
        """See :class:`Chassis`."""
        return "off" if machine.running(self._folder) is None else "on"

    async def power_on(self, bios: Mapping[str, str]) -> None:
        """See :class:`Chassis`."""
        self._memory.write_text(json.dumps(dict(bios), indent=2) + "\n")
        switches = firmware.from_bios(self._server, bios)
        lab = state.load(self._lab)
        await asyncio.to_thread(power.turn_on, lab, self._server, self._qemu, switches)
        self._watch()

    async def power_off(self, force: bool) -> None:
        """See :class:`Chassis`."""
        process = machine.running(self._folder)
        if process is None:
            return
        if force:
            await asyncio.to_thread(process.end)
        else:
            # it may shut down by itself at this very moment
            with contextlib.suppress(SriovctlError, OSError):
                await asyncio.to_thread(self._press)

    async def wait_off(self) -> Ended:
        """See :class:`Chassis`."""
        if self._life is None:
            self._watch()
        return Ended.SHUTDOWN if self._life is None else await asyncio.shield(self._life)

    def _press(self) -> None:
        with machine.Monitor(self._folder) as monitor:
            monitor.command("system_powerdown")

    def _watch(self) -> None:
        """Begin to watch the machine that runs, if one does."""
        process = machine.running(self._folder)
        self._life = None if process is None else asyncio.create_task(self._live(process))

    async def _live(self, process: machine.Process) -> Ended:
        """Follow a machine until its process is gone."""
        why = Ended.SHUTDOWN
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return why
        try:
            with contextlib.suppress(ConnectionError, FileNotFoundError):
                why = await self._listen()
            await asyncio.to_thread(machine.ended, descriptor, seconds("stop"))
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)
        finally:
            os.close(descriptor)
        return why

    async def _listen(self) -> Ended:
        """What QEMU says of its end, on the monitor that is the BMC's own."""
        why = Ended.SHUTDOWN
        reader, writer = await asyncio.open_unix_connection(self._folder / "events.sock")
        try:
            writer.write(b'{"execute": "qmp_capabilities"}\n')
            async for line in reader:
                message = json.loads(line)
                if message.get("event") == "SHUTDOWN":
                    # guest-reset, host-qmp-system-reset; guest-shutdown and the like
                    reset = str(message["data"]["reason"]).endswith("reset")
                    why = Ended.RESET if reset else Ended.SHUTDOWN
        finally:
            writer.close()
        return why
