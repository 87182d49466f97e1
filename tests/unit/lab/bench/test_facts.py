"""The generated host: what a probe's parser reads of it, and that it can be as wanted."""

from __future__ import annotations

import pytest

from sriovctl import chain, probe
from sriovctl.lab.bench import facts, planning
from sriovctl.lab.bench.facts import VFS_OF_A_PF, Size

SIZE = Size(pfs=2, vms=3)


def test_before_anything_was_done() -> None:
    have = probe.parse(facts.bare(SIZE))
    assert len(have.pfs) == SIZE.pfs
    assert {pf.totalvfs for pf in have.pfs} == {VFS_OF_A_PF}
    assert not any(pf.numvfs or pf.vfs for pf in have.pfs)
    assert len(have.vms) == SIZE.vms
    assert not any(vm.running or vm.nics for vm in have.vms)
    assert not have.pools


@pytest.mark.parametrize("size", [SIZE, Size(pfs=2, vms=16, each=64)])
def test_as_wanted_nothing_is_left_to_do(size: Size) -> None:
    want = facts.wanted(size)
    first = chain.plan(want, probe.parse(facts.bare(size)))
    assert not first.findings
    have = probe.parse(facts.as_wanted(size, planning.files_of(first)))
    last = chain.plan(want, have)
    assert last.empty
    assert not last.findings
    assert sum(len(pf.vfs) for pf in have.pfs) == size.vfs


def test_as_wanted_each_vm_holds_the_vfs_of_its_pair() -> None:
    want = facts.wanted(SIZE)
    have = probe.parse(facts.as_wanted(SIZE, {}))
    held = [have.holder_of(vf) for pf in have.pfs for vf in pf.vfs]
    names = [holder.name for holder in held if holder is not None]
    assert sorted(names) == sorted(nic.name for nic in want.vms for _ in nic.nics)
    assert not have.vfio_users


@pytest.mark.parametrize("size", planning.SIZES)
def test_pairs_are_of_two_ports_and_fit(size: Size) -> None:
    want = facts.wanted(size)
    for vm in want.vms:
        assert len({nic.leg for nic in vm.nics}) == 2
    for pf in want.pfs:
        assert sum(nic.leg == pf.name for vm in want.vms for nic in vm.nics) <= VFS_OF_A_PF
