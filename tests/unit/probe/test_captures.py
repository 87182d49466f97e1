"""What real hosts printed, and what is read of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sriovctl.errors import ProbeError
from sriovctl.host import HostState
from sriovctl.probe import parse
from sriovctl.schema import schema_of

CAPTURES = {path.stem: path for path in (Path(__file__).parents[2] / "captures").glob("*.txt")}


@cache
def state_of(name: str) -> HostState:
    return parse(CAPTURES[name].read_text("utf-8"))


@pytest.mark.parametrize("name", CAPTURES)
def test_json_round_trip_within_the_schema(name: str) -> None:
    state = state_of(name)
    assert HostState.model_validate_json(state.model_dump_json()) == state
    jsonschema.validate({"server-2": state.model_dump(mode="json")}, schema_of("host"))


def test_no_sriov() -> None:
    state = state_of("no-sriov")
    assert state.pfs == ()
    assert [port.driver for port in state.ports] == ["virtio-pci"]


def test_the_guides_server_with_guests() -> None:
    state = state_of("server-2-guests")
    assert state.system.os == "Debian GNU/Linux 13 (trixie)"
    assert state.kernel.virtualization == "svm"
    assert state.kernel.iommu_groups == 24
    assert [(pf.name, pf.numvfs, pf.totalvfs, pf.acs, pf.master) for pf in state.pfs] == [
        ("em1", 7, 7, True, "bond0"),
        ("em2", 7, 7, True, "bond0"),
    ]
    # em2 goes by its bond's address
    assert [pf.mac for pf in state.pfs] == ["52:54:00:00:02:01", "52:54:00:00:02:02"]
    vf = state.pfs[0].vfs[5]
    assert (vf.vlan, vf.spoofchk, vf.trust, vf.max_rate) == (42, "off", "on", 200)
    assert [state.stale_pool(pool) for pool in state.pools] == [None, None]


def test_each_of_the_three_ways_to_hold_a_vf() -> None:
    state = state_of("server-2-guests")
    held = {
        f"{pf.name}/{vf.index}": (holder.name, holder.how)
        for pf in state.pfs
        for vf in pf.vfs
        if (holder := state.holder_of(vf)) is not None
    }
    assert held == {
        "em1/0": ("VM-2", "pool"),
        "em1/5": ('it\'s "$(reboot)": x=1 ü', "interface"),
        "em2/0": ("VM-2", "pool"),
        "em2/6": ("plain", "hostdev"),
    }
    assert state.vfio_users == ()
    plain = state.vm_named("plain")
    assert plain is not None
    assert (plain.persistent, plain.running) == (False, True)


def test_busybox_sees_the_same() -> None:
    assert state_of("server-2-guests-busybox") == state_of("server-2-guests")


def test_without_root_less_is_seen_and_nothing_wrong() -> None:
    state = state_of("server-2-guests-not-root")
    full = state_of("server-2-guests")
    assert not state.system.root
    assert state.vms == ()
    strip = {"acs": None}
    assert [pf.model_copy(update=strip) for pf in full.pfs] == list(state.pfs)


def test_a_login_shells_greeting_is_passed_over() -> None:
    text = CAPTURES["server-2-guests"].read_text("utf-8")
    assert parse(f"Welcome!\nsriovctl-probe 0\n{text}") == state_of("server-2-guests")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.5, 0.9, 0.999])
def test_half_an_answer_is_refused(share: float) -> None:
    text = CAPTURES["server-2-guests"].read_text("utf-8")
    with pytest.raises(ProbeError):
        parse(text[: int(len(text) * share)])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_byte_changed_is_read_or_refused(data: st.DataObject) -> None:
    """Nothing but a ProbeError comes out of a mangled answer, and what is read prints as JSON."""
    whole = CAPTURES["server-2-guests"].read_bytes()
    cut = bytearray(whole)
    for _ in range(20):
        cut[data.draw(st.integers(0, len(cut) - 1))] = data.draw(st.integers(0, 255))
    try:
        state = parse(bytes(cut).decode("utf-8", "surrogateescape"))
    except ProbeError:
        return
    state.model_dump_json()
