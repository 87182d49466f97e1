"""Our doors to the virtual iDRAC, with a clock that runs fast."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from sriovctl.bmc.access import Access, enter
from sriovctl.bmc.door import Door, Patience
from sriovctl.bmc.secrets import Secret
from sriovctl.bmc.ssh import host_key as shown_key
from sriovctl.bmc.trust import TlsTrust
from sriovctl.firmware import FirmwareState, FirmwareWant
from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION
from sriovctl.lab.bmc.personality import IDRAC8, IDRAC9, Personality
from tests.unit.lab.bmc.conftest import Peer, certificate, host_key, start

__all__ = ["certificate", "host_key", "start"]

ON = {VIRTUALIZATION: "Enabled", SRIOV: "Enabled"}
OFF = {VIRTUALIZATION: "Disabled", SRIOV: "Disabled"}
WANT = FirmwareWant()

Via = Literal["redfish", "racadm"]


class FastClock:
    """Sleeps a moment only, and believes that it was all."""

    def __init__(self) -> None:
        self._slept = 0.0
        self.naps: list[float] = []

    def now(self) -> float:
        """Seconds."""
        return time.monotonic() + self._slept

    def sleep(self, seconds: float) -> None:
        """Return soon."""
        self.naps.append(seconds)
        self._slept += seconds
        time.sleep(min(seconds / 500, 0.01))


def patience(**more: Any) -> Patience:
    """Real limits on a fast clock."""
    clock = FastClock()
    return replace(Patience(now=clock.now, sleep=clock.sleep), **more)


@dataclass
class Way:
    """One door to one BMC, made anew by :meth:`open`."""

    peer: Peer
    via: Via
    folder: Path

    def access(self, **more: Any) -> Access:
        """With everything recorded as it is shown now."""
        known = self.folder / "known_hosts"
        if not known.exists():
            key = shown_key("127.0.0.1", self.peer.bmc.ssh_port)
            place = f"[127.0.0.1]:{self.peer.bmc.ssh_port}"
            known.write_text(f"{place} {key.get_name()} {key.get_base64()}\n")
        facts: dict[str, Any] = {
            "host": "127.0.0.1",
            "user": "root",
            "password": Secret("calvin"),
            "tls": TlsTrust(fingerprint=self.peer.bmc.certificate.fingerprint),
            "known_hosts": known,
            "via": self.via,
            "https_port": self.peer.bmc.https_port,
            "ssh_port": self.peer.bmc.ssh_port,
        }
        return Access(**(facts | more))

    def values(self) -> dict[str, Any]:
        """Our two settings as the BIOS has them."""
        current = self.peer.bmc.controller.bios.current
        return {name: current[name] for name in ON}

    def holds(self) -> None:
        """As wanted: the values, nothing pending, no job under way, the machine runs with them."""
        controller = self.peer.bmc.controller
        assert self.values() == ON
        assert controller.bios.pending == {}
        assert all(job.state.terminal for job in controller.jobs.jobs)
        assert self.peer.chassis.on
        assert {name: self.peer.chassis.boots[-1][name] for name in ON} == ON


@pytest.fixture(params=["redfish", "racadm"])
def via(request: pytest.FixtureRequest) -> Via:
    """Both protocols."""
    each: Via = request.param
    return each


@pytest.fixture(params=[IDRAC8, IDRAC9], ids=lambda each: each.name)
def personality(request: pytest.FixtureRequest) -> Personality:
    """Both."""
    each: Personality = request.param
    return replace(each)


@pytest.fixture
def way(start: Callable[..., Peer], personality: Personality, via: Via, tmp_path: Path) -> Way:
    """Each protocol to each personality."""
    return Way(start(personality), via, tmp_path)


@pytest.fixture(
    params=[(IDRAC9, "redfish"), (IDRAC8, "racadm")], ids=["idrac9-redfish", "idrac8-racadm"]
)
def either(start: Callable[..., Peer], request: pytest.FixtureRequest, tmp_path: Path) -> Way:
    """Each protocol once, for what does not hang on the personality."""
    personality, via = request.param
    return Way(start(replace(personality)), via, tmp_path)


Doors = Callable[..., Door]


@pytest.fixture
def doors() -> Iterator[Doors]:
    """Opens doors that are closed in the end."""
    with ExitStack() as stack:

        def open_door(way: Way, **more: Any) -> Door:
            limits = more.pop("patience", None) or patience()
            door = enter(way.access(**more), limits)
            stack.callback(door.close)
            return door

        yield open_door


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Runs it while the test goes on."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def summary(state: FirmwareState) -> dict[str, tuple[str, str | None]]:
    """Setting → its value and what is pending."""
    return {s.name: (s.value, s.pending) for s in state.settings}
