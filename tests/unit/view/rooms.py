"""Rooms for tests: real captures, what is wanted of them, hosts that do not answer."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sriovctl import bondlegs, chain
from sriovctl.errors import SriovctlError, UnreachableError
from sriovctl.host import HostState
from sriovctl.hostnet import Bridge, HostBond, HostNetwork
from sriovctl.look import Look
from sriovctl.rackfile import hosts_of
from sriovctl.view.room import detail, page
from sriovctl.view.room.host import server
from sriovctl.view.room.model import Room, room
from sriovctl.wanted import HostWant
from tests.unit.probe.test_captures import state_of

EXAMPLE = Path(__file__).parents[3] / "examples" / "machine-room.yaml"
SEEN = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC)


@cache
def wanted() -> HostWant:
    """What the guide's rack file wants of server-2."""
    ((want, _),) = hosts_of(EXAMPLE)
    return want


@cache
def guests() -> HostState:
    """The guide's server: VM-1 is on the bridge over the bond, the other VMs are on VFs."""
    state = state_of("server-2-guests")
    options = {"mode": "active-backup", "miimon": "100", "primary": "em1"}
    network = HostNetwork(
        bonds=(HostBond(name="bond0", options=options, legs=("em1", "em2"), active="em1"),),
        bridges=(Bridge(name="br0", ports=("bond0", "vnet0")), Bridge(name="virbr0")),
        addresses={"br0": ("192.0.2.2/24",)},
    )
    vm_1 = state.vms[0].model_copy(update={"taps": {"vnet0": "br0"}})
    return state.model_copy(update={"network": network, "vms": (vm_1, *state.vms[1:])})


def look(name: str = "server-2", state: HostState | None = None) -> Look:
    """A host that was looked at, and what :func:`sriovctl.chain.plan` makes of it."""
    want = wanted().model_copy(update={"name": name})
    have = state or guests()
    return Look(want, have, chain.plan(want, have))


def content(name: str = "server-2") -> Look:
    """A host with nothing to do."""
    one = look(name)
    assert one.plan is not None
    return Look(one.want, one.have, one.plan.model_copy(update={"stages": (), "findings": ()}))


def dead(name: str = "server-2") -> Look:
    """A host that does not answer."""
    error: SriovctlError = UnreachableError(
        f"{name}: connection refused", "there is no connection", f"try: ssh {name}"
    )
    return Look(wanted().model_copy(update={"name": name}), error=error)


def unplugged(name: str = "server-2") -> Look:
    """A host with nothing to do but a cable."""
    state = guests()
    em2 = state.pfs[1].model_copy(update={"carrier": False})
    state = state.model_copy(update={"pfs": (state.pfs[0], em2)})
    one = content(name)
    return Look(one.want, state, one.plan, unmended=tuple(bondlegs.findings(one.want, state)))


def looks(number: int) -> Iterator[Look]:
    """Hosts of every kind, most of them as wanted."""
    for place in range(number):
        name = f"kvm-{place + 1:03}"
        if place % 25 == 7:
            yield look(name, state_of("server-2-before"))
        elif place % 25 == 11:
            yield look(name)
        elif place % 50 == 23:
            yield dead(name)
        elif place % 50 == 31:
            yield look(name, state_of("no-sriov"))
        elif place % 25 == 3:
            yield unplugged(name)
        else:
            yield content(name)


def room_of(*seen: Look, name: str = "machine-room") -> Room:
    """A room as the report makes it."""
    return room(name, tuple(server(one) for one in seen))


def page_of(*seen: Look, name: str = "machine-room") -> str:
    """The page as the report makes it."""
    made = room_of(*seen, name=name)
    details = [detail.detail(one, drawn) for one, drawn in zip(seen, made.servers, strict=True)]
    return page.page(made, details, rack="rack.yaml", seen=SEEN)
