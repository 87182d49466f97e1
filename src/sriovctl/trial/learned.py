"""When the VM's peers learned where it is: gratuitous ARPs heard, switches' tables changed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sriovctl.reach import LocalReach
from sriovctl.shell import command
from sriovctl.trial.background import Background
from sriovctl.trial.ways import LabPlace

_MOVE = re.compile(r"([0-9a-f:]{17}) dev (\S+) .*\bmaster (\S+)")


@dataclass(frozen=True)
class Announcement:
    """A gratuitous ARP of the VM's address. Seconds since 1970."""

    moment: float
    mac: str


@dataclass(frozen=True)
class Move:
    """A switch's table says from now on that an address is behind another port."""

    moment: float
    mac: str
    port: str
    switch: str


@dataclass(frozen=True)
class Learned:
    """From when the leg was taken or given back, in ms."""

    arp_ms: float | None
    """Until the first gratuitous ARP was heard where traffic is sent from; None: none was."""
    switches_ms: Mapping[str, float]
    """Until a switch's table first changed for the VM; without those that did not."""


def learned(
    announcements: Sequence[Announcement],
    moves: Sequence[Move],
    macs: Iterable[str],
    since: float,
    until: float,
) -> Learned:
    """What was learned between two moments, the first of each. Pure.

    :param macs: of the VM's legs; those that it announced count too
    """
    own = {*macs, *(one.mac for one in announcements)}
    heard = [one.moment for one in announcements if since <= one.moment < until]
    switches: dict[str, float] = {}
    for move in moves:
        if move.mac in own and since <= move.moment < until:
            switches.setdefault(move.switch, round((move.moment - since) * 1000, 1))
    arp_ms = round((min(heard) - since) * 1000, 1) if heard else None
    return Learned(arp_ms, switches)


def parse_announcement(line: str) -> Announcement | None:
    """One line of the pinger's; None for another line."""
    match line.split():
        case ["announced", moment, mac] if moment.isdigit():
            return Announcement(int(moment) / 1e6, mac)
    return None


def parse_move(line: str, moment: float) -> Move | None:
    """One line of ``bridge monitor fdb``; None where a switch only forgot, or for another line."""
    found = _MOVE.match(line)
    return Move(moment, *found.groups()) if found else None


@contextmanager
def watched_switches(
    place: LabPlace | None, most_s: float, answer_s: float
) -> Iterator[list[Move]]:
    """A lab's switches, watched meanwhile; the list grows as their tables change.

    :param place: None: no switch can be asked, and the list stays empty
    :param most_s: more than it takes
    :param answer_s: for their monitor to end when it is told to
    """
    moves: list[Move] = []
    if place is None:
        yield moves
        return
    reach = LocalReach(f"lab {place.lab}")
    # it writes too seldom to notice by itself that nobody is left
    words = command(
        "setpriv", "--pdeathsig", "TERM", "bridge", "-n", place.namespace, "monitor", "fdb"
    )
    pid = ""

    def on_line(line: str) -> None:
        nonlocal pid
        if line.startswith("pid "):
            pid = line.removeprefix("pid ")
        move = parse_move(line, time.time())
        if move is not None:
            moves.append(move)

    run = Background(
        lambda: reach.run(f'echo "pid $$"\nexec {words}\n', timeout_s=most_s, on_line=on_line)
    )
    try:
        yield moves
    finally:
        if pid and run.running:
            reach.run(f"kill {command(pid)} || :\n", timeout_s=answer_s)
        run.join(answer_s)
