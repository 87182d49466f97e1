"""A server from bare: its BMC owns power and BIOS, and what is off in the BIOS is really gone.

The lab is this module's own: SRIOVCTL_TEST_BARE_LAB names it; with SRIOVCTL_KEEP_LAB=1 one of that
name that is up is used, made bare again if need be, and stays. The tests build on each other.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
import pytest

from sriovctl.bmc.trust import certificate_fingerprint
from sriovctl.lab import bmcs, lifecycle, machine, power
from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION
from sriovctl.lab.layout import Server
from sriovctl.lab.machine import Process
from sriovctl.lab.progress import to_stderr
from sriovctl.lab.timeouts import seconds
from tests.rack.conftest import Rack, take_down

sushy = pytest.importorskip("sushy")

SERVER = Server(2)
ON = {VIRTUALIZATION: "Enabled", SRIOV: "Enabled"}
OFF = {VIRTUALIZATION: "Disabled", SRIOV: "Disabled"}
SYSTEM = "/redfish/v1/Systems/System.Embedded.1"
BOOT_FILES = "/etc/default/grub /boot/grub/grub.cfg"
PORTS = {"em1": "0000:01:00.0", "em2": "0000:02:00.0"}


class Bare(Rack):
    """A lab from bare and its server's BMC."""

    def held(self) -> dict[str, Any]:
        """What the BMC holds, by its control."""
        return bmcs.ask(self.lab, SERVER, do="state")

    def current(self) -> dict[str, Any]:
        """The two BIOS values that matter."""
        return {name: self.held()["current"][name] for name in ON}

    def entry(self) -> dict[str, Any]:
        """The server's BMC in bmc.json."""
        entry: dict[str, Any] = json.loads((self.lab.folder / "bmc.json").read_text())[SERVER.name]
        return entry

    def machine(self) -> Process:
        """The server's QEMU."""
        process = machine.running(self.lab.server_folder(SERVER))
        assert process is not None
        return process

    @contextmanager
    def redfish(self) -> Iterator[Any]:
        """The system, through sushy, the certificate checked."""
        auth = sushy.auth.SessionAuth("root", "calvin")
        certificate = bmcs.folder(self.lab, SERVER) / "certificate.pem"
        url = f"https://127.0.0.1:{self.entry()['https_port']}/redfish/v1"
        try:
            yield sushy.Sushy(url, verify=str(certificate), auth=auth).get_system(SYSTEM)
        finally:
            auth.close()

    def racadm(self, *commands: str) -> list[str]:
        """What racadm says over ssh, the host key checked."""
        with paramiko.SSHClient() as client:
            client.load_host_keys(self.entry()["known_hosts"])
            client.connect(
                "127.0.0.1", self.entry()["ssh_port"], "root", "calvin",
                allow_agent=False, look_for_keys=False,
            )  # fmt: skip
            return [client.exec_command(f"racadm {c}")[1].read().decode() for c in commands]

    def started(self, count: int) -> None:
        """Wait until the BMC has started the server so many times."""
        bmcs.ask(self.lab, SERVER, do="started", count=count, timeout=seconds("shutdown"))

    def booted(self) -> None:
        """Wait until the server that was just started has booted."""
        power.wait_booted(self.lab, SERVER, self.progress)

    def switch(self, values: dict[str, str]) -> None:
        """Set BIOS values by sushy, restart in good order and wait for the boot."""
        starts, before = self.held()["starts"], self.current()
        with self.redfish() as system:
            system.bios.set_attributes(values, apply_time=sushy.ApplyTime.ON_RESET)
            pending = dict(values.items() - before.items())
            assert system.bios.pending_attributes == pending != {}
            assert self.current() == before
            system.reset_system(sushy.ResetType.GRACEFUL_RESTART)
        self.started(starts + 1)
        self.booted()


@pytest.fixture(scope="module")
def bare() -> Iterator[Bare]:
    """A lab with one bare server, booted."""
    if os.geteuid() != 0:
        pytest.fail("the virtual rack needs root: sudo make test", pytrace=False)
    keep = os.environ.get("SRIOVCTL_KEEP_LAB") == "1"
    name = os.environ.get("SRIOVCTL_TEST_BARE_LAB", f"bare-{os.getpid()}")
    progress = to_stderr()
    lifecycle.up(name, 1, False, True, progress, "idrac9")
    rack = Bare(name, progress)
    ports = [rack.entry()[port] for port in ("https_port", "ssh_port")]
    try:
        if rack.current() != OFF:
            rack.switch(OFF)
        yield rack
    finally:
        if not keep:
            take_down(name, progress)
            assert [port for port in ports if listens(port)] == []


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def says(rack: Rack, test: str) -> bool:
    """Whether a line of shell in the server succeeds."""
    return rack.ssh(SERVER.name, test).returncode == 0


def places(rack: Rack) -> dict[str, str]:
    """The PCI address of each port."""
    return {
        port: rack.must(SERVER.name, f"basename $(readlink /sys/class/net/{port}/device)")
        for port in PORTS
    }


def groups(rack: Rack) -> int:
    return int(rack.must(SERVER.name, "ls /sys/kernel/iommu_groups | wc -l"))


def test_what_is_off_is_gone(bare: Bare) -> None:
    assert not says(bare, "grep -qwE 'svm|vmx' /proc/cpuinfo")
    assert not says(bare, "test -e /dev/kvm")
    assert not says(bare, "test -e /sys/firmware/acpi/tables/DMAR")
    assert groups(bare) == 0
    for port in PORTS:
        assert not says(bare, f"test -e /sys/class/net/{port}/device/sriov_totalvfs")


def test_its_network_is_as_ever(bare: Bare) -> None:
    assert places(bare) == PORTS
    members = bare.must(SERVER.name, "cat /sys/class/net/bond0/bonding/slaves")
    assert set(members.split()) == set(PORTS)
    assert bare.answers(SERVER.address).returncode == 0
    assert bare.must(SERVER.name, "systemctl is-system-running") == "running"


def test_badfish_reads(bare: Bare) -> None:
    pytest.importorskip("badfish")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("badfish")), "--insecure",
            "-H", f"127.0.0.1:{bare.entry()['https_port']}", "-u", "root", "-p", "calvin",
            "--get-bios-attribute", "--attribute", SRIOV,
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Disabled" in done.stdout + done.stderr


def test_switched_on_by_sushy_it_is_there_after_the_restart(bare: Bare) -> None:
    bare.switch(ON)
    assert bare.current() == ON
    assert says(bare, "grep -qwE 'svm|vmx' /proc/cpuinfo")
    assert says(bare, "test -c /dev/kvm")
    assert says(bare, "test -e /sys/firmware/acpi/tables/DMAR")
    assert places(bare) == PORTS
    for port in PORTS:
        assert bare.must(SERVER.name, f"cat /sys/class/net/{port}/device/sriov_totalvfs") == "7"


def test_bmc_that_ended_comes_back_as_itself(bare: Bare) -> None:
    server, entry, values = bare.machine(), bare.entry(), bare.held()["current"]
    process = machine.running(bmcs.folder(bare.lab, SERVER))
    assert process is not None
    process.end()
    lifecycle.up(bare.name, 1, False, True, bare.progress, "idrac9")
    assert bare.machine() == server
    assert bare.entry() == entry
    assert bare.held()["current"] == values
    assert certificate_fingerprint("127.0.0.1", entry["https_port"]) == entry["fingerprint"]
    assert "ON" in bare.racadm("serveraction powerstatus")[0]


def test_reboot_from_inside_runs_the_job_and_takes_the_kernels_arguments(bare: Bare) -> None:
    assert groups(bare) == 0
    bare.must(SERVER.name, f"sed -i '/^#/!s/ intel_iommu=off//' {BOOT_FILES}")
    name = "BIOS.ProcSettings.LogicalProc"
    was = bare.racadm(f"get {name}")[0]
    value = "Disabled" if "LogicalProc=Enabled" in was else "Enabled"
    bare.racadm(f"set {name} {value}", "jobqueue create BIOS.Setup.1-1")
    before = bare.machine()
    bare.reboot(SERVER.name)
    assert bare.machine() != before
    assert f"LogicalProc={value}" in bare.racadm(f"get {name}")[0]
    assert {job["state"] for job in bare.held()["jobs"]} == {"Completed"}
    assert groups(bare) > 0
    bare.must(SERVER.name, f"sed -i '/^#/!s/no_timer_check/& intel_iommu=off/' {BOOT_FILES}; sync")


def test_power_is_the_bmcs(bare: Bare) -> None:
    starts, before = bare.held()["starts"], bare.machine()
    with bare.redfish() as system:
        system.reset_system(sushy.ResetType.FORCE_RESTART)
        bare.started(starts + 1)
        assert not before.alive()
        assert bare.machine().alive()
        bare.power(SERVER.name, "off")
        assert lifecycle.processes(bare.name) == []
        system.refresh()
        assert system.power_state == sushy.PowerState.OFF
        system.reset_system(sushy.ResetType.ON)
        bare.started(starts + 2)
        assert bare.machine().alive()
