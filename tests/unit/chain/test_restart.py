"""Restarts as stages: when, in which way, what goes before them and comes back after."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sriovctl import chain
from sriovctl.chain import restart
from sriovctl.chain.restart import NOTE, Restart
from sriovctl.firmware import Absent, FirmwareState, Job, JobState, Setting
from sriovctl.host import VM, HostState, NetworkPort
from sriovctl.plan import Impact, Plan, Severity
from sriovctl.wanted import BMCWant, HostWant

from .hostmodel import HostModel
from .test_firmware import HOLDS, OFF, STAGED, job, state
from .test_kernel import host, want, with_default
from .worlds import bare_pf

BMC = BMCWant(address="10.8.0.2", user="root", password="env:P", intents=("sriov",))
REBOOT = Restart(kind="reboot", reason="the kernel")


def with_bmc() -> HostWant:
    return want().model_copy(update={"bmc": BMC})


def bare(table: str | None = None) -> HostState:
    """A server as it came from the factory: ports without SR-IOV, no IOMMU."""
    ports = tuple(
        NetworkPort(
            pci=f"0000:0{leg}:00.0",
            name=f"em{leg}",
            mac=f"52:54:00:00:02:0{leg}",
            driver="igb",
            vendor_id="8086",
            device_id="10c9",
        )
        for leg in (1, 2)
    )
    vm = VM(name="VM-2", uuid="u2", persistent=True, running=False, autostart=False)
    return host(table=table).model_copy(update={"pfs": (), "ports": ports, "vms": (vm,)})


def kinds(plan: Plan) -> list[str]:
    return [stage.kind for stage in plan.stages]


def with_vms(have: HostState, *vms: VM) -> HostState:
    return have.model_copy(update={"vms": vms})


def running(name: str, **more: object) -> VM:
    vm = VM(name=name, uuid=f"uuid-{name}", persistent=True, running=True, autostart=False)
    return vm.model_copy(update=more)


def stops(plan: Plan) -> list[str]:
    return [f.found for f in plan.findings if f.severity in (Severity.ERROR, Severity.BLOCKED)]


def test_from_bare_firmware_and_kernel_share_one_restart() -> None:
    plan = chain.plan(with_bmc(), bare(), state(OFF))
    assert kinds(plan) == ["firmware", "transaction", "power-cycle"]
    assert stops(plan) == []
    assert {step.link for step in plan.stages[1].steps} == {"kernel"}
    reason = plan.stages[-1].steps[0].reason
    assert "SR-IOV Global Enable" in reason
    assert "intel_iommu=on" in reason


def test_what_is_staged_is_not_staged_again() -> None:
    ready = state(STAGED, jobs=(job(JobState.SCHEDULED),))
    assert kinds(chain.plan(with_bmc(), bare(), ready))[0] == "transaction"
    staged = host(files=with_default("intel_iommu=on"), table=None)
    have = staged.model_copy(update={"pfs": (), "ports": bare().ports, "vms": bare().vms})
    assert kinds(chain.plan(with_bmc(), have, ready)) == ["power-cycle"]


@pytest.mark.parametrize("setting", [HOLDS, STAGED])
def test_a_job_that_runs_had_its_restart_and_is_only_waited_for(setting: Setting) -> None:
    """A run was killed while it waited for the job, and the host is up before that is over."""
    have = with_vms(host("intel_iommu=on", files=with_default("intel_iommu=on")), running("VM-2"))
    have = have.model_copy(update={"pfs": (), "ports": bare().ports})
    plan = chain.plan(with_bmc(), have, state(setting, jobs=(job(JobState.RUNNING),)))
    assert kinds(plan) == ["firmware"]
    assert "JID_1" in plan.stages[0].steps[0].title
    assert stops(plan) == []


def test_before_a_restart_a_job_is_waited_for_that_it_would_cut_short() -> None:
    other = Job(id="JID_2", name="Firmware Update", state=JobState.RUNNING)
    jobs = (job(JobState.SCHEDULED), other)
    have = with_vms(host(files=with_default("intel_iommu=on")), running("VM-2"))
    plan = chain.plan(with_bmc(), have, state(STAGED, jobs=jobs))
    assert kinds(plan) == ["firmware", "transaction", "power-cycle"]
    assert "JID_2" in plan.stages[0].steps[0].title


def test_the_kernel_alone_needs_no_power_cycle() -> None:
    plan = chain.plan(want(vms=False), host())
    assert kinds(plan) == ["transaction", "reboot"]
    assert plan.stages[-1].impact is Impact.REBOOT
    assert kinds(chain.plan(with_bmc(), host(), state(HOLDS)))[-1] == "reboot"


def test_without_a_way_to_the_switches_a_port_without_sriov_is_an_error() -> None:
    here = host("intel_iommu=on", groups=9).model_copy(update={"pfs": (), "ports": bare().ports})
    plan = chain.plan(want(vms=False), here)
    assert any("no sriov_totalvfs" in found for found in stops(plan))


def test_what_a_restart_cannot_mend_stops_it_beforehand() -> None:
    have = bare().model_copy(update={"vms": ()})
    assert stops(chain.plan(with_bmc(), have, state(OFF))) == ["no VM VM-2 on server-2"]


def test_a_firmware_that_cannot_be_switched_is_not_staged() -> None:
    have = state(OFF.model_copy(update={"read_only": True}))
    plan = chain.plan(with_bmc(), bare(), have)
    assert "firmware" not in kinds(plan)
    assert any("read-only" in found for found in stops(plan))


def test_a_setting_that_is_not_known_stops_no_host_that_has_all() -> None:
    pfs = tuple(bare_pf(leg) for leg in (1, 2))
    have = host("intel_iommu=on", groups=9, files=with_default("intel_iommu=on"))
    vms = (running("VM-2", running=False),)
    have = have.model_copy(update={"pfs": pfs, "vms": vms})
    nothing_known = state(
        absent=(Absent(device="BIOS", intent="sriov", tried=("Sriov",), screen=""),)
    )
    plan = chain.plan(with_bmc(), have, nothing_known)
    assert stops(plan) == []
    assert any("no setting known for sriov" in f.found for f in plan.findings)
    lacking = have.model_copy(update={"pfs": (), "ports": bare().ports})
    assert any(
        "no setting known" in f for f in stops(chain.plan(with_bmc(), lacking, nothing_known))
    )


def test_running_vms_make_way_by_name() -> None:
    have = with_vms(host(), running("VM-2"), running("VM-3"), running("off", running=False))
    plan = chain.plan(want(vms=False), have)
    assert kinds(plan) == ["transaction", "transaction", "reboot"]
    assert plan.stages[1].steps[0].affects == ("VM-2", "VM-3")
    assert plan.stages[2].steps[0].affects == ("VM-2", "VM-3")


def test_a_vm_without_a_definition_is_not_shut_down_for_good() -> None:
    have = with_vms(host(), running("VM-9", persistent=False))
    [found] = stops(chain.plan(want(vms=False), have))
    assert "VM-9 has no definition" in found


@settings(max_examples=50)
@given(
    state_of=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=4),
    noted=st.booleans(),
)
def test_those_that_ran_run_again(state_of: list[tuple[bool, bool]], noted: bool) -> None:
    """Down and up again gives back the host; so does undoing the way down."""
    vms = tuple(
        running(f"VM-{n}", running=on, autostart=auto) for n, (on, auto) in enumerate(state_of)
    )
    before = with_vms(host(), *vms)
    if noted:
        # an earlier run was broken off before its restart: that one is to come back too
        before = with_vms(before, *vms, running("early", running=False))
        before = before.model_copy(update={"files": {NOTE: "# note\nuuid-early\n"}})
    model = HostModel(before)
    steps = [step for stage in restart.stages(want(), before, REBOOT) for step in stage.steps]
    way = [step for step in steps if step.do]
    model.apply(way)
    assert not any(vm.running for vm in model.state.vms)
    down = model.state
    model.undo(way)
    assert model.state.vms == before.vms
    assert model.state.files == before.files
    model = HostModel(down)
    model.apply(restart.come_back(want(), down))
    ran = {vm.name for vm in before.vms if vm.running} | ({"early"} if noted else set())
    assert {vm.name for vm in model.state.vms if vm.running} == ran
    assert NOTE not in model.state.files
    assert restart.come_back(want(), model.state) == ()


def test_a_vm_that_is_to_run_anyway_is_started_once() -> None:
    wish = want()
    wish = wish.model_copy(update={"vms": (wish.vms[0].model_copy(update={"running": True}),)})
    have = host("intel_iommu=on", groups=9, files=with_default("intel_iommu=on"))
    have = with_vms(have, running("VM-2", running=False), running("other", running=False))
    note = {NOTE: "# note\nuuid-VM-2\nuuid-other\n"}
    plan = chain.plan(wish, have.model_copy(update={"files": {**have.files, **note}}))
    started = [s.title for s in plan.steps if s.do.startswith("start_vm")]
    assert started == ["VM VM-2: start", "start again: other"]


def test_a_vm_that_does_not_start_again_takes_no_vfs_from_others() -> None:
    have = host("intel_iommu=on", groups=9, files=with_default("intel_iommu=on"))
    have = with_vms(have, running("VM-2", running=False), running("other", running=False))
    note = {NOTE: "# note\nuuid-other\n"}
    plan = chain.plan(want(vfs=3), have.model_copy(update={"files": {**have.files, **note}}))
    assert [stage.title for stage in plan.stages] == ["VFs, pools and VMs", "VMs run again"]
    # what runs goes on running: it ran before
    assert plan.stages[1].steps[0].undo == ""


def test_vms_that_are_off_for_a_restart_that_is_not_over_are_told() -> None:
    off = with_vms(host(), running("VM-2", running=False), running("other", running=False))
    have = off.model_copy(update={"files": {**off.files, NOTE: "uuid-other\nuuid-gone\n"}})
    assert restart.left_off(have) == ("other",)
    assert any(f.about == "other" for f in chain.plan(want(vms=False), have).findings)
    assert not any(f.about == "other" for f in chain.plan(want(vms=False), off).findings)


def test_nobody_asked_no_firmware_is_planned() -> None:
    no_answer: FirmwareState | None = None
    assert kinds(chain.plan(want(vms=False), host(), no_answer)) == ["transaction", "reboot"]
