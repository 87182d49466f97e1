"""What stands in the way of a host's bond, and what an operator should know of it."""

from __future__ import annotations

from collections.abc import Iterator

from sriovctl.host import PF, HostState
from sriovctl.netconf import Network
from sriovctl.plan import Finding, Severity
from sriovctl.wanted import HostWant


def taken_from(network: Network, have: HostState) -> list[str]:
    """Files of others that name the bond or what stands on it."""
    return [
        path
        for path, names in have.network.named.items()
        if path not in have.files and set(names) & set(network.levels)
    ]


def problems(network: Network, pfs: list[PF], have: HostState) -> list[Finding]:
    """Why the bond cannot be, or must not be touched."""
    return [*_taken(network, pfs, have), *_names(network, have), *_lost_addresses(network, have)]


def _error(network: Network, found: str, means: str, mend: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        link="bonds",
        about=network.bond.name,
        found=found,
        means=means,
        mend=mend,
    )


def _taken(network: Network, pfs: list[PF], have: HostState) -> Iterator[Finding]:
    name = network.bond.name
    for pf in pfs:
        if pf.master in (None, name):
            continue
        what = "bond" if have.network.bond_named(pf.master or "") else "bridge"
        mend = f"take {pf.name} out of it, there: ip link set {pf.name} nomaster"
        if what == "bond":
            mend = f"write {pf.master} in place of {name} in the rack file, or {mend}"
        yield _error(
            network,
            f"{pf.name} is in the {what} {pf.master}",
            "a port is in one bond or bridge only",
            mend,
        )


def _names(network: Network, have: HostState) -> Iterator[Finding]:
    host = have.network
    name, vlan, bridge = network.bond.name, network.vlan_name, network.bridge
    if name in host.mtus and host.bond_named(name) is None:
        yield _error(
            network,
            f"there is an interface {name}, and it is no bond",
            "no bond can have that name",
            "give the bond another name in the rack file",
        )
    known = next((v for v in host.vlans if v.name == vlan), None)
    if vlan in host.mtus and (known is None or (known.tag, known.below) != (network.vlan, name)):
        yield _error(
            network,
            f"there is an interface {vlan}, and it is not VLAN {network.vlan} on {name}",
            "that name is taken",
            f"rename it, there: ip link set {vlan} name …",
        )
    if bridge is None:
        return
    there = host.bridge_named(bridge)
    if bridge in host.mtus and there is None:
        yield _error(
            network,
            f"there is an interface {bridge}, and it is no bridge",
            "no bridge can have that name",
            "give the bridge another name in the rack file",
        )
    port = vlan or name
    other = host.bridge_of(port)
    if other not in (None, bridge):
        yield _error(
            network,
            f"{port} is in the bridge {other}",
            "an interface is in one bridge only",
            f"write bridge: {other}, or take it out, there: ip link set {port} nomaster",
        )
    metal = {pf.name for pf in have.pfs} | {p.name for p in have.ports}
    metal |= {bond.name for bond in host.bonds} | {v.name for v in host.vlans}
    strangers = [p for p in (there.ports if there else ()) if p in metal and p != port]
    if strangers:
        yield _error(
            network,
            f"the bridge {bridge} has another way out: {', '.join(strangers)}",
            f"with {port} in it there would be a loop, or two networks would be one",
            "name another bridge in the rack file, or take that out of it, there: "
            f"ip link set {strangers[0]} nomaster",
        )


def _lost_addresses(network: Network, have: HostState) -> Iterator[Finding]:
    if network.dhcp:
        return
    below = [*(leg.name for leg in network.legs), *network.levels[:-1]]
    for name in below:
        lost = [a for a in have.network.addresses.get(name, ()) if a not in network.addresses]
        if lost:
            yield _error(
                network,
                f"{name} has the address {', '.join(lost)}",
                f"once {network.levels[-1]} is on it, nobody could reach the host by that",
                f"write it as address: of {network.bond.name}, or take it off, there: "
                f"ip addr del {lost[0]} dev {name}",
            )


def remarks(network: Network, want: HostWant, have: HostState) -> list[Finding]:
    """What does not stand in the way, and yet should be known."""
    return [*_fights(network, have), *_modes(network, want), *_blind(network, have)]


def _warning(network: Network, found: str, means: str, mend: str) -> Finding:
    return _error(network, found, means, mend).model_copy(update={"severity": Severity.WARNING})


def _fights(network: Network, have: HostState) -> Iterator[Finding]:
    for leg in network.legs:
        holders = have.network.managed.get(leg.name, ())
        if len(holders) > 1:
            yield _warning(
                network,
                f"{leg.name} is set by {' and by '.join(holders)}",
                "two managers of one port fight: each undoes what the other does",
                f"take it from one, such as: nmcli device set {leg.name} managed no",
            )


def _modes(network: Network, want: HostWant) -> Iterator[Finding]:
    mode = network.bond.mode
    bond = next(b for b in want.bonds if b.bond.name == network.bond.name)
    legs = {leg.name for leg in bond.legs}
    switches = {pf.switch for pf in want.pfs if pf.name in legs and pf.switch is not None}
    if mode in ("802.3ad", "balance-rr", "balance-xor") and len(switches) > 1:
        yield _warning(
            network,
            f"the mode {mode} over legs on {' and '.join(sorted(switches))}",
            "both switches must act as one (MLAG, a stack); else frames go astray, those of VFs "
            "too, which know nothing of the bond",
            "choose active-backup, unless they do",
        )


def _blind(network: Network, have: HostState) -> Iterator[Finding]:
    bond = have.network.bond_named(network.bond.name)
    wanted = network.bond
    if bond is None or wanted.miimon_ms is not None or wanted.arp_interval_ms is not None:
        return
    if bond.options.get("miimon") == "0" and bond.options.get("arp_interval") == "0":
        yield _warning(
            network,
            f"{bond.name} looks neither at its links (miimon) nor asks by ARP",
            "when a cable is cut it stays on the dead leg",
            f"write miimon: 100 for {bond.name} in the rack file",
        )
