"""The MTU of a host's bond and of what is on it, leg by leg."""

from __future__ import annotations

from sriovctl.chain.bondchange import Change
from sriovctl.host import HostState
from sriovctl.hostnet import HostBond
from sriovctl.netconf import Network
from sriovctl.shell import command


def change_mtus(network: Network, bond: HostBond | None, have: HostState, change: Change) -> None:
    """Lowered from the top, raised from the bottom: no VLAN may have more than its bond."""
    wanted = network.mtu
    if wanted is None:
        return
    sizes = {level: have.network.mtus.get(level) for level in network.levels}
    lowered = [level for level in reversed(sizes) if (sizes[level] or 0) > wanted]
    raised = [level for level in sizes if (sizes[level] or 0) < wanted]
    before = len(change.undo)
    for level in (*lowered, *raised):
        now = sizes[level]
        change.words.append(f"mtu {wanted} of {level}")
        if now is not None:
            # in an undo, too, legs come before their bond
            change.undo.insert(0, command("set_mtu", level, now))
            if bond is not None and level == bond.name:
                _legs(bond, wanted, now, have, change)
        holds = command("mtu_is", level, wanted)
        change.add(command("set_mtu", level, wanted), check=holds)
        change.blips = True
    change.mtus_back = change.undo[: len(change.undo) - before]


def _legs(bond: HostBond, wanted: int, now: int, have: HostState, change: Change) -> None:
    """Where the bond did it, all of them would be reset at once."""
    legs = [pf for pf in have.pfs if pf.name in bond.legs]
    # the host's own traffic last
    for pf in sorted(legs, key=lambda pf: pf.name == bond.active):
        if have.network.mtus.get(pf.name or "") != wanted:
            change.leg_mtu(pf, bond.name, wanted, now, have)
