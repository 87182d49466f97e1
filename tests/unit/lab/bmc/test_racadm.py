"""racadm over ssh: what it prints, to the byte, and what it does."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import paramiko
import pytest

from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION
from sriovctl.lab.bmc.clock import AT_ONCE, HandClock
from sriovctl.lab.bmc.jobs import JobState
from sriovctl.lab.bmc.personality import IDRAC8, IDRAC9, Personality
from tests.unit.lab.bmc.conftest import PASSWORD, Peer, Start, until

SET = "racadm set BIOS.ProcSettings.ProcVirtualization Enabled"
SET_SRIOV = "racadm set BIOS.IntegratedDevices.SriovGlobalEnable Enabled"
CREATE = "racadm jobqueue create BIOS.Setup.1-1"


@contextmanager
def login(peer: Peer, user: str = "root", password: str = PASSWORD) -> Iterator[paramiko.SSHClient]:
    """An ssh connection, the host key checked."""
    client = paramiko.SSHClient()
    kind, key = peer.bmc.host_key.export_public_key().decode().split()[:2]
    assert kind == "ssh-rsa"
    name = f"[{peer.bmc.address}]:{peer.bmc.ssh_port}"
    known = paramiko.RSAKey(data=base64.b64decode(key))
    client.get_host_keys().add(name, kind, known)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.connect(
        peer.bmc.address,
        peer.bmc.ssh_port,
        user,
        password,
        allow_agent=False,
        look_for_keys=False,
    )
    try:
        yield client
    finally:
        client.close()


def run(peer: Peer, *commands: str, user: str = "root", password: str = PASSWORD) -> str:
    """What the commands printed; each exits 0, whatever it did."""
    printed = ""
    with login(peer, user, password) as client:
        for command in commands:
            _, out, _ = client.exec_command(command, timeout=20)
            printed += out.read().decode()
            assert out.channel.recv_exit_status() == 0
    return printed


def test_set_only_stages(start: Start, personality: Personality) -> None:
    peer = start(personality)
    assert run(peer, SET) == (
        "[Key=BIOS.Setup.1-1#ProcSettings]\r\n"
        "RAC1017: Successfully modified the object value and the change is in\r\n"
        "         pending state.\r\n"
    )
    assert run(peer, "racadm get BIOS.ProcSettings.ProcVirtualization") == (
        "[Key=BIOS.Setup.1-1#ProcSettings]\r\n"
        "ProcVirtualization=Disabled (Pending Value=Enabled)\r\n"
    )


def test_a_job_with_its_reboot_applies(start: Start, personality: Personality) -> None:
    peer = start(personality)
    printed = run(peer, SET, SET_SRIOV, f"{CREATE} -r pwrcycle -s TIME_NOW -e TIME_NA")
    assert "\r\nRAC1024: Successfully scheduled a job.\r\n" in printed
    job_id, reboot_id = (
        line.rpartition(" = ")[2] for line in printed.splitlines() if " JID = " in line
    )
    assert (job_id[:4], reboot_id[:4]) == ("JID_", "RID_")
    until(lambda: "Status=Completed\r\n" in run(peer, f"racadm jobqueue view -i {job_id}"))
    view = run(peer, f"racadm jobqueue view -i {job_id}")
    assert f"[Job ID={job_id}]\r\nJob Name=Configure: BIOS.Setup.1-1\r\n" in view
    assert "Message=[PR19: Job completed successfully.]\r\nPercent Complete=[100]\r\n" in view
    assert peer.chassis.boots[-1][SRIOV] == "Enabled"
    assert run(peer, "racadm get BIOS.ProcSettings.ProcVirtualization").endswith(
        "\r\nProcVirtualization=Enabled\r\n"
    )


@pytest.mark.parametrize("personality", [IDRAC8, IDRAC9], ids=lambda each: each.name)
def test_the_guides_script_leaves_it_all_pending(start: Start, personality: Personality) -> None:
    peer = start(personality)
    printed = run(peer, SET, SET_SRIOV, "racadm serveraction powercycle")
    assert printed.endswith("Server power operation successful\r\n")
    until(lambda: peer.chassis.boots)
    assert peer.chassis.boots[0][VIRTUALIZATION] == peer.chassis.boots[0][SRIOV] == "Disabled"
    for name in ("ProcSettings.ProcVirtualization", "IntegratedDevices.SriovGlobalEnable"):
        assert "=Disabled (Pending Value=Enabled)" in run(peer, f"racadm get BIOS.{name}")
    assert peer.bmc.controller.jobs.jobs == []


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        (
            "racadm set BIOS.ProcSettings.ProcVirtualization enabled",
            "ERROR: RAC947: Invalid object value specified.\r\n",
        ),
        (
            "racadm set BIOS.ProcSettings.ProcCoreSpeed 1",
            "ERROR: RAC1025: The specified object is read-only and cannot be modified.\r\n",
        ),
        (
            "racadm set BIOS.ProcSettings.KernelDmaProtection Enabled",
            "ERROR: RAC1025: The specified object is read-only and cannot be modified.\r\n",
        ),
        (
            "racadm get BIOS.ProcSettings.Nonsense",
            "ERROR: RAC917: Invalid group or object name: BIOS.ProcSettings.Nonsense.\r\n",
        ),
        (CREATE, "ERROR: RAC1035: No pending data present to create a Configuration job.\r\n"),
        (
            "racadm jobqueue view -i JID_000000000000",
            "ERROR: RAC1030: The job ID JID_000000000000 is not found.\r\n",
        ),
        ("racadm serveraction powerup", "ERROR: Server is already powered ON.\r\n"),
        ("serveraction powerstatus", "Server power status: ON\r\n"),
        ("racadm nonsense", "ERROR: Invalid subcommand specified: nonsense\r\n"),
        (
            "racadm set BIOS.ProcSettings.LogicalProc",
            'ERROR: RAC901: Invalid syntax. Run "racadm help set" for the syntax of the\r\n'
            "               command.\r\n",
        ),
        ("racadm jobqueue view", "-------------------------JOB QUEUE------------------------\r\n"
         "----------------------------------------------------------\r\n"),
        ("racadm 'unfinished", "ERROR: Invalid subcommand specified: racadm 'unfinished\r\n"),
    ],
)  # fmt: skip
def test_answers_to_the_byte(start: Start, command: str, printed: str) -> None:
    assert run(start(IDRAC8), command) == printed


def test_names_may_have_any_case_values_not(start: Start) -> None:
    peer = start(IDRAC8)
    assert "RAC1017" in run(peer, "racadm set bios.procsettings.procvirtualization Enabled")


def test_a_second_job_is_refused(start: Start, personality: Personality) -> None:
    peer = start(personality)
    run(peer, SET, CREATE)
    refusal = "ERROR: SYS011: Pending configuration values are already committed, unable\r\n"
    assert run(peer, CREATE).startswith(refusal)
    assert run(peer, SET_SRIOV).startswith(refusal)
    (job,) = peer.bmc.controller.jobs.jobs
    assert run(peer, f"racadm jobqueue delete -i {job.id}") == (
        f"RAC1032: {job.id} job(s) was cancelled by the user.\r\n"
    )
    assert "Pending" not in run(peer, "racadm get BIOS.ProcSettings")
    assert "RAC1017" in run(peer, SET_SRIOV)


@pytest.mark.parametrize(
    ("lifecycle", "code"), [("busy", "RED023"), ("disabled", "RAC1155"), ("waiting", "JCP024")]
)
def test_lifecycle_controller(start: Start, lifecycle: str, code: str) -> None:
    peer = start(IDRAC8)
    peer.bmc.faults.set("lifecycle", lifecycle)
    assert f"{code}: " in run(peer, SET, CREATE, "racadm jobqueue view")


def test_a_failed_job_says_so(start: Start) -> None:
    peer = start(IDRAC8)
    peer.bmc.faults.set("job_end", "Failed")
    run(peer, SET, f"{CREATE} -r forced")
    jobs = peer.bmc.controller.jobs.jobs
    until(lambda: all(job.state.terminal for job in jobs))
    assert jobs[0].state is JobState.FAILED
    view = run(peer, "racadm jobqueue view")
    assert "Status=Failed\r\n" in view
    assert "Message=[PR21: Job failed.]\r\n" in view


def test_facts(start: Start, personality: Personality) -> None:
    printed = run(start(personality), "racadm getversion", "racadm getsysinfo -s")
    assert f" iDRAC Version                 = {personality.firmware}\r\n" in printed
    assert f"System Model            = {personality.model}\r\n" in printed
    assert "Service Tag             = LAB0002\r\n" in printed
    assert "Power Status            = ON\r\n" in printed


def test_groups_show_what_cannot_be_set(start: Start) -> None:
    printed = run(start(IDRAC8), "racadm get BIOS.ProcSettings", "racadm get BIOS.SysSecurity")
    assert "\r\nLogicalProc=Enabled\r\n" in printed
    assert "\r\n#ProcCoreSpeed=2.60 GHz\r\n" in printed
    assert "\r\n#KernelDmaProtection=Disabled\r\n" in printed
    assert "\r\n!!SetupPassword=******** (Write-Only)\r\n" in printed


def test_a_fifth_session_is_refused(start: Start) -> None:
    peer = start(IDRAC8)
    with login(peer) as client:
        shells = [client.invoke_shell() for _ in range(IDRAC8.racadm_sessions)]
        for shell in shells:
            assert shell.recv(1000).startswith(b"/admin1-> ")
        assert run(peer, "racadm getversion") == (
            "ERROR: RAC0218: The maximum number of user sessions is reached.\r\n"
        )
        shells[0].close()
    until(lambda: "RAC0218" not in run(peer, "racadm getversion"))


def test_a_session_counts_for_a_while_after_its_end(start: Start) -> None:
    clock = HandClock()
    peer = start(IDRAC8, clock=clock, timing=replace(AT_ONCE, linger=3))
    for _ in range(IDRAC8.racadm_sessions):
        assert "LAB0002" in run(peer, "racadm getsvctag")
    assert "RAC0218" in run(peer, "racadm getsvctag")
    peer.call(clock.advance, 3)
    until(lambda: "LAB0002" in run(peer, "racadm getsvctag"))


def typed(peer: Peer, text: str) -> str:
    """What comes back when text is typed, or piped, into the shell."""
    with login(peer) as client:
        channel = client.get_transport().open_session()  # type: ignore[union-attr]
        channel.settimeout(20)
        channel.invoke_shell()
        channel.sendall(text.encode())
        channel.shutdown_write()
        printed = b""
        while piece := channel.recv(4096):
            printed += piece
        return printed.decode()


def test_interactively(start: Start) -> None:
    old, new = (
        typed(start(IDRAC8), "racadm\ngetsvctag\nexit\nracadm getsvctag\nexit\n"),
        typed(start(IDRAC9), "getsvctag\nracadm getsvctag\nexit\n"),
    )
    assert old == ("/admin1-> racadm>>LAB0002\r\nracadm>>/admin1-> LAB0002\r\n/admin1-> ")
    assert new == "racadm>>LAB0002\r\nracadm>>LAB0002\r\nracadm>>"


def test_wrong_passwords_and_readers(start: Start) -> None:
    peer = start(IDRAC8)
    with pytest.raises(paramiko.AuthenticationException):
        run(peer, SET, password="wrong")
    printed = run(peer, SET, user="reader", password="only")
    assert printed.startswith("ERROR: User does not have the privilege")
    assert "status: ON" in run(
        peer, "racadm serveraction powerstatus", user="reader", password="only"
    )
    peer.bmc.faults.locked = True
    with pytest.raises(paramiko.AuthenticationException):
        run(peer, SET)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here")
def test_old_ssh_wants_an_old_client(start: Start) -> None:
    peer = start(replace(IDRAC8, old_ssh=True))
    command = ["ssh", "-p", str(peer.bmc.ssh_port), "-o", "BatchMode=yes"]
    command += ["-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"]
    command += ["-F", "none", "root@127.0.0.1", "racadm getversion"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stderr
    assert "no matching key exchange method found. Their offer: diffie-hellman-group14-sha1" in said
    assert "LAB0002" in run(peer, "racadm getsvctag")
