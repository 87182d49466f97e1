"""A PF with its VFs and its pool, as an entry of a rack file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from ruamel.yaml.comments import CommentedMap

from sriovctl.adopt.words import fits, port_key
from sriovctl.chain import persistence
from sriovctl.drivers import driver
from sriovctl.host import PF, VF, Holder, HostState, OtherManager, Pool
from sriovctl.names import LibvirtName, Mac
from sriovctl.rackport import Port as WrittenPort
from sriovctl.rackport import pool_name
from sriovctl.view.harmless import harmless
from sriovctl.wanted import VFWant


def restored_by(state: HostState, pf: PF) -> OtherManager | None:
    """What makes a PF's VFs again at boot, where that is not sriovctl."""
    if persistence.restores(state, pf.pci):
        return None
    return next((m for m in state.system.managers if m.makes_vfs_of(pf.name)), None)


def pool_of(state: HostState, pf: PF) -> Pool | None:
    """The pool over a PF; of several the one that most VM cards name."""
    users = Counter(nic.pool for vm in state.vms for nic in (*vm.nics, *vm.live_nics))
    over = [
        pool
        for pool in state.pools
        if pool.pf is not None and pool.pf == pf.name and fits(LibvirtName, pool.name)
    ]
    return max(over, key=lambda pool: (users[pool.name], pool.active), default=None)


def about(state: HostState, pf: PF, pool: Pool | None) -> list[str]:
    """Comments above a PF: what is possible, and what apply would still do."""
    known = [f"{pf.numvfs} of {pf.totalvfs} possible VFs", pf.driver or "no driver"]
    if pf.master:
        known.append(f"member of {pf.master}")
    lines = [", ".join(known)]
    if pf.numvfs and not persistence.restores(state, pf.pci) and restored_by(state, pf) is None:
        lines.append("Nothing known makes its VFs again at boot; apply writes files for that.")
    if pf.numvfs and not pf.up:
        lines.append("The port is down; apply brings it up.")
    if pool is not None and pf.numvfs:
        lacks = [
            word
            for word, there in (
                ("is not persistent", pool.persistent),
                ("is not started", pool.active),
                ("does not start at boot", pool.autostart),
            )
            if not there
        ]
        lacks += ["is stale"] if state.stale_pool(pool) else []
        if lacks:
            lines.append(f"Pool {pool.name} {', '.join(lacks)}; apply mends that.")
    elif pool is not None:
        lines.append(f"Pool {pool.name} is over this port, which has no VFs.")
    others = [p.name for p in state.pools if p.pf and p.pf == pf.name and p is not pool]
    if others:
        lines.append(f"Also over this port, and not sriovctl's: {', '.join(others)}")
    return lines


def port_entry(state: HostState, pf: PF, pool: Pool | None) -> CommentedMap:
    """A PF as it is: how it is recognised, its VFs and what somebody set on them, its pool."""
    port = CommentedMap({"vfs": pf.numvfs})
    if port_key(pf) != pf.pci:
        port["pci"] = pf.pci
    if pf.mac is not None and fits(Mac, pf.mac):
        port["mac"] = pf.mac
    if not pf.numvfs:
        return port
    if pool is None:
        port["pool"] = False
        port.yaml_add_eol_comment("no libvirt network is over it", "pool")
    elif pool.name != pool_name(port_key(pf), WrittenPort(vfs=pf.numvfs)):
        port["pool"] = pool.name
    restorer = restored_by(state, pf)
    if restorer is not None:
        port["restored_by"] = "host"
        port.yaml_add_eol_comment(
            f"by {harmless(restorer.file)}; take that out before this line",
            "restored_by",
        )
    if pf.autoprobe:
        port["autoprobe"] = "on"
        port.yaml_add_eol_comment("off makes VFs faster where they only go to VMs", "autoprobe")
    holders = state.holders()
    wishes = [(vf.index, _wish(holders.get(vf.pci), pf, vf)) for vf in pf.vfs]
    runs = CommentedMap(
        {int(key) if key.isdigit() else key: wish for key, wish in _runs(wishes, pf.numvfs) if wish}
    )
    if runs:
        port["vf"] = runs
    return port


def _wish(holder: Holder | None, pf: PF, vf: VF) -> dict[str, str | int]:
    """What somebody set on a VF: a new one of any driver has none of it."""
    wish: dict[str, str | int] = {}
    # libvirt sets the VLAN of a VF that it hands out, and takes it back
    if vf.vlan and (holder is None or holder.how not in ("pool", "interface")):
        wish["vlan"] = vf.vlan
        if vf.qos:
            wish["qos"] = vf.qos
        if vf.vlan_proto != "802.1Q":
            wish["vlan_proto"] = vf.vlan_proto
    if vf.spoofchk == "off":
        wish["spoofchk"] = "off"
    if vf.trust == "on":
        wish["trust"] = "on"
    if vf.link_state in ("enable", "disable"):
        wish["link_state"] = vf.link_state
    if vf.min_rate:
        wish["min_rate"] = vf.min_rate
    if vf.max_rate:
        wish["max_rate"] = vf.max_rate
    if holder is None and vf.driver == "vfio-pci":
        wish["driver"] = "vfio-pci"
    refused = driver(pf.driver).refused_of(VFWant.model_validate({"index": vf.index, **wish}))
    return {key: value for key, value in wish.items() if f"{key}={value}" not in refused}


def _runs(
    wishes: list[tuple[int, dict[str, str | int]]], count: int
) -> Iterator[tuple[str, dict[str, str | int]]]:
    """Neighbours with the same wish under one key: ``all``, ``0-3`` or ``5``."""
    if not wishes:
        return
    starts = [0]
    for place, ((index, wish), (following, next_wish)) in enumerate(pairwise(wishes), 1):
        if next_wish != wish or following != index + 1:
            starts.append(place)
    for start, end in pairwise([*starts, len(wishes)]):
        first, last = wishes[start][0], wishes[end - 1][0]
        key = f"{first}-{last}" if last > first else str(first)
        yield ("all" if end - start == count else key), wishes[start][1]
