"""Trials' documents as comparisons."""

from __future__ import annotations

from typing import Any

import pytest

from sriovctl.errors import SriovctlError
from sriovctl.lab.bench.room import ROOM, compared, outages


def path(kind: str, **measures: tuple[str, list[float]]) -> dict[str, Any]:
    told = {name: {"unit": unit, "values": values} for name, (unit, values) in measures.items()}
    return {"path": kind, "measures": told}


def test_vfs_are_compared_with_the_bridge() -> None:
    paths = [
        path("bridge", tcp_to=("Mbit/s", [400]), latency_p99=("ms", [4])),
        path("VFs", tcp_to=("Mbit/s", [300, 310, 290]), latency_p99=("ms", [2]), more=("ms", [1])),
        path("host", tcp_to=("Mbit/s", [900])),
    ]
    tcp, latency = compared(paths)
    assert tcp.ratio == 0.75
    assert tcp.row()[:2] == ("VFs, tcp_to: 300 Mbit/s (290 to 310)", "bridge: 400 Mbit/s")
    assert latency.ours.text("ms") == "2.00 ms"


def failovers(*ms: float, notices_ms: list[float] | None) -> dict[str, Any]:
    learned = {"arp_ms": 920.0, "switches_ms": {"switch-2": 900.0}}
    rounds = [{"way": "cable", "failover": {"ms": one, "learned": learned}} for one in ms]
    return {"vm": "VM-2", "notices_ms": notices_ms, "detection": "ARP", "rounds": rounds}


@pytest.mark.parametrize(("ms", "verdict"), [(1099, "met"), (1101, "missed")])
def test_an_outage_may_be_50_ms_above_its_monitor(ms: float, verdict: str) -> None:
    one, _ = outages(failovers(ms, notices_ms=[750, 1050]))
    assert one.verdict.endswith(verdict)
    assert "750 ms" in one.note


@pytest.mark.parametrize(("ms", "verdict"), [(949, "met"), (951, "missed")])
def test_an_outage_may_be_50_ms_above_the_first_word_of_the_vm(ms: float, verdict: str) -> None:
    _, one = outages(failovers(ms, notices_ms=[750, 1050]))
    assert one.other.median == 0.9
    assert one.verdict.endswith(verdict)


def test_where_nobody_heard_of_the_vm_only_its_monitor_is_compared() -> None:
    told = failovers(900, notices_ms=[750, 1050])
    told["rounds"][0]["failover"]["learned"] = {"arp_ms": None, "switches_ms": {}}
    assert len(outages(told)) == 1


def test_without_a_monitor_nothing_is_compared() -> None:
    with pytest.raises(SriovctlError, match="VM-2"):
        outages(failovers(900, notices_ms=None))


def test_the_room_is_there() -> None:
    assert ROOM.exists()
