"""Attributes of VFs: what a wish changes, what gives back the present, and how ip spells both."""

from __future__ import annotations

from sriovctl.host import VF
from sriovctl.names import UNSET_MAC
from sriovctl.wanted import VFWant

_IP_WORDS = {
    "mac": "mac",
    "vlan": "vlan",
    "qos": "qos",
    "vlan_proto": "proto",
    "max_rate": "max_tx_rate",
    "min_rate": "min_tx_rate",
    "spoofchk": "spoofchk",
    "link_state": "state",
    "trust": "trust",
}
"""Attributes of a VF as ``ip link set vf`` calls them, in the order in which the kernel takes
them (net/core/rtnetlink.c, do_setvfinfo): the address before the spoof check."""

_OF_LIBVIRT = ("mac", "vlan", "qos", "vlan_proto")
"""What libvirt sets on a VF that it gives to a VM, and takes back afterwards."""


_OF_A_NEW_VF = {
    "mac": UNSET_MAC,
    "vlan": 0,
    "min_rate": 0,
    "max_rate": 0,
    "link_state": "auto",
    "trust": "off",
}
"""What every driver starts a VF with; spoofchk is on with most, off with mlx5_core."""


def attributes_of(vf: VF) -> dict[str, str | int]:
    """What a VF has now, in the words of :class:`VFWant`, so that it can be given back."""
    return {
        key: value
        for key in _IP_WORDS
        if (value := getattr(vf, key)) is not None
        # the zero address cannot be set (EINVAL from most drivers), and these no VF is born without
        and value != _OF_A_NEW_VF.get(key)
        and not (key in ("qos", "vlan_proto") and vf.vlan == 0)
    }


def wish_line(index: int, wish: dict[str, str | int]) -> str:
    """``3 mac 02:… vlan 7 spoofchk on`` as nics.sh and ip take it; empty for no wish."""
    words = [f"{word} {wish[key]}" for key, word in _IP_WORDS.items() if key in wish]
    return " ".join([str(index), *words]) if words else ""


def difference(
    wish: VFWant, vf: VF | None, held: bool
) -> tuple[dict[str, str | int], dict[str, str | int]]:
    """What must be set on a VF, and what gives back the present values.

    :param vf: None for a VF that is yet to be made: all of the wish
    :param held: a VM or a program has it; its address and VLAN are libvirt's then
    """
    wanted: dict[str, str | int] = wish.model_dump(exclude_none=True, exclude={"index", "driver"})
    if vf is None:
        return wanted, {}
    keys = [
        key
        for key, value in wanted.items()
        if getattr(vf, key) != value
        # what the driver does not report cannot be compared
        and getattr(vf, key) is not None
        and not (held and key in _OF_LIBVIRT)
    ]
    if {"qos", "vlan_proto", "vlan"} & set(keys) and "vlan" in wanted:
        # one netlink attribute carries all three: what is left out would be reset
        keys = [k for k in wanted if k in keys or k in ("vlan", "qos", "vlan_proto")]
    back = {key: getattr(vf, key) for key in keys}
    if "vlan" in back and vf.vlan:
        back |= {"qos": vf.qos, "vlan_proto": vf.vlan_proto}
    if back.get("mac") == UNSET_MAC:
        del back["mac"]
    return {key: wanted[key] for key in keys}, back


def runs_of(indices: list[int]) -> str:
    """VF indices as a person writes them: ``0-3, 6``."""
    numbers = sorted(indices)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(str(n) for n in run) for run in runs)
