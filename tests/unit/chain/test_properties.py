"""What must hold of every plan, whatever the host and whatever is wanted."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings

from sriovctl import chain
from sriovctl.host import VM, HostState
from sriovctl.plan import Plan, Severity
from sriovctl.wanted import HostWant
from tests.unit.chain.hostmodel import HostModel, ports
from tests.unit.chain.worlds import changes, hosts, wants

STOPPING = (Severity.ERROR, Severity.BLOCKED)
ample = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def _applicable(want: HostWant, have: HostState) -> Plan:
    plan = chain.plan(want, have)
    assume(not any(f.severity in STOPPING for f in plan.findings))
    assume(not _starts_with_cards_of_others(want, have))
    return plan


def _starts_with_cards_of_others(want: HostWant, have: HostState) -> bool:
    """Is a VM to start that has a card of a pool outside of the rack file? Whether that pool has a
    VF left for it shows when it starts, and not before."""
    ours = {pf.pool for pf in want.pfs}
    to_start = {vm.name for vm in want.vms if vm.running}
    return any(nic.pool not in ours for vm in have.vms if vm.name in to_start for nic in vm.nics)


@ample
@given(want=wants(), have=hosts())
def test_a_plan_that_is_carried_out_leaves_nothing_to_plan(want: HostWant, have: HostState) -> None:
    model = HostModel(have)
    model.apply(_applicable(want, have).steps)
    again = chain.plan(want, model.state)
    assert [step.title for step in again.steps] == []


@ample
@given(want=wants(), have=hosts())
def test_undo_in_reverse_gives_back_the_host(want: HostWant, have: HostState) -> None:
    plan = _applicable(want, have)
    model = HostModel(have)
    model.apply(plan.steps)
    model.undo(plan.steps)
    assert _observable(model.state, have) == _observable(have, have)


@ample
@given(change=changes())
def test_cards_are_plugged_and_unplugged_under_running_vms(
    change: tuple[HostWant, HostState],
) -> None:
    want, have = change
    plan = _applicable(want, have)
    model = HostModel(have)
    model.apply(plan.steps)
    # which address a VF has once libvirt has taken it back shows only then
    late = chain.plan(want, model.state).steps
    assert {step.title.partition(": ")[2][:3] for step in late} <= {"mac"}
    model.apply(late)
    assert [step.title for step in chain.plan(want, model.state).steps] == []
    for count in range(1, len(plan.steps) + 1):
        model = HostModel(have)
        model.apply(plan.steps[:count])
        model.undo(plan.steps[:count])
        assert _observable(model.state, have) == _observable(have, have)


@ample
@given(want=wants(), have=hosts())
def test_a_failure_after_any_step_can_be_undone(want: HostWant, have: HostState) -> None:
    plan = _applicable(want, have)
    for count in range(1, len(plan.steps)):
        model = HostModel(have)
        model.apply(plan.steps[:count])
        model.undo(plan.steps[:count])
        assert _observable(model.state, have) == _observable(have, have)


@ample
@given(want=wants(), have=hosts())
def test_the_same_facts_give_the_same_plan(want: HostWant, have: HostState) -> None:
    plan = chain.plan(want, have)
    again = chain.plan(
        HostWant.model_validate_json(want.model_dump_json()),
        HostState.model_validate_json(have.model_dump_json()),
    )
    assert plan.digest == again.digest
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@ample
@given(want=wants(), have=hosts())
def test_a_held_vf_is_never_taken(want: HostWant, have: HostState) -> None:
    held = {vf.pci for pf in have.pfs for vf in pf.vfs if have.holder_of(vf)}
    plan = chain.plan(want, have)
    model = HostModel(have)
    if plan.of(Severity.BLOCKED) or plan.of(Severity.ERROR):
        return
    assume(not _starts_with_cards_of_others(want, have))
    # the model itself refuses to take a held VF or stop a pool under a running VM
    model.apply(plan.steps)
    assert held <= {vf.pci for pf in model.state.pfs for vf in pf.vfs}


def _observable(state: HostState, before: HostState) -> object:
    """All but what nobody can give back: a running pool's list of VFs where that was stale already,
    since it has other VFs when it starts, or cannot start."""
    stale = {pool.name for pool in before.pools if before.stale_pool(pool)}
    return (
        ports(state, before),
        [
            pool.model_copy(update={"addresses": (), "active": None})
            if pool.name in stale
            else pool
            for pool in state.pools
        ],
        [_without_order(vm) for vm in sorted(state.vms, key=lambda vm: vm.name)],
        state.files,
    )


def _without_order(vm: VM) -> object:
    """A VM's cards, whichever VF of its pool libvirt picks and in whatever order they came."""
    cards = [
        sorted((nic.model_copy(update={"pci": None}) for nic in nics), key=repr)
        for nics in (vm.nics, vm.live_nics)
    ]
    return vm.model_copy(update={"nics": cards[0], "live_nics": cards[1]})
