"""One entry that stands for many: what it makes, and where its faults are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.rack import Rack
from sriovctl.rackfile import load
from sriovctl.racktemplate import LARGEST, expand, names_of
from sriovctl.yamltree import parse

from .test_rackfile import refused


def rack(folder: Path, text: str) -> Rack:
    (folder / "rack.yaml").write_text(text)
    return load(folder / "rack.yaml")


@given(st.integers(0, 300), st.integers(0, 40), st.integers(1, 5))
def test_a_range_is_its_numbers(first: int, more: int, width: int) -> None:
    text = f"server-[{first:0{width}}-{first + more}]-x"
    names = list(names_of(text))
    assert [int(name.split("-")[1]) for name in names] == list(range(first, first + more + 1))
    assert names[0] == f"server-{first:0{width}}-x"


def test_a_hundred_equal_servers_are_one_entry(tmp_path: Path) -> None:
    written = rack(
        tmp_path,
        "hosts:\n  server-[01-99]:\n    address: 10.7.0.[1-99]\n    port: 22[01-99]\n"
        "    pfs: {em1: 7, em2: 7}\n"
        "vms:\n  VM-[01-99]-[1-3]:\n    host: server-[01-99]\n    domain: null\n",
    )
    assert len(written.hosts) == 99
    assert len(written.vms) == 3 * 99
    assert (written.hosts["server-07"].address, written.hosts["server-07"].port) == (
        "10.7.0.7",
        2207,
    )
    assert all(guest.host == f"server-{vm[3:5]}" for vm, guest in written.vms.items())
    macs = {written.mac_of(vm, 0, leg) for vm in written.vms for leg in ("em1", "em2")}
    assert len(macs) == 2 * 3 * 99


def test_who_has_an_entry_of_its_own_is_not_the_templates(tmp_path: Path) -> None:
    for text in (
        "hosts:\n  a[1-3]: {pfs: {em1: 7}}\n  a2: {pfs: {em1: 3}}\n",
        "hosts:\n  a2: {pfs: {em1: 3}}\n  a[1-3]: {pfs: {em1: 7}}\n",
    ):
        hosts = rack(tmp_path, text).hosts
        assert {name: host.pfs["em1"].vfs for name, host in hosts.items()} == {
            "a1": 7,
            "a2": 3,
            "a3": 7,
        }


def test_a_file_without_templates_is_as_it_was() -> None:
    tree = parse("hosts: {a: {address: 'x[1-2]', pfs: {em1: 7}}}")
    assert expand(tree) is tree


WRONG = {
    "too many": (
        "hosts:\n  a[1-100000]: {pfs: {em1: 7}}\n",
        "2:3: hosts.'a[1-100000]': this makes 100000 entries (up to 1000; if it is meant, say at "
        "the top of the file largest_template: 100000)",
    ),
    "backwards": (
        "hosts:\n  a[9-1]: {pfs: {em1: 7}}\n",
        "2:3: hosts.'a[9-1]': the range [9-1] ends before it begins",
    ),
    "other count": (
        "hosts:\n  a[1-9]:\n    address: 10.0.0.[1-8]\n    pfs: {em1: 7}\n",
        "3:14: hosts.'a[1-9]'.address: the range [1-8] has 8 numbers, and a[1-9] has: [1-9] 9 (as "
        "many as exactly one of them, or the same text as one of them)",
    ),
    "either": (
        "hosts:\n  a[1-2]b[3-4]:\n    address: 10.0.0.[5-6]\n    pfs: {em1: 7}\n",
        "the range [5-6] has 2 numbers",
    ),
    "made twice": (
        "hosts:\n  a[1-2]: {pfs: {em1: 7}}\n  a[2-3]: {pfs: {em1: 7}}\n",
        "3:3: hosts.'a[2-3]': it makes 'a2', and so does 'a[1-2]'",
    ),
    "one address": (
        "hosts:\n  a[1-2]:\n    address: x\n    pfs: {em1: 7}\n",
        "3:14: hosts.a2.address: a2 and a1 are one host, two names",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be(tmp_path: Path, name: str) -> None:
    text, said = WRONG[name]
    (error,) = refused(tmp_path, text)
    assert said in error


def test_what_is_wrong_in_a_template_is_said_once_and_at_its_line(tmp_path: Path) -> None:
    (error,) = refused(tmp_path, "hosts:\n  a[1-99]:\n    pfs:\n      em1: many\n")
    assert error.startswith("4:12: hosts.a1.pfs.em1: 'many' (expected a whole number")


def test_many_are_asked_for_in_the_file(tmp_path: Path) -> None:
    text = f"largest_template: 2000\nhosts:\n  a[1-{LARGEST + 1}]: {{pfs: {{em1: 7}}}}\n"
    assert len(rack(tmp_path, text).hosts) == LARGEST + 1
