"""Which leg carries a VM's traffic, by counters of packets.

Drivers differ in what they count, so several counters are read and the first is believed that
moved as much as was sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sriovctl.counted import vf_counters
from sriovctl.shell import command
from sriovctl.trial.ways import LabPlace, Leg

Counters = dict[str, dict[str, int]]
"""By source, packets of each leg."""

SWITCH = "switch's port"
OF_VF = "VF"
PORT_COUNTERS = (
    "rx_packets_phy",  # mlx5_core
    "port.rx_unicast",  # i40e
    "rx_unicast.nic",  # ice
    "rx_pkts_nic",  # ixgbe
    "rx_packets",  # igb: of the whole port, VFs included (GPRC)
)
"""Names of ``ethtool -S`` under which drivers count what the port received for PF and VFs."""


def script(legs: Sequence[Leg]) -> str:
    """Prints each leg's counters as its host has them."""
    lines = ["PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin"]
    for leg in legs:
        lines += [
            command("printf", "leg\\t%s\\n", leg.name),
            "printf 'ip\\t'; " + command("ip", "-s", "-j", "link", "show", "dev", leg.name)
            + " 2>/dev/null | tr '\\n' ' '; echo",
            command("ethtool", "-S", leg.name) + " 2>/dev/null",
        ]  # fmt: skip
    return "\n".join([*lines, "exit 0\n"])


def parse(text: str, legs: Sequence[Leg]) -> Counters:
    """What :func:`script` printed."""
    counters: Counters = {}
    by_name = {leg.name: leg for leg in legs}
    here: Leg | None = None
    for line in text.splitlines():
        word, _, rest = line.partition("\t")
        if word == "leg":
            here = by_name.get(rest)
        elif here is None:
            continue
        elif word == "ip":
            packets = _vf_packets(rest, here.vf.index)
            if packets is not None:
                counters.setdefault(OF_VF, {})[here.name] = packets
        else:
            name, _, value = line.strip().rpartition(": ")
            if name in PORT_COUNTERS and value.isdigit():
                counters.setdefault(name, {})[here.name] = int(value)
    return counters


def _vf_packets(text: str, index: int) -> int | None:
    try:
        (device,) = json.loads(text)
        return vf_counters(device)[index]["receive_packets"]
    except (ValueError, KeyError, TypeError):
        return None  # an iproute2 without JSON, or a driver that does not count


def script_of_lab(place: LabPlace) -> str:
    """Prints the counters of a lab's switches."""
    return command("ip", "-n", place.namespace, "-s", "-j", "link", "show") + "\n"


def parse_of_lab(text: str, place: LabPlace) -> Counters:
    """What :func:`script_of_lab` printed: what came to the switches by each leg's cable, answers.

    Not what they sent: a switch sends to a leg that is dead until it has heard the VM elsewhere.
    """
    devices: list[dict[str, Any]] = json.loads(text)
    came = {str(d.get("ifname")): int(d["stats64"]["rx"]["packets"]) for d in devices if d}
    return {SWITCH: {leg: came[tap] for leg, tap in place.taps.items() if tap in came}}


def carrier(before: Counters, after: Counters, sent: float, vms: int) -> str | None:
    """The leg whose counter moved the most; None: nothing that is counted moved enough, or nobody
    can say which VM's packets they were.

    :param sent: packets that were sent to each VM in between; a tenth is enough
    :param vms: how many were sent to. A switch's or a port's counter does not tell them apart, and
        is believed where the leg is ahead by more than it could be if one VM were not on it
    """
    for source in (SWITCH, OF_VF, *PORT_COUNTERS):
        moved = {
            leg: count - before.get(source, {}).get(leg, count)
            for leg, count in after.get(source, {}).items()
        }
        if moved and max(moved.values()) >= sent / 10:
            leg = max(moved, key=lambda leg: moved[leg])
            ahead = 2 * moved[leg] - sum(moved.values())
            return leg if source == OF_VF or vms == 1 or ahead > (vms - 1) * sent else None
    return None
