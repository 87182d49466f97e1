"""The MAC policy of a pair: changed under a running VM, warned about where it opens the card."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from sriovctl import chain
from sriovctl.chain import legs, otherleg
from sriovctl.chain.cards import Leg, leg_of
from sriovctl.host import HostState
from sriovctl.inside import Inside, InsideBond, InsideLeg
from sriovctl.plan import Severity
from sriovctl.rack import Rack
from sriovctl.wanted import HostWant, VFWant
from tests.unit.chain.hostmodel import HostModel
from tests.unit.chain.worlds import bare_host

DOMAIN = "<domain type='kvm'><name>VM-2</name></domain>"
POLICIES = ("shared", "active", "open")


def want_of(folder: Path, policy: str) -> HostWant:
    (folder / "VM-2.xml").write_text(DOMAIN)
    vm = {"domain": "VM-2.xml", "running": True, "pairs": [{"macs": policy}]}
    rack = Rack.model_validate(
        {"hosts": {"server-2": {"pfs": {"em1": 7, "em2": 7}}}, "vms": {"VM-2": vm}}
    )
    return rack.want("server-2", folder)


def running(want: HostWant) -> HostState:
    model = HostModel(bare_host())
    model.apply(chain.plan(want, model.state).steps)
    return model.state


@pytest.mark.parametrize(("before", "after"), list(permutations(POLICIES, 2)))
def test_a_policy_is_changed_under_a_running_vm(tmp_path: Path, before: str, after: str) -> None:
    have = running(want_of(tmp_path, before))
    want = want_of(tmp_path, after)
    model = HostModel(have)
    steps = chain.plan(want, have).steps
    model.apply(steps)
    assert chain.plan(want, model.state).steps == ()
    (vm,) = model.state.vms
    for cards in (vm.nics, vm.live_nics):
        assert len({nic.pool for nic in cards}) == 2
        assert len({nic.mac for nic in cards}) == (1 if after == "shared" else 2)
    model.undo(steps)
    assert {(nic.pool, nic.mac) for nic in model.state.vms[0].live_nics} == {
        (nic.pool, nic.mac) for nic in have.vms[0].live_nics
    }


@pytest.mark.parametrize("before", ["active", "open"])
def test_a_change_to_shared_leaves_the_first_legs_card_alone(tmp_path: Path, before: str) -> None:
    have = running(want_of(tmp_path, before))
    steps = chain.plan(want_of(tmp_path, "shared"), have).steps
    touched = [step.title for step in steps if step.link == "guests"]
    assert touched
    assert [title for title in touched if "passthrough_em1" in title] == []


def with_one_address(have: HostState, trust: str) -> HostModel:
    """As a trusted guest's bond leaves its cards: em1's VF has the address of em2's."""
    model = HostModel(have)
    (vm,) = have.vms
    em1, em2 = vm.live_nics
    (index,) = (vf.index for vf in have.pfs[0].vfs if vf.pci == em1.pci)
    model.update_vf(have.pfs[0].pci, index, mac=em2.mac, trust=trust)
    return model


@pytest.mark.parametrize("trust", ["on", "off"])
@pytest.mark.parametrize("after", ["shared", "active"])
def test_a_card_whose_vf_has_another_address_is_plugged_in_anew(
    tmp_path: Path, after: str, trust: str
) -> None:
    """Also while the guest may still change it, and after this apply no more."""
    model = with_one_address(running(want_of(tmp_path, "active")), trust)
    written = want_of(tmp_path, after)
    pfs = [pf.model_copy(update={"vf": (VFWant(index=0, trust="off"),)}) for pf in written.pfs]
    want = written.model_copy(update={"pfs": tuple(pfs)})
    first = chain.plan(want, model.state).steps
    assert [step.title for step in first if step.affects and "passthrough_em1" in step.title]
    model.apply(first)
    assert chain.plan(want, model.state).steps == ()
    (vm,) = model.state.vms
    addresses = {vf.pci: vf.mac for pf in model.state.pfs for vf in pf.vfs}
    assert all(addresses[nic.pci or ""] == nic.mac for nic in vm.live_nics)


def test_an_address_that_a_trusted_guest_chose_is_its_own_business(tmp_path: Path) -> None:
    want = want_of(tmp_path, "open")
    assert chain.plan(want, with_one_address(running(want), "on").state).steps == ()


def test_leg_by_leg_lets_go_of_a_card_whose_vf_has_another_address(tmp_path: Path) -> None:
    want = want_of(tmp_path, "active")
    state = with_one_address(running(want), "off").state
    (leg,) = legs.due(want, state)
    assert [(card.vm.name, card.as_wanted) for card in leg.cards] == [("VM-2", False)]
    # and it is no business of the leg that comes in
    assert legs.bring_in(want, state, leg.want).steps == ()


def test_trust_that_is_not_reported_is_not_taken_for_off(tmp_path: Path) -> None:
    want = want_of(tmp_path, "active")
    have = with_one_address(running(want), "off").state
    assert chain.plan(want, have).steps
    pfs = tuple(
        pf.model_copy(update={"vfs": tuple(v.model_copy(update={"trust": None}) for v in pf.vfs)})
        for pf in have.pfs
    )
    assert chain.plan(want, have.model_copy(update={"pfs": pfs})).steps == ()


@pytest.mark.parametrize("booted_since", [False, True])
def test_a_guest_knows_such_a_card_by_either_address(tmp_path: Path, booted_since: bool) -> None:
    want = want_of(tmp_path, "active")
    state = with_one_address(running(want), "off").state
    (leg,) = legs.due(want, state)
    own = [nic.mac or "" for nic in state.vms[0].live_nics]
    seen = inside(state, [own[1], own[1]] if booted_since else own)
    assert otherleg.not_ready(leg, seen, blind=False) == []


def inside(state: HostState, permanent: list[str], down: str = "") -> dict[str, Inside]:
    """A look into the only VM: a bond of cards with these addresses of their own."""
    (vm,) = state.vms
    members = tuple(
        InsideLeg(name=f"eth{n}", mac=permanent[-1], permanent_mac=mac, up=mac != down)
        for n, mac in enumerate(permanent)
    )
    bond = InsideBond(
        name="bond0", mode="active-backup", fail_over_mac="none", active="eth0", miimon_ms=100,
        updelay_ms=0, downdelay_ms=0, arp_interval_ms=0, num_grat_arp=1, primary=None,
        mac=permanent[-1], legs=members,
    )  # fmt: skip
    return {vm.key: Inside(vm=vm.name, bonds=(bond,))}


OTHERS = ("02:00:00:00:00:e1", "02:00:00:00:00:e2")
"""Addresses that a guest's bond chose."""


def with_addresses(have: HostState, *macs: str) -> HostState:
    """VFs of the only VM's cards with these, fixed."""
    model = HostModel(have)
    for nic, mac in zip(have.vms[0].live_nics, macs, strict=True):
        (pf,) = (pf for pf in have.pfs if nic.pci in {vf.pci for vf in pf.vfs})
        (index,) = (vf.index for vf in pf.vfs if vf.pci == nic.pci)
        model.update_vf(pf.pci, index, mac=mac, trust="off")
    return model.state


@pytest.mark.parametrize("chosen", [OTHERS, OTHERS[:1] * 2], ids=["each-its-own", "one-for-both"])
def test_bonds_are_whole_though_the_other_card_is_yet_to_be_plugged_in_anew(
    tmp_path: Path, chosen: tuple[str, str]
) -> None:
    """Both VFs have other addresses, the guest has booted since, em1's card has just come back."""
    want = want_of(tmp_path, "active")
    first = running(want)
    own = [nic.mac or "" for nic in first.vms[0].live_nics]
    assert len(legs.due(want, with_addresses(first, *chosen))) == len(own)
    state = with_addresses(first, own[0], chosen[1])

    def why(permanent: list[str], down: str = "") -> list[str]:
        return list(otherleg.not_whole(want, state, state.vms, inside(state, permanent, down)))

    assert why([own[0], chosen[1]]) == [], "it booted since the VF got its address"
    assert why(own) == [], "it did not"
    (found,) = why([own[0], chosen[1]], down=own[0])
    assert own[0] in found
    (found,) = why([own[0], chosen[1]], down=chosen[1])
    assert own[1] in found
    assert len(why([chosen[1]])) == 1, "one leg is not two"


def test_a_trusted_guest_that_booted_since_is_known_by_the_address_it_chose(tmp_path: Path) -> None:
    want = want_of(tmp_path, "open")
    state = with_one_address(running(want), "on").state
    leg = leg_of(want, state, want.pfs[0])
    assert isinstance(leg, Leg)
    _, em2 = state.vms[0].live_nics
    shared = em2.mac or ""
    both = inside(state, [shared, shared])
    assert otherleg.not_ready(leg, both, blind=False) == []
    assert list(otherleg.not_whole(want, state, state.vms, both)) == []
    alone = inside(state, [shared])
    assert len(otherleg.not_ready(leg, alone, blind=False)) == 1, "nobody can say which one it is"
    assert len(list(otherleg.not_whole(want, state, state.vms, alone))) == 1


def test_only_open_is_warned_about(tmp_path: Path) -> None:
    said = {
        policy: chain.plan(want_of(tmp_path, policy), bare_host()).of(Severity.WARNING)
        for policy in POLICIES
    }
    assert {policy for policy, findings in said.items() if findings} == {"open"}
    (warning,) = said["open"]
    assert warning.about == "VM-2"
    assert "em1, em2" in warning.found
    assert "any MAC address" in warning.means


@pytest.mark.parametrize(("driver", "relapses"), [("igb", True), ("ixgbe", False), (None, False)])
def test_a_driver_that_checks_again_by_itself_is_named(
    tmp_path: Path, driver: str | None, relapses: bool
) -> None:
    have = bare_host(*(pf.model_copy(update={"driver": driver}) for pf in bare_host().pfs))
    (warning,) = chain.plan(want_of(tmp_path, "open"), have).of(Severity.WARNING)
    assert ("goes on reporting off" in warning.means) == relapses


def test_open_holds_after_new_vfs_and_at_boot(tmp_path: Path) -> None:
    have = running(want_of(tmp_path, "open"))
    assert all((vf.spoofchk, vf.trust) == ("off", "on") for pf in have.pfs for vf in pf.vfs)
    (script,) = (text for path, text in have.files.items() if path.endswith("nics.sh"))
    for index in range(7):
        assert f"'{index} spoofchk off trust on'" in script


@pytest.mark.parametrize("after", ["shared", "active"])
def test_leaving_open_puts_the_spoof_check_back(tmp_path: Path, after: str) -> None:
    have = running(want_of(tmp_path, "open"))
    model = HostModel(have)
    model.apply(chain.plan(want_of(tmp_path, after), have).steps)
    assert all(vf.spoofchk == "on" for pf in model.state.pfs for vf in pf.vfs)
