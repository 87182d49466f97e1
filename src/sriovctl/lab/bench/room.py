"""The guide's machine room on trial: VFs against a bridge, and how long a failover takes.

Both are sriovctl's own trials, run as a person would run them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from sriovctl.errors import SriovctlError
from sriovctl.lab import guest
from sriovctl.lab.bench.figures import Comparison, Series, Unit
from sriovctl.lab.bench.scene import Scene
from sriovctl.lab.state import Lab
from sriovctl.shell import command

ROOM = Path(__file__).parents[4] / "examples" / "machine-room.yaml"
ON_BRIDGE, ON_VFS, OTHER = "VM-1", "VM-2", "VM-3"
POOLS = ("passthrough_em1", "passthrough_em2")
SECONDS = 3
"""Of each run of traffic."""
RATE = 1000
"""Packets/s while a leg is taken away."""
ABOVE_MS = 50
"""So much above what the bond's monitor needs at most may an outage be."""


@dataclass(frozen=True)
class Room:
    """The machine room, applied, its VMs up."""

    lab: Lab
    scene: Scene
    results: Path
    """Where its trials' results are kept, so that nobody takes them for a real host's."""

    def bridge(self, runs: int) -> list[Comparison]:
        """A VM on VFs against one on the bridge, without the third.

        :raises SriovctlError: the trial failed
        """
        self._stop(OTHER)
        words = ("--runs", runs, "--seconds", SECONDS)
        told = self._trial("bench", ROOM, ON_BRIDGE, ON_VFS, *words)
        return compared(told["paths"])

    def failover(self) -> list[Comparison]:
        """Outages against what the monitor of the VM's bond needs by itself.

        With any frame as a sign of life, and with ARP only, as the example has it.

        :raises SriovctlError: the trial failed, or the VM has no bond
        """
        self._stop(ON_BRIDGE, OTHER)
        ways = ("--way", "cable", "--way", "switch")
        found = []
        for counts in ("none", "active"):
            line = f"echo {counts} >/sys/class/net/bond0/bonding/arp_validate"
            done = guest.run(self.lab, ON_VFS, [line])
            if done.returncode:
                raise SriovctlError(f"{ON_VFS}: arp_validate {counts}: {done.stderr.strip()}")
            told = self._trial("failover", ROOM, ON_VFS, *ways, "--rate", RATE)
            found += outages(told, f"arp_validate {counts}, ")
        return found

    def _stop(self, *vms: str) -> None:
        lines = [command("virsh", "-q", "destroy", vm) for vm in vms]
        self.scene.host.do("\n".join(f"{line} 2>/dev/null || :" for line in lines))

    def _trial(self, kind: str, *words: object) -> Any:
        return json.loads(self.sriovctl("trial", kind, *words, "--lab", self.lab.name, "--json"))

    def sriovctl(self, *words: object, good: Sequence[int] = (0, 3)) -> str:
        """What a command prints.

        :param good: exit codes
        :raises SriovctlError: it ended with another
        """
        line = [sys.executable, "-m", "sriovctl.cli", *map(str, words)]
        known = {
            "SRIOVCTL_SSH_CONFIG": str(self.lab.ssh_config),
            "XDG_STATE_HOME": str(self.results),
        }
        done = subprocess.run(
            line,
            env={**os.environ, **known},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in good:
            said = done.stderr.strip()[-1000:]
            raise SriovctlError(f"{' '.join(line[3:])} ended with {done.returncode}", said)
        return done.stdout


def compared(paths: Sequence[dict[str, Any]]) -> list[Comparison]:
    """Each measure that both VMs have, of the documents of a ``trial bench``. Pure."""
    vfs, bridge = (
        next(path["measures"] for path in paths if path["path"] == kind)
        for kind in ("VFs", "bridge")
    )
    return [
        Comparison(
            _series(f"VFs, {name}", vfs[name]), _series("bridge", bridge[name]), vfs[name]["unit"]
        )
        for name in vfs
        if name in bridge and vfs[name]["unit"] in get_args(Unit)
    ]


def _series(what: str, measure: dict[str, Any]) -> Series:
    scale = 1e3 if measure["unit"] == "ms" else 1.0
    return Series(what, tuple(value / scale for value in measure["values"]))


def outages(told: dict[str, Any], under: str = "") -> list[Comparison]:
    """Failovers by way, of the document of a ``trial failover``. Pure.

    Each way against what the monitor needs at most, and against when the VM was first heard of over
    its other leg: what is above that is not its monitor's.

    :param under: what is other than usual, for the name
    :raises SriovctlError: nothing watches the VM's bond
    """
    if told["notices_ms"] is None:
        raise SriovctlError(f"nobody knows what the bond of {told['vm']} watches by")
    least, most = (ms / 1e3 for ms in told["notices_ms"])
    monitor = Series("its monitor notices at the latest after", (most,))
    note = f"at the earliest after {least * 1e3:.0f} ms; {told['detection']}"
    by_way: dict[str, list[dict[str, Any]]] = {}
    for one in told["rounds"]:
        by_way.setdefault(one["way"], []).append(one["failover"])
    found = []
    for way, failovers in by_way.items():
        taken = Series(f"outage, {under}{way}", tuple(one["ms"] / 1e3 for one in failovers))
        found.append(_at_most_above(taken, monitor, note))
        heard = tuple(_first_heard(one["learned"]) for one in failovers)
        known = tuple(moment for moment in heard if moment is not None)
        if len(known) == len(heard):
            found.append(_at_most_above(taken, Series("heard over its other leg after", known)))
    return found


def _at_most_above(taken: Series, noticed: Series, note: str = "") -> Comparison:
    return Comparison(taken, noticed, "ms", 1 + ABOVE_MS / 1e3 / noticed.median, note)


def _first_heard(learned: dict[str, Any]) -> float | None:
    """Seconds from the cut to the first that a peer or a switch heard over the other leg."""
    moments = [learned["arp_ms"], *learned["switches_ms"].values()]
    return min((ms / 1e3 for ms in moments if ms is not None), default=None)


@contextmanager
def furnished(scene: Scene, lab: Lab) -> Iterator[Room]:
    """The machine room on the bench's host for a while; then its VMs, pools and VFs are gone.

    :raises SriovctlError: it could not be applied, or its VMs do not come up
    """
    vms = (ON_BRIDGE, ON_VFS, OTHER)
    remove = [command("virsh", "-q", verb, vm) for vm in vms for verb in ("destroy", "undefine")]
    for pool in POOLS:
        remove += [command("virsh", "-q", verb, pool) for verb in ("net-destroy", "net-undefine")]
    with tempfile.TemporaryDirectory() as results:
        room = Room(lab, scene, Path(results))
        try:
            room.sriovctl("apply", ROOM, good=(0,))
            for vm in vms:
                guest.wait(lab, vm)
            yield room
        finally:
            scene.host.do("\n".join(f"{line} 2>/dev/null || :" for line in remove))
            scene.clear()
