"""What no single key of a rack file shows to be wrong: two things that cannot both be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sriovctl.names import vf_indices
from sriovctl.rack import Host, Rack
from sriovctl.rackbond import faults_of_bond
from sriovctl.rackhostbond import faults_of_host_bond
from sriovctl.rackport import Port, pool_name, port_identity, wishes

Place = tuple[str | int, ...]
"""Keys and list places from the top of the file down."""
Wrong = tuple[Place, str]


def contradictions(rack: Rack) -> list[Wrong]:
    """All that contradicts itself in a rack.

    :returns: ``((key, key, …), message)`` each; empty for a sound rack. A path may go deeper than
        the file where a default is to blame; its existing part is the place.
    """
    owners: dict[str, str] = {}
    wrong: list[Wrong] = []
    for index, switch in enumerate(rack.switches):
        if switch in rack.switches[:index]:
            wrong.append((("switches", index), f"switch {switch!r} is named twice"))
    ways: dict[tuple[str, int | None], str] = {}
    for name, host in rack.hosts.items():
        first = ways.setdefault((host.address or name, host.port), name)
        if first != name:
            wrong.append(
                (("hosts", name, "address"), f"{name} and {first} are one host, two names")
            )
        wrong += _ports(rack, name, host, owners)
        wrong += _host_bonds(name, host)
    wrong += _bmcs(rack)
    for name, host in rack.hosts.items():
        wrong += _vfs(name, host, owners)
    wrong += _vms(rack, owners)
    return wrong


def _bmcs(rack: Rack) -> Iterator[Wrong]:
    ways: dict[tuple[str, int], str] = {}
    for name, host in rack.hosts.items():
        bmc = host.bmc
        if bmc is None:
            continue
        where = ("hosts", name, "bmc")
        first = ways.setdefault(
            (bmc.address, bmc.ssh_port if bmc.via == "racadm" else bmc.https_port), name
        )
        if first != name:
            yield (*where, "address"), f"the BMC of {name} is already that of {first}"
        given = [key for key in ("fingerprint", "authority", "insecure") if getattr(bmc, key)]
        if len(given) > 1:
            yield where, f"{' and '.join(given)}: its certificate is checked in one way"
        if bmc.via == "racadm" and bmc.known_hosts is None:
            yield (*where, "via"), "racadm goes over ssh: give known_hosts, with its host key"
        for index, intent in enumerate(bmc.bios):
            if intent in bmc.bios[:index]:
                yield (*where, "bios", index), f"{intent} is named twice"


def _ports(rack: Rack, host_name: str, host: Host, owners: dict[str, str]) -> Iterator[Wrong]:
    pools: dict[str, str] = {}
    slots: dict[str, str] = {}
    for name, port in host.pfs.items():
        where = ("hosts", host_name, "pfs", name)
        by, pci, mac = port_identity(name, port)
        if by == "pci" and port.pci not in (None, name):
            yield (*where, "pci"), f"{name} and {port.pci} are two slots for one port"
        if by == "mac" and port.mac not in (None, name):
            yield (*where, "mac"), f"{name} and {port.mac} are two permanent addresses for one port"
        if pci is not None:
            first = slots.setdefault(pci, name)
            if first != name:
                yield (*where, "pci"), f"slot {pci} is already that of {first}: one port, two names"
        if mac is not None:
            owner = f"{name} of {host_name}"
            first = owners.setdefault(mac, owner)
            if first != owner:
                yield (*where, "mac"), f"{mac} is already that of {first}"
        if rack.switches and port.switch is not None and port.switch not in rack.switches:
            known = ", ".join(rack.switches)
            yield (*where, "switch"), f"no switch {port.switch!r} in switches; there are: {known}"
        pool = pool_name(name, port)
        if pool is not None:
            first = pools.setdefault(pool, name)
            if first != name:
                yield (*where, "pool"), f"pool {pool!r} is already over {first}"
        if port.pool and port.vfs == 0:
            yield (*where, "pool"), f"a pool over {name}, which is to have 0 VFs"


def _host_bonds(host_name: str, host: Host) -> Iterator[Wrong]:
    taken: dict[str, str] = {}
    for name, bond in host.bonds.items():
        where = ("hosts", host_name, "bonds", name)
        for key, message in faults_of_host_bond(bond, list(host.pfs)):
            yield (*where, key), message
        bridge = [bond.bridge] if bond.bridge is not None else []
        for thing in (*dict.fromkeys(bond.legs or host.pfs), *bridge):
            first = taken.setdefault(thing, name)
            if first != name or thing in host.bonds:
                yield (
                    (*where, "bridge" if [thing] == bridge else "legs"),
                    (
                        f"{thing} is already that of {first}"
                        if first != name
                        else f"{thing} is a bond of this host"
                    ),
                )


def _vfs(host_name: str, host: Host, owners: dict[str, str]) -> Iterator[Wrong]:
    here: dict[str, str] = {}
    for name, port in host.pfs.items():
        where = ("hosts", host_name, "pfs", name)
        yield from _vf_wishes(where, name, port)
        on_port: dict[str, str] = {}
        for text, attributes in port.vf.items():
            mac = attributes.mac
            if mac is None:
                continue
            at = (*where, "vf", text, "mac")
            if len(vf_indices(text, port.vfs)) > 1:
                yield at, "one MAC address for several VFs of one port"
            first = owners.get(mac) or on_port.get(mac)
            if first is not None:
                yield at, f"{mac} is already that of {first}"
            on_port.setdefault(mac, f"VF {text} of {name} on {host_name}")
        # the two VFs of a pair, one on each PF, may share an address: the MAC policy "shared"
        here = on_port | here
    for mac, owner in here.items():
        owners.setdefault(mac, owner)


def _vf_wishes(where: Place, name: str, port: Port) -> Iterator[Wrong]:
    sound = True
    for text in port.vf:
        indices = vf_indices(text, port.vfs)
        if text != "all" and indices[-1] >= port.vfs:
            sound = False
            allowed = f"0 to {port.vfs - 1}" if port.vfs else "none, as vfs is 0"
            yield (*where, "vf", text), f"no VF {indices[-1]} on {name}; allowed: {allowed}"
    seen: set[str] = set()
    for index, wish in wishes(port).items() if sound else ():
        least, most = wish.get("min_rate", 0), wish.get("max_rate", 0)
        found = ""
        if least and most and least > most:
            found = f"min_rate {least} is above max_rate {most} Mbit/s"
        elif (wish.get("qos") or "vlan_proto" in wish) and not wish.get("vlan"):
            found = "qos and vlan_proto are of a VLAN: give a vlan too"
        if found and found not in seen:
            seen.add(found)
            yield (*where, "vf", _narrowest(port, index)), f"VF {index} of {name}: {found}"


def _narrowest(port: Port, index: int) -> str:
    named = [text for text in port.vf if index in vf_indices(text, port.vfs)]
    return min(named, key=lambda text: len(vf_indices(text, port.vfs)))


def _vms(rack: Rack, owners: dict[str, str]) -> Iterator[Wrong]:
    taken: Counter[tuple[str, str]] = Counter()
    pairs: dict[str, tuple[str, int]] = {}
    for vm, guest in rack.vms.items():
        try:
            host_name = rack.host_of(vm)
        except ValueError as error:
            yield ("vms", vm), str(error)
            continue
        if host_name not in rack.hosts:
            known = ", ".join(rack.hosts)
            yield ("vms", vm, "host"), f"no host {host_name!r} here; there are: {known}"
            continue
        for index in range(len(guest.pairs)):
            where = ("vms", vm, "pairs", index)
            try:
                legs = rack.legs_of(vm, index)
            except ValueError as error:
                yield where, str(error)
                continue
            yield from _legs(rack, vm, index, legs)
            yield from _macs(rack, vm, index, legs)
            yield from _bond(rack, vm, index, legs)
            for leg in dict.fromkeys(legs):
                port = rack.hosts[host_name].pfs.get(leg)
                if port is None or pool_name(leg, port) is None:
                    continue
                taken[host_name, leg] += 1
                if taken[host_name, leg] == port.vfs + 1:
                    yield where, f"more pairs want a VF of {leg} than the {port.vfs} it is to have"
                mac = rack.mac_of(vm, index, leg)
                # both VFs of one pair may share an address: the MAC policy "shared"
                if pairs.setdefault(mac, (vm, index)) == (vm, index):
                    first = owners.get(mac)
                else:
                    first = f"{pairs[mac][0]}, pair {pairs[mac][1]}"
                if first is not None:
                    yield (
                        (*where, "mac", leg),
                        f"MAC address {mac} of {vm} on {leg} is already that of {first}",
                    )


def _legs(rack: Rack, vm: str, index: int, legs: list[str]) -> Iterator[Wrong]:
    where = ("vms", vm, "pairs", index)
    host_name = rack.host_of(vm)
    ports = rack.hosts[host_name].pfs
    if len(set(legs)) != len(legs):
        yield (*where, "legs"), f"both legs are {legs[0]}: a pair is of two PFs"
    for leg in rack.vms[vm].pairs[index].mac:
        if leg not in legs:
            yield (*where, "mac", leg), f"{leg} is no leg of this pair; its legs: {', '.join(legs)}"
    for place, leg in enumerate(legs):
        if leg not in ports:
            known = ", ".join(ports) or "none"
            yield (*where, "legs", place), f"{host_name} has no PF {leg!r} here; it has: {known}"
        elif pool_name(leg, ports[leg]) is None:
            why = "is to have 0 VFs" if ports[leg].vfs == 0 else "has no pool (pool: false)"
            yield where, f"{vm} takes a VF of {leg}, which {why}"


def _macs(rack: Rack, vm: str, index: int, legs: list[str]) -> Iterator[Wrong]:
    where = ("vms", vm, "pairs", index)
    pair = rack.vms[vm].pairs[index]
    written = [pair.mac[leg] for leg in legs if leg in pair.mac]
    if pair.macs == "shared" and len(set(written)) > 1:
        yield (*where, "macs"), "shared is one address for both legs; mac has two"
    if pair.macs in ("active", "open") and len(set(written)) < len(written):
        yield (*where, "macs"), f"{pair.macs} is an address for each leg; mac has one for both"
    ports = rack.hosts[rack.host_of(vm)].pfs
    for leg in (leg for leg in legs if leg in ports and pair.macs == "open"):
        checked = [vf for vf, wish in wishes(ports[leg]).items() if wish.get("spoofchk") == "on"]
        if checked:
            yield (
                (*where, "macs"),
                f"open is spoofchk off on all VFs of {leg}, as libvirt picks the one that {vm} "
                f"gets; VF {checked[0]} is to have it on",
            )


def _bond(rack: Rack, vm: str, index: int, legs: list[str]) -> Iterator[Wrong]:
    where = ("vms", vm, "pairs", index)
    pairs = rack.vms[vm].pairs
    pair = pairs[index]
    for leg in pair.slot:
        if leg not in legs:
            yield (
                (*where, "slot", leg),
                f"{leg} is no leg of this pair; its legs: {', '.join(legs)}",
            )
    if pair.slot and len(set(pair.slot.values())) < len(legs):
        yield (*where, "slot"), "a slot of its own for each leg, or for none"
    name = pair.bond.name_in(index)
    if name in [other.bond.name_in(place) for place, other in enumerate(pairs[:index])]:
        yield (*where, "bond", "name"), f"{vm} has a bond {name!r} already"
    alike = rack.policy_of(vm, index) == "shared" and len(legs) > 1 and not pair.slot
    for key, message in faults_of_bond(pair.bond, legs, alike):
        yield (*where, "bond", key), message
