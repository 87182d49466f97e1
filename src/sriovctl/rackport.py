"""A PF in the rack file: its VFs, their attributes, its pool."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WrapValidator

from sriovctl.names import (
    LARGEST_VF_COUNT,
    MAC_ADDRESS,
    PCI_ADDRESS,
    Label,
    LibvirtName,
    Mac,
    Pci,
    VFRange,
    vf_indices,
)
from sriovctl.wanted import PFWant, VFWant
from sriovctl.written import Written, no_twins


def _port_of_count(value: Any) -> Any:
    return {"vfs": value} if isinstance(value, int) and not isinstance(value, bool) else value


Count = Annotated[int, Field(ge=0, le=LARGEST_VF_COUNT)]
Vlan = Annotated[int, Field(ge=0, le=4094, description="0 for none")]
Rate = Annotated[int, Field(ge=0, le=2**32 - 1, description="Mbit/s, 0 for no limit")]
"""The kernel takes 32 bits (linux/if_link.h, struct ifla_vf_rate)."""


class VFAttributes(Written):
    """What VFs should be. What is left out is left as it is."""

    mac: Mac | None = Field(None, description="the VF's address, set from the PF")
    vlan: Vlan | None = Field(None, description="port VLAN that the card puts on every frame")
    qos: Annotated[int, Field(ge=0, le=7)] | None = Field(
        None, description="priority in the VLAN tag; needs a vlan"
    )
    vlan_proto: Literal["802.1Q", "802.1ad"] | None = Field(
        None, description="kind of VLAN tag; needs a vlan"
    )
    spoofchk: Literal["on", "off"] | None = Field(
        None, description="on: the card drops frames with a MAC address that is not the VF's"
    )
    trust: Literal["on", "off"] | None = Field(
        None, description="on: the guest may change its MAC address and hear all frames"
    )
    link_state: Literal["auto", "enable", "disable"] | None = Field(
        None, description="auto: the VF's link follows the cable"
    )
    min_rate: Rate | None = Field(None, description="Mbit/s that the VF is sure to get, 0 for none")
    max_rate: Rate | None = Field(None, description="Mbit/s at most, 0 for no limit")
    driver: Literal["network", "vfio-pci"] | None = Field(
        None, description="network: the host gets a network device; vfio-pci: bound for VMs"
    )


class Port(Written):
    """A PF: one leg's port."""

    vfs: Count = Field(description="how many VFs", examples=[7])
    pci: Pci | None = Field(None, description="the slot in which the port must be")
    mac: Mac | None = Field(None, description="the port's permanent address, checked")
    switch: Label | None = Field(None, description="the switch at the cable's other end")
    pool: LibvirtName | Literal[False] | None = Field(
        None, description="name of the libvirt network; passthrough_<name> if left out; false: none"
    )
    autoprobe: Literal["on", "off"] | None = Field(
        None, description="does the host's network driver take new VFs; off unless a VF wants it"
    )
    restored_by: Literal["sriovctl", "host"] | None = Field(
        None,
        description="who makes the VFs again at boot: sriovctl, if left out, or files that the "
        "host has already, such as rc.local; sriovctl then writes none",
    )
    vf: Annotated[dict[VFRange, VFAttributes], WrapValidator(no_twins)] = Field(
        default_factory=dict,
        description="attributes for all, an index (3) or a range (0-3); the narrower wins",
        examples=[{"all": {"spoofchk": "on"}}],
    )


PortOrCount = Annotated[Port, BeforeValidator(_port_of_count, json_schema_input_type=Count | Port)]
"""``em1: 7`` says the same as ``em1: {vfs: 7}``."""


def pool_name(name: str, port: Port) -> str | None:
    """Name of the libvirt network over a port, None where there is to be none.

    A PF named by an address gets a pool name without colons and dots.
    """
    if port.pool is False or port.vfs == 0:
        return None
    return port.pool or "passthrough_" + re.sub(r"[:.]", "-", name)


def wishes(port: Port) -> dict[int, dict[str, Any]]:
    """What each VF of a port should be, by index, the narrower of two wishes winning.

    Of two as wide, the later in the file wins. A VF without any wish is left out.
    """
    merged: dict[int, dict[str, Any]] = {}
    for text, attributes in sorted(port.vf.items(), key=lambda item: -_breadth(item[0])):
        wish = attributes.model_dump(exclude_none=True)
        for index in vf_indices(text, port.vfs) if wish else ():
            merged.setdefault(index, {}).update(wish)
    return dict(sorted(merged.items()))


def _breadth(text: str) -> int:
    return LARGEST_VF_COUNT + 1 if text == "all" else len(vf_indices(text, 0))


def port_identity(
    name: str, port: Port
) -> tuple[Literal["name", "pci", "mac"], str | None, str | None]:
    """How a port is named, and the PCI and MAC address that it must have (None: any will do)."""
    if MAC_ADDRESS.match(name):
        return "mac", port.pci, name
    if PCI_ADDRESS.match(name):
        return "pci", name, port.mac
    return "name", port.pci, port.mac


def pf_want(name: str, port: Port, of_policies: dict[str, Any]) -> PFWant:
    by, pci, mac = port_identity(name, port)
    wanted = wishes(port)
    if of_policies:
        wanted = {index: of_policies | wanted.get(index, {}) for index in range(port.vfs)}
    vf = tuple(VFWant(index=index, **wish) for index, wish in wanted.items())
    on_host = any(wish.driver == "network" for wish in vf)
    return PFWant(
        name=name,
        by=by,
        pci=pci,
        mac=mac,
        switch=port.switch,
        vfs=port.vfs,
        pool=pool_name(name, port),
        restored_by_host=port.restored_by == "host",
        autoprobe=on_host if port.autoprobe is None else port.autoprobe == "on",
        vf=vf,
    )
