"""Which leg carries."""

from __future__ import annotations

import json

import pytest

from sriovctl.trial.carried import SWITCH, carrier, parse, parse_of_lab
from sriovctl.trial.ways import LabPlace
from tests.unit.trial.legs import leg

LEGS = [leg(number, 1) for number in (1, 2)]


def told(name: str, of_vf: int | None, of_port: int) -> str:
    vf: dict[str, object] = {"vf": 1}
    if of_vf is not None:
        vf["stats"] = {"rx": {"packets": of_vf}}
    device = json.dumps([{"ifname": name, "vfinfo_list": [{"vf": 0}, vf]}])
    return f"leg\t{name}\nip\t{device}\nNIC statistics:\n     rx_packets: {of_port}\n     x: 5\n"


def test_the_leg_that_counted_the_packets_carries() -> None:
    before = parse(told("em1", 10, 900) + told("em2", 20, 5000), LEGS)
    after = parse(told("em1", 1010, 1910) + told("em2", 25, 5100), LEGS)
    assert carrier(before, after, 1000, 1) == "em1"


def test_a_vf_counter_that_stands_still_is_not_believed() -> None:
    before = parse(told("em1", 0, 900) + told("em2", 0, 5000), LEGS)
    after = parse(told("em1", 0, 910) + told("em2", 0, 6000), LEGS)
    assert carrier(before, after, 1000, 1) == "em2"


def test_a_driver_that_counts_nothing_leaves_it_open() -> None:
    before = parse(told("em1", None, 900) + "leg\tem2\nip\t\n", LEGS)
    assert carrier(before, before, 1000, 1) is None


def test_a_labs_switches_count() -> None:
    place = LabPlace("x", "sriovctl-x", "server-2", {}, {"em1": "s2-em1", "em2": "s2-em2"})

    def switches(em1: int, em2: int) -> str:
        ports = {"s2-em1": em1, "s2-em2": em2, "switch-1": 7}
        return json.dumps(
            [{"ifname": name, "stats64": {"rx": {"packets": n}}} for name, n in ports.items()]
        )

    before, after = (parse_of_lab(text, place) for text in (switches(5, 5), switches(50, 1005)))
    assert carrier(before, after, 1000, 1) == "em2"


@pytest.mark.parametrize(
    ("em1", "em2", "who"),
    [(2000, 30, "em1"), (40, 1800, "em2"), (1010, 1000, None), (1400, 300, "em1"), (900, 0, None)],
)
def test_what_does_not_tell_vms_apart_is_believed_where_all_are_on_one_leg(
    em1: int, em2: int, who: str | None
) -> None:
    before = {SWITCH: {"em1": 0, "em2": 0}}
    assert carrier(before, {SWITCH: {"em1": em1, "em2": em2}}, 1000, 2) == who


def test_vfs_tell_vms_apart() -> None:
    before = parse(told("em1", 0, 0) + told("em2", 0, 0), LEGS)
    after = parse(told("em1", 1000, 1000) + told("em2", 0, 1000), LEGS)
    assert carrier(before, after, 1000, 2) == "em1"
