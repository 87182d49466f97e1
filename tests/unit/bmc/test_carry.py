"""From bare values to applied, over both protocols, against both personalities."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from sriovctl.bmc.carry import carry
from sriovctl.bmc.door import Order
from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION
from sriovctl.lab.bmc.personality import IDRAC9
from tests.unit.bmc.conftest import OFF, ON, WANT, Doors, Way, patience, summary
from tests.unit.lab.bmc.conftest import NICS, Start


def test_bare_becomes_applied(way: Way, doors: Doors) -> None:
    told: list[str] = []
    door = doors(way)
    outcome = carry(door, WANT, restart=True, patience=patience(), tell=told.append)
    assert (outcome.changed, outcome.awaits_restart) == (True, False)
    way.holds()
    assert summary(outcome.state) == {name: (value, None) for name, value in ON.items()}
    assert any("shut" in line for line in told), told
    assert not any("cut the power" in line for line in told)
    # again: nothing is sent that changes anything, and at most 4 or 2 round trips
    jobs = len(way.peer.bmc.controller.jobs.jobs)
    again = doors(way)
    assert not carry(again, WANT, restart=True, patience=patience()).changed
    assert again.round_trips <= (4 if way.via == "redfish" else 2)  # type: ignore[attr-defined]
    assert len(way.peer.bmc.controller.jobs.jobs) == jobs
    assert len(way.peer.chassis.boots) == 1


def test_without_leave_to_restart_all_is_staged_and_committed(either: Way, doors: Doors) -> None:
    outcome = carry(doors(either), WANT, patience=patience())
    assert outcome.awaits_restart
    assert outcome.changed
    controller = either.peer.bmc.controller
    assert either.values() == OFF
    assert controller.bios.pending == ON
    assert len(controller.jobs.jobs) == 1
    # a second run leaves it so, a third with leave goes on from there
    assert not carry(doors(either), WANT, patience=patience()).changed
    assert len(controller.jobs.jobs) == 1
    assert not carry(doors(either), WANT, restart=True, patience=patience()).awaits_restart
    either.holds()
    assert len(controller.jobs.jobs) == 1


def test_killed_everywhere_and_run_again(
    way: Way, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run after run dies: right before its first change, then right after it."""

    class KilledError(Exception):
        """Nobody catches it."""

    deaths = 0
    for when in itertools.cycle(("before", "after")):
        assert deaths < 30, "it does not come to its end"
        door = doors(way)
        for name in ("stage", "commit", "order"):
            real = getattr(door, name)

            def change(*words: object, real: Any = real, when: str = when) -> None:
                if when == "after":
                    real(*words)
                raise KilledError

            monkeypatch.setattr(door, name, change)
        try:
            carry(door, WANT, restart=True, patience=patience())
        except KilledError:
            deaths += 1
        else:
            break
        finally:
            door.close()
    assert deaths >= 6
    way.holds()
    assert len([j for j in way.peer.bmc.controller.jobs.jobs if j.configures]) == 1
    assert len(way.peer.chassis.boots) == 1


def test_a_server_that_is_off_is_only_switched_on(either: Way, doors: Doors) -> None:
    doors(either).order(Order.OFF)
    told: list[str] = []
    carry(doors(either), WANT, restart=True, patience=patience(), tell=told.append)
    either.holds()
    assert not any("shut" in line or "cut" in line for line in told)


def test_names_are_those_of_the_machine(way: Way, doors: Doors) -> None:
    state = doors(way).look(WANT, jobs=True)
    assert [s.name for s in state.settings] == [VIRTUALIZATION, SRIOV]
    assert state.settings[0].intents == ("virtualization", "iommu")
    assert state.vendor == "dell"
    assert state.model == way.peer.bmc.controller.personality.model
    assert state.bmc_firmware == way.peer.bmc.controller.personality.firmware
    assert state.power == "on"
    assert [s.read_only for s in state.settings] == [False, False]
    if way.via == "redfish":
        assert state.settings[1].display == "Integrated Devices > SR-IOV Global Enable"
        assert state.settings[1].allowed == ("Enabled", "Disabled")


def test_no_session_is_left(start: Start, doors: Doors, tmp_path: Path) -> None:
    way = Way(start(IDRAC9), "redfish", tmp_path)
    door = doors(way)
    carry(door, WANT, restart=True, patience=patience())
    path = way.peer.bmc.controller.personality.sessions_path
    assert way.peer.http("GET", path).json()["Members@odata.count"] == 1
    door.close()
    assert way.peer.http("GET", path).json()["Members@odata.count"] == 0


def test_ports_by_their_address(either: Way, doors: Doors) -> None:
    assert doors(either).ports() == {nic.mac: nic.fqdd for nic in NICS}
