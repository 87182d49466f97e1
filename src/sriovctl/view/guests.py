"""Tables of what libvirt has: pools and VMs."""

from __future__ import annotations

from rich.text import Text

from sriovctl.host import VM, HostState, Pool, VMNic
from sriovctl.view.harmless import harmless
from sriovctl.view.text import (
    BAD,
    GOOD,
    NOTHING,
    QUIET,
    WARN,
    Cell,
    Part,
    part,
)


def pool_table(state: HostState) -> Part:
    """A row a pool."""
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
    return part("Pools", ["pool", "PF", "state", "autostart", "VFs taken"], rows)


def _taken(state: HostState, pool: Pool) -> int:
    """How many of a pool's VFs somebody holds, through the pool or past it."""
    return len(state.holders().keys() & set(pool.addresses))


def vm_table(state: HostState) -> Part:
    """A row a card of a VM."""
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
    return part("Virtual machines", headings, rows)


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
