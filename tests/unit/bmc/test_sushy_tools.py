"""Our Redfish door at a server that this project did not write: sushy-tools' emulator.

Its machine is libvirt's test driver. It has settings but no jobs, and a setting holds at once.
libvirt's Python module is Debian's (``python3-libvirt``): the one of the package index has to be
built against libvirt's headers. It fits where this Python has the same version as Debian's.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sriovctl.bmc import intents
from sriovctl.bmc.access import Access, enter
from sriovctl.bmc.carry import carry
from sriovctl.bmc.door import Door, Order
from sriovctl.bmc.intents import Candidates, Vendor
from sriovctl.bmc.secrets import Secret
from sriovctl.bmc.trust import TlsTrust
from sriovctl.chain.firmware import plan
from sriovctl.firmware import FirmwareWant
from sriovctl.lab.bmc.certificate import self_signed
from sriovctl.plan import Severity
from tests.unit.bmc.conftest import patience
from tests.unit.lab.bmc.conftest import until

EMULATOR = Path(sys.executable).with_name("sushy-emulator")
LIBVIRT = tuple(
    Path("/usr/lib/python3/dist-packages") / name
    for name in ("libvirt.py", f"libvirtmod{sysconfig.get_config_var('EXT_SUFFIX')}")
)
MISSING = [str(path) for path in (EMULATOR, *LIBVIRT) if not path.exists()]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not there: {', '.join(MISSING)}")

SWITCH = Candidates(names=("ProcTurboMode",), on=("Disabled",), screen="Turbo")
NONE = Candidates(names=("NotThere",), on=("Enabled",), screen="Nowhere")


@dataclass
class Emulator:
    """Where it is."""

    port: int
    fingerprint: str

    def open(self) -> Door:
        """Our door to it."""
        return enter(
            Access(
                "127.0.0.1",
                "admin",
                Secret("password"),
                tls=TlsTrust(fingerprint=self.fingerprint),
                via="redfish",
                https_port=self.port,
            ),
            patience(),
        )


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """One of its own; its vendor is known for this test, with a switch that it has."""
    made = self_signed("EMU0001", datetime.now(UTC))
    (tmp_path / "cert.pem").write_bytes(made.certificate)
    (tmp_path / "key.pem").write_bytes(made.key)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    vendor = Vendor(
        says=("sushy",), source="sushy-tools", virtualization=SWITCH, iommu=NONE, sriov=NONE
    )
    monkeypatch.setattr(intents, "table", lambda: {"emulator": vendor})
    # these two alone: the whole of Debian's folder would hide packages of the venv
    modules = tmp_path / "modules"
    modules.mkdir()
    for path in LIBVIRT:
        (modules / path.name).symlink_to(path)
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        [
            *(str(EMULATOR), "-i", "127.0.0.1", "-p", str(port)),
            *("--libvirt-uri", "test:///default"),
            *("--ssl-certificate", str(tmp_path / "cert.pem")),
            *("--ssl-key", str(tmp_path / "key.pem")),
        ],
        stdout=log,
        stderr=log,
        # it keeps a database in the folder for temporary files, and leaves it there
        env={**os.environ, "PYTHONPATH": str(modules), "TMPDIR": str(tmp_path)},
    )

    def listens() -> bool:
        assert process.poll() is None, (tmp_path / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens)
        yield Emulator(port, made.fingerprint)
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_settings_hold_at_once(emulator: Emulator) -> None:
    want = FirmwareWant(intents=("virtualization",))
    door = emulator.open()
    have = door.look(want)
    assert (have.vendor, have.needs_job, have.jobs) == ("emulator", False, None)
    assert [(s.name, s.value) for s in have.settings] == [("ProcTurboMode", "Enabled")]
    assert not plan(want, have).of(Severity.ERROR)
    outcome = carry(door, want, restart=True, patience=patience())
    assert outcome.changed
    assert outcome.state.settings[0].value == "Disabled"
    assert not carry(emulator.open(), want, restart=True, patience=patience()).changed
    door.close()


def test_what_it_has_not(emulator: Emulator) -> None:
    want = FirmwareWant(intents=("sriov",))
    found = plan(want, emulator.open().look(want)).of(Severity.ERROR)
    assert "NotThere" in found[0].found


def test_power(emulator: Emulator) -> None:
    door = emulator.open()
    assert door.power() == "on"
    assert {Order.ON, Order.OFF, Order.SHUTDOWN} <= door.orders()
    door.order(Order.OFF)
    assert door.power() == "off"
    door.order(Order.ON)
    assert door.power() == "on"
