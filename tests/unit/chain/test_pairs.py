"""VMs on pairs while the ports under them are moved: who is waited for, and who is told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sriovctl import inside, reconcile
from sriovctl.chain import bonds
from sriovctl.host import HostState
from sriovctl.hostnet import HostBond, HostNetwork
from sriovctl.insidefacts import Inside, InsideLeg
from sriovctl.plan import Severity
from sriovctl.rack import Rack
from sriovctl.reach import LocalReach
from sriovctl.shell import command
from sriovctl.wanted import HostWant
from tests.unit.chain.bondmodel import NEW_BOND
from tests.unit.chain.test_legs import bond, look, mac, room

EM1, EM2 = "0000:01:00.0", "0000:02:00.0"
NO_AGENT = "no guest agent runs in it"


def want(**bond: Any) -> HostWant:
    """A bond0 over both ports."""
    host = {"pfs": {"em1": 7, "em2": 7}, "bonds": {"bond0": bond}}
    return Rack.model_validate({"hosts": {"server-2": host}}).want("server-2", Path())


def host(bonded: bool = False, shared: bool = False, address: str = "") -> HostState:
    """VM-2 and VM-3 on a pair each; the ports in a bond, or each by itself.

    :param address: of em1
    """
    state = room(shared).state
    legs = ("em1", "em2") if bonded else ()
    options = NEW_BOND | {"mode": "active-backup", "miimon": "100"}
    there = (HostBond(name="bond0", options=options, legs=legs),) if bonded else ()
    mtus = {pf.name or "": 1500 for pf in state.pfs} | ({"bond0": 1500} if bonded else {})
    network = HostNetwork(
        bonds=there,
        systems=("networkd",),
        mtus=mtus,
        addresses={"em1": (address,)} if address else {},
        named={"/etc/systemd/network/30-bond0.netdev": ("bond0",)} if bonded else {},
    )
    master = "bond0" if bonded else None
    pfs = tuple(pf.model_copy(update={"master": master}) for pf in state.pfs)
    return state.model_copy(update={"network": network, "pfs": pfs})


def seen(state: HostState, down: tuple[str, ...] = (), **others: Inside) -> HostState:
    """With a look into its VMs.

    :param others: by VM's name without its dash
    """
    found = look(state, down)
    for vm in state.vms:
        if (other := others.get(vm.name.replace("-", ""))) is not None:
            found[vm.uuid or ""] = other
    return state.model_copy(update={"inside": found})


def lines(text: str) -> list[list[str]]:
    """Commands that move a port or wait for VMs, without who is waited for."""
    parts = [part.split() for part in text.replace("&&\n", "&& ").split(" && ")]
    return [
        words[:5] for words in parts if "pairs" in words[0] or words[0].endswith(("_bond", "_mtu"))
    ]


def warnings(state: HostState, wanted: HostWant) -> list[str]:
    found = bonds.plan(wanted, state).findings
    return [
        f"{f.about}: {f.found}"
        for f in found
        if f.severity is Severity.WARNING and f.about[:2] == "VM"
    ]


def test_vms_are_on_their_other_leg_before_each_port() -> None:
    state = seen(host(address="10.8.0.2/24"))
    step, *_ = bonds.plan(want(address="10.8.0.2/24"), state).build
    both = f"{mac('VM-2', 'em1')},{mac('VM-2', 'em2')}"
    assert lines(step.do)[-5:] == [
        ["pairs_leave", "bond0", EM2, "into", "0"],
        ["into_bond", "bond0", EM2],
        ["pairs_leave", "bond0", EM1, "into", "3"],
        ["into_bond", "bond0", EM1],
        ["pairs_are_back", "3", "VM-2", state.vms[0].uuid, both],
    ]  # fmt: skip
    assert lines(step.undo)[:4] == [
        ["pairs_leave_if_they_can", "bond0", EM1, "out_of", "3"],
        ["out_of_bond", "bond0", EM1, "up"],
        ["pairs_leave_if_they_can", "bond0", EM2, "out_of", "3"],
        ["out_of_bond", "bond0", EM2, "up"],
    ]
    assert lines(step.undo)[-1][:4] == ["pairs_are_back", "3", "VM-2", state.vms[0].uuid]
    leave = next(line for line in step.do.split(" &&\n") if EM1 in line and "pairs" in line)
    for vm in state.vms:
        assert command(vm.name, vm.uuid or "", mac(vm.name, "em1")) in leave
    assert warnings(state, want(address="10.8.0.2/24")) == []


def test_a_mode_that_takes_the_legs_out_and_in() -> None:
    step, *_ = bonds.plan(want(fail_over_mac="active"), seen(host(bonded=True))).build
    moves = [words for words in lines(step.do) if words[0] != "set_bond"]
    assert [(words[0], words[3:]) for words in moves[:-1]] == [
        ("pairs_leave", ["out_of", "0"]), ("out_of_bond", ["up"]),
        ("pairs_leave", ["out_of", "3"]), ("out_of_bond", ["up"]),
        ("pairs_leave", ["into", "3"]), ("into_bond", []),
        ("pairs_leave", ["into", "3"]), ("into_bond", []),
    ]  # fmt: skip
    undone = [words[0] for words in lines(step.undo) if words[0] != "set_bond"]
    assert undone[:-1:2] == ["pairs_leave_if_they_can"] * 4
    assert undone[-1] == "pairs_are_back"


def test_an_mtu_comes_to_one_leg_after_the_other() -> None:
    """And to the bond when no leg changes any more; in the undo too."""
    state = seen(host(bonded=True))
    step, files = bonds.plan(want(mtu=9000), state).build
    assert [words[:4] + words[4:] * (words[0] == "pairs_leave") for words in lines(step.do)] == [
        ["pairs_leave", "bond0", EM1, "9000", "0"],
        ["set_leg_mtu", EM1, "9000"],
        ["pairs_leave", "bond0", EM2, "9000", "3"],
        ["set_leg_mtu", EM2, "9000"],
        ["set_mtu", "bond0", "9000"],
        ["pairs_are_back", "3", "VM-2", state.vms[0].uuid],
    ]
    back = [
        ["pairs_leave_if_they_can", "bond0", EM2, "1500", "3"],
        ["set_leg_mtu", EM2, "1500"],
        ["pairs_leave_if_they_can", "bond0", EM1, "1500", "3"],
        ["set_leg_mtu", EM1, "1500"],
        ["set_mtu", "bond0", "1500"],
    ]
    *undone, last = lines(step.undo)
    assert undone == back
    assert last[:4] == ["pairs_are_back", "3", "VM-2", state.vms[0].uuid]
    # before networkd reads the old files, and resets both at once
    assert lines(files.undo) == back
    assert files.undo.split(" &&\n")[-1] == "take_up networkd"
    assert warnings(host(bonded=True), want(mtu=9000)) == [
        f"{vm.name}: can be silent for seconds while em1 and em2 are down: nobody can look into"
        " it: it was not asked"
        for vm in state.vms
    ]


def test_the_hosts_own_traffic_stays_for_as_long_as_it_can() -> None:
    state = host(bonded=True)
    (there,) = state.network.bonds
    active = (there.model_copy(update={"active": "em1"}),)
    network = state.network.model_copy(update={"bonds": active})
    state = seen(state.model_copy(update={"network": network}))
    step, *_ = bonds.plan(want(mtu=9000), state).build
    assert [words[1] for words in lines(step.do) if words[0] == "set_leg_mtu"] == [EM2, EM1]


def test_where_no_port_is_moved_nobody_is_asked_and_nobody_waited_for() -> None:
    state = host(bonded=True)
    assert bonds.vms_to_ask(want(), state) == ()
    assert bonds.vms_to_ask(want(num_grat_arp=3), state) == ()
    everybody = tuple(vm.uuid for vm in state.vms)
    assert bonds.vms_to_ask(want(fail_over_mac="active"), state) == everybody
    assert bonds.vms_to_ask(want(mtu=9000), state) == everybody
    assert bonds.vms_to_ask(want(mtu=1500), state) == ()
    (step,) = bonds.plan(want(num_grat_arp=3), seen(state)).build
    assert "pairs" not in step.do


def test_its_own_monitor_says_how_long_a_bond_gets_to_notice() -> None:
    state = slow(seen(host()), 300)
    step, *_ = bonds.plan(want(), state).build
    assert ["pairs_leave", "bond0", EM1, "into", "0"] in lines(step.do)
    assert ["pairs_leave", "bond0", EM2, "into", "2"] in lines(step.do)
    assert warnings(state, want()) == []


def slow(state: HostState, arp_interval_ms: int) -> HostState:
    by_arp = {"arp_interval_ms": arp_interval_ms, "miimon_ms": 0}
    found = {
        key: one.model_copy(update={"bonds": (one.bonds[0].model_copy(update=by_arp),)})
        for key, one in state.inside.items()
    }
    return state.model_copy(update={"inside": found})


def test_a_guest_cannot_make_it_wait_for_ever() -> None:
    state = slow(seen(host()), 4_000_000_000)
    assert "pairs" not in bonds.plan(want(), state).build[0].do
    assert len(warnings(state, want())) == 2
    assert "bond0 needs 20000000 s" in warnings(state, want())[0]


def test_one_that_nobody_can_look_into_is_told_and_not_waited_for() -> None:
    state = seen(host(), VM2=Inside(vm="2", why_not=NO_AGENT))
    step, *_ = bonds.plan(want(), state).build
    assert "VM-3" in step.do
    assert "VM-2" not in step.do
    assert "VM-2" in step.affects
    assert warnings(state, want()) == [
        "VM-2: can be silent for seconds while em1 and em2 are down: nobody can look into it: "
        + NO_AGENT
    ]
    # of one that was not asked nothing is known either
    assert len(warnings(host(), want())) == 2


def test_one_whose_cards_are_in_no_bond() -> None:
    state = seen(host(), VM2=Inside(vm="2"))
    assert warnings(state, want()) == [
        "VM-2: can be silent for seconds while em1 and em2 are down: its card there is in no bond"
    ]


def test_one_whose_other_leg_is_down_is_silent_with_the_leg_that_carries() -> None:
    """Its silent leg is taken with the VM's blessing."""
    state = seen(host(), down=(mac("VM-2", "em2"),))
    step, *_ = bonds.plan(want(), state).build
    assert warnings(state, want()) == [
        "VM-2: can be silent for seconds while em1 is down: no other leg of bond0 is up "
        "(eth0 up, eth1 down)"
    ]
    of_em2, of_em1 = (
        next(line for line in step.do.split(" &&\n") if pci in line and "pairs" in line)
        for pci in (EM2, EM1)
    )
    assert "VM-2" in of_em2
    assert "VM-2" not in of_em1


def test_one_with_a_card_on_one_port_only() -> None:
    state = host()
    vm, *rest = state.vms
    single = vm.model_copy(update={"live_nics": vm.live_nics[:1]})
    state = state.model_copy(update={"vms": (single, *rest)})
    of_one = bond(single)
    assert warnings(seen(state, VM2=Inside(vm="2", bonds=(of_one,))), want()) == [
        "VM-2: can be silent for seconds while em1 is down: no other leg of bond0 is up (eth0 up)"
    ]
    # whose bond goes on over a card that is no VF
    legs = (*of_one.legs, InsideLeg(name="ens9", mac="a", permanent_mac="b", up=True))
    more = of_one.model_copy(update={"legs": legs})
    assert warnings(seen(state, VM2=Inside(vm="2", bonds=(more,))), want()) == []


def test_each_card_of_a_vm_counts_by_itself() -> None:
    """Those in one bond are waited for, those in none are told."""
    state = host()
    vm, *rest = state.vms
    of_pair = bond(vm)
    strays = [pf.vfs[-1] for pf in state.pfs]
    more = tuple(
        vm.live_nics[0].model_copy(update={"pci": vf.pci, "mac": f"02:00:00:00:99:0{at}"})
        for at, vf in enumerate(strays)
    )
    vm = vm.model_copy(update={"live_nics": (*vm.live_nics, *more)})
    state = seen(
        state.model_copy(update={"vms": (vm, *rest)}), VM2=Inside(vm="2", bonds=(of_pair,))
    )
    step, *_ = bonds.plan(want(), state).build
    assert command("VM-2", vm.uuid or "", mac("VM-2", "em1")) in step.do
    assert "02:00:00:00:99" not in step.do
    assert warnings(state, want()) == [
        "VM-2: can be silent for seconds while em1 and em2 are down: its card there is in no bond"
    ]


def test_two_cards_with_one_address_must_both_be_up() -> None:
    state = host(shared=True)
    assert warnings(seen(state), want()) == [
        f"{vm.name}: can be silent for seconds while em1 and em2 are down: its cards have one"
        " address, and bond0 needs up to 3 s to notice"
        for vm in state.vms
    ]
    step, *_ = bonds.plan(want(), seen(state)).build
    assert "pairs_leave bond0" in step.do
    whole = bond(state.vms[0])
    one, other = whole.legs
    half = whole.model_copy(update={"legs": (one, other.model_copy(update={"up": False}))})
    state = seen(state, VM2=Inside(vm="2", bonds=(half,)))
    assert warnings(state, want())[0] == (
        "VM-2: can be silent for seconds while em1 and em2 are down: no other leg of bond0 is up "
        "(eth0 up, eth1 down)"
    )


@pytest.mark.parametrize("wait", [False, True])
def test_they_are_asked_before_the_plan_is_made(
    wait: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And never waited for: one without an agent would be waited for in vain."""
    asked: list[tuple[list[str], float]] = []

    def answer(_: object, vms: Iterable[str], *, wait_s: float, **__: object) -> dict[str, Inside]:
        asked.append((sorted(vms), wait_s))
        return {}

    monkeypatch.setattr(inside, "look", answer)
    keys = sorted(vm.uuid or "" for vm in host().vms)
    reconcile.look_inside(LocalReach("server-2"), want(), host(), wait=wait)
    assert [one for one in asked if one[0]] == [(keys, 0)]
    asked.clear()
    reconcile.look_inside(LocalReach("server-2"), want(), host(bonded=True), wait=wait)
    assert [one for one in asked if one[0]] == []
