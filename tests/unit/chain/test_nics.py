"""Link nics where a property of all hosts does not say it plainly."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from sriovctl.chain import nics
from sriovctl.chain.steps import LinkPlan
from sriovctl.host import PF, VM, HostState, OtherManager, VMNic
from sriovctl.plan import Impact, Severity, Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant, PFWant, VFWant
from tests.unit.chain.hostmodel import HostModel, commands
from tests.unit.chain.worlds import bare_host, bare_pf
from tests.unit.shells import SHELLS, shell_folder

EM1 = "0000:01:00.0"


def want(*pfs: PFWant) -> HostWant:
    return HostWant(rack="r", name="server-2", pfs=pfs)


def em1(*vf: VFWant, vfs: int = 2) -> PFWant:
    return PFWant(name="em1", by="name", vfs=vfs, pool=None, autoprobe=True, vf=vf)


def two_vfs(**values: object) -> HostModel:
    model = HostModel(bare_host())
    model.set_numvfs(EM1, "2")
    model.update_vf(EM1, 0, **values)
    return model


def test_two_names_of_one_port_are_refused() -> None:
    other = PFWant(name=EM1, by="pci", vfs=4, pool=None, autoprobe=False)
    plan = nics.plan(want(em1(), other), bare_host())
    (finding,) = plan.findings
    assert finding.severity is Severity.ERROR
    assert "em1 and 0000:01:00.0 are one port" in finding.found


@pytest.mark.parametrize("driver", [None, "vfio-pci"])
def test_a_port_without_its_network_driver_is_refused(driver: str | None) -> None:
    port = bare_pf(1).model_copy(update={"name": None, "driver": driver, "up": False})
    wish = PFWant(name=EM1, by="pci", vfs=2, pool="p", autoprobe=False)
    plan = nics.plan(want(wish), HostState(**{**dict(bare_host()), "pfs": (port,)}))
    assert [f.severity for f in plan.findings] == [Severity.ERROR]
    assert "no network device" in plan.findings[0].found


def test_what_the_host_itself_uses_is_set_too() -> None:
    model = two_vfs(netdev="v0", host_use="address 10.0.0.1/24")
    wish = em1(VFWant(index=0, vlan=7))
    plan = nics.plan(want(wish), model.state)
    model.apply(plan.build)
    assert model.state.pfs[0].vfs[0].vlan == 7
    assert nics.plan(want(wish), model.state).build == []


@pytest.mark.parametrize(
    ("named", "setting", "warned"),
    [
        (("em1",), "echo 7 >/sys/class/net/em1/device/sriov_numvfs", True),
        ((), 'echo 7 >"/sys/class/net/$port/device/sriov_numvfs"', True),
        (("em2",), "echo 7 >/sys/class/net/em2/device/sriov_numvfs", False),
        ((), "echo 7 >/sys/class/net/eth9/device/sriov_numvfs", False),
    ],
)
def test_another_manager_is_warned_of(named: tuple[str, ...], setting: str, warned: bool) -> None:
    manager = OtherManager(system="rc.local", file="/etc/rc.local", pfs=named, setting=setting)
    host = bare_host()
    system = host.system.model_copy(update={"managers": (manager,)})
    have = host.model_copy(update={"system": system})
    found = [f.found for f in nics.plan(want(em1()), have).findings]
    assert any("/etc/rc.local" in text for text in found) is warned
    left_to_it = em1().model_copy(update={"restored_by_host": True})
    assert any(f.found for f in nics.plan(want(left_to_it), have).findings) is not warned


def attributes_step(plan: LinkPlan) -> Step:
    [step] = [step for step in plan.build if step.do.startswith("set_vfs")]
    return step


def test_a_change_of_trust_under_a_vm_says_who_feels_it() -> None:
    model = two_vfs()
    pci = model.state.pfs[0].vfs[0].pci
    nic = VMNic(how="interface", mac="02:22:00:00:00:01", pci=pci)
    vm = VM(name="VM-2", uuid="u", persistent=True, running=True, autostart=False, live_nics=(nic,))
    state = model.state.model_copy(update={"vms": (vm,)})
    steps = {
        attribute: attributes_step(nics.plan(want(em1(VFWant.model_validate(wish))), state))
        for attribute, wish in (
            ("trust", {"index": 0, "trust": "on"}),
            ("spoofchk", {"index": 0, "spoofchk": "off"}),
        )
    }
    assert (steps["trust"].impact, steps["trust"].affects) == (Impact.LINK_BLIP, ("VM-2",))
    assert (steps["spoofchk"].impact, steps["spoofchk"].affects) == (Impact.NONE, ())


def test_undo_of_a_vlan_gives_back_its_priority() -> None:
    model = two_vfs(vlan=5, qos=3)
    before: PF = model.state.pfs[0]
    step = attributes_step(nics.plan(want(em1(VFWant(index=0, vlan=7))), model.state))
    model.run(step.do)
    model.run(step.undo)
    assert model.state.pfs[0] == before


@pytest.mark.parametrize("before", [0, 1])
def test_never_are_both_legs_of_a_bond_without_a_link(before: int) -> None:
    """Doing all, and from every step on undoing all."""
    leg = {"master": "bond0", "carrier": True, "up": True}
    model = HostModel(
        HostState(
            **{
                **dict(bare_host()),
                "pfs": tuple(bare_pf(n).model_copy(update=leg) for n in (1, 2)),
            }
        )
    )
    for pf in model.state.pfs:
        model.set_numvfs(pf.pci, str(before))
    wish = [
        PFWant(name=pf.pci, by="pci", vfs=2, pool="p", autoprobe=False) for pf in model.state.pfs
    ]
    steps = nics.plan(want(*wish), model.state).build
    for done in range(len(steps) + 1):
        down: set[str] = set()
        for text in [step.do for step in steps[:done]]:
            one_leg_at_a_time(text, down)
        if done == len(steps):
            assert not down, "the last step leaves every link there"
        for text in [step.undo for step in reversed(steps[:done])]:
            one_leg_at_a_time(text, down)
        assert not down


def one_leg_at_a_time(text: str, down: set[str]) -> None:
    for name, *words in commands(text):
        if name == "set_numvfs":
            assert not down - {words[0]}, text
            down.add(words[0])
        elif name == "await_carrier":
            down.discard(words[0])


# Debian's busybox takes its own ip before any in PATH
@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shell != "busybox"])
def test_what_only_a_batch_refuses_is_set_one_by_one(shell: str, tmp_path: Path) -> None:
    shells = shell_folder(shell, tmp_path / "shell")
    if shells is None:
        pytest.skip(f"no {shell} here")
    (tmp_path / f"bus/pci/devices/{EM1}/net/em1").mkdir(parents=True)
    (shells / "ip").write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/said\ncase $* in *-batch*) exit 1 ;; esac\n'
    )
    (shells / "ip").chmod(0o755)
    text = files("sriovctl").joinpath("chain/nics.sh").read_text("utf-8")
    done = subprocess.run(
        [shells / "sh", "-s"],
        input=f"{text}\nset -e\n{command('set_vfs', EM1, '0 vlan 7 qos 3 trust on')}\n",
        env={"PATH": f"{shells}:/usr/bin:/bin", "SRIOVCTL_SYSFS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "said").read_text().splitlines()[1:] == [
        "link set dev em1 vf 0 vlan 7 qos 3",
        "link set dev em1 vf 0 trust on",
        "link show dev em1",
    ]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("opened", "free"),
    [
        ("/dev/vfio/101", False),
        ("/dev/vfio/devices/vfio4", False),
        ("/dev/vfio/10", True),
        ("/dev/vfio/1010", True),
        ("/dev/vfio/vfio", True),
        ("/dev/null", True),
    ],
)
def test_a_vm_that_was_started_since_the_plan_keeps_its_vf(
    shell: str, opened: str, free: bool, tmp_path: Path
) -> None:
    shells = shell_folder(shell, tmp_path / "shell")
    if shells is None:
        pytest.skip(f"no {shell} here")
    pf = tmp_path / f"bus/pci/devices/{EM1}"
    pf.mkdir(parents=True)
    (pf / "sriov_numvfs").write_text("2\n")
    for index in range(2):
        vf = pf.parent / f"0000:02:10.{index}"
        (vf / f"vfio-dev/vfio{3 + index}").mkdir(parents=True)
        (vf / "iommu_group").symlink_to(f"../../kernel/iommu_groups/{100 + index}")
        (pf / f"virtfn{index}").symlink_to(vf)
    fds = tmp_path / "proc/77/fd"
    fds.mkdir(parents=True)
    (fds / "9").symlink_to(opened)
    (tmp_path / "proc/78/fd").mkdir(parents=True)
    text = files("sriovctl").joinpath("chain/nics.sh").read_text("utf-8")
    done = subprocess.run(
        [shells / "sh", "-s"],
        input=f"{text}\nset -e\n{command('set_numvfs', EM1, 0)}\n",
        env={
            "PATH": f"{shells}:/usr/bin:/bin",
            "SRIOVCTL_SYSFS": str(tmp_path),
            "SRIOVCTL_PROC": str(tmp_path / "proc"),
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode == 0) == free, done.stderr
    assert (pf / "sriov_numvfs").read_text() == ("0\n" if free else "2\n")
    assert free or "VF 1 is in use" in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("function", ["write_file", "put_file 644"])
def test_a_file_that_cannot_be_written_is_no_failure_where_it_is_as_wanted(
    shell: str, function: str, tmp_path: Path
) -> None:
    shells = shell_folder(shell, tmp_path / "shell")
    if shells is None:
        pytest.skip(f"no {shell} here")
    file = tmp_path / "rules"
    file.write_text("old\n\n")
    # in the new file's place, so that root cannot write it either
    (tmp_path / "rules.sriovctl-new").mkdir()

    def status(text: str) -> int:
        link = files("sriovctl").joinpath("chain")
        names = ("nics.sh", "bonds.sh")
        functions = "\n".join(link.joinpath(name).read_text("utf-8") for name in names)
        words = f"{function} {command(str(file), text)}"
        return subprocess.run(
            [shells / "sh", "-s"],
            input=f"{functions}\nset -e\n{words}\nexit 7\n",
            env={"PATH": f"{shells}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        ).returncode

    assert status("old\n\n") == 7
    for other in ("new\n", "old\n", "old", ""):
        assert status(other) not in (0, 7)
    assert file.read_text() == "old\n\n"
