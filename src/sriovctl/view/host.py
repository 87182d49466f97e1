"""One host on one screen: the whole chain as a probe found it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sriovctl.host import PF, VF, VM, Holder, HostState, KernelEntry, Pool, VMNic
from sriovctl.hostnet import HostBond
from sriovctl.view.findings import render_findings
from sriovctl.view.harmless import harmless
from sriovctl.view.notes import notes
from sriovctl.view.text import (
    BAD,
    GOOD,
    HEADING,
    NOTHING,
    QUIET,
    WARN,
    Cell,
    count,
    put,
    speed,
    table,
)

ROOMY = 100
"""Columns from which on the less asked-for columns are shown even where they say nothing."""
RELEVANT = re.compile(r"^(\w*iommu\w*([.=].*)?|pci=.*|vfio\S*|\S+\.max_vfs=.*|kvm\S*\.nested=.*)$")
"""Arguments of a kernel that have to do with VFs."""


@dataclass(frozen=True)
class Part:
    """A table of the chain, however it is drawn."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: str = ""
    """Headings of columns with figures, blank-separated."""


def render_host(state: HostState, console: Console) -> None:
    """Print what a probe found, then what stands in the way of VFs.

    :param console: of :func:`sriovctl.view.text.screen`, or a test's own
    """
    put(console, _headline(state))
    put(console, _machine(state))
    for part in parts(state, console.width):
        console.print()
        put(console, Text(harmless(part.title), style=HEADING))
        put(console, table(part.headings, part.rows, right=part.right))
    found = notes(state)
    if found:
        console.print()
        render_findings(found, console)


def parts(state: HostState, width: int) -> Iterator[Part]:
    """The tables of a host: ports, VFs and who holds them, pools, VMs.

    :param width: columns of the screen; below :data:`ROOMY` some are left out
    """
    if state.pfs:
        yield _pfs(state, width)
        yield from (_vfs(state, pf, width) for pf in state.pfs if pf.vfs)
    if state.ports:
        yield _ports(state)
    if state.network.bonds:
        yield _bonds(state)
    if state.network.bridges:
        yield _bridges(state)
    if state.pools:
        yield _pools(state)
    if state.vms:
        yield _vms(state)


def _headline(state: HostState) -> Text:
    system = state.system
    line = Text(harmless(system.hostname), style=HEADING)
    rest = f"  {system.os}, kernel {state.kernel.release}"
    line.append(harmless(rest), style="not bold")
    if not system.root:
        line.append("  (seen without root)", style=WARN)
    return line


def _machine(state: HostState) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=QUIET)
    grid.add_column(overflow="fold")
    for label, said in machine(state):
        grid.add_row(label, said)
    return grid


def machine(state: HostState) -> Iterator[tuple[str, Text]]:
    """CPU, IOMMU, libvirt: a label and one line each."""
    kernel = state.kernel
    words = [
        kernel.cpu_vendor or "vendor unknown",
        kernel.virtualization or "no vmx, no svm",
        "/dev/kvm" if kernel.kvm else "no /dev/kvm",
    ]
    yield "CPU", Text(harmless(", ".join(words)))
    groups = kernel.iommu_groups
    active = (
        Text(f"active, {count(groups, 'group', 'groups')}", style=GOOD)
        if groups
        else Text("not active", style=BAD)
    )
    yield "IOMMU", active
    yield "  running", _arguments(kernel.arguments)
    for label, arguments in _staged(kernel.staged):
        yield "  staged", Text.assemble(arguments, (f"  {label}", QUIET))
    vms = sum(vm.running for vm in state.vms)
    said = "daemon listens" if state.system.libvirt else "no daemon"
    if state.vms or state.pools:
        said += f", {count(len(state.pools), 'pool', 'pools')}, {vms} of {len(state.vms)} VMs run"
    yield "libvirt", Text(said)


def _arguments(arguments: tuple[str, ...]) -> Text:
    relevant = [word for word in arguments if RELEVANT.match(word)]
    if not relevant:
        return Text("no argument about it", style=QUIET)
    return Text(harmless(" ".join(relevant)))


def _staged(entries: tuple[KernelEntry, ...]) -> list[tuple[str, Text]]:
    """Files by the arguments that matter in them, those that agree on one line."""
    merged: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        # the settings' variables add up to one command line
        title = "" if entry.file.startswith("/etc/default/grub") else entry.title
        merged.setdefault((entry.file, title), []).extend(entry.arguments)
    lines: dict[str, tuple[Text, Counter[str]]] = {}
    for (file, _), arguments in merged.items():
        text = _arguments(tuple(arguments))
        lines.setdefault(text.plain, (text, Counter()))[1][file] += 1
    return [
        (
            ", ".join(
                harmless(file) + (f" ({number} entries)" if number > 1 else "")
                for file, number in files.items()
            ),
            text,
        )
        for text, files in lines.values()
    ]


def _pfs(state: HostState, width: int) -> Part:
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
    return _part("Physical functions", headings, rows)


def _part(
    title: str, headings: Iterable[str], rows: Iterable[Iterable[Cell]], right: str = ""
) -> Part:
    return Part(title, tuple(headings), tuple(tuple(row) for row in rows), right)


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


def _vfs(state: HostState, pf: PF, width: int) -> Part:
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
    return _part(f"VFs of {pf.name or pf.pci}", headings, rows, right="VF")


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


def _ports(state: HostState) -> Part:
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
    return _part("Ports without VFs", ["PCI address", "name", "driver", "PCI id", "MAC"], rows)


def _bonds(state: HostState) -> Part:
    rows = [
        [
            bond.name,
            bond.options.get("mode", NOTHING),
            _legs(bond),
            _monitor(bond),
            state.network.bridge_of(bond.name) or NOTHING,
            _addresses(state, bond.name),
        ]
        for bond in state.network.bonds
    ]
    return _part("Bonds of the host", ["bond", "mode", "legs", "looks", "in", "addresses"], rows)


def _legs(bond: HostBond) -> str:
    marks = {"in use": bond.active, "primary": bond.options.get("primary")}
    said = []
    for leg in bond.legs:
        words = ", ".join(word for word, named in marks.items() if named == leg)
        said.append(f"{leg} ({words})" if words else leg)
    return ", ".join(said) or NOTHING


def _monitor(bond: HostBond) -> str | Text:
    if bond.options.get("arp_interval", "0") != "0":
        asked = bond.options.get("arp_ip_target") or "nobody"
        return f"asks {asked} each {bond.options['arp_interval']} ms"
    if bond.options.get("miimon", "0") != "0":
        return f"at the link each {bond.options['miimon']} ms"
    return Text("not at all", style=BAD)


def _bridges(state: HostState) -> Part:
    rows = [
        [bridge.name, ", ".join(bridge.ports) or NOTHING, _addresses(state, bridge.name)]
        for bridge in state.network.bridges
    ]
    return _part("Bridges", ["bridge", "ports", "addresses"], rows)


def _addresses(state: HostState, name: str) -> str:
    return ", ".join(state.network.addresses.get(name, ())) or NOTHING


def _pools(state: HostState) -> Part:
    rows: list[list[Cell]] = []
    for pool in state.pools:
        stale = state.stale_pool(pool)
        if not pool.active:
            status = Text("inactive", style=WARN)
        elif stale:
            status = Text(harmless(f"stale: {stale}"), style=BAD)
        else:
            status = Text("active", style=GOOD)
        if not pool.persistent:
            status.append(", not persistent", style=WARN)
        rows.append(
            [
                pool.name,
                pool.pf or "listed addresses",
                status,
                "yes" if pool.autostart else "no",
                f"{_taken(state, pool)} of {len(pool.addresses)}" if pool.active else NOTHING,
            ]
        )
    return _part("Pools", ["pool", "PF", "state", "autostart", "VFs taken"], rows)


def _taken(state: HostState, pool: Pool) -> int:
    """How many of a pool's VFs somebody holds, through the pool or past it."""
    return len(state.holders().keys() & set(pool.addresses))


def _vms(state: HostState) -> Part:
    rows: list[list[Cell]] = []
    for vm in state.vms:
        status = Text("running", style=GOOD) if vm.running else Text("shut off", style=QUIET)
        if not vm.persistent:
            status.append(", not persistent", style=WARN)
        first: list[Cell] = [vm.name, status, "yes" if vm.autostart else "no"]
        cards = _cards(state, vm)
        if vm.networks:
            cards.append(["", NOTHING, NOTHING, Text(_others(vm), style=QUIET)])
        for card in cards or [["", NOTHING, NOTHING, ""]]:
            rows.append([*first, *card[1:]])
            first = ["", "", ""]
    headings = ["VM", "state", "autostart", "VF", "MAC", "through"]
    return _part("Virtual machines", headings, rows)


def _others(vm: VM) -> str:
    return harmless(f"{', '.join(vm.networks)} (no VF)")


def _cards(state: HostState, vm: VM) -> list[list[Cell]]:
    """A VM's cards on VFs: those it has now, then those it would get at its next start."""
    live = [_card(state, nic, "") for nic in vm.live_nics]
    told = {nic.mac or nic.pci for nic in vm.live_nics}
    later = [nic for nic in vm.nics if (nic.mac or nic.pci) not in told]
    gone = {nic.mac or nic.pci for nic in vm.nics}
    if vm.persistent and vm.running:
        live = [
            _card(state, nic, "" if (nic.mac or nic.pci) in gone else "until it stops")
            for nic in vm.live_nics
        ]
    return live + [_card(state, nic, "at its next start" * vm.running) for nic in later]


def _card(state: HostState, nic: VMNic, when: str) -> list[Cell]:
    where = nic.pci or "any"
    for pf in state.pfs:
        for vf in pf.vfs:
            if vf.pci == nic.pci:
                where = f"{pf.name or pf.pci} VF {vf.index}"
    if nic.pci is None and nic.pool is not None:
        pool = state.pool_named(nic.pool)
        where = f"any of {pool.pf}" if pool is not None and pool.pf else "any"
    through = f"pool {nic.pool}" if nic.how == "pool" else nic.how
    if nic.vlan:
        through += f", VLAN {nic.vlan}"
    if when:
        through += f", {when}"
    return ["", where, nic.mac or NOTHING, through]
