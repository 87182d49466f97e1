"""Leg by leg: never both legs out, the same cards back, and whoever has no other leg blocks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sriovctl import chain
from sriovctl.chain import legs, otherleg
from sriovctl.chain.cards import Leg, leg_of
from sriovctl.host import VM, HostState
from sriovctl.inside import Inside, InsideBond, InsideLeg
from sriovctl.plan import Finding, Impact, Plan, Severity
from sriovctl.wanted import HostWant, NicWant, PFWant, VMWant
from tests.unit.chain.hostmodel import HostModel, ports
from tests.unit.chain.worlds import bare_host

LEGS = ("em1", "em2")
VMS = ("VM-2", "VM-3")


def want(count: int, vlan: int = 0, shared: bool = False, vms: tuple[str, ...] = VMS) -> HostWant:
    """Both PFs with so many VFs, and VMs with a pair each."""
    return HostWant(
        rack="r",
        name="server-2",
        pfs=tuple(
            PFWant(name=leg, by="name", vfs=count, pool=f"pool_{leg}", autoprobe=False)
            for leg in LEGS
        ),
        vms=tuple(
            VMWant(
                name=name,
                domain=f"<domain type='kvm'><name>{name}</name></domain>",
                running=True,
                nics=tuple(
                    NicWant(pair=0, leg=leg, pool=f"pool_{leg}", mac=mac(name, leg, shared),
                            vlan=vlan)
                    for leg in LEGS
                ),
            )
            for name in vms
        ),
    )  # fmt: skip


def mac(vm: str, leg: str, shared: bool = False) -> str:
    return f"02:00:00:00:{'01' if shared else leg[2:].zfill(2)}:{vm[3:].zfill(2)}"


def room(shared: bool = False) -> HostModel:
    """The guide's scene, running, 7 VFs on each leg."""
    model = HostModel(bare_host())
    model.apply(chain.plan(want(7, shared=shared), model.state).steps)
    return model


def look(state: HostState, down: tuple[str, ...] = ()) -> dict[str, Inside]:
    """What is inside the VMs: a bond over what is plugged in."""
    return {
        vm.uuid or "": Inside(vm=vm.uuid or "", bonds=(bond(vm, down),))
        for vm in state.vms
        if vm.running
    }


def bond(vm: VM, down: tuple[str, ...] = ()) -> InsideBond:
    cards = [nic.mac or "" for nic in vm.live_nics]
    members = tuple(
        InsideLeg(name=f"eth{at}", mac=address, permanent_mac=address, up=address not in down)
        for at, address in enumerate(cards)
    )
    return InsideBond(
        name="bond0", mode="active-backup", fail_over_mac="active", active="eth0", miimon_ms=100,
        updelay_ms=0, downdelay_ms=0, arp_interval_ms=0, num_grat_arp=1, primary=None,
        mac=cards[0] if cards else "00:00:00:00:00:00", legs=members,
    )  # fmt: skip


def plan_of(wish: HostWant, state: HostState, down: tuple[str, ...] = ()) -> Plan:
    whole = chain.plan(wish, state)
    due = legs.due(wish, state)
    seen = look(state, down)
    return legs.by_leg(wish, state, whole, due, seen, blind=False) if due else whole


def stops(plan: Plan) -> list[str]:
    return [f.found for f in (*plan.of(Severity.BLOCKED), *plan.of(Severity.ERROR))]


def stages(wish: HostWant, model: HostModel) -> Iterator[str]:
    """As the loop does it: a stage, then planned again; after each step no VM is without a card."""
    while (plan := plan_of(wish, model.state)).stages:
        assert stops(plan) == []
        for step in plan.stages[0].steps:
            model.run(step.do)
            assert all(vm.live_nics for vm in model.state.vms if vm.name in VMS), step.title
        yield plan.stages[0].title


@pytest.mark.parametrize(
    "wish",
    [want(5), want(7, vlan=42), want(3, vlan=42), want(5, vms=("VM-2", "VM-3", "VM-4"))],
    ids=["count", "vlan", "both", "and-a-new-vm"],
)
def test_what_needs_both_cards_is_done_with_one_in(wish: HostWant) -> None:
    model = room()
    assert stops(chain.plan(wish, model.state)) or any(
        step.impact is Impact.VF_RESET and step.affects
        for step in chain.plan(wish, model.state).steps
    )
    titles = list(stages(wish, model))
    assert titles[:2] == ["leg em1", "leg em2"]
    assert chain.plan(wish, model.state).empty
    for vm in model.state.vms:
        assert [nic.mac for nic in vm.live_nics] == [mac(vm.name, leg) for leg in LEGS]


def test_one_address_for_both_legs_is_no_hindrance() -> None:
    model = room(shared=True)
    wish = want(5, shared=True)
    assert list(stages(wish, model)) == ["leg em1", "leg em2"]
    assert chain.plan(wish, model.state).empty


@pytest.mark.parametrize("steps", range(1, 11))
def test_a_run_that_died_in_the_middle_is_gone_on_with(steps: int) -> None:
    model = room()
    (first, *_) = plan_of(want(5), model.state).stages
    assert len(first.steps) >= steps
    model.apply(first.steps[:steps])
    assert [title for title in stages(want(5), model) if title.startswith("leg")][-1] == "leg em2"
    assert chain.plan(want(5), model.state).empty


@pytest.mark.parametrize("leg", LEGS)
def test_a_died_run_is_not_gone_on_with_on_the_other_leg(leg: str) -> None:
    """Whichever leg is out, with nothing changed yet: its cards come back before the other's go."""
    model = room()
    plan = out(model, leg)
    model.apply(plan.steps)
    assert next(stages(want(5), model)) == f"leg {leg}"


def test_a_step_that_fails_gives_everything_back() -> None:
    for stage in (0, 1):
        model = room()
        running = stages(want(5), model)
        for _ in range(stage):
            next(running)
        steps = plan_of(want(5), model.state).stages[0].steps
        for count in range(1, len(steps) + 1):
            trial = HostModel(model.state)
            trial.apply(steps[:count])
            trial.undo(steps[:count])
            assert cards(trial.state) == cards(model.state)
            assert ports(trial.state, model.state) == ports(model.state, model.state)


def cards(state: HostState) -> object:
    return [(vm.name, sorted(n.mac or "" for n in vm.live_nics), vm.nics) for vm in state.vms]


def test_a_vm_without_the_other_leg_up_blocks_by_name() -> None:
    model = room()
    (found,) = stops(plan_of(want(5), model.state, down=(mac("VM-3", "em2"),)))
    assert "VM-3" in found
    assert "eth1 down" in found


def test_a_leg_without_a_link_blocks_whoever_would_stand_on_it() -> None:
    model = room()
    em2 = model.state.pf_named("em2")
    assert em2 is not None
    model.state = model.state.model_copy(
        update={"pfs": (model.state.pfs[0], em2.model_copy(update={"carrier": False}))}
    )
    assert {found.split()[0] for found in stops(plan_of(want(5), model.state))} == set(VMS)


def test_a_vm_of_one_leg_blocks() -> None:
    one = want(7)
    half = one.vms[1].model_copy(update={"nics": one.vms[1].nics[:1]})
    narrow = one.model_copy(update={"vms": (one.vms[0], half)})
    model = HostModel(bare_host())
    model.apply(chain.plan(narrow, model.state).steps)
    pfs = tuple(pf.model_copy(update={"vfs": 5}) for pf in narrow.pfs)
    (found,) = stops(plan_of(narrow.model_copy(update={"pfs": pfs}), model.state))
    assert "VM-3 has no second leg" in found


def test_a_vm_that_the_rack_file_does_not_know_blocks() -> None:
    model = room()
    found = stops(plan_of(want(5, vms=("VM-2",)), model.state))
    assert any("VM-3" in one for one in found)
    found = stops(out(model, "em1", want(7, vms=("VM-2",))))
    assert any("VM-3" in one for one in found)


def test_who_cannot_be_looked_into_blocks_unless_told() -> None:
    model = room()
    due = legs.due(want(5), model.state)
    seen = look(model.state)
    silent = next(iter(seen))
    seen[silent] = Inside(vm=silent, why_not="no guest agent runs in it")
    for blind in (False, True):
        plan = legs.by_leg(
            want(5), model.state, chain.plan(want(5), model.state), due, seen, blind=blind
        )
        assert bool(stops(plan)) is not blind
    assert len([s for s in plan.stages[0].steps if "over to" in s.title]) == 1


def test_traffic_goes_over_before_any_card_goes() -> None:
    titles = [step.title for step in plan_of(want(5), room().state).stages[0].steps]
    assert [("over to eth1" in title, "unplug" in title) for title in titles[:4]] == [
        (True, False), (True, False), (False, True), (False, True),
    ]  # fmt: skip


def test_hostile_names_of_a_guest_stay_words() -> None:
    model = room()
    seen = look(model.state)
    name = "'; reboot #"
    for key, inside in seen.items():
        (one,) = inside.bonds
        evil = tuple(leg.model_copy(update={"name": name}) for leg in one.legs)
        seen[key] = Inside(vm=key, bonds=(one.model_copy(update={"legs": evil, "name": name}),))
    due = legs.due(want(5), model.state)
    plan = legs.by_leg(
        want(5), model.state, chain.plan(want(5), model.state), due, seen, blind=False
    )
    # the model takes scripts apart as a shell does, and knows no command of that name
    HostModel(model.state).apply(plan.stages[0].steps)


def out(model: HostModel, leg: str, wish: HostWant | None = None) -> Plan:
    wish = wish or want(7)
    (pf_want,) = (pf for pf in wish.pfs if pf.name == leg)
    found = leg_of(wish, model.state, pf_want)
    assert isinstance(found, Leg)
    return legs.take_out(wish, model.state, found, look(model.state), blind=False)


@pytest.mark.parametrize("leg", LEGS)
def test_out_and_in(leg: str) -> None:
    model = room()
    before = model.state
    plan = out(model, leg)
    assert stops(plan) == []
    model.apply(plan.steps)
    pf = model.state.pf_named(leg)
    assert pf is not None
    assert [vf for vf in pf.vfs if model.state.holder_of(vf)] == []
    assert [vm.nics for vm in model.state.vms] == [vm.nics for vm in before.vms]
    assert out(model, leg).empty, "out is out"
    (warning,) = chain.plan(want(7), model.state).of(Severity.WARNING)
    assert all(word in warning.found for word in (leg, *VMS))
    other = next(name for name in LEGS if name != leg)
    assert len(stops(out(model, other))) == len(VMS), "the other leg is their last one"
    (pf_want,) = (one for one in want(7).pfs if one.name == leg)
    back = legs.bring_in(want(7), model.state, pf_want)
    model.apply(back.steps)
    assert chain.plan(want(7), model.state) == Plan(host="server-2")


def test_bonds_are_whole_when_every_card_is_up() -> None:
    model = room()
    vms = model.state.vms

    def why(down: tuple[str, ...] = ()) -> list[str]:
        return list(otherleg.not_whole(want(7), model.state, vms, look(model.state, down)))

    assert why() == []
    (found,) = why((mac("VM-2", "em1"),))
    assert "VM-2" in found


def test_with_one_address_one_card_up_is_not_two() -> None:
    model = room(shared=True)
    wish = want(7, shared=True)
    seen = look(model.state)
    for key, inside in seen.items():
        (one,) = inside.bonds
        half = (one.legs[0], one.legs[1].model_copy(update={"up": False}))
        seen[key] = Inside(vm=key, bonds=(one.model_copy(update={"legs": half}),))
    assert len(list(otherleg.not_whole(wish, model.state, model.state.vms, seen))) == len(VMS)
    leg = leg_of(wish, model.state, wish.pfs[0])
    assert not isinstance(leg, Finding)
    assert len(otherleg.not_ready(leg, seen, blind=False)) == len(VMS)
