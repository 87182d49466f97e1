"""Whose address is which: what a VM's agent says, and what is given."""

from __future__ import annotations

import pytest

from sriovctl.errors import UsageError
from sriovctl.trial.setting import first_address, given_addresses

SAID = """\
 lo         00:00:00:00:00:00    ipv4         127.0.0.1/8
 -          -                    ipv6         ::1/128
 bond0      02:06:1e:c6:dc:29    ipv6         fe80::6:1eff:fec6:dc29/64
 -          -                    ipv6         fd00::12/64
{}
"""


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (" -          -                    ipv4         10.8.0.12/24", "10.8.0.12"),
        ("", "fd00::12"),
        (" eth5       02:06:1e:c6:dc:29    N/A          N/A", "fd00::12"),
    ],
)
def test_an_address_that_others_reach_is_taken(more: str, expected: str) -> None:
    assert first_address(SAID.format(more)) == expected


@pytest.mark.parametrize("text", ["", SAID.splitlines()[0], "a b c not-an-address/7"])
def test_there_may_be_none(text: str) -> None:
    assert first_address(text) is None


def test_one_vms_address_needs_no_name() -> None:
    assert given_addresses(["10.8.0.12"], ["VM-2"]) == {"VM-2": "10.8.0.12"}
    both = {"VM-2": "10.8.0.12", "VM-3": "fd00::13"}
    assert given_addresses(["VM-3=fd00::13", "VM-2=10.8.0.12"], ["VM-2", "VM-3"]) == both


@pytest.mark.parametrize("word", ["10.8.0.12", "VM-9=10.8.0.12", "VM-2=nothing", "VM-2=", ""])
def test_an_address_of_nobody_is_told(word: str) -> None:
    with pytest.raises(UsageError, match="no address of VM-2, VM-3"):
        given_addresses([word], ["VM-2", "VM-3"])
