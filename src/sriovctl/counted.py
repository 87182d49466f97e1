"""What a host has counted of its VFs, and when it was last changed by a transaction.

No part of the probe: nothing is planned by it, it is other each time, and it costs four processes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from sriovctl.reach import Reach

TIMEOUT_S = 60.0
COUNTERS = {
    ("rx", "bytes"): "receive_bytes",
    ("rx", "packets"): "receive_packets",
    ("rx", "dropped"): "receive_dropped",
    ("tx", "bytes"): "transmit_bytes",
    ("tx", "packets"): "transmit_packets",
    ("tx", "dropped"): "transmit_dropped",
}
"""Of a VF, by their place in ``ip -s -j link`` (print_vf_stats64 in iproute2's ip/ipaddress.c)."""
ENDS = ("changed", "undone", "undo-failed")
"""How a transaction ends that has begun; docs/transactions.md."""
UNFINISHED = "unfinished"
"""It runs, or it was killed."""

JOURNAL = re.compile(r"^\./([^/]+)/journal:end\t([a-z-]+)")
STAGE = re.compile(r"^\./([^/]+)/script:# Stage: (.*)$")
MOMENT = re.compile(r"^moment (\d+) \./([^/]+)/journal$")


@dataclass(frozen=True)
class Applied:
    """The last transaction of an apply."""

    moment: float
    """Of its last word, seconds since 1970, by the host's clock."""
    end: str
    """One of :data:`ENDS`, or :data:`UNFINISHED`."""


@dataclass(frozen=True)
class Counted:
    """What :func:`ask` found."""

    vfs: Mapping[str, Mapping[int, Mapping[str, int]]] = field(default_factory=dict)
    """By PF's interface name and VF's index, the counters of :data:`COUNTERS`. Only ports of which
    some VF has counted anything: a driver that does not count says 0 of all."""
    applied: Applied | None = None
    """None: no transaction is kept, or it cannot be read."""


def ask(reach: Reach) -> Counted:
    """One script more on a host.

    :raises UnreachableError: it was lost
    """
    script = files("sriovctl").joinpath("counted.sh").read_text("utf-8")
    return read(reach.run(script, timeout_s=TIMEOUT_S).stdout)


def read(text: str) -> Counted:
    """What the script printed. Pure."""
    moments: dict[str, float] = {}
    ends: dict[str, str] = {}
    titles: dict[str, str] = {}
    vfs: dict[str, dict[int, dict[str, int]]] = {}
    for line in text.splitlines():
        if line.startswith("links "):
            vfs = _vfs(line.removeprefix("links "))
        elif match := MOMENT.match(line):
            moments[match[2]] = float(match[1])
        elif match := JOURNAL.match(line):
            ends[match[1]] = match[2]
        elif match := STAGE.match(line):
            # of a script the header comes first; a step may write such a line to a file
            titles.setdefault(match[1], match[2])
    applied = [
        Applied(moment, ends.get(name, UNFINISHED))
        for name, moment in moments.items()
        if not titles.get(name, "").startswith("trial: ")
        and ends.get(name, UNFINISHED) in (*ENDS, UNFINISHED)
    ]
    return Counted(vfs, max(applied, key=lambda one: one.moment, default=None))


def _vfs(text: str) -> dict[str, dict[int, dict[str, int]]]:
    try:
        found = {one["ifname"]: vf_counters(one) for one in json.loads(text) if "ifname" in one}
    except ValueError:  # an iproute2 without JSON
        return {}
    return {
        name: vfs for name, vfs in found.items() if any(any(one.values()) for one in vfs.values())
    }


def vf_counters(device: Mapping[str, Any]) -> dict[int, dict[str, int]]:
    """A port's VFs' counters, by index, of those that it tells.

    :param device: one of ``ip -s -j link``
    """
    return {
        vf["vf"]: {
            name: vf["stats"][way][what]
            for (way, what), name in COUNTERS.items()
            if what in vf["stats"].get(way, {})
        }
        for vf in device.get("vfinfo_list", ())
        if "vf" in vf and "stats" in vf
    }
