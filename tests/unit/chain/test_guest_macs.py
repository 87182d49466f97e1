"""The MAC policy of a pair: changed under a running VM, warned about where it opens the card."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from sriovctl import chain
from sriovctl.host import HostState
from sriovctl.plan import Severity
from sriovctl.rack import Rack
from sriovctl.wanted import HostWant
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
