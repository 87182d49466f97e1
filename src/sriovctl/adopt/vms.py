"""VMs with cards on pools, as entries of a rack file."""

from __future__ import annotations

from collections import Counter

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from sriovctl.adopt.ports import pool_of
from sriovctl.adopt.words import fits, note, port_key
from sriovctl.host import VM, HostState, VMNic
from sriovctl.names import Mac, VMName


def vms_of(
    state: HostState, keys: dict[str, str], taken: CommentedMap, host: str | None
) -> tuple[CommentedMap, list[str]]:
    """A host's VMs with cards on pools, and what is to be said of the others.

    :param keys: the host's ports as they are named in the file, by PCI address
    :param taken: the VMs of the hosts before
    :param host: to be named with each VM; None where there is one host
    """
    pools = {pf.pci: pool_of(state, pf) for pf in state.pfs}
    legs = {pool.name: keys[pci] for pci, pool in pools.items() if pool is not None and pci in keys}
    vfs = {vf.pci: f"{port_key(pf)} VF {vf.index}" for pf in state.pfs for vf in pf.vfs}
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
        if not fits(VMName, vm.name):
            trouble = "its name cannot be told to virsh safely"
        elif vm.name in taken:
            trouble = "a VM of another host has its name"
        elif any(name not in legs for name in wanted):
            trouble = "a card of it is on a pool that is over none of the ports above"
        elif not all(fits(Mac, mac) for mac in macs) or max(owners.values()) > 1:
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
        vms[vm.name] = _guest(vm, pairs, legs, list(keys.values()), host)
        if vm.running and {n.mac for n in vm.live_nics if n.how == "pool"} != macs:
            note(vms, vm.name, ["It runs with other cards than its definition has."], 2)
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
    vm: VM,
    paired: list[list[VMNic]],
    legs: dict[str, str],
    ports: list[str],
    host: str | None,
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
    guest = CommentedMap({"pairs": pairs} if host is None else {"host": host, "pairs": pairs})
    if vm.autostart:
        guest["autostart"] = True
    return guest
