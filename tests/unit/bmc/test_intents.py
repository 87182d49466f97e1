"""The table of settings, and its resolution against what a machine has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.bmc.intents import resolve, table, vendor_of
from sriovctl.firmware import BIOS

ALL = ("virtualization", "iommu", "sriov")

MACHINES = [
    ("Dell Inc.", {"ProcVirtualization": "Disabled", "SriovGlobalEnable": "Disabled"},
     ["ProcVirtualization", "SriovGlobalEnable"]),
    ("HPE", {"ProcVirtualization": "Disabled", "IntelProcVtd": "Enabled", "Sriov": "Disabled"},
     ["ProcVirtualization", "IntelProcVtd", "Sriov"]),
    ("HPE", {"ProcVirtualization": "Disabled", "ProcAmdIoVt": "Disabled", "Sriov": "Disabled"},
     ["ProcVirtualization", "ProcAmdIoVt", "Sriov"]),
    ("Supermicro", {"IntelVirtualizationTechnology_003C": "Disable", "SR-IOVSupport_0046":
      "Disabled", "IntelVTforDirectedI/O(VT-d)_0027": "Disable"},
     ["IntelVirtualizationTechnology_003C", "IntelVTforDirectedI/O(VT-d)_0027",
      "SR-IOVSupport_0046"]),
    ("Lenovo", {"Processors_IntelVirtualizationTechnology": "Disabled",
      "DevicesandIOPorts_IntelVTforDirectedIOVTd": "Enabled",
      "DevicesandIOPorts_SRIOV": "Enabled"},
     ["Processors_IntelVirtualizationTechnology", "DevicesandIOPorts_IntelVTforDirectedIOVTd",
      "DevicesandIOPorts_SRIOV"]),
]  # fmt: skip


@pytest.mark.parametrize(("maker", "values", "names"), MACHINES)
def test_each_vendor(maker: str, values: dict[str, str], names: list[str]) -> None:
    found, absent = resolve(vendor_of(maker), BIOS, ALL, values, {})  # type: ignore[arg-type]
    assert [s.name for s in found] == names
    assert not absent
    assert all(s.value == values[s.name] for s in found)


def test_dell_has_one_switch_for_two() -> None:
    found, _ = resolve("dell", BIOS, ALL, MACHINES[0][1], {"ProcVirtualization": "Enabled"})  # type: ignore[arg-type]
    assert found[0].intents == ("virtualization", "iommu")
    assert found[0].staged
    assert not found[1].staged


def test_a_prefix_is_only_one_where_the_table_says_so() -> None:
    found, absent = resolve("dell", BIOS, ("sriov",), {"SriovGlobalEnableX": "Enabled"}, {})
    assert not found
    assert absent[0].tried == ("SriovGlobalEnable",)
    assert "Integrated Devices" in absent[0].screen


def test_an_unknown_vendor_has_nothing() -> None:
    assert vendor_of("Sushy Emulator", None) is None
    found, absent = resolve(None, BIOS, ("sriov",), {"Sriov": "Disabled"}, {})
    assert not found
    assert absent[0].tried == ()


@pytest.mark.parametrize(
    ("maker", "model", "vendor"),
    [
        ("Dell Inc.", "PowerEdge R730", "dell"),
        ("Hewlett Packard Enterprise", "ProLiant DL360 Gen10", "hpe"),
        ("Supermicro", "SYS-1029U", "supermicro"),
        ("", "ThinkSystem SR650", "lenovo"),
        (None, None, None),
    ],
)
def test_vendors(maker: str | None, model: str | None, vendor: str | None) -> None:
    assert vendor_of(maker, model) == vendor


def test_the_target_is_a_value_that_the_machine_allows() -> None:
    found, _ = resolve("supermicro", BIOS, ("sriov",), {"SR-IOVSupport_1": "Disable"}, {})
    setting = found[0]
    assert setting.model_copy(update={"allowed": ("Disable", "Enable")}).target == "Enable"
    assert setting.model_copy(update={"allowed": ("Disabled", "Enabled")}).target == "Enabled"
    assert setting.model_copy(update={"allowed": ("Auto",)}).target is None


def test_the_table_is_whole() -> None:
    for vendor in table().values():
        assert vendor.source
        for intent in ALL:
            known = vendor.candidates(intent)  # type: ignore[arg-type]
            assert known is not None
            assert known.names
            assert known.on
            assert known.screen
    for intent in ALL:  # only Dell has racadm
        assert table()["dell"].candidates(intent).group  # type: ignore[arg-type, union-attr]


@given(st.sampled_from(sorted(table())), st.dictionaries(st.text(max_size=30), st.text()))
def test_what_is_found_is_there(vendor: str, values: dict[str, str]) -> None:
    found, absent = resolve(vendor, BIOS, ALL, values, {})  # type: ignore[arg-type]
    assert {s.name for s in found} <= set(values)
    intents = [i for s in found for i in s.intents] + [a.intent for a in absent]
    assert sorted(intents) == sorted(ALL)
