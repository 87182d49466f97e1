"""Who would be cut off if a leg were taken away. Pure, but for the script that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sriovctl.host import HostState
from sriovctl.trial.ways import Leg

LOOK = r"""
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
for path in /sys/class/net/*/upper_* /sys/class/net/*/master; do
	[ -e "$path" ] || continue
	upper=$(readlink "$path")
	lower=${path%/*}
	printf 'upper %s %s\n' "${lower##*/}" "${upper##*/}"
done
for path in /sys/class/net/*/bonding/slaves; do
	[ -e "$path" ] || continue
	bond=${path%/bonding/slaves}
	bond=${bond##*/}
	for member in $(cat "$path"); do
		carrier=$(cat "/sys/class/net/$member/carrier" 2>/dev/null)
		printf 'member %s %s %s\n' "$bond" "$member" "${carrier:-0}"
	done
done
addresses=$(ip -o address show) || exit
printf '%s\n' "$addresses" | while read -r _ name family address _; do
	case $family in
	inet | inet6) printf 'address %s %s\n' "${name%%@*}" "$address" ;;
	esac
done
"""
"""Prints what stands on which device: no iproute2 is too old for it, and no kernel since 2.6.32."""


@dataclass
class Above:
    """What stands on a host's network devices, by name."""

    uppers: dict[str, set[str]] = field(default_factory=dict)
    members: dict[str, dict[str, bool]] = field(default_factory=dict)
    """Of a bond, and whether each has a link."""
    addresses: dict[str, list[str]] = field(default_factory=dict)
    """Without link-local ones, which every device has."""


def parse(text: str) -> Above:
    """What :data:`LOOK` printed."""
    above = Above()
    for line in text.splitlines():
        match line.split(" "):
            case ["upper", lower, upper]:
                above.uppers.setdefault(lower, set()).add(upper)
            case ["member", bond, member, carrier]:
                above.members.setdefault(bond, {})[member] = carrier == "1"
            case ["address", name, address] if not address.lower().startswith("fe80:"):
                above.addresses.setdefault(name, []).append(address)
    return above


def lost_addresses(above: Above, name: str) -> list[str]:
    """The host's addresses that nobody could reach without this device: ``10.0.0.2/24 on br0``.

    A bond with another member whose link is up carries on, and with it all that stands on it.
    """
    lost = [f"{address} on {name}" for address in above.addresses.get(name, ())]
    for upper in sorted(above.uppers.get(name, ())):
        members = above.members.get(upper, {})
        if any(up for member, up in members.items() if member != name):
            continue
        lost += lost_addresses(above, upper)
    return lost


def cut_off(leg: Leg, other: Leg, state: HostState, above: Above) -> Iterator[str]:
    """Why the leg should not be taken away whole, a sentence each.

    :param other: the same VM's leg that is to carry it meanwhile
    """
    vm = leg.vm.name
    if not (other.pf.up and other.pf.carrier):
        yield f"{other.name} has no link: {vm} would have none left"
    if lost := lost_addresses(above, leg.name):
        yield f"the host would lose {', '.join(lost)}: no other leg carries it"
    held = {vf.pci for vf in leg.pf.vfs}
    for guest in state.vms:
        vfs = {nic.pci for nic in guest.live_nics if nic.pci is not None}
        if guest.running and guest.name != vm and vfs & held and not vfs - held:
            yield f"VM {guest.name} has no VF but {leg.name}'s"
