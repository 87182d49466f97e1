"""Pairs that cannot all be had, because something else holds VFs of a port."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriovctl import chain
from sriovctl.host import HostState, VMNic
from sriovctl.plan import Severity
from sriovctl.rack import Rack
from sriovctl.wanted import HostWant
from tests.unit.chain.hostmodel import HostModel
from tests.unit.chain.worlds import bare_host

DOMAIN = "<domain type='kvm'><name>VM-2</name></domain>"


def want(folder: Path, vfs: int) -> HostWant:
    (folder / "VM-2.xml").write_text(DOMAIN)
    rack = Rack.model_validate(
        {
            "hosts": {"server-2": {"pfs": {"em1": vfs, "em2": vfs}}},
            "vms": {"VM-2": {"domain": "VM-2.xml", "pairs": [{}]}},
        }
    )
    return rack.want("server-2", folder)


def with_card(wanted: HostWant, how: str, running: bool) -> HostState:
    """The host as wanted, and in its VM a card of the last VF of em1 beside its pair."""
    model = HostModel(bare_host())
    model.apply(chain.plan(wanted, model.state).steps)
    (vm,) = model.state.vms
    vf = model.state.pfs[0].vfs[-1]
    card = VMNic.model_validate({"how": how, "mac": None, "pci": vf.pci})
    change: dict[str, object] = {"nics": (*vm.nics, card)}
    if running:
        change |= {"running": True, "live_nics": (*vm.nics, card)}
    vms = (vm.model_copy(update=change),)
    return model.state.model_copy(update={"vms": vms})


@pytest.mark.parametrize("how", ["hostdev", "interface"])
@pytest.mark.parametrize("running", [True, False])
def test_a_plain_card_in_a_vm_of_the_rack_file_counts_too(
    tmp_path: Path, how: str, running: bool
) -> None:
    wanted = want(tmp_path, 1)
    (finding,) = chain.plan(wanted, with_card(wanted, how, running)).findings
    assert finding.severity is Severity.ERROR
    assert "need 1 VFs of em1; it has 1, of which 1 are held otherwise: VM-2" in finding.found


def test_one_vf_more_is_enough(tmp_path: Path) -> None:
    wanted = want(tmp_path, 2)
    assert not chain.plan(wanted, with_card(wanted, "hostdev", running=True)).findings
