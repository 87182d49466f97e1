"""What a host is told to stand in the way of VFs."""

from __future__ import annotations

from typing import Any

import pytest

from sriovctl.host import NetworkPort
from sriovctl.view.notes import notes
from tests.unit.probe.test_captures import state_of


def kernel(**changes: Any) -> list[str]:
    """Mends for server-2 with another kernel."""
    state = state_of("server-2-guests")
    other = state.kernel.model_copy(update=changes)
    return [f"{n.about}: {n.mend}" for n in notes(state.model_copy(update={"kernel": other}))]


def test_nothing_on_a_host_that_is_well() -> None:
    assert notes(state_of("server-2-guests")) == ()
    assert notes(state_of("server-2-before")) == ()


@pytest.mark.parametrize(
    ("changes", "mend"),
    [
        ({"iommu_table": None}, "IOMMU: switch on VT-d (Intel) or AMD-Vi"),
        ({"iommu_table": "DMAR"}, "IOMMU: add intel_iommu=on"),
        (
            {"iommu_table": "DMAR", "arguments": ("quiet", "intel_iommu=off")},
            "IOMMU: take intel_iommu=off off",
        ),
        ({"iommu_table": "IVRS"}, "IOMMU: look at what the kernel says of AMD-Vi"),
    ],
)
def test_an_iommu_that_is_not_active(changes: dict[str, Any], mend: str) -> None:
    (only,) = kernel(iommu_groups=0, **changes)
    assert only.startswith(mend)


def test_no_virtualization() -> None:
    assert kernel(virtualization=None, kvm=False)[0].startswith("CPU: switch on Virtualization")
    assert kernel(kvm=False) == ["KVM: modprobe kvm_amd"]


@pytest.mark.parametrize(
    ("driver", "means"),
    [
        ("virtio-pci", "paravirtual"),
        ("igbvf", "itself a VF"),
        ("igb", "SR-IOV is off in the BIOS"),
        ("vfio-pci", "set aside for a VM"),
        (None, "no driver"),
        ("e1000e", "has no SR-IOV"),
    ],
)
def test_each_port_without_sriov_has_its_reason(driver: str | None, means: str) -> None:
    port = NetworkPort(
        pci="0000:02:01.0", name="ens1", mac=None, driver=driver, vendor_id="8086", device_id="10c9"
    )
    state = state_of("no-sriov").model_copy(update={"ports": (port,)})
    assert means in notes(state)[-1].means


def test_vfs_that_share_a_group() -> None:
    state = state_of("server-2-guests")
    vfs = tuple(vf.model_copy(update={"iommu_group": 9}) for vf in state.pfs[0].vfs)
    em1 = state.pfs[0].model_copy(update={"vfs": vfs})
    (note,) = notes(state.model_copy(update={"pfs": (em1, state.pfs[1])}))
    assert (note.about, note.found) == ("em1", "VFs share IOMMU group 9")
