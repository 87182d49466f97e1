"""Each fault on demand, as a client meets it; and the control that sets it."""

from __future__ import annotations

import ssl
from dataclasses import asdict

import paramiko
import pytest
import requests

from sriovctl.errors import HostError, UsageError
from sriovctl.lab.bmc.attributes import SRIOV
from sriovctl.lab.bmc.control import ask
from sriovctl.lab.bmc.faults import Faults
from sriovctl.lab.bmc.personality import IDRAC8, IDRAC9
from tests.unit.lab.bmc.conftest import BIOS, JOBS, RESET, SETTINGS, Start
from tests.unit.lab.bmc.test_racadm import run
from tests.unit.lab.bmc.test_redfish import ON_RESET, codes


def test_503_so_many_times(start: Start) -> None:
    peer = start(IDRAC9)
    peer.bmc.faults.unavailable = 2
    for _ in range(2):
        answer = peer.http("GET", BIOS)
        assert (answer.status_code, codes(answer)) == (503, ["SYS518"])
        assert answer.headers["Retry-After"] == "30"
    assert peer.http("GET", BIOS).status_code == 200


def test_not_ready(start: Start) -> None:
    peer = start(IDRAC8)
    peer.bmc.faults.not_ready = 1
    answer = peer.http("GET", BIOS)
    assert (answer.status_code, codes(answer)) == (400, ["SWC0700"])


def test_an_answer_that_breaks_off_was_carried_out_all_the_same(start: Start) -> None:
    peer = start(IDRAC9)
    peer.bmc.faults.drop = 1
    with pytest.raises(requests.exceptions.RequestException):
        peer.http("PATCH", SETTINGS, json={"Attributes": {SRIOV: "Enabled"}, **ON_RESET})
    assert len(peer.jobs()) == 1


def test_racadm_that_breaks_off(start: Start) -> None:
    peer = start(IDRAC8)
    peer.bmc.faults.drop = 1
    with pytest.raises((AssertionError, paramiko.SSHException, EOFError, OSError)):
        run(peer, "racadm getsysinfo")
    assert "LAB0002" in run(peer, "racadm getsysinfo")


def test_missing_registry(start: Start) -> None:
    peer = start(IDRAC9)
    peer.bmc.faults.no_registry = True
    assert peer.http("GET", f"{BIOS}/BiosRegistry").status_code == 404
    members = peer.http("GET", "/redfish/v1/Registries").json()["Members"]
    assert [each["@odata.id"].rpartition("/")[2] for each in members] == ["Messages"]


def test_firmware_without_redfish(start: Start) -> None:
    peer = start(IDRAC8)
    peer.bmc.faults.no_redfish = True
    assert peer.http("GET", "/redfish/v1").status_code == 404
    assert "LAB0002" in run(peer, "racadm getsvctag")


def test_reset_refused(start: Start) -> None:
    peer = start(IDRAC9)
    peer.bmc.faults.reset_refused = True
    assert peer.http("POST", RESET, json={"ResetType": "ForceOff"}).status_code == 500
    assert run(peer, "racadm serveraction powercycle").startswith("ERROR: ")
    assert peer.chassis.on


@pytest.mark.parametrize(
    ("lifecycle", "status", "code"), [("busy", 503, "RED023"), ("disabled", 400, "RAC1155")]
)
def test_lifecycle_controller(start: Start, lifecycle: str, status: int, code: str) -> None:
    peer = start(IDRAC8)
    peer.bmc.faults.set("lifecycle", lifecycle)
    peer.http("PATCH", SETTINGS, json={"Attributes": {SRIOV: "Enabled"}})
    answer = peer.http("POST", JOBS, json={"TargetSettingsURI": SETTINGS})
    assert (answer.status_code, codes(answer)) == (status, [code])


def test_locked_account(start: Start) -> None:
    peer = start(IDRAC9)
    peer.bmc.faults.locked = True
    assert peer.http("GET", BIOS).status_code == 401


def test_another_certificate(start: Start) -> None:
    peer = start(IDRAC9)
    where = (peer.bmc.address, peer.bmc.https_port)
    before = ssl.get_server_certificate(where)
    told = ask(peer.control, do="certificate")
    assert told["certificate"] == peer.bmc.certificate.fingerprint
    with pytest.raises(requests.exceptions.SSLError):
        peer.http("GET", "/redfish/v1")
    assert ssl.get_server_certificate(where) != before


def test_another_host_key(start: Start) -> None:
    peer = start(IDRAC8)
    old = peer.bmc.host_key
    told = ask(peer.control, do="host-key")
    assert told["host_key"] == peer.bmc.host_key.get_fingerprint() != old.get_fingerprint()
    assert run(peer, "racadm getsvctag") == "LAB0002\r\n"
    peer.bmc.host_key = old
    with pytest.raises(paramiko.BadHostKeyException):
        run(peer, "racadm getsvctag")


def test_control_sets_faults_and_looks_inside(start: Start) -> None:
    peer = start(IDRAC9)
    told = ask(peer.control, do="state")
    assert told["faults"] == asdict(Faults())
    assert (told["url"], told["power"], told["pending"]) == (peer.bmc.url, "on", {})
    assert ask(peer.control, do="fault", name="slow_job", value=5)["faults"]["slow_job"] == 5.0
    assert peer.bmc.faults.slow_job == 5.0
    for order in (
        {"do": "dance"},
        {"do": "fault", "name": "nonsense", "value": 1},
        {"do": "fault", "name": "lifecycle", "value": "asleep"},
        {"do": "fault", "name": "drop", "value": True},
    ):
        with pytest.raises(UsageError):
            ask(peer.control, **order)
    with pytest.raises(HostError):
        ask(peer.control.with_name("nobody"), do="state")


def test_control_switches_the_server_and_waits_for_it(start: Start) -> None:
    peer = start(IDRAC8)
    starts = ask(peer.control, do="state")["starts"]
    ask(peer.control, do="power", action="ForceRestart")
    assert ask(peer.control, do="started", count=starts + 1)["power"] == "on"
    assert ask(peer.control, do="power", action="ForceOff")["power"] == "off"
    for action in ("ForceOff", "Dance"):
        with pytest.raises(UsageError, match=action if action == "Dance" else "PSU501"):
            ask(peer.control, do="power", action=action)
    with pytest.raises(HostError):
        ask(peer.control, timeout=0.1, do="started", count=starts + 2)
