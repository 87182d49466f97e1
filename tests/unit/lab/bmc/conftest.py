"""BMCs to test against: on loopback, in a thread, over a machine in memory."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest
import requests

from sriovctl.lab.bmc.attributes import Nic
from sriovctl.lab.bmc.certificate import Certificate, self_signed
from sriovctl.lab.bmc.chassis import FakeChassis
from sriovctl.lab.bmc.clock import AT_ONCE
from sriovctl.lab.bmc.control import control
from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.logins import DEFAULT_ACCOUNT, Account
from sriovctl.lab.bmc.personality import IDRAC8, IDRAC9, Personality
from sriovctl.lab.bmc.server import BMC, in_thread
from sriovctl.lab.bmc.shell import new_host_key

PASSWORD = DEFAULT_ACCOUNT.password
READER = Account("reader", "only", "ReadOnly")

NICS = (
    Nic("NIC.Integrated.1-1-1", "52:54:00:00:02:01", "NONE"),
    Nic("NIC.Integrated.1-2-1", "52:54:00:00:02:02", "NONE"),
)

SYSTEM = "/redfish/v1/Systems/System.Embedded.1"
BIOS = f"{SYSTEM}/Bios"
SETTINGS = f"{BIOS}/Settings"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"
JOBS = "/redfish/v1/Managers/iDRAC.Embedded.1/Jobs"


def until(true: Callable[[], object]) -> None:
    """Ask again until it is true, which another thread sees to; 20 s at most."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@dataclass
class Peer:
    """A BMC with what a test needs to speak to it."""

    bmc: BMC
    chassis: FakeChassis
    authority: Path
    control: Path
    loop: asyncio.AbstractEventLoop

    def call(self, function: Callable[..., None], *arguments: object) -> None:
        """Have something done in the BMC's own thread."""
        self.loop.call_soon_threadsafe(function, *arguments)

    @property
    def host(self) -> str:
        return f"{self.bmc.address}:{self.bmc.https_port}"

    def http(
        self, method: str, path: str, *, user: str = "root", password: str = PASSWORD, **more: Any
    ) -> requests.Response:
        """One request with name and password, the certificate checked."""
        more.setdefault("auth", (user, password))
        return requests.request(
            method, self.bmc.url + path, verify=str(self.authority), timeout=20, **more
        )

    def attributes(self, path: str = BIOS) -> dict[str, Any]:
        """Attributes of BIOS or its settings."""
        answer: dict[str, Any] = self.http("GET", path).json()["Attributes"]
        return answer

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, whole."""
        members: list[dict[str, Any]] = self.http("GET", f"{JOBS}?$expand=*").json()["Members"]
        return members


@pytest.fixture(scope="session")
def certificate() -> Certificate:
    """One for all BMCs: making a key takes a while."""
    return self_signed("LAB0002", datetime.now(UTC), ("127.0.0.1",))


@pytest.fixture(scope="session")
def host_key() -> asyncssh.SSHKey:
    """One for all BMCs."""
    return new_host_key()


Start = Callable[..., Peer]


@pytest.fixture
def start(certificate: Certificate, host_key: asyncssh.SSHKey, tmp_path: Path) -> Iterator[Start]:
    """Starts BMCs that end with the test."""
    authority = tmp_path / "bmc.pem"
    authority.write_bytes(certificate.certificate)
    number = itertools.count()
    with ExitStack() as stack:

        def make(personality: Personality = IDRAC9, **more: Any) -> Peer:
            made: list[tuple[FakeChassis, asyncio.AbstractEventLoop]] = []

            path = tmp_path / f"control-{next(number)}"

            @asynccontextmanager
            async def build() -> AsyncIterator[BMC]:
                chassis = FakeChassis()
                made.append((chassis, asyncio.get_running_loop()))
                more.setdefault("timing", AT_ONCE)
                more.setdefault("nics", NICS)
                bmc = BMC(
                    Controller(personality, chassis, **more),
                    accounts=(DEFAULT_ACCOUNT, READER),
                    certificate=certificate,
                    host_key=host_key,
                )
                async with bmc, control(bmc, path):
                    yield bmc

            bmc = stack.enter_context(in_thread(build))
            chassis, loop = made[0]
            return Peer(bmc, chassis, authority, path, loop)

        yield make


@pytest.fixture(params=[IDRAC8, IDRAC9], ids=lambda each: each.name)
def personality(request: pytest.FixtureRequest) -> Personality:
    """Both."""
    each: Personality = request.param
    return replace(each)


@pytest.fixture
def fast_badfish(monkeypatch: pytest.MonkeyPatch) -> None:
    """badfish without its fixed sleeps of up to 30 s, which are made for the metal."""

    main = pytest.importorskip("badfish.main")

    async def nap(_seconds: float) -> None:
        await asyncio.sleep(0.01)

    monkeypatch.setattr(main, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": nap}))
