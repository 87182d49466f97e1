"""A room of hosts as it is drawn: the words and numbers of the picture, without its shapes.

Names in it are harmless (:mod:`sriovctl.view.harmless`), and not yet escaped for any markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from sriovctl.plan import Finding
from sriovctl.view.harmless import harmless
from sriovctl.view.text import count

Holding = Literal["vm", "process", "host", "free", "unknown", "missing"]
"""Who has a VF; ``unknown``: looked at without root; ``missing``: wanted and not there."""


class Standing(StrEnum):
    """How a host or a thing on it stands, the worst first."""

    UNREACHED = "no answer"
    BLOCKED = "blocked"
    IMPOSSIBLE = "cannot be"
    DIFFERS = "differs"
    WANTED = "as wanted"


@dataclass(frozen=True)
class Port:
    """A PF as drawn."""

    name: str
    switch: str | None
    link: str
    """``up 1 Gbit/s``."""
    alive: bool | None
    """It has a link; None: nobody could look."""
    vfs: tuple[Holding, ...]
    standing: Standing

    @property
    def missing(self) -> int:
        """VFs that are wanted and not seen."""
        return self.vfs.count("missing")

    @property
    def held(self) -> int:
        """VFs that somebody has."""
        return sum(vf in ("vm", "process", "host") for vf in self.vfs)


def usage(ports: Sequence[Port]) -> str:
    """How many VFs of some ports are in use: ``2 of 7 VFs held``, ``14 VFs wanted``."""
    missing = sum(port.missing for port in ports)
    there = sum(len(port.vfs) for port in ports) - missing
    if not there:
        return f"{count(missing, 'VF', 'VFs')} wanted" if missing else "no VFs"
    held = sum(port.held for port in ports)
    said = f"{held} of {count(there, 'VF', 'VFs')} held"
    if any("unknown" in port.vfs for port in ports):
        said = f"{count(there, 'VF', 'VFs')}, holders not seen"
    return said + (f", {missing} missing" if missing else "")


@dataclass(frozen=True)
class End:
    """A VM's VF."""

    port: str
    index: int | None
    """None: any of the port's, at its next start."""


@dataclass(frozen=True)
class Machine:
    """A VM as drawn."""

    name: str
    running: bool | None
    """None: nobody could look."""
    standing: Standing
    ends: tuple[End, ...]
    taps: tuple[Tap, ...]
    """Its other cards."""


@dataclass(frozen=True)
class Tap:
    """A VM's card that is no VF."""

    network: str
    """The bridge that it is in, or what libvirt calls the network that it will be on."""
    device: str | None
    """``vnet0``; None where the VM does not run."""


@dataclass(frozen=True)
class Network:
    """A bond, a VLAN, a bridge of the host, or a network that a VM is on."""

    name: str
    over: tuple[str, ...]
    """Ports and networks that it stands on."""
    said: str
    """``active-backup: em1``, with the leg in use."""
    there: bool | None
    """None: nobody could look; False: it is wanted."""
    standing: Standing
    depth: int = 0
    """Networks below it, down to a port."""


@dataclass(frozen=True)
class Bay:
    """Two ports that are each other's legs, or one that is alone, and what hangs on them."""

    ports: tuple[Port, ...]
    """One or two."""
    networks: tuple[Network, ...]
    """Each after the first of those that it stands on."""
    machines: tuple[Machine, ...]


@dataclass(frozen=True)
class Server:
    """A host as drawn."""

    name: str
    standing: Standing
    summary: str
    """``3 steps to do, worst impact vf-reset``."""
    steps: int
    """What apply would do."""
    bays: tuple[Bay, ...]
    findings: tuple[Finding, ...]

    @property
    def ports(self) -> tuple[Port, ...]:
        """Of all bays."""
        return tuple(port for bay in self.bays for port in bay.ports)

    @property
    def first_ports(self) -> tuple[Port, ...]:
        """Those of its first bay, whose cables are drawn."""
        return self.bays[0].ports

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Of all bays, each once."""
        return tuple(dict.fromkeys(machine for bay in self.bays for machine in bay.machines))


@dataclass(frozen=True)
class Room:
    """A rack file's hosts."""

    name: str
    switches: tuple[str, ...]
    servers: tuple[Server, ...]


def room(name: str, servers: tuple[Server, ...]) -> Room:
    """A room with the switches that its ports are cabled to."""
    named = [port.switch for server in servers for port in server.ports if port.switch]
    return Room(harmless(name), tuple(dict.fromkeys(named)), servers)
