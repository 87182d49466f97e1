"""One host on one screen: the whole chain as a probe found it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sriovctl.host import HostState, KernelEntry
from sriovctl.view import guests, network, ports
from sriovctl.view.findings import render_findings
from sriovctl.view.harmless import harmless
from sriovctl.view.notes import notes
from sriovctl.view.text import (
    BAD,
    GOOD,
    HEADING,
    QUIET,
    WARN,
    Part,
    count,
    put,
    table,
)

RELEVANT = re.compile(r"^(\w*iommu\w*([.=].*)?|pci=.*|vfio\S*|\S+\.max_vfs=.*|kvm\S*\.nested=.*)$")
"""Arguments of a kernel that have to do with VFs."""


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
        yield ports.pf_table(state, width)
        yield from (ports.vf_table(state, pf, width) for pf in state.pfs if pf.vfs)
    if state.ports:
        yield ports.port_table(state)
    if state.network.bonds:
        yield network.bond_table(state)
    if state.network.bridges:
        yield network.bridge_table(state)
    if state.pools:
        yield guests.pool_table(state)
    if state.vms:
        yield guests.vm_table(state)


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
