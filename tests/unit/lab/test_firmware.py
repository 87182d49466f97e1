"""From BIOS values to what a server's system sees."""

from __future__ import annotations

import pytest

from sriovctl.lab import firmware
from sriovctl.lab.bmc.attributes import NIC_MODE, SRIOV, VIRTUALIZATION, Nic
from sriovctl.lab.bmc.chassis import FakeChassis
from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.personality import IDRAC9
from sriovctl.lab.layout import Port, Server

SERVER = Server(2)


def switches(**changed: str) -> dict[str, str]:
    """What a bare server's BMC starts it with, some of it changed."""
    nics = [Nic(firmware.fqdd(port), port.mac) for port in SERVER.ports]
    made: dict[str, str] = Controller(IDRAC9, FakeChassis(), nics=nics)._switches()
    return made | changed


def test_bare_has_neither() -> None:
    seen = firmware.from_bios(SERVER, switches())
    assert not seen.virtualization
    assert seen.sriov == frozenset()


def test_all_on_is_a_server_without_a_bmc() -> None:
    on = switches(**{VIRTUALIZATION: "Enabled", SRIOV: "Enabled"})
    assert firmware.from_bios(SERVER, on) == firmware.everything(SERVER)


@pytest.mark.parametrize("port", SERVER.ports)
def test_port_can_be_off_by_its_own_setting(port: Port) -> None:
    off = switches(**{SRIOV: "Enabled", f"{firmware.fqdd(port)}#{NIC_MODE}": "NONE"})
    others = {each.name for each in SERVER.ports} - {port.name}
    assert firmware.from_bios(SERVER, off).sriov == others


def test_peer_has_no_sriov() -> None:
    assert firmware.everything(Server(1)).sriov == frozenset()
