"""The readers of ip's text and of PCI configuration space."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.probe.acs import CONFIG_SIZE, acs_isolates, read_od
from sriovctl.probe.iplink import read_devices

EACH_AGE = {
    "    vf 0 MAC 52:54:00:00:00:01": {"mac": "52:54:00:00:00:01"},
    "    vf 0 MAC 52:54:00:00:00:01, vlan 5, qos 3, tx rate 100 (Mbps), spoof checking on": {
        "mac": "52:54:00:00:00:01",
        "vlan": 5,
        "qos": 3,
        "max_rate": 100,
        "spoofchk": "on",
    },
    "    vf 0     link/ether 52:54:00:00:00:01 brd ff:ff:ff:ff:ff:ff, vlan 5, "
    "vlan protocol 802.1ad, max_tx_rate 300Mbps, min_tx_rate 10Mbps, spoof checking off, "
    "NODE_GUID 00:00:00:00:00:00:00:00, link-state disable, trust on, query_rss off": {
        "mac": "52:54:00:00:00:01",
        "vlan": 5,
        "vlan_proto": "802.1ad",
        "max_rate": 300,
        "min_rate": 10,
        "spoofchk": "off",
        "link_state": "disable",
        "trust": "on",
    },
}


@pytest.mark.parametrize(("line", "wanted"), EACH_AGE.items())
def test_vf_lines_of_each_age(line: str, wanted: dict[str, object]) -> None:
    devices = read_devices(["3: em1@if2: <UP> mtu 1500", line])
    assert devices[3].vfs == {0: wanted}


def test_an_alias_before_the_vfs_does_not_win() -> None:
    lines = [
        "3: em1: <UP> mtu 1500",
        "    alias x",
        "    vf 0 MAC 02:00:00:00:00:66",
        "    vf 0 MAC 52:54:00:00:00:01",
    ]
    assert read_devices(lines)[3].vfs[0]["mac"] == "52:54:00:00:00:01"


@given(st.lists(st.text(max_size=60), max_size=20))
def test_no_text_breaks_the_reader(lines: list[str]) -> None:
    read_devices(lines)


def config(*capabilities: tuple[int, int]) -> bytes:
    """A configuration space with extended capabilities: id and the word 6 bytes into each."""
    space = bytearray(CONFIG_SIZE)
    for number, (kind, word) in enumerate(capabilities):
        at = 0x100 + 0x10 * number
        following = at + 0x10 if number + 1 < len(capabilities) else 0
        space[at : at + 4] = (kind | 1 << 16 | following << 20).to_bytes(4, "little")
        space[at + 6 : at + 8] = word.to_bytes(2, "little")
    return bytes(space)


@pytest.mark.parametrize(
    ("space", "isolates"),
    [
        (config((0x0001, 0), (0x000D, 0x1D)), True),
        (config((0x000D, 0x5F)), True),
        (config((0x000D, 0x01)), False),
        (config((0x0001, 0x1D)), False),
        (bytes(CONFIG_SIZE), False),
        (bytes(64), False),
        # a capability that points at itself
        (bytes(0x100) + (0x1001_0001).to_bytes(4, "little") + bytes(0xEFC), False),
    ],
)
def test_acs(space: bytes, isolates: bool) -> None:
    assert acs_isolates(space) is isolates


@given(st.lists(st.sampled_from([bytes(16), b"\x01" * 16, bytes(range(16))]), max_size=40))
def test_od_folds_repeats_and_we_unfold_them(rows: list[bytes]) -> None:
    lines, last, folded = [], b"", False
    for number, row in enumerate(rows):
        if row != last:
            lines.append(f"{number * 16:06x} " + " ".join(f"{byte:02x}" for byte in row))
        elif not folded:
            lines.append("*")
        folded = row == last
        last = row
    lines.append(f"{len(rows) * 16:06x}")
    assert read_od(lines, 16 * len(rows)) == b"".join(rows)
    assert read_od(lines, 16 * len(rows) + 1) is None


@pytest.mark.parametrize("line", ["ffffffffff 00", "0 xyz", "nothing", "000000 100"])
def test_what_is_no_od_gives_nothing(line: str) -> None:
    assert read_od(["000000 " + "00 " * 16, "*", line], CONFIG_SIZE) is None
