"""Drivers of VFs where the table does not know the PF's driver."""

from __future__ import annotations

import pytest

from sriovctl.chain import nics
from sriovctl.host import HostState
from sriovctl.plan import Severity
from sriovctl.wanted import HostWant, PFWant, VFWant
from tests.unit.chain.hostmodel import HostModel
from tests.unit.chain.worlds import bare_host, bare_pf

PCI = "0000:01:00.0"


def host(vfs: int, **vf: object) -> HostState:
    """A port of a driver that is in no table, its first VF as given."""
    model = HostModel(bare_host(bare_pf(1).model_copy(update={"driver": "newnic"})))
    model.set_numvfs(PCI, str(vfs))
    if vfs:
        model.update_vf(PCI, 0, **vf)
    return model.state


def want(*, autoprobe: bool) -> HostWant:
    vf = (VFWant(index=0, driver="network"),)
    port = PFWant(name="em1", by="name", vfs=2, pool=None, autoprobe=autoprobe, vf=vf)
    return HostWant(rack="r", name="server-2", pfs=(port,))


@pytest.mark.parametrize("driver", [None, "vfio-pci"])
@pytest.mark.parametrize("autoprobe", [True, False])
def test_a_network_driver_that_nobody_knows_is_told_of(driver: str | None, autoprobe: bool) -> None:
    plan = nics.plan(want(autoprobe=autoprobe), host(2, driver=driver))
    (finding,) = plan.findings
    assert finding.severity is Severity.ERROR
    assert "VFs 0; which network driver VFs of newnic have is not known" in finding.found
    assert not plan.build


@pytest.mark.parametrize("autoprobe", [True, False])
def test_new_vfs_get_it_by_autoprobe_alone(autoprobe: bool) -> None:
    plan = nics.plan(want(autoprobe=autoprobe), host(0))
    assert [f.severity for f in plan.findings] == [] if autoprobe else [Severity.ERROR]
    assert bool(plan.build) is autoprobe


@pytest.mark.parametrize("vf", [{"driver": "newnicvf"}, {"host_use": "in use", "netdev": "v0"}])
def test_a_vf_that_has_one_or_is_in_use_is_as_wanted(vf: dict[str, object]) -> None:
    assert not nics.plan(want(autoprobe=True), host(2, **vf)).findings
