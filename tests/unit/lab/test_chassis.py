"""A QEMU server below a BMC: how its end is understood. The QEMU is a socket and a `sleep`."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sriovctl.lab import machine
from sriovctl.lab.bmc.chassis import Ended
from sriovctl.lab.chassis import QemuChassis
from sriovctl.lab.layout import Server
from sriovctl.lab.state import Lab

SERVER = Server(2)


@pytest.fixture
def folder(socket_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a lab's server."""
    monkeypatch.setenv("SRIOVCTL_LAB_STATE", str(socket_folder))
    lab = Lab("l", (2,), "tcg", "", "", {"server-2": 1})
    made = lab.server_folder(SERVER)
    made.mkdir(parents=True)
    lab.save()
    return made


@pytest.fixture
def process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """What stands for QEMU's process."""
    child = subprocess.Popen(["sleep", "60"])
    machine.record(child.pid, folder)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def chassis(folder: Path) -> QemuChassis:
    return QemuChassis("l", SERVER, "qemu", folder / "bios.json")


def test_no_process_is_off(folder: Path) -> None:
    async def look() -> None:
        assert await chassis(folder).power() == "off"
        assert await chassis(folder).wait_off() is Ended.SHUTDOWN
        await chassis(folder).power_off(force=True)

    asyncio.run(look())


@pytest.mark.parametrize(
    ("reason", "ended"),
    [
        ("guest-reset", Ended.RESET),
        ("host-qmp-system-reset", Ended.RESET),
        ("guest-shutdown", Ended.SHUTDOWN),
        ("guest-panic", Ended.SHUTDOWN),
        (None, Ended.SHUTDOWN),
    ],
)
def test_end_is_told_when_the_process_is_gone(
    folder: Path, process: subprocess.Popen[bytes], reason: str | None, ended: Ended
) -> None:
    async def qemu(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"QMP": {}}\n')
        assert json.loads(await reader.readline()) == {"execute": "qmp_capabilities"}
        writer.write(b'{"return": {}}\n{"event": "NIC_RX_FILTER_CHANGED"}\n')
        if reason:
            event = {"event": "SHUTDOWN", "data": {"guest": True, "reason": reason}}
            writer.write(json.dumps(event).encode() + b"\n")
        await writer.drain()
        writer.close()
        process.kill()

    async def follow() -> None:
        async with await asyncio.start_unix_server(qemu, folder / "events.sock"):
            below = chassis(folder)
            assert await below.power() == "on"
            assert await below.wait_off() is ended
            assert await below.power() == "off"

    asyncio.run(follow())


def test_cut_power_is_off_at_once(folder: Path, process: subprocess.Popen[bytes]) -> None:
    async def cut() -> None:
        below = chassis(folder)
        waiting = asyncio.create_task(below.wait_off())
        await below.power_off(force=True)
        assert await below.power() == "off"
        assert await waiting is Ended.SHUTDOWN

    asyncio.run(cut())
    assert process.poll() is not None
