"""A lab's BMC as a process: started, asked, ended, and the same again afterwards. No QEMU runs."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sriovctl.bmc.trust import certificate_fingerprint
from sriovctl.errors import HostError, UsageError
from sriovctl.lab import access, bmcs, machine
from sriovctl.lab.bmc.attributes import SRIOV
from sriovctl.lab.layout import Server
from sriovctl.lab.state import Lab
from sriovctl.rackbmc import BMC

pytest.importorskip("asyncssh")

SERVER = Server(2)


@pytest.fixture
def lab(tmp_path: Path, socket_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab with a BMC that may run, and a peer that has none."""
    qemu = tmp_path / "bin" / machine.QEMU
    qemu.parent.mkdir()
    qemu.write_text("#!/bin/sh\necho QEMU emulator version 10.0.2\n")
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", str(qemu.parent), prepend=":")
    monkeypatch.setenv("SRIOVCTL_LAB_STATE", str(socket_folder))
    redfish, racadm = access.free_ports(2)
    made = Lab(
        name="l",
        numbers=(1, 2),
        accelerator="tcg",
        reason="",
        image="",
        ssh_ports={},
        personality="idrac8",
        redfish_ports={SERVER.name: redfish},
        racadm_ports={SERVER.name: racadm},
    )
    made.server_folder(SERVER).mkdir(parents=True)
    made.save()
    yield made
    if (process := machine.running(bmcs.folder(made, SERVER))) is not None:
        process.end()


def stop(lab: Lab) -> None:
    process = machine.running(bmcs.folder(lab, SERVER))
    assert process is not None
    process.end(gently=True)


def test_bmc_is_the_same_after_its_end(lab: Lab) -> None:
    bmcs.start(lab, SERVER)
    before = bmcs.ask(lab, SERVER, do="state")
    assert (before["power"], before["personality"]) == ("off", "idrac8")
    bmcs.start(lab, SERVER)
    stop(lab)
    assert not (bmcs.folder(lab, SERVER) / "control.sock").exists()
    with pytest.raises(HostError, match="no BMC answers"):
        bmcs.ask(lab, SERVER, do="state")
    memory = bmcs.folder(lab, SERVER) / "bios.json"
    memory.write_text(json.dumps({SRIOV: "Enabled", "AcPwrRcvryUserDelay": "90"}))
    bmcs.start(lab, SERVER)
    after = bmcs.ask(lab, SERVER, do="state")
    changed = {**before["current"], SRIOV: "Enabled", "AcPwrRcvryUserDelay": 90}
    assert after == {**before, "current": changed}


def test_rack_file_takes_what_is_written_for_it(lab: Lab) -> None:
    bmcs.start(lab, SERVER)
    bmcs.write_files(lab)
    entries = json.loads((lab.folder / "bmc.json").read_text())
    assert list(entries) == [SERVER.name]
    entry = BMC.model_validate(entries[SERVER.name])
    assert entry.fingerprint == certificate_fingerprint(entry.address, entry.https_port)
    password = Path(entry.password.removeprefix("file:"))
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert entry.known_hosts is not None
    assert Path(entry.known_hosts).read_text().startswith(f"[127.0.0.1]:{entry.ssh_port} ssh-rsa ")


def test_fault_as_typed(lab: Lab) -> None:
    bmcs.start(lab, SERVER)
    for name, typed, value in (
        ("lifecycle", "busy", "busy"),
        ("drop", "2", 2),
        ("reset_refused", "true", True),
    ):
        assert bmcs.set_fault(lab, SERVER, name, typed)["faults"][name] == value
    with pytest.raises(UsageError, match="lifecycle"):
        bmcs.set_fault(lab, SERVER, "lifecycle", "lazy")
    with pytest.raises(UsageError, match="SYS519"):
        bmcs.switch_on(lab, SERVER, "On")


def test_server_without_a_bmc_says_how_to_get_one(lab: Lab) -> None:
    with pytest.raises(UsageError, match="server-1 has no BMC"):
        bmcs.ask(lab, Server(1), do="state")


def test_bmc_that_does_not_start_tells_why(lab: Lab) -> None:
    other = Lab(**{**vars(lab), "personality": "idrac7"})
    other.save()
    with pytest.raises(HostError, match="idrac7"):
        bmcs.start(other, SERVER)
