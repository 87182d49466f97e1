"""What is cut, and what that means for each link."""

from __future__ import annotations

import pytest

from sriovctl.errors import UsageError
from sriovctl.lab import switches
from sriovctl.lab.cables import link_up, target
from sriovctl.lab.layout import Server
from sriovctl.lab.state import Lab

LAB = Lab("l", (2, 3), "tcg", "", "/image", {"server-2": 1, "server-3": 2})


@pytest.mark.parametrize(
    ("cuts", "links"),
    [
        (set(), (True, True)),
        ({"server-2/em1"}, (False, True)),
        ({"switch-2"}, (True, False)),
        ({"server-2/em1", "switch-2"}, (False, False)),
        ({"server-3/em1", "interlink"}, (True, True)),
    ],
)
def test_links(cuts: set[str], links: tuple[bool, bool]) -> None:
    server = Server(2)
    assert tuple(link_up(server, port, cuts) for port in server.ports) == links


def test_targets() -> None:
    assert target(LAB, "server-2", "em1") == "server-2/em1"
    assert target(LAB, "switch-1", None) == "switch-1"
    assert target(LAB, "interlink", None) == "interlink"


@pytest.mark.parametrize(
    ("first", "port"),
    [
        ("server-2", None),
        ("server-2", "em3"),
        ("server-4", "em1"),
        ("switch-1", "em1"),
        ("x", None),
    ],
)
def test_no_such_target(first: str, port: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        target(LAB, first, port)
    assert caught.value.mend


def test_labs_own_cable_goes_to_the_switch_that_lives() -> None:
    assert "link set lab-port master switch-1" in switches.links("n", set())
    assert "link set lab-port master switch-2" in switches.links("n", {"switch-1"})
    dead = switches.links("n", {"switch-1", "switch-2"})
    assert not [line for line in dead if "master" in line]
    assert "link set interlink down" in switches.links("n", {"interlink"})
