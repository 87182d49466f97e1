"""Clients that this project did not write: sushy and badfish, from reading to applied."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION
from sriovctl.lab.bmc.personality import IDRAC8, IDRAC9, Personality
from tests.unit.lab.bmc.conftest import JOBS, PASSWORD, SETTINGS, Peer, Start, until

sushy = pytest.importorskip("sushy")
badfish_main = pytest.importorskip("badfish.main")

WANTED = {VIRTUALIZATION: "Enabled", SRIOV: "Enabled"}
SYSTEM = "/redfish/v1/Systems/System.Embedded.1"


@contextlib.contextmanager
def sushy_root(peer: Peer, password: str = PASSWORD) -> Iterator[Any]:
    """A sushy client with the certificate checked, its session closed at the end."""
    auth = sushy.auth.SessionAuth("root", password)
    root = sushy.Sushy(
        peer.bmc.url + "/redfish/v1",
        verify=str(peer.authority),
        auth=auth,
        server_side_retries=1,
        server_side_retries_delay=1,
    )
    try:
        yield root
    finally:
        auth.close()


def test_sushy_reads_sets_resets_and_sees_it_applied(
    start: Start, personality: Personality
) -> None:
    peer = start(personality)
    with sushy_root(peer) as root:
        system = root.get_system(SYSTEM)
        bios = system.bios
        assert system.power_state == sushy.PowerState.ON
        assert bios.attributes[VIRTUALIZATION] == bios.attributes[SRIOV] == "Disabled"
        entries = bios.get_attribute_registry().registry_entries.attributes
        ours = next(entry for entry in entries if entry.name == SRIOV)
        assert (ours.display_name, ours.read_only) == ("SR-IOV Global Enable", False)
        times = bios.supported_apply_times
        if times:
            assert times == [sushy.ApplyTime.ON_RESET]
            bios.set_attributes(WANTED, apply_time=sushy.ApplyTime.ON_RESET)
        else:
            bios.set_attributes(WANTED)
            root._conn.post(JOBS, data={"TargetSettingsURI": SETTINGS})
        assert bios.pending_attributes == WANTED
        with pytest.raises(sushy.exceptions.BadRequestError, match="already committed"):
            bios.set_attribute(SRIOV, "Disabled")
        system.reset_system(sushy.ResetType.GRACEFUL_RESTART)
        until(lambda: [job["JobState"] for job in peer.jobs()] == ["Completed"])
        bios.refresh()
        assert {name: bios.attributes[name] for name in WANTED} == WANTED
        assert bios.pending_attributes == {}
    assert peer.http("GET", personality.sessions_path).json()["Members@odata.count"] == 0


def test_sushy_is_told_what_is_wrong(start: Start) -> None:
    peer = start(IDRAC9)
    with (
        pytest.raises(sushy.exceptions.AccessError),
        sushy_root(peer, "wrong") as root,
    ):
        root.get_system(SYSTEM)
    with sushy_root(peer) as root:
        bios = root.get_system(SYSTEM).bios
        with pytest.raises(sushy.exceptions.BadRequestError, match="not acceptable"):
            bios.set_attribute(SRIOV, "enabled")
        peer.bmc.faults.unavailable = 1
        assert root.get_system(SYSTEM).identity == "System.Embedded.1"


def with_badfish(peer: Peer, *steps: tuple[Any, ...]) -> list[Any]:
    """What methods of badfish's own class return, called in turn."""

    async def run() -> list[Any]:
        badfish = await badfish_main.badfish_factory(
            peer.host,
            "root",
            PASSWORD,
            logging.getLogger("badfish"),
            _retries=5,
            _insecure=True,
            _progress_disabled=True,
        )
        async with badfish:
            return [await getattr(badfish, name)(*arguments) for name, *arguments in steps]

    return asyncio.run(run())


@pytest.mark.usefixtures("fast_badfish")
def test_badfish_sets_a_bios_attribute_and_restarts(start: Start) -> None:
    peer = start(IDRAC9)
    assert with_badfish(peer, ("get_bios_attribute", SRIOV)) == ["Disabled"]
    with_badfish(peer, ("set_bios_attribute", {"sriovglobalenable": "enabled"}))
    until(lambda: [job["JobState"] for job in peer.jobs()] == ["Completed"])
    assert with_badfish(peer, ("get_sriov_mode",)) == ["Enabled"]
    assert peer.chassis.boots[-1][SRIOV] == "Enabled"


@pytest.mark.usefixtures("fast_badfish")
def test_badfish_makes_the_job_that_idrac8_needs(start: Start) -> None:
    peer = start(IDRAC8)
    peer.http("PATCH", SETTINGS, json={"Attributes": WANTED})
    job, _ = with_badfish(
        peer, ("create_bios_config_job", "/Systems/System.Embedded.1/Bios/Settings"),
        ("reboot_server",),
    )  # fmt: skip
    with_badfish(peer, ("check_job_status", job))
    assert peer.jobs()[0]["JobState"] == "Completed"
    assert with_badfish(peer, ("get_sriov_mode",)) == ["Enabled"]


@pytest.mark.usefixtures("fast_badfish")
def test_badfish_sees_and_clears_the_job_queue(start: Start, personality: Personality) -> None:
    peer = start(personality)
    peer.http("PATCH", SETTINGS, json={"Attributes": WANTED})
    peer.http("POST", JOBS, json={"TargetSettingsURI": SETTINGS})
    (queue,) = with_badfish(peer, ("get_job_queue",))
    assert peer.jobs()[0]["Id"] in queue
    with_badfish(peer, ("clear_job_queue",))
    assert peer.jobs() == []
    assert peer.attributes(SETTINGS) == {}


def test_badfish_on_its_command_line(start: Start) -> None:
    peer = start(IDRAC9)
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("badfish")), "-H", peer.host, "-u", "root",
            "-p", PASSWORD, "--insecure", "--get-bios-attribute", "--attribute", SRIOV,
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Disabled" in done.stdout + done.stderr
