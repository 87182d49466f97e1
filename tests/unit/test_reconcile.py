"""One host's loop, on this machine: steps write files, the plan is what differs."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest

from sriovctl import chain, permission, probe, reconcile, restartrun
from sriovctl.bmc import host as bmc_host
from sriovctl.errors import (
    BlockedError,
    DiffersError,
    HostError,
    ProbeError,
    SriovctlError,
    TransactionError,
    UnreachableError,
)
from sriovctl.firmware import FirmwareState
from sriovctl.host import VM, HostState
from sriovctl.observer import Silent
from sriovctl.plan import Finding, Impact, Plan, Severity, Stage, Step
from sriovctl.probe.sections import Sections
from sriovctl.reach import LocalReach, Output, OverdueError, Reach
from sriovctl.stagerun import Timeouts
from sriovctl.transaction import (
    Begun,
    ConfirmAnswer,
    ConfirmWait,
    Ended,
    Event,
    StepDone,
    StepStarted,
    UndoDone,
    follow_up,
    parse_event,
)
from sriovctl.wanted import BMCWant, HostWant, PFWant
from tests.unit.chain.worlds import bare_host, bare_pf
from tests.unit.shells import Gate, write

WANT = HostWant(rack="r", name="h", pfs=())
SEEN = reconcile.FirmwareLook(FirmwareState(via="redfish"))
QUICK = Timeouts(probe_s=20, stage_s=20, reconnect_s=10, retry_s=0.05)


class Recorder(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.words: list[str] = []

    def planned(self, host: str, plan: Plan) -> None:
        self.words.append("planned")

    def event(self, host: str, stage: Stage, event: Event) -> None:
        self.events.append(event)

    def lost(self, host: str, why: str) -> None:
        self.words.append("lost")

    def finished(self, host: str, changed: bool, seconds: float) -> None:
        self.words.append("finished")

    def failed(self, host: str, error: BaseException) -> None:
        self.words.append("failed")


class Counting(LocalReach):
    """This machine, every script kept."""

    def __init__(self) -> None:
        super().__init__("h", need_root=False)
        self.scripts: list[str] = []
        self.arguments: list[tuple[str, ...]] = []

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        timeout_s: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        self.scripts.append(script)
        self.arguments.append(tuple(arguments))
        return super().run(script, arguments, timeout_s=timeout_s, on_line=on_line)


class Remote(Counting):
    """As if it were far away."""

    remote = True


class OverdueAtWork(Counting):
    """Its time is over once a transaction's first step has begun."""

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        timeout_s: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        def watch(line: str) -> None:
            if isinstance(parse_event(line), StepStarted):
                raise OverdueError(f"{self.name}: no end after {timeout_s:g} s")
            if on_line is not None:
                on_line(line)

        return super().run(script, arguments, timeout_s=timeout_s, on_line=watch)


class World:
    """Files that say old, and the plan that has them say new."""

    def __init__(self, folder: Path, count: int = 3) -> None:
        folder.mkdir(exist_ok=True)
        self.files = [folder / f"file{number}" for number in range(count)]
        for path in self.files:
            if not path.exists():
                path.write_text("old\n")
        self.steps = {path: write(path) for path in self.files}
        self.findings: tuple[Finding, ...] = ()

    def plan(self, want: HostWant, have: HostState, bmc: FirmwareState | None) -> Plan:
        steps = tuple(s for path, s in self.steps.items() if path.read_text() == "old\n")
        stages = (Stage(title="files", steps=steps),) if steps else ()
        return Plan(host="h", stages=stages, findings=self.findings)

    def change(self, number: int, **update: object) -> None:
        path = self.files[number]
        self.steps[path] = self.steps[path].model_copy(update=update)

    @property
    def texts(self) -> set[str]:
        return {path.read_text().strip() for path in self.files}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SRIOVCTL_STATE", str(tmp_path / "state"))
    return World(tmp_path / "world")


def apply(
    reach: LocalReach,
    world: World,
    *,
    want: HostWant = WANT,
    planner: reconcile.Planner | None = None,
    observer: Recorder | None = None,
    allow: frozenset[Impact] = frozenset(),
    confirm_s: int = 20,
    timeouts: Timeouts = QUICK,
    expected: Plan | None = None,
) -> reconcile.Outcome:
    return reconcile.apply(
        reach,
        want,
        observer=observer or Recorder(),
        leave=permission.Leave(allow),
        confirm_s=confirm_s,
        timeouts=timeouts,
        expected=expected,
        planner=planner or world.plan,
    )


def state() -> Path:
    return Path(os.environ["SRIOVCTL_STATE"])


# --- as wanted


def test_until_the_plan_is_empty(world: World) -> None:
    observer = Recorder()
    outcome = apply(Counting(), world, observer=observer)
    assert outcome.changed
    assert world.texts == {"new"}
    assert observer.words == ["planned", "planned", "finished"]
    assert observer.events[-1] == Ended("changed", "")


def test_nothing_to_do_is_one_probe_and_nothing_else(world: World) -> None:
    apply(Counting(), world)
    reach = Counting()
    before = sorted(state().rglob("*"))
    outcome = apply(reach, world)
    assert not outcome.changed
    assert len(reach.scripts) == 1
    assert sorted(state().rglob("*")) == before


def test_stages_run_one_after_the_other(world: World) -> None:
    plan = world.plan

    def one_at_a_time(want: HostWant, have: HostState, bmc: FirmwareState | None) -> Plan:
        whole = plan(want, have, bmc)
        stages = tuple(Stage(title=s.title, steps=(s,)) for s in whole.steps)
        return whole.model_copy(update={"stages": stages})

    world.plan = one_at_a_time  # type: ignore[method-assign]
    assert len(apply(Counting(), world).stages) == 3
    assert world.texts == {"new"}


def test_an_answer_that_is_no_probes_is_told_with_its_words() -> None:
    class Dumb(Counting):
        def run(
            self,
            script: str,
            arguments: Sequence[str] = (),
            *,
            timeout_s: float,
            on_line: Callable[[str], None] | None = None,
        ) -> Output:
            return Output(127, "", "sh: no such thing\n", 0.1)

    with pytest.raises(ProbeError) as caught:
        reconcile.look(Dumb())
    assert caught.value.found.startswith("h: ")
    assert "sh: no such thing" in caught.value.found


# --- refused


def finding(severity: Severity) -> Finding:
    return Finding(
        severity=severity, link="nics", about="em1", found="VM-2 holds VF 3", mend="shut VM-2 down"
    )


@pytest.mark.parametrize(
    ("severity", "error", "code"),
    [(Severity.BLOCKED, BlockedError, 4), (Severity.ERROR, DiffersError, 3)],
)
def test_findings_that_stop_it(
    world: World, severity: Severity, error: type[SriovctlError], code: int
) -> None:
    world.findings = (finding(severity),)
    reach = Counting()
    with pytest.raises(error) as caught:
        apply(reach, world)
    assert caught.value.exit_code == code
    assert "VM-2 holds VF 3" in str(caught.value)
    assert "shut VM-2 down" in caught.value.mend
    assert len(reach.scripts) == 1
    assert world.texts == {"old"}


def test_a_warning_stops_nothing(world: World) -> None:
    world.findings = (finding(Severity.WARNING),)
    assert apply(Counting(), world).changed


@pytest.mark.parametrize(
    ("impact", "flag"),
    [
        (Impact.VF_RESET, "--allow vf-reset"),
        (Impact.REBOOT, "--reboot"),
        (Impact.POWER_CYCLE, "--reboot"),
    ],
)
def test_an_impact_must_be_allowed(world: World, impact: Impact, flag: str) -> None:
    world.change(1, impact=impact, affects=("VM-2", "VM-3"))
    for allow in (frozenset[Impact](), frozenset(Impact) - {impact}):
        with pytest.raises(BlockedError) as caught:
            apply(Counting(), world, allow=allow)
        assert flag in caught.value.mend
        assert "VM-2, VM-3" in caught.value.found
        assert "file1" in caught.value.found
    assert world.texts == {"old"}
    assert apply(Counting(), world, allow=frozenset({impact})).changed


@pytest.mark.parametrize(
    ("impact", "affects"), [(Impact.LINK_BLIP, ("VM-2",)), (Impact.VF_RESET, ())]
)
def test_what_nobody_feels_needs_no_allowance(
    world: World, impact: Impact, affects: tuple[str, ...]
) -> None:
    world.change(1, impact=impact, affects=affects)
    assert apply(Counting(), world).changed


def test_a_saved_plan_runs_where_it_is_still_the_plan(world: World) -> None:
    expected = world.plan(WANT, reconcile.look(Counting()), None)
    assert apply(Counting(), world, expected=expected).changed


def test_a_saved_plan_is_refused_where_the_host_has_moved_on(world: World) -> None:
    expected = world.plan(WANT, reconcile.look(Counting()), None)
    world.files[0].write_text("new\n")
    with pytest.raises(DiffersError) as caught:
        apply(Counting(), world, expected=expected)
    assert "no longer: write file0" in caught.value.found
    assert caught.value.exit_code == 3
    assert world.files[1].read_text() == "old\n"


def test_steps_that_do_not_hold_are_named(world: World) -> None:
    world.change(1, do="true", check="true")
    with pytest.raises(TransactionError, match="do not hold") as caught:
        apply(Counting(), world)
    assert "write file1" in caught.value.found


def stages_one_by_one(count: int | None) -> reconcile.Planner:
    """Plans of one stage, each another; so many, or without an end."""
    numbers = itertools.count() if count is None else iter(range(count))

    def plan(want: HostWant, have: HostState, bmc: FirmwareState | None) -> Plan:
        stages = tuple(
            Stage(
                title="more",
                steps=(
                    Step(
                        link="pools", title=f"step {number}", reason="", do="true", check="true",
                        undo="",
                    ),
                ),
            )
            for number in itertools.islice(numbers, 1)
        )  # fmt: skip
        return Plan(host="h", stages=stages)

    return plan


@pytest.mark.parametrize(("ports", "most"), [(0, 12), (8, 28)])
def test_a_plan_comes_to_an_end_and_many_ports_may_take_turns_before(
    world: World, ports: int, most: int
) -> None:
    pfs = tuple(
        PFWant(name=f"em{n}", by="name", vfs=7, pool=None, autoprobe=False) for n in range(ports)
    )
    want = WANT.model_copy(update={"pfs": pfs})
    planned = apply(Counting(), world, want=want, planner=stages_one_by_one(most))
    assert len(planned.stages) == most
    with pytest.raises(TransactionError, match=f"still not as wanted after {most} stages"):
        apply(Counting(), world, want=want, planner=stages_one_by_one(None))


def restart_stage(kind: Literal["reboot", "power-cycle"], reason: str) -> Stage:
    step = Step(
        link="kernel",
        title=f"h: {kind}",
        reason=reason,
        do="",
        check="",
        undo="",
        impact=Impact(kind),
    )
    return Stage(title=kind, steps=(step,), kind=kind)


def test_the_machine_that_this_runs_on_is_not_shut_down_by_its_bmc(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would be there to switch it on."""
    calls: list[str] = []

    def rebooted(reach: Reach, boot_id: str, **_: object) -> None:
        calls.append("reboot")
        raise DiffersError("h reboots now")

    monkeypatch.setattr(restartrun, "reboot", rebooted)
    monkeypatch.setattr(bmc_host, "make", lambda *_, **__: calls.append("bmc"))
    stage = restart_stage("power-cycle", "SR-IOV Global Enable")
    world.plan = lambda *_: Plan(host="h", stages=(stage,))  # type: ignore[method-assign]
    with pytest.raises(DiffersError, match="reboots now"):
        apply(Counting(), world, allow=permission.RESTARTS)
    assert calls == ["reboot"]


@pytest.mark.parametrize("force_off_s", [None, 0.0])
def test_before_power_may_be_cut_the_host_writes_its_disks(
    world: World, monkeypatch: pytest.MonkeyPatch, force_off_s: float | None
) -> None:
    reach = Remote()
    after: list[str] = []
    monkeypatch.setattr(restartrun, "await_boot", lambda *_, **__: None)
    monkeypatch.setattr(bmc_host, "make", lambda *_, **__: after.extend(reach.scripts))
    monkeypatch.setattr(reconcile, "look_at_firmware", lambda *_: SEEN)
    stages = (restart_stage("power-cycle", "SR-IOV Global Enable"),)
    bmc = BMCWant(address="10.8.0.2", user="root", password="env:P")
    reconcile.apply(
        reach,
        WANT.model_copy(update={"bmc": bmc}),
        observer=Recorder(),
        leave=permission.Leave(permission.RESTARTS, force_off_s),
        timeouts=QUICK,
        planner=lambda *_: Plan(host="h", stages=() if after else stages),
    )
    assert (after[-1] == "sync\n") is (force_off_s is not None)


def test_neither_host_nor_bmc_answers_both_are_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> HostState:
        raise UnreachableError("h: no route", "there is no connection", "try: ssh h")

    def power(*_: object) -> str:
        raise UnreachableError("h: BMC 10.8.0.2: does not answer")

    monkeypatch.setattr(reconcile, "ask", gone)
    monkeypatch.setattr(bmc_host, "power", power)
    bmc = BMCWant(address="10.8.0.2", user="root", password="env:P")
    want = WANT.model_copy(update={"bmc": bmc})
    with pytest.raises(UnreachableError, match="no route") as caught:
        reconcile.apply(Remote(), want, observer=Recorder(), timeouts=QUICK)
    assert caught.value.means == "there is no connection; h: BMC 10.8.0.2: does not answer"
    assert caught.value.mend == "try: ssh h"


@pytest.mark.parametrize(
    ("second", "again"),
    [("intel_iommu=on: staged", False), ("pci=realloc: staged", True)],
)
def test_a_power_cycle_that_was_for_the_kernel_too_is_not_followed_by_a_reboot_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch, second: str, again: bool
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(restartrun, "reboot", lambda *_, **__: calls.append("reboot"))
    monkeypatch.setattr(restartrun, "await_boot", lambda *_, **__: None)
    monkeypatch.setattr(bmc_host, "make", lambda *_, **__: calls.append("power-cycle"))
    monkeypatch.setattr(reconcile, "look_at_firmware", lambda *_: SEEN)
    stages = [
        restart_stage("power-cycle", "SR-IOV Global Enable; intel_iommu=on: staged"),
        restart_stage("reboot", second),
    ]

    def plan(*_: object) -> Plan:
        return Plan(host="h", stages=tuple(stages[len(calls) : len(calls) + 1]))

    def run() -> None:
        bmc = BMCWant(address="10.8.0.2", user="root", password="env:P")
        reconcile.apply(
            Remote(),
            WANT.model_copy(update={"bmc": bmc}),
            observer=Recorder(),
            leave=permission.Leave(permission.RESTARTS),
            timeouts=QUICK,
            planner=plan,
        )

    if again:
        run()
    else:
        with pytest.raises(HostError, match="intel_iommu=on"):
            run()
    assert calls == ["power-cycle"] + ["reboot"] * again


def bmc_is_gone(*_: object) -> None:
    raise UnreachableError("h: BMC 10.8.0.2: nobody answers", "", "ping 10.8.0.2")


@pytest.mark.parametrize("groups", [0, 9])
def test_a_bmc_that_does_not_answer_matters_where_the_host_lacks_something(
    groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bmc = BMCWant(address="10.8.0.2", user="root", password="env:P")
    pf = PFWant(name="em1", by="name", vfs=7, pool=None, autoprobe=False)
    want = HostWant(rack="r", name="h", pfs=(pf,), bmc=bmc)
    have = bare_host(bare_pf(1))
    kernel = have.kernel.model_copy(update={"iommu_groups": groups, "kvm": True})
    have = have.model_copy(update={"kernel": kernel})
    monkeypatch.setattr("sriovctl.bmc.host.look", bmc_is_gone)
    if not groups:
        with pytest.raises(UnreachableError, match="nobody answers"):
            reconcile.look_at_firmware(want, have)
        return
    firmware = reconcile.look_at_firmware(want, have)
    [said] = [f for f in reconcile.plan_of(want, have, firmware).findings if f.link == "firmware"]
    assert said.severity is Severity.WARNING
    assert "nobody answers" in said.found


def test_a_host_that_comes_back_without_the_setting_is_not_restarted_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reboots: list[str] = []

    def rebooted(reach: Reach, boot_id: str, **_: object) -> None:
        reboots.append(boot_id)

    def still_missing(want: HostWant, have: HostState, bmc: FirmwareState | None) -> Plan:
        step = Step(
            link="kernel",
            title="h: reboot",
            reason="intel_iommu=on does not run",
            do="",
            check="",
            undo="",
            impact=Impact.REBOOT,
        )
        return Plan(host="h", stages=(Stage(title="reboot", steps=(step,), kind="reboot"),))

    monkeypatch.setattr(restartrun, "reboot", rebooted)
    world.plan = still_missing  # type: ignore[method-assign]
    with pytest.raises(HostError, match="intel_iommu=on does not run") as caught:
        apply(Counting(), world, allow=permission.RESTARTS)
    assert len(reboots) == 1
    assert "did not boot by the settings" in caught.value.means


@pytest.mark.parametrize("noted", [True, False])
def test_vms_that_a_restart_left_off_are_named_with_what_stops_it(
    world: World, monkeypatch: pytest.MonkeyPatch, noted: bool
) -> None:
    vm = VM(name="VM-1", uuid="u1", persistent=True, running=False, autostart=False)
    files = {chain.restart.NOTE: "u1\n"} if noted else {}
    have = bare_host().model_copy(update={"vms": (vm,), "files": files})
    monkeypatch.setattr(reconcile, "ask", lambda *_: probe.Answer(have, Sections([])))
    world.findings = (finding(Severity.ERROR),)
    with pytest.raises(DiffersError) as caught:
        apply(Counting(), world)
    assert "shut VM-2 down" in caught.value.mend
    assert ("VM-1: shut down for a restart" in caught.value.mend) is noted


# --- failed


def test_a_failed_step_is_told_with_its_words(world: World) -> None:
    world.change(1, do="echo the driver is asleep >&2; false")
    observer = Recorder()
    with pytest.raises(TransactionError) as caught:
        apply(Counting(), world, observer=observer)
    assert "write file1 failed" in caught.value.found
    assert "the driver is asleep" in caught.value.found
    assert "everything was undone" in caught.value.means
    assert "journal" in caught.value.mend
    assert world.texts == {"old"}
    assert observer.words == ["planned", "failed"]


def test_a_failed_undo_is_named(world: World) -> None:
    world.change(0, undo="echo stuck >&2; false")
    world.change(1, do="false")
    with pytest.raises(TransactionError) as caught:
        apply(Counting(), world)
    assert "not everything could be undone: write file0: stuck" in caught.value.means


def test_a_killed_worker_is_told(world: World) -> None:
    world.change(1, do="read -r stat </proc/$$/stat; kill -9 $$")
    with pytest.raises(TransactionError, match="died in the middle") as caught:
        apply(Counting(), world)
    assert "apply again" in caught.value.mend
    world.change(1, do=write(world.files[1]).do)
    assert apply(Counting(), world).changed
    assert world.texts == {"new"}


def test_a_second_apply_is_told_that_one_is_at_work(world: World, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    world.change(0, do=f"{gate.text}\n{world.steps[world.files[0]].do}")
    errors: list[BlockedError] = []

    class Second(Recorder):
        def event(self, host: str, stage: Stage, event: Event) -> None:
            if isinstance(event, StepStarted) and event.step == 1:
                with pytest.raises(BlockedError) as caught:
                    apply(Counting(), world)
                errors.append(caught.value)
                gate.open()

    assert apply(Counting(), world, observer=Second()).changed
    assert "another run is at work" in errors[0].found
    assert errors[0].exit_code == 4


def test_no_room_on_the_disk(world: World) -> None:
    state().write_text("not a folder")
    with pytest.raises(HostError) as caught:
        apply(Counting(), world)
    assert "nothing was changed" in caught.value.means
    assert world.texts == {"old"}


def test_a_stage_that_takes_too_long_goes_on_by_itself(world: World, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    world.change(0, do=f"{gate.text}\n{world.steps[world.files[0]].do}")
    with pytest.raises(TransactionError, match=r"not ended after 600 s") as caught:
        apply(OverdueAtWork(), world, timeouts=Timeouts(stage_s=600.0))
    assert "goes on by itself" in caught.value.means
    gate.open()
    [transaction] = (state() / "transactions").iterdir()
    followed = Counting().run(follow_up(transaction.name), timeout_s=20)
    assert parse_event(followed.stdout.splitlines()[-1]) == Ended("changed", "")


CONTROLLER = """
import sys
from pathlib import Path
from sriovctl import reconcile
from sriovctl.plan import Impact
from tests.unit.test_reconcile import QUICK, WANT, Recorder, Remote, Counting, World

world = World(Path(sys.argv[1]))
if sys.argv[2] == "Remote":
    world.change(1, impact=Impact.LINK_BLIP)

class Telling(Recorder):
    def event(self, host, stage, event):
        print(type(event).__name__, flush=True)

reach = {"Remote": Remote, "Counting": Counting}[sys.argv[2]]()
reconcile.apply(
    reach, WANT, observer=Telling(), confirm_s=1, timeouts=QUICK, planner=world.plan
)
"""


@pytest.mark.parametrize("reach", ["Counting", "Remote"])
@pytest.mark.parametrize("lines", range(0, 9, 2))
def test_a_killed_controller_leaves_before_or_after(world: World, lines: int, reach: str) -> None:
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, world.files[0].parent, reach],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert controller.stdout is not None
    for _ in range(lines):
        assert controller.stdout.readline()
    controller.kill()
    controller.communicate()
    for transaction in state().glob("transactions/*"):
        Counting().run(follow_up(transaction.name), timeout_s=20)
        if (transaction / "undecided").exists():  # nobody confirms any more
            Counting().run(f"exec 6<{transaction}/alive; read -r line <&6", timeout_s=20)
    assert len(world.texts) == 1
    assert apply(Counting(), world).stages == () or world.texts == {"new"}


# --- far away


@pytest.mark.parametrize(
    ("link", "impact", "waits"),
    [
        ("nics", Impact.LINK_BLIP, True),
        ("bonds", Impact.VF_RESET, True),
        ("nics", Impact.NONE, False),
        ("pools", Impact.LINK_BLIP, False),
    ],
)
def test_what_may_cut_the_way_off_is_confirmed(
    world: World, link: str, impact: Impact, waits: bool
) -> None:
    for number in range(3):
        world.change(number, link="pools")
    world.change(1, link=link, impact=impact)
    observer = Recorder()
    assert apply(Remote(), world, observer=observer).changed
    assert (ConfirmWait(20) in observer.events) is waits
    assert (ConfirmAnswer("accepted") in observer.events) is waits


def test_here_nothing_waits(world: World) -> None:
    world.change(1, impact=Impact.LINK_BLIP)
    observer = Recorder()
    apply(Counting(), world, observer=observer)
    assert not any(isinstance(event, ConfirmWait) for event in observer.events)


class Unsteady(Remote):
    """Loses the connection after some lines of a launch, and then for some scripts more."""

    def __init__(self, lines: int, refusals: int = 0, *, silent: bool = False) -> None:
        super().__init__()
        self.lines = lines
        self.refusals = refusals
        self.silent = silent
        self.lost = False

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        timeout_s: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        if self.lost and self.refusals:
            self.refusals -= 1
            raise (OverdueError if self.silent else UnreachableError)("h: no route to host")
        if self.lost or "tx_launch" not in script:
            return super().run(script, arguments, timeout_s=timeout_s, on_line=on_line)
        left = self.lines

        def losing(line: str) -> None:
            nonlocal left
            if left == 0:
                self.lost = True
                raise UnreachableError("h: the connection was lost")
            left -= 1
            assert on_line is not None
            on_line(line)

        if left < 0:
            self.lost = True
            raise UnreachableError("h: the connection was lost")
        return super().run(script, arguments, timeout_s=timeout_s, on_line=losing)


@pytest.mark.parametrize("lines", range(8))
@pytest.mark.parametrize("refusals", [0, 2])
def test_a_lost_connection_is_followed_up(world: World, lines: int, refusals: int) -> None:
    observer = Recorder()
    outcome = apply(Unsteady(lines, refusals), world, observer=observer)
    assert outcome.changed
    assert world.texts == {"new"}
    assert "lost" in observer.words
    # each event once, in order, from whichever connection it came
    assert isinstance(observer.events[0], Begun)
    assert [e.step for e in observer.events if isinstance(e, StepDone)] == [1, 2, 3]
    assert len([e for e in observer.events if isinstance(e, Ended)]) == 1


@pytest.mark.parametrize("lines", range(8))
def test_a_lost_connection_is_confirmed_after_it_came_back(world: World, lines: int) -> None:
    world.change(1, impact=Impact.LINK_BLIP)
    observer = Recorder()
    assert apply(Unsteady(lines), world, observer=observer).changed
    assert ConfirmAnswer("accepted") in observer.events


@pytest.mark.parametrize("silent", [False, True])
def test_a_host_that_is_away_too_long_undoes_it(
    world: World, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    world.change(1, impact=Impact.LINK_BLIP)
    reach = Unsteady(10**6)
    observer = Recorder()

    class Cut(Recorder):
        def event(self, host: str, stage: Stage, event: Event) -> None:
            observer.event(host, stage, event)
            if isinstance(event, ConfirmWait):
                # the change has cut the way off; it is back long after the host gave up
                reach.lost, reach.refusals, reach.silent = True, 1000, silent
            if isinstance(event, UndoDone):
                reach.refusals = 0

    with pytest.raises(TransactionError) as caught:
        apply(reach, world, observer=Cut(), confirm_s=1)
    assert "not confirmed within 1 s" in caught.value.found
    assert world.texts == {"old"}


def test_a_host_that_never_comes_back(world: World) -> None:
    timeouts = Timeouts(stage_s=20, reconnect_s=0.3, retry_s=0.05)
    with pytest.raises(TransactionError, match="not reached again") as caught:
        apply(Unsteady(2, 10**6), world, timeouts=timeouts)
    assert "goes on by itself" in caught.value.means


def test_a_script_that_never_arrived_is_no_change(world: World) -> None:
    with pytest.raises(HostError) as caught:
        apply(Unsteady(-1), world)
    assert "never came to the host" in caught.value.found
    assert world.texts == {"old"}


def test_every_difference_to_a_saved_plan_is_named() -> None:
    seen = [
        Finding(severity=Severity.WARNING, link="nics", about="em1", found=found)
        for found in ("a manager sets VFs", "not root")
    ]
    then, now = (Plan(host="h", findings=(finding,)) for finding in seen)
    with pytest.raises(DiffersError) as refused:
        permission.check_expected(now, then)
    assert "no longer found: em1: a manager sets VFs" in str(refused.value)
    assert "found: em1: not root" in str(refused.value)


def test_after_vfs_the_host_is_asked_for_less_and_after_its_settings_for_all(world: World) -> None:
    for link, second in (("nics", (probe.AGAIN,)), ("kernel", ())):
        for number, path in enumerate(world.files):
            path.write_text("old\n")
            world.change(number, link=link)
        host = Counting()
        apply(host, world)
        looks = [n for n, script in enumerate(host.scripts) if script == probe.script()]
        assert [host.arguments[n] for n in looks] == [(), second]


def test_a_short_answer_from_another_start_of_the_host_is_none() -> None:
    script = probe.script()
    whole = probe.read(Counting().run(script, timeout_s=20).stdout)
    boot_id = whole.state.kernel.boot_id
    short = Counting().run(script, (probe.AGAIN,), timeout_s=20).stdout
    with pytest.raises(ProbeError, match="started anew"):
        whole.again(short.replace(f"boot_id={boot_id}", "boot_id=another"))
