"""A device's settings: nothing but a job changes them, and nothing wrong gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION, Value, bios_attributes
from sriovctl.lab.bmc.personality import IDRAC9
from sriovctl.lab.bmc.settings import AttributesRefusedError, Settings, acceptable

ALL = bios_attributes(IDRAC9, "LAB0002", bare=True)
NAMES = [attribute.name for attribute in ALL] + ["NoSuchThing"]
VALUES = st.one_of(
    st.sampled_from(sorted({value for each in ALL for value in each.allowed})),
    st.integers(0, 300),
    st.text(max_size=70),
)
CHANGES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)


@given(st.lists(CHANGES, max_size=6))
def test_staging_never_changes_what_is(all_changes: list[dict[str, Value]]) -> None:
    bios = Settings(ALL)
    before = dict(bios.current)
    for changes in all_changes:
        pending = dict(bios.pending)
        try:
            bios.stage(changes)
        except AttributesRefusedError:
            assert bios.pending == pending, "refused, and yet something was staged"
    assert bios.current == before
    assert all(bios.current[name] != value for name, value in bios.pending.items())


@given(st.lists(CHANGES, max_size=6))
def test_what_is_applied_is_what_was_pending(all_changes: list[dict[str, Value]]) -> None:
    bios = Settings(ALL)
    for changes in all_changes:
        try:
            bios.stage(changes)
        except AttributesRefusedError:
            continue
    wanted = {**bios.current, **bios.pending}
    bios.apply()
    assert bios.current == wanted
    assert not bios.pending
    for name, value in bios.current.items():
        assert acceptable(bios.attributes[name], value)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({VIRTUALIZATION: "enabled"}, "SYS426"),
        ({VIRTUALIZATION: True}, "SYS426"),
        ({VIRTUALIZATION: ["Enabled"]}, "SYS426"),
        ({"ProcCoreSpeed": "9 GHz"}, "SYS428"),
        ({"KernelDmaProtection": "Enabled"}, "SYS428"),
        ({"AcPwrRcvryUserDelay": 100}, "SYS428"),
        ({"procvirtualization": "Enabled"}, "SYS429"),
        ({"AssetTag": "x" * 64}, "SYS426"),
        ({"AcPwrRcvryDelay": "User", "AcPwrRcvryUserDelay": 59}, "SYS426"),
        ({"AcPwrRcvryDelay": "User", "AcPwrRcvryUserDelay": "60"}, "SYS426"),
    ],
)
def test_refusals(changes: dict[str, Value], code: str) -> None:
    bios = Settings(ALL)
    with pytest.raises(AttributesRefusedError) as caught:
        bios.stage({SRIOV: "Enabled", **changes})
    assert [refusal.code for refusal in caught.value.refusals] == [code]
    assert not bios.pending


def test_what_is_greyed_out_can_be_set_with_or_after_what_it_hangs_on() -> None:
    together = Settings(ALL)
    together.stage({"KernelDmaProtection": "Enabled", VIRTUALIZATION: "Enabled"})
    after = Settings(ALL)
    assert after.read_only("KernelDmaProtection")
    after.stage({VIRTUALIZATION: "Enabled"})
    assert not after.read_only("KernelDmaProtection")
    after.stage({"KernelDmaProtection": "Enabled"})
    assert together.pending == after.pending


def test_back_to_what_is_leaves_nothing_pending() -> None:
    bios = Settings(ALL)
    bios.stage({SRIOV: "Enabled"})
    bios.stage({SRIOV: "Disabled"})
    assert not bios.pending


def test_passwords_are_not_among_the_switches() -> None:
    bios = Settings(ALL)
    bios.stage({"SetupPassword": "hush"})
    bios.apply()
    assert "SetupPassword" not in bios.switches()
    assert "hush" not in bios.switches().values()
