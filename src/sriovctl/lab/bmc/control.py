"""A BMC's back door, for the lab and its tests: look inside, set faults.

One JSON object a line over a unix socket, one answer a line: ``{"do": "state"}``,
``{"do": "fault", "name": "lifecycle", "value": "busy"}``, ``{"do": "certificate"}``,
``{"do": "host-key"}``, ``{"do": "power", "action": "ForceOff"}``; ``{"do": "started", "count": 2}``
is answered when the server has been started so many times.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sriovctl.errors import HostError, SriovctlError, UsageError
from sriovctl.lab.bmc.controller import Action
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.server import BMC

TIMEOUT = 10.0
"""Seconds that :func:`ask` waits for an answer unless told otherwise."""


async def state(bmc: BMC) -> dict[str, Any]:
    """Everything about a BMC that a test may want to see, as JSON."""
    controller = bmc.controller
    controller.settle()
    return {
        "personality": controller.personality.name,
        "tag": controller.tag,
        "url": bmc.url,
        "ssh_port": bmc.ssh_port,
        "certificate": bmc.certificate.fingerprint,
        "host_key": bmc.host_key.get_fingerprint(),
        "power": await controller.power(),
        "starts": controller.starts,
        "current": controller.bios.current,
        "pending": controller.bios.pending,
        "jobs": [
            {"id": job.id, "type": job.kind, "state": str(job.state)}
            for job in controller.jobs.jobs
        ],
        "faults": asdict(controller.faults),
    }


async def carry_out(bmc: BMC, order: dict[str, Any]) -> dict[str, Any]:
    """Do what one line asks, and give the state after it.

    :raises UsageError: it asks for what there is not
    :raises RefusedError: the server has that power state already, or the fault ``reset_refused``
    """
    match order:
        case {"do": "state"}:
            pass
        case {"do": "fault", "name": str(name), "value": value}:
            bmc.faults.set(name, value)
        case {"do": "certificate"}:
            bmc.new_certificate()
        case {"do": "host-key"}:
            await bmc.new_host_key()
        case {"do": "power", "action": str(action)}:
            await bmc.controller.reset(Action(action))
        case {"do": "started", "count": int(count)}:
            await bmc.controller.wait_starts(count)
        case _:
            raise UsageError(
                f"the BMC's control does not know {order!r}",
                mend="do is one of state, fault, certificate, host-key, power, started",
            )
    return await state(bmc)


@asynccontextmanager
async def control(bmc: BMC, path: Path) -> AsyncIterator[None]:
    """Listen on a unix socket, for its owner only."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            try:
                order = json.loads(line)
                answer: dict[str, Any] = {"ok": await carry_out(bmc, order)}
            except (SriovctlError, RefusedError, ValueError) as error:
                answer = {"error": str(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, path)
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def ask(path: Path, *, timeout: float = TIMEOUT, **order: Any) -> dict[str, Any]:
    """Ask a BMC's control; ``ask(path, do="fault", name="drop", value=1)``.

    :param timeout: seconds
    :returns: the state after it
    :raises HostError: nobody answers there, or not in time
    :raises UsageError: it asks for what there is not
    """
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(timeout)
            line.connect(str(path))
            line.sendall(json.dumps(order).encode() + b"\n")
            with line.makefile("r", encoding="utf-8") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
    except TimeoutError as error:
        raise HostError(f"the BMC at {path} has not done {order} in {timeout:g} s") from error
    except (OSError, ValueError) as error:
        raise HostError(f"no BMC answers at {path}: {error}") from error
    if "error" in answer:
        raise UsageError(answer["error"])
    inside: dict[str, Any] = answer["ok"]
    return inside
