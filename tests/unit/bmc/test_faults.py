"""Each fault of the virtual iDRAC: told with its mend, nothing half-done unsaid, gone on with."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sriovctl.bmc.access import Access, enter
from sriovctl.bmc.carry import carry
from sriovctl.bmc.door import NoRedfishError, Order, RefusedError
from sriovctl.bmc.secrets import Secret
from sriovctl.bmc.trust import TlsTrust, certificate_fingerprint
from sriovctl.chain.firmware import plan
from sriovctl.errors import BlockedError, FirmwareError, SriovctlError, UnreachableError
from sriovctl.firmware import FirmwareWant
from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION
from sriovctl.lab.bmc.certificate import Certificate
from sriovctl.lab.bmc.personality import IDRAC8, IDRAC9
from sriovctl.lab.bmc.shell import new_host_key
from sriovctl.plan import Severity
from tests.unit.bmc.conftest import OFF, ON, WANT, Doors, Way, in_background, patience
from tests.unit.lab.bmc.conftest import Start, until


def goes_on(way: Way, doors: Doors) -> None:
    """A second run, the fault gone, makes all as wanted."""
    carry(doors(way), WANT, restart=True, patience=patience())
    way.holds()


def test_busy_lifecycle_controller_is_waited_for(either: Way, doors: Doors) -> None:
    faults = either.peer.bmc.faults
    faults.lifecycle = "busy"
    limits = patience(busy=60)
    with pytest.raises(RefusedError, match="RED023"):
        carry(doors(either, patience=limits), WANT, restart=True, patience=limits)
    assert not either.peer.bmc.controller.jobs.jobs
    run = in_background(lambda: goes_on(either, doors))
    until(lambda: either.peer.bmc.controller.bios.pending)
    faults.lifecycle = "ready"
    run.join(60)
    either.holds()


def test_a_job_that_is_never_scheduled(either: Way, doors: Doors) -> None:
    either.peer.bmc.faults.lifecycle = "waiting"
    with pytest.raises(FirmwareError, match=r"not over after 60 s, new: JCP024"):
        carry(doors(either), WANT, restart=True, patience=patience(schedule=60))
    assert not either.peer.chassis.boots
    either.peer.bmc.faults.lifecycle = "ready"
    goes_on(either, doors)


def test_disabled_lifecycle_controller(way: Way, doors: Doors) -> None:
    way.peer.bmc.faults.lifecycle = "disabled"
    with pytest.raises(FirmwareError, match="RAC1155") as caught:
        carry(doors(way), WANT, restart=True, patience=patience())
    assert "LifecycleControllerState" in caught.value.mend
    assert not way.peer.chassis.boots
    way.peer.bmc.faults.lifecycle = "ready"
    goes_on(way, doors)


@pytest.mark.parametrize("fault", ["unavailable", "not_ready"])
def test_a_bmc_that_is_not_ready(start: Start, doors: Doors, tmp_path: Path, fault: str) -> None:
    way = Way(start(IDRAC9), "redfish", tmp_path)
    limits = patience(busy=120)
    door = doors(way, patience=limits)
    way.peer.bmc.faults.set(fault, 3)
    carry(door, WANT, restart=True, patience=limits)
    way.holds()
    naps = limits.sleep.__self__.naps  # type: ignore[attr-defined]
    assert naps.count(30.0) == (3 if fault == "unavailable" else 0)  # its Retry-After
    way.peer.bmc.faults.set(fault, 1000)
    with pytest.raises(FirmwareError, match=r"SYS518|SWC0700"):
        door.look(WANT)


@pytest.mark.parametrize("drop", [1, 2, 5])
def test_answers_that_break_off(either: Way, doors: Doors, drop: int) -> None:
    way = either
    door = doors(way)
    stage, order = door.stage, door.order

    def then_break(real: object) -> object:
        def call(*words: object) -> None:
            way.peer.bmc.faults.drop = drop
            real(*words)  # type: ignore[operator]

        return call

    door.stage = then_break(stage)  # type: ignore[method-assign, assignment]
    door.order = then_break(order)  # type: ignore[method-assign, assignment]
    carry(door, WANT, restart=True, patience=patience())
    way.holds()
    assert len(way.peer.bmc.controller.jobs.jobs) == 1
    assert len(way.peer.chassis.boots) == 1


def test_a_failed_job_is_told_and_not_repeated(either: Way, doors: Doors) -> None:
    either.peer.bmc.faults.job_end = "Failed"
    with pytest.raises(FirmwareError, match="PR21") as caught:
        carry(doors(either), WANT, restart=True, patience=patience())
    assert "not as wanted" in caught.value.means
    assert len(either.peer.chassis.boots) == 1
    either.peer.bmc.faults.job_end = "Completed"
    goes_on(either, doors)


def test_a_job_with_errors_names_what_did_not_take(either: Way, doors: Doors) -> None:
    either.peer.bmc.faults.job_end = "CompletedWithErrors"
    with pytest.raises(FirmwareError, match="done with errors") as caught:
        carry(doors(either), WANT, restart=True, patience=patience())
    assert "SR-IOV" in caught.value.means or "Virtualization" in caught.value.means
    either.peer.bmc.faults.job_end = "Completed"
    goes_on(either, doors)


def test_values_that_show_are_not_the_end_of_the_job(either: Way, doors: Doors) -> None:
    either.peer.bmc.faults.slow_job = 1.0
    carry(doors(either), WANT, restart=True, patience=patience())
    either.holds()


def test_a_job_that_takes_too_long(either: Way, doors: Doors) -> None:
    either.peer.bmc.faults.slow_job = 4.0
    with pytest.raises(FirmwareError, match="not over after 30 s"):
        carry(doors(either), WANT, restart=True, patience=patience(job=30))
    # over racadm values that hold are enough to a new run; the queue is not asked then
    carry(doors(either), WANT, restart=True, patience=patience())
    until(lambda: either.peer.bmc.controller.jobs.jobs[0].state.terminal)
    either.holds()
    assert len(either.peer.chassis.boots) == 1


def test_a_refused_reset(either: Way, doors: Doors) -> None:
    either.peer.bmc.faults.reset_refused = True
    with pytest.raises(FirmwareError, match="shut the system down") as caught:
        carry(doors(either), WANT, restart=True, patience=patience())
    assert "staged" in caught.value.means
    assert either.peer.bmc.controller.bios.pending == ON
    either.peer.bmc.faults.reset_refused = False
    goes_on(either, doors)


def test_a_system_that_does_not_shut_down(either: Way, doors: Doors) -> None:
    either.peer.loop.call_soon_threadsafe(either.peer.chassis.obeys.clear)
    with pytest.raises(FirmwareError, match="did not shut down within 20 s") as caught:
        carry(doors(either), WANT, restart=True, patience=patience(shutdown=20))
    assert "not cut" in caught.value.means
    assert either.peer.chassis.on
    told: list[str] = []
    carry(doors(either), WANT, restart=True, force_after=10, patience=patience(), tell=told.append)
    assert "cut the power" in told
    either.holds()


def test_force_at_once(either: Way, doors: Doors) -> None:
    told: list[str] = []
    carry(doors(either), WANT, restart=True, force_after=0, patience=patience(), tell=told.append)
    assert "shut the system down" not in told
    either.holds()


# somebody else


def test_somebody_elses_job_is_left_alone(either: Way, doors: Doors) -> None:
    bmc = either.peer.bmc.controller
    bmc.stage({"MemTest": "Enabled"})
    job = bmc.commit()
    for _ in range(2):
        with pytest.raises(BlockedError, match=rf"{job.id}.*scheduled") as caught:
            carry(doors(either), WANT, restart=True, patience=patience())
        assert "MemTest=Enabled" in str(caught.value)
    assert (bmc.jobs.jobs, bmc.bios.pending) == ([job], {"MemTest": "Enabled"})
    assert not either.peer.chassis.boots
    doors(either).order(Order.SHUTDOWN)
    until(lambda: not either.peer.chassis.on)
    doors(either).order(Order.ON)
    goes_on(either, doors)
    assert bmc.bios.current["MemTest"] == "Enabled"


def test_a_job_that_comes_in_between(way: Way, doors: Doors) -> None:
    door, bmc = doors(way), way.peer.bmc.controller
    stage = door.stage

    def meanwhile(*words: object) -> None:
        bmc.stage({"MemTest": "Enabled"})
        bmc.commit()
        stage(*words)  # type: ignore[arg-type]

    door.stage = meanwhile  # type: ignore[method-assign, assignment]
    with pytest.raises(BlockedError, match="JID_"):
        carry(door, WANT, restart=True, patience=patience())
    assert bmc.bios.pending == {"MemTest": "Enabled"}


@pytest.mark.parametrize("name", ["ProcX2Apic", "MemTest", VIRTUALIZATION])
def test_somebody_elses_pending_value(either: Way, doors: Doors, name: str) -> None:
    bmc = either.peer.bmc.controller
    if name == VIRTUALIZATION:  # it is on, and somebody wants it off
        bmc.bios.current[name] = "Enabled"
    theirs = {name: "Disabled" if name == VIRTUALIZATION else "Enabled"}
    bmc.stage(theirs)
    with pytest.raises(BlockedError, match=name):
        carry(doors(either), WANT, restart=True, patience=patience())
    assert bmc.bios.pending == theirs
    assert not bmc.jobs.jobs


def test_where_all_holds_somebody_elses_values_are_only_told(either: Way, doors: Doors) -> None:
    bmc = either.peer.bmc.controller
    bmc.bios.current.update(ON)
    bmc.stage({"ProcX2Apic": "Enabled"})
    door = doors(either)
    found = plan(WANT, door.look(WANT)).findings
    assert [f.severity for f in found] == [Severity.INFO]
    assert not carry(door, WANT, restart=True, patience=patience()).changed


def test_our_values_staged_by_somebody_are_taken_up(way: Way, doors: Doors) -> None:
    way.peer.bmc.controller.stage(ON)
    goes_on(way, doors)
    assert len(way.peer.bmc.controller.jobs.jobs) == 1


# what the machine has not


def test_a_missing_registry_is_a_warning(start: Start, doors: Doors, tmp_path: Path) -> None:
    way = Way(start(IDRAC9), "redfish", tmp_path)
    way.peer.bmc.faults.no_registry = True
    have = doors(way).look(WANT)
    assert [f.severity for f in plan(WANT, have).findings] == [Severity.WARNING]
    assert "SR-IOV Global Enable" in have.settings[1].display
    goes_on(way, doors)


def test_a_read_only_setting_names_what_it_hangs_on(
    either: Way, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes = either.peer.bmc.controller.bios.attributes
    monkeypatch.setitem(
        attributes, SRIOV, replace(attributes[SRIOV], needs=("MmioAbove4Gb", "Disabled"))
    )
    with pytest.raises(FirmwareError, match=r"SR-IOV Global Enable.*read-only") as caught:
        carry(doors(either), WANT, restart=True, patience=patience())
    if either.via == "redfish":
        assert "Memory Mapped I/O above 4GB" in caught.value.means
    assert either.peer.bmc.controller.bios.pending == {}


def test_an_unknown_setting_names_the_bios_screen(
    either: Way, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    bios = either.peer.bmc.controller.bios
    monkeypatch.delitem(bios.attributes, SRIOV)
    monkeypatch.delitem(bios.current, SRIOV)
    with pytest.raises(FirmwareError, match="no setting known for sriov") as caught:
        carry(doors(either), WANT, restart=True, patience=patience())
    assert "Integrated Devices > SR-IOV Global Enable" in caught.value.mend
    assert bios.pending == {}


def test_network_ports(start: Start, doors: Doors, tmp_path: Path) -> None:
    want = FirmwareWant(nics=("NIC.Integrated.1-1-1", "NIC.Integrated.1-2-1"))
    for number, (personality, via) in enumerate([(IDRAC9, "redfish"), (IDRAC8, "racadm")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        way = Way(start(personality), via, folder)  # type: ignore[arg-type]
        carry(doors(way), want, restart=True, patience=patience())
        way.holds()
        devices = way.peer.bmc.controller.devices
        assert [devices[nic].current["VirtualizationMode"] for nic in want.nics] == ["SRIOV"] * 2
        assert len(way.peer.bmc.controller.jobs.jobs) == 3
        assert len(way.peer.chassis.boots) == 1
    # an iDRAC8 does not show them over Redfish
    folder = tmp_path / "8"
    folder.mkdir()
    eight = Way(start(IDRAC8), "redfish", folder)
    with pytest.raises(FirmwareError, match="no setting known for nic"):
        carry(doors(eight), want, restart=True, patience=patience())
    assert eight.values() == OFF


# trust, and the way there


def test_firmware_too_old_for_redfish(start: Start, doors: Doors, tmp_path: Path) -> None:
    way = Way(start(IDRAC8), "redfish", tmp_path)
    way.peer.bmc.faults.no_redfish = True
    with pytest.raises(NoRedfishError) as caught:
        doors(way)
    assert "racadm" in caught.value.mend
    assert doors(way, via="auto").via == "racadm"
    way.peer.bmc.faults.no_redfish = False
    assert doors(way, via="auto").via == "redfish"
    assert doors(way, via="auto", https_port=1).via == "racadm"
    with pytest.raises(UnreachableError, match="does not answer"):
        doors(way, via="auto", https_port=1, known_hosts=None)


def test_another_certificate(start: Start, doors: Doors, tmp_path: Path) -> None:
    way = Way(start(IDRAC9), "redfish", tmp_path)
    old = way.peer.bmc.certificate.fingerprint
    door = doors(way)
    way.peer.bmc.new_certificate()
    new = certificate_fingerprint("127.0.0.1", way.peer.bmc.https_port)
    assert new == way.peer.bmc.certificate.fingerprint != old
    for act in (lambda: door.look(WANT), lambda: doors(way, tls=TlsTrust(fingerprint=old))):
        with pytest.raises(UnreachableError, match=f"{new}, recorded {old}") as caught:
            act()
        assert "no password was sent" in caught.value.means
    # an unbelieved one is no reason to try the other way
    with pytest.raises(UnreachableError, match="another certificate"):
        doors(way, via="auto", tls=TlsTrust(fingerprint=old))


def test_authority_and_insecure(
    start: Start, doors: Doors, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    way = Way(start(IDRAC9), "redfish", tmp_path)
    doors(way, tls=TlsTrust(authority=way.peer.authority)).look(WANT)
    with pytest.raises(UnreachableError, match="not believed"):
        doors(way, tls=TlsTrust())
    assert "insecure" not in caplog.text
    for run in (1, 2):
        assert doors(way, tls=TlsTrust(insecure=True)).warnings
        assert caplog.text.count("certificate is not checked (insecure)") == run


def test_another_host_key(start: Start, doors: Doors, tmp_path: Path) -> None:
    way = Way(start(IDRAC8), "racadm", tmp_path)
    door = doors(way)
    door.look(WANT)
    asyncio.run_coroutine_threadsafe(
        way.peer.bmc.new_host_key(new_host_key()), way.peer.loop
    ).result()
    with pytest.raises(UnreachableError, match="another ssh key") as caught:
        door.look(WANT)
    assert "no password was sent" in caught.value.means
    assert "trust RACK --write --replace" in caught.value.mend
    empty = tmp_path / "empty"
    empty.write_text("")
    with pytest.raises(UnreachableError, match="no recorded ssh key"):
        doors(way, known_hosts=empty).look(WANT)


def test_old_ssh_only_where_it_is_marked(start: Start, doors: Doors, tmp_path: Path) -> None:
    way = Way(start(replace(IDRAC8, old_ssh=True)), "racadm", tmp_path)
    with pytest.raises(UnreachableError, match="broken"):
        doors(way).look(WANT)
    door = doors(way, old_ciphers=True)
    assert "old ciphers" in door.warnings[0]
    goes_on_state = door.look(WANT)
    assert [s.value for s in goes_on_state.settings] == ["Disabled", "Disabled"]


@pytest.mark.parametrize("why", ["locked", "wrong"])
def test_a_refused_login_is_tried_once(either: Way, doors: Doors, why: str) -> None:
    if why == "locked":
        either.peer.bmc.faults.locked = True
    password = Secret("calvin" if why == "locked" else "hunter2")
    with pytest.raises(UnreachableError, match="refuses the login") as caught:
        doors(either, password=password, via=either.via).look(WANT)
    assert "locked" in caught.value.means
    assert "hunter2" not in str(caught.value)
    if why == "wrong" and either.via == "redfish":
        # two more wrong ones would lock the account: the right one still works
        doors(either).look(WANT)


def test_errors_have_a_mend(either: Way, doors: Doors) -> None:
    either.peer.bmc.faults.locked = True
    with pytest.raises(SriovctlError) as caught:
        doors(either).look(WANT)
    assert caught.value.mend


class _Stranger(BaseHTTPRequestHandler):
    """Answers to everything, as a printer or a captive portal might."""

    body = b"<html>hello</html>"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"{}", b"null", b'{"Id": 1}'])
def test_something_that_is_no_bmc(certificate: Certificate, body: bytes) -> None:
    handler = type("Handler", (_Stranger,), {"body": body})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.load(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    in_background(server.serve_forever)
    access = Access(
        "127.0.0.1",
        "root",
        Secret("calvin"),
        tls=TlsTrust(fingerprint=certificate.fingerprint),
        via="redfish",
        https_port=server.server_address[1],
    )
    try:
        with pytest.raises(SriovctlError) as caught:
            carry(enter(access, patience(busy=10)), WANT, restart=True, patience=patience())
        assert caught.value.mend
    finally:
        server.shutdown()
        server.server_close()
