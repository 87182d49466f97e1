"""A first rack file from a host as it is, so that a host set up by hand can be taken over."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from sriovctl.drivers import driver
from sriovctl.host import PF, VF, VM, Holder, HostState, Pool, VMNic
from sriovctl.names import HostName, LibvirtName, Mac, Pci, PortName, VMName
from sriovctl.rackport import Port as WrittenPort
from sriovctl.rackport import pool_name
from sriovctl.view.harmless import harmless
from sriovctl.wanted import VFWant

NO_HOST_NAME = "host"
"""For a host whose own name no rack file could have."""


def rack_from(
    state: HostState,
    name: str,
    *,
    address: str | None = None,
    port: int | None = None,
    user: str | None = None,
) -> str:
    """A rack file that wants of a host what it has: YAML text with comments.

    What a rack file has no words for (VFs given to a VM past the pools, pools over listed
    addresses, more than one pool over a PF) is said in comments.

    :param name: of the rack
    :param address: how the host was reached, ``local`` for this machine; None: by its name
    """
    hostname = state.system.hostname
    host = CommentedMap()
    for key, value in (("address", address), ("port", port), ("user", user)):
        if value is not None:
            host[key] = value
    pools = {pf.pci: _pool_of(state, pf) for pf in state.pfs}
    keys = {pf.pci: _key(pf) for pf in state.pfs if _fits(Pci, pf.pci)}
    ports = CommentedMap()
    for pf in state.pfs:
        if pf.pci in keys:
            ports[keys[pf.pci]] = _port(state, pf, pools[pf.pci])
            _note(ports, keys[pf.pci], _about(state, pf, pools[pf.pci]), 6)
    host["pfs"] = ports
    if not ports:
        _note(host, "pfs", ["No port here can have VFs; see `sriovctl show`."], 4)
    rack = CommentedMap({"rack": name, "hosts": CommentedMap({_fitting(HostName, hostname): host})})
    vms, left = _vms(state, pools, keys)
    if vms:
        rack["vms"] = vms
    opening = [
        f"What sriovctl init found on {hostname}. Edit it, then look: sriovctl plan THIS-FILE",
        *([] if state.system.root else ["Seen without root: VMs and pools are missing here."]),
    ]
    rack.yaml_set_start_comment("\n".join(harmless(line) for line in opening) + "\n")
    out = io.StringIO()
    yaml = YAML()
    yaml.width = 4096
    yaml.dump(rack, out)
    return out.getvalue() + "".join(f"# {harmless(line)}\n" for line in left)


def _fits(kind: Any, text: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


def _fitting(kind: Any, text: str) -> str:
    return text if _fits(kind, text) else NO_HOST_NAME


def _key(pf: PF) -> str:
    return pf.name if pf.name is not None and _fits(PortName, pf.name) else pf.pci


def _note(mapping: CommentedMap, key: str, lines: list[str], indent: int) -> None:
    if lines:
        text = "\n".join(harmless(line) for line in lines)
        mapping.yaml_set_comment_before_after_key(key, before=text, indent=indent)


def _pool_of(state: HostState, pf: PF) -> Pool | None:
    """The pool over a PF; of several the one that most VM cards name."""
    users = Counter(nic.pool for vm in state.vms for nic in (*vm.nics, *vm.live_nics))
    over = [
        pool
        for pool in state.pools
        if pool.pf is not None and pool.pf == pf.name and _fits(LibvirtName, pool.name)
    ]
    return max(over, key=lambda pool: (users[pool.name], pool.active), default=None)


def _about(state: HostState, pf: PF, pool: Pool | None) -> list[str]:
    """Comments above a PF: what is possible, and what apply would still do."""
    known = [f"{pf.numvfs} of {pf.totalvfs} possible VFs", pf.driver or "no driver"]
    if pf.master:
        known.append(f"member of {pf.master}")
    lines = [", ".join(known)]
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


def _port(state: HostState, pf: PF, pool: Pool | None) -> CommentedMap:
    port = CommentedMap({"vfs": pf.numvfs})
    if _key(pf) != pf.pci:
        port["pci"] = pf.pci
    if pf.mac is not None and _fits(Mac, pf.mac):
        port["mac"] = pf.mac
    if not pf.numvfs:
        return port
    if pool is None:
        port["pool"] = False
        port.yaml_add_eol_comment("no libvirt network is over it", "pool")
    elif pool.name != pool_name(_key(pf), WrittenPort(vfs=pf.numvfs)):
        port["pool"] = pool.name
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


def _vms(
    state: HostState, pools: dict[str, Pool | None], keys: dict[str, str]
) -> tuple[CommentedMap, list[str]]:
    """VMs with cards on pools, and what is to be said of the others."""
    legs = {pool.name: keys[pci] for pci, pool in pools.items() if pool is not None and pci in keys}
    vfs = {vf.pci: f"{_key(pf)} VF {vf.index}" for pf in state.pfs for vf in pf.vfs}
    vms = CommentedMap()
    left: list[str] = []
    addresses = {pf.mac for pf in state.pfs if pf.mac is not None}
    room = Counter(
        {pool.name: pf.numvfs for pf in state.pfs if (pool := pools[pf.pci]) is not None}
    )
    without = []
    for vm in state.vms:
        nics = vm.nics if vm.persistent else vm.live_nics
        pooled = [nic for nic in nics if nic.how == "pool"]
        for nic in nics:
            if nic.how != "pool":
                where = vfs.get(nic.pci or "", nic.pci or "a device")
                how = "<interface type='hostdev'>" if nic.how == "interface" else "<hostdev>"
                left.append(f"VM {vm.name} has {where} as {how}: that stays as it is.")
        if not nics:
            without.append(vm.name)
        if not pooled:
            continue
        pairs = _pairs(pooled)
        macs = {nic.mac or "" for nic in pooled}
        owners = Counter(mac for pair in pairs for mac in {nic.mac for nic in pair})
        wanted = Counter(nic.pool or "" for nic in pooled)
        trouble = ""
        if not _fits(VMName, vm.name):
            trouble = "its name cannot be told to virsh safely"
        elif any(name not in legs for name in wanted):
            trouble = "a card of it is on a pool that is over none of the ports above"
        elif not all(_fits(Mac, mac) for mac in macs) or max(owners.values()) > 1:
            # both cards of one pair may have one: the MAC policy "shared"
            trouble = "a MAC address of it is none for a card, or is there twice"
        elif macs & addresses:
            trouble = "a PF or another VM has a MAC address of it"
        elif any(number > room[name] for name, number in wanted.items()):
            trouble = "with the VMs above it wants more VFs than there are"
        if trouble:
            left.append(f"VM {vm.name} is left out: {trouble}.")
            continue
        addresses |= macs
        room -= wanted
        vms[vm.name] = _guest(vm, pairs, legs, list(keys.values()))
        if vm.running and {n.mac for n in vm.live_nics if n.how == "pool"} != macs:
            _note(vms, vm.name, ["It runs with other cards than its definition has."], 2)
    if without:
        left.append(f"VMs without VFs: {', '.join(without)}")
    return vms, left


def _pairs(nics: list[VMNic]) -> list[list[VMNic]]:
    """Cards that belong together: on two pools and one VLAN, best with one address too."""
    pairs = []
    waiting = list(nics)
    while waiting:
        pair = [waiting.pop(0)]
        mates = [n for n in waiting if n.pool != pair[0].pool and n.vlan == pair[0].vlan]
        if mates:
            mate = next((n for n in mates if n.mac == pair[0].mac), mates[0])
            waiting.remove(mate)
            pair.append(mate)
        pairs.append(pair)
    return pairs


def _guest(
    vm: VM, paired: list[list[VMNic]], legs: dict[str, str], ports: list[str]
) -> CommentedMap:
    pairs = CommentedSeq()
    for nics in paired:
        cards = {legs[nic.pool or ""]: nic for nic in nics}
        pair = CommentedMap()
        if list(cards) != ports:
            pair["legs"] = list(cards)
        pair["mac"] = CommentedMap({leg: nic.mac for leg, nic in cards.items()})
        if nics[0].vlan:
            pair["vlan"] = nics[0].vlan
        pairs.append(pair)
    guest = CommentedMap({"pairs": pairs})
    if vm.autostart:
        guest["autostart"] = True
    return guest
