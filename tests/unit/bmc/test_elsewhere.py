"""Machines without a job queue, with fewer ways to restart; and answers that only others give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from sriovctl.bmc.carry import carry
from sriovctl.bmc.delljob import dell_job
from sriovctl.bmc.door import Order
from sriovctl.bmc.intents import resolve
from sriovctl.bmc.registry import entries
from sriovctl.errors import FirmwareError
from sriovctl.firmware import BIOS, FirmwareState, FirmwareWant, JobState, Pending
from tests.unit.bmc.conftest import WANT, patience


class Elsewhere:
    """An HPE in memory: what is pending holds after the next reset."""

    via: Literal["redfish", "racadm"] = "redfish"
    warnings: tuple[str, ...] = ()

    def __init__(self, orders: set[Order], takes: bool = True) -> None:
        self.values = {
            "ProcVirtualization": "Disabled",
            "IntelProcVtd": "Enabled",
            "Sriov": "Disabled",
        }
        self.pending: dict[str, str] = {}
        self.is_on = True
        self.asked: list[Order] = []
        self._orders = frozenset(orders)
        self._takes = takes

    def look(self, want: FirmwareWant, jobs: bool = False) -> FirmwareState:
        settings, absent = resolve("hpe", BIOS, want.intents, self.values, self.pending)
        return FirmwareState(
            via="redfish",
            vendor="hpe",
            settings=tuple(settings),
            absent=tuple(absent),
            pending=tuple(Pending(device=BIOS, name=n, value=v) for n, v in self.pending.items()),
            power=self.power(),
        )

    def stage(self, device: str, values: Mapping[str, str]) -> None:
        self.pending |= values

    def commit(self, device: str) -> None:
        raise AssertionError("it has no jobs")

    def power(self) -> Literal["on", "off"]:
        return "on" if self.is_on else "off"

    def orders(self) -> frozenset[Order]:
        return self._orders

    def order(self, what: Order) -> None:
        self.asked.append(what)
        self.is_on = what in (Order.ON, Order.RESTART)
        if self.is_on and self._takes:
            self.values |= self.pending
            self.pending = {}

    def ports(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        """Nothing."""


GENTLE = [
    ({Order.ON, Order.OFF, Order.SHUTDOWN, Order.RESTART}, [Order.SHUTDOWN, Order.ON]),
    ({Order.RESTART, Order.OFF}, [Order.RESTART]),
    ({Order.SHUTDOWN, Order.RESTART}, [Order.RESTART]),
]


@pytest.mark.parametrize(("orders", "asked"), GENTLE)
def test_the_gentlest_way(orders: set[Order], asked: list[Order]) -> None:
    door = Elsewhere(orders)
    assert carry(door, WANT, restart=True, patience=patience()).changed
    assert door.asked == asked
    assert set(door.values.values()) == {"Enabled"}
    assert not carry(door, WANT, restart=True, patience=patience()).changed


def test_no_gentle_way() -> None:
    door = Elsewhere({Order.OFF, Order.ON})
    with pytest.raises(FirmwareError, match="no gentle way"):
        carry(door, WANT, restart=True, patience=patience())
    assert not door.asked
    carry(door, WANT, restart=True, force_after=0, patience=patience())
    assert door.asked == [Order.OFF, Order.ON]


def test_a_host_that_comes_back_without_the_setting() -> None:
    door = Elsewhere({Order.SHUTDOWN, Order.ON}, takes=False)
    with pytest.raises(FirmwareError, match="the pending values: not over after 100 s"):
        carry(door, WANT, restart=True, patience=patience(job=100))
    assert door.asked == [Order.SHUTDOWN, Order.ON]  # once


def test_values_that_the_bmc_drops() -> None:
    door = Elsewhere({Order.SHUTDOWN, Order.ON})
    door.stage = lambda device, values: None  # type: ignore[method-assign]
    with pytest.raises(FirmwareError, match="does not keep it"):
        carry(door, WANT, restart=True, patience=patience())
    assert not door.asked


@pytest.mark.parametrize(
    ("body", "state", "device"),
    [
        ({"JobState": "Scheduled", "Name": "Configure: BIOS.Setup.1-1"}, "scheduled", BIOS),
        ({"JobState": "Running", "JobType": "BIOSConfiguration", "Name": "x"}, "running", BIOS),
        ({"JobState": "Downloading", "Name": "Firmware Update: BIOS"}, "running", None),
        ({"JobState": "CompletedWithErrors", "Name": None}, "done with errors", None),
        ({}, "running", None),
    ],
)
def test_jobs(body: dict[str, Any], state: str, device: str | None) -> None:
    found = dell_job({"Id": "JID_1", **body})
    assert (found.state, found.device) == (JobState(state), device)


def test_a_registry_with_holes() -> None:
    """As firmware writes it: nulls, properties left out, a dependency of another kind."""
    document = {
        "RegistryEntries": {
            "Attributes": [
                {"AttributeName": "A", "DisplayName": None, "ReadOnly": None, "Value": None},
                {
                    "AttributeName": "B",
                    "DisplayName": "Bee",
                    "GrayOut": True,
                    "MenuPath": "./M",
                    "Value": [{"ValueName": "On"}, {"ValueName": "Off"}],
                },
            ],
            "Menus": [{"MenuPath": "./M", "DisplayName": "Menu"}],
            "Dependencies": [
                {"Dependency": None},
                {
                    "Dependency": {
                        "MapToAttribute": "B",
                        "MapToProperty": "GrayOut",
                        "MapFrom": [{"MapFromAttribute": "A"}, {"MapFromAttribute": "C"}, {}],
                    }
                },
                {"Dependency": {"MapToAttribute": "B", "MapToProperty": "Hidden", "MapFrom": []}},
            ],
        }
    }
    found = entries(document, {"A", "B", "Z"})
    assert set(found) == {"A", "B"}
    assert (found["A"].display, found["A"].read_only, found["A"].allowed) == ("A", False, None)
    assert found["B"].display == "Menu > Bee"
    assert found["B"].read_only
    assert found["B"].allowed == ("On", "Off")
    assert found["B"].depends == ("A", "C")
    assert entries({}, {"A"}) == {}
    assert entries({"RegistryEntries": None}, {"A"}) == {}
