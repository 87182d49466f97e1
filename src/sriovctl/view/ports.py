"""Tables of a host's ports: PFs, their VFs and who holds them, ports that have none."""

from __future__ import annotations

from collections import Counter

from rich.text import Text

from sriovctl.host import PF, VF, Holder, HostState
from sriovctl.view.harmless import harmless
from sriovctl.view.text import (
    BAD,
    GOOD,
    NOTHING,
    QUIET,
    ROOMY,
    WARN,
    Cell,
    Part,
    part,
    speed,
)


def pf_table(state: HostState, width: int) -> Part:
    """A row a PF.

    :param width: columns of the screen
    """
    headings = ["PCI address", "name", "driver", "link", "NUMA", "VFs", "groups", "ACS", "in"]
    if width >= ROOMY:
        headings.append("MAC")
    rows: list[list[Cell]] = []
    for pf in state.pfs:
        row: list[Cell] = [
            pf.pci,
            pf.name or NOTHING,
            pf.driver or NOTHING,
            link(pf),
            NOTHING if pf.numa_node is None else str(pf.numa_node),
            f"{pf.numvfs} of {pf.totalvfs}",
            _groups(state, pf),
            _switch(pf.acs),
            pf.master or NOTHING,
        ]
        rows.append([*row, pf.mac or NOTHING][: len(headings)])
    return part("Physical functions", headings, rows)


def _switch(on: bool | None) -> Text:
    if on is None:
        return Text(NOTHING)
    return Text("on", style=GOOD) if on else Text("off", style=WARN)


def link(pf: PF) -> Text:
    """A port's link in words: ``up 1 Gbit/s``, ``no carrier``, ``down``."""
    if pf.name is None:
        return Text(NOTHING)
    if not pf.up:
        return Text("down", style=WARN)
    if not pf.carrier:
        return Text("no carrier", style=BAD)
    return Text("up" + (f" {speed(pf.speed)}" if pf.speed else ""), style=GOOD)


def _groups(state: HostState, pf: PF) -> Text:
    """Has each VF an IOMMU group of its own, so that each can go to another VM?"""
    members = Counter(
        group for other in state.pfs for group in (other.iommu_group, *_vf_groups(other))
    )
    groups = _vf_groups(pf)
    if not groups:
        return Text(NOTHING)
    if None in groups:
        return Text("none", style=BAD)
    if any(members[group] > 1 for group in groups):
        return Text("shared", style=WARN)
    return Text("own", style=GOOD)


def _vf_groups(pf: PF) -> list[int | None]:
    return [vf.iommu_group for vf in pf.vfs]


def vf_table(state: HostState, pf: PF, width: int) -> Part:
    """A row a VF of one PF, with who holds it.

    :param width: columns of the screen
    """
    roomy = width >= ROOMY
    with_rate = roomy or any(vf.min_rate or vf.max_rate for vf in pf.vfs)
    with_link = any(vf.link_state not in (None, "auto") for vf in pf.vfs)
    headings = ["VF", "PCI address", "driver", "MAC", "VLAN", "spoofchk", "trust"]
    headings += ["rate"] * with_rate + ["link"] * with_link + ["held by"]
    if not roomy:
        headings[5] = "spoof"
    rows: list[list[Cell]] = []
    holders = state.holders()
    for vf in pf.vfs:
        row: list[Cell] = [
            str(vf.index),
            vf.pci,
            vf.driver or NOTHING,
            vf.mac or NOTHING,
            _vlan(vf),
            vf.spoofchk or NOTHING,
            vf.trust or NOTHING,
        ]
        if with_rate:
            row.append(_rate(vf))
        if with_link:
            row.append(vf.link_state or NOTHING)
        rows.append([*row, _holder(state, holders.get(vf.pci), vf, roomy)])
    return part(f"VFs of {pf.name or pf.pci}", headings, rows, right="VF")


def _vlan(vf: VF) -> str:
    if not vf.vlan:
        return NOTHING
    notes = [f"qos {vf.qos}"] * bool(vf.qos) + [vf.vlan_proto] * (vf.vlan_proto != "802.1Q")
    return f"{vf.vlan} ({', '.join(notes)})" if notes else str(vf.vlan)


def _rate(vf: VF) -> str:
    if vf.min_rate:
        return f"{vf.min_rate}–{vf.max_rate or ''} Mbit/s"
    return f"{vf.max_rate} Mbit/s" if vf.max_rate else NOTHING


def _holder(state: HostState, holder: Holder | None, vf: VF, roomy: bool) -> Text:
    if holder is not None and holder.kind == "vm":
        how = {"pool": "pool", "interface": "interface", "hostdev": "hostdev"}.get(holder.how, "")
        return Text.assemble(harmless(holder.name), (f" ({how})", QUIET))
    if holder is not None:
        return Text(harmless(f"{holder.kind}: {holder.name}"))
    if not state.system.root:
        return Text("not visible", style=QUIET)
    for vm in state.vms:
        if not vm.running and any(nic.pci == vf.pci for nic in vm.nics):
            return Text(harmless(f"free; {vm.name} names it, not running"), style=QUIET)
    return Text("free" + (f", {harmless(vf.netdev)}" if vf.netdev and roomy else ""), style=QUIET)


def port_table(state: HostState) -> Part:
    """A row a port without VFs."""
    rows = [
        [
            port.pci,
            port.name or NOTHING,
            port.driver or NOTHING,
            f"{port.vendor_id}:{port.device_id}",
            port.mac or NOTHING,
        ]
        for port in state.ports
    ]
    return part("Ports without VFs", ["PCI address", "name", "driver", "PCI id", "MAC"], rows)
