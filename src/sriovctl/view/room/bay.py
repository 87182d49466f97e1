"""Two ports of a host as a drawing, with the networks and VMs on them. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from sriovctl.view.room.model import (
    Bay,
    End,
    Holding,
    Machine,
    Network,
    Port,
    Standing,
    Tap,
    usage,
)
from sriovctl.view.room.pen import box, dead, label, leg_of, length, mark, put, word_of

WIDTH = 360
"""Of a host in detail, in px: what a phone has."""
LEFT, _RIGHT = 12, 188
_PORT = 160
CABLES = (LEFT + _PORT // 2, _RIGHT + _PORT // 2)
"""Where those of the two ports come in from above."""
MOST_NETWORKS = 12
MOST_MACHINES = 24
"""Drawn of one bay; tables have them all."""

_RAILS = (28, 332)
"""Of the ports, each down its side."""
_BOX, _EDGE = 76, 284
"""Left and right edge of networks and VMs."""
_INDENT = 14
_TAP_RAILS = range(291, 326, 7)
"""Of networks, for the VMs on them."""
_CELLS: dict[Holding, str] = {
    "vm": "M{x} {y}h{s}v{s}h-{s}z",
    "process": "M{x} {y}h{s}v{s}h-{s}zl{s} {s}",
    "host": "M{x} {y}h{s}v{s}h-{s}zm0 {h}h{s}",
    "free": "M{x} {y}h{s}v{s}h-{s}z",
    "unknown": "M{x} {y}h{s}v{s}h-{s}zm{h} 0v{s}",
    "missing": "M{x} {y}h{s}v{s}h-{s}z",
}


def draw_bay(svg: Element, bay: Bay, known: tuple[str, ...], y: int) -> int:
    """Draw one from ``y`` down.

    :param known: the rack file's switches
    :returns: where the next begins
    """
    wires = SubElement(svg, "g")
    legs = [leg_of(port, place, known) for place, port in enumerate(bay.ports)]
    bottoms = [
        _port(svg, port, (LEFT, _RIGHT)[place], y, legs[place])
        for place, port in enumerate(bay.ports)
    ]
    y = max(bottoms, default=y)
    last = [0] * len(legs)
    networks = bay.networks[:MOST_NETWORKS]
    middles: dict[str, int] = {}
    for network in networks:
        y += 10
        left, middle = _left(network), y + 13
        for place, port in enumerate(bay.ports):
            if port.name in network.over:
                last[place] = middle
                _plug(
                    svg, wires, place, (left, _EDGE)[place], "PF", legs[place] + dead(port), middle
                )
        for below in networks:
            if below.name in network.over and below.name in middles:
                x = _left(below) + _INDENT // 2
                put(wires, "path", class_="net", d=f"M{x} {middles[below.name]}V{middle}H{left}")
        _network(svg, network, left, y)
        middles[network.name] = middle
        y += 26
    y = _more(svg, len(bay.networks) - len(networks), "networks", y)
    # those on networks come first, next to these
    machines = sorted(bay.machines, key=lambda one: (bool(one.ends), not one.taps))
    machines = machines[:MOST_MACHINES]
    rails = _rails(networks, machines)
    ends = dict(middles)
    for number, machine in enumerate(machines):
        y += 8 if number else 14
        for place, port in enumerate(bay.ports):
            if vfs := [end for end in machine.ends if end.port == port.name]:
                last[place] = y + 15
                _plug(svg, wires, place, (_BOX, _EDGE)[place], _vfs(vfs), legs[place], y + 15)
        for nth, tap in enumerate(tap for tap in machine.taps if tap.network in rails):
            ends[tap.network] = y + 24 - 6 * min(nth, 3)
            _plug_tap(wires, rails[tap.network], ends[tap.network])
        _machine(svg, machine, y)
        y += 30
    for name, x in rails.items():
        d = f"M{_EDGE} {middles[name] + 6}H{x}V{ends[name]}"
        put(wires, "path", class_="net", d=d)
    for place, leg in enumerate(legs):
        if last[place]:
            d = f"M{_RAILS[place]} {bottoms[place]}V{last[place]}"
            put(wires, "path", class_=f"wire {leg}", d=d)
    return _more(svg, len(bay.machines) - len(machines), "VMs", y) + 14


def _left(network: Network) -> int:
    return _BOX + _INDENT * min(network.depth, 4)


def _rails(networks: Sequence[Network], machines: Sequence[Machine]) -> dict[str, int]:
    """Where a network's wire to its VMs runs; of those without one the VMs have the name."""
    used = {tap.network for machine in machines for tap in machine.taps}
    names = [network.name for network in networks if network.name in used]
    return dict(zip(names, _TAP_RAILS, strict=False))


def _more(svg: Element, number: int, what: str, y: int) -> int:
    if number <= 0:
        return y
    said = f"and {number} more {what}"
    label(svg, WIDTH // 2, y + 16, said, 200, class_="small", anchor="middle")
    return y + 18


def _port(svg: Element, port: Port, x: int, y: int, leg: str) -> int:
    """Draw one.

    :returns: its lower edge
    """
    frame = box(svg, x, y, _PORT, 0, f"port {leg} {word_of(port.standing)}")
    at = x + 8
    if port.standing is not Standing.WANTED:
        mark(svg, at, y + 5, port.standing)
        at += 20
    label(svg, at, y + 17, port.name, x + _PORT - 4 - at, class_="name")
    quiet = "small bad" if port.alive is False else "small"
    label(svg, x + 8, y + 33, port.link, _PORT - 12, class_=quiet)
    label(svg, x + 8, y + 48, usage([port]), _PORT - 12, class_="small")
    bottom = _cells(svg, port, x + 8, y + 55, leg)
    frame.set("height", str(bottom - y))
    return bottom


def _cells(svg: Element, port: Port, x: int, y: int, leg: str) -> int:
    """A square for each VF, one path for all squares of a kind.

    :returns: the lower edge of what is around them
    """
    if not port.vfs:
        return y
    few = len(port.vfs) <= 8
    size, pitch, row = (15, 18, 8) if few else (7, 9, 16)
    kinds: dict[Holding, str] = {}
    for index, kind in enumerate(port.vfs):
        left, top = x + index % row * pitch, y + index // row * pitch
        shape = _CELLS[kind].format(x=left, y=top, s=size, h=size // 2)
        kinds[kind] = kinds.get(kind, "") + shape
    for kind, path in kinds.items():
        put(svg, "path", class_=f"vf {kind} {leg}", d=path)
    if few:
        for index, kind in enumerate(port.vfs):
            middle = x + index * pitch + 7.5
            label(svg, middle, y + 11.5, str(index), 15, class_=f"index {kind}", anchor="middle")
    return y + (len(port.vfs) - 1) // row * pitch + pitch + 4


def _plug(
    svg: Element, wires: Element, place: int, edge: int, said: str, leg: str, middle: int
) -> None:
    rail = _RAILS[place]
    put(wires, "path", class_=f"wire {leg}", d=f"M{rail} {middle}H{edge}")
    put(wires, "circle", class_=f"dot {leg}", cx=rail, cy=middle, r=3)
    x = (rail + (_BOX, _EDGE)[place]) // 2
    label(svg, x, middle - 5, said, 44, class_="index over", anchor="middle")


def _vfs(ends: Sequence[End]) -> str:
    known = [str(end.index) for end in ends if end.index is not None]
    return f"VF {','.join(known)}" if known else "any VF"


def _plug_tap(wires: Element, rail: int, y: int) -> None:
    put(wires, "path", class_="net", d=f"M{rail} {y}H{_EDGE}")
    put(wires, "circle", class_="dot net", cx=rail, cy=y, r=2.5)


def _network(svg: Element, network: Network, x: int, y: int) -> None:
    off = "" if network.there else " off"
    box(svg, x, y, _EDGE - x, 26, f"network {word_of(network.standing)}{off}")
    side = {None: "not seen", False: "not there", True: network.said}[network.there]
    _words(svg, x, y + 17, network.standing, network.name, side)


def _machine(svg: Element, machine: Machine, y: int) -> None:
    off = "" if machine.running else " off"
    box(svg, _BOX, y, _EDGE - _BOX, 30, f"machine {word_of(machine.standing)}{off}")
    side = {None: "not seen", False: "off", True: ""}[machine.running]
    _words(
        svg,
        _BOX,
        y + 20,
        machine.standing,
        machine.name,
        side or ", ".join(map(_tap, machine.taps)),
    )


def _tap(tap: Tap) -> str:
    return f"{tap.device}, {tap.network}" if tap.device else tap.network


def _words(svg: Element, x: int, y: int, standing: Standing, name: str, side: str) -> None:
    """A box's name, which may take most of it, and what is said of it at its right edge."""
    x += 8
    if standing is not Standing.WANTED:
        mark(svg, x, y - 13, standing)
        x += 20
    whole = _EDGE - 8 - x
    room = min(whole, math.ceil(length(name, "name")), 100 if side else whole)
    label(svg, x, y, name, room, class_="name")
    if side:
        label(svg, _EDGE - 8, y, side, whole - room - 14, class_="small", anchor="end")
