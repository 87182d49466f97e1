"""One host as a drawing: its ports, bond, bridges and VMs. Pure."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from sriovctl.view.room.model import Bay, End, Holding, Machine, Port, Room, Server, Standing, usage
from sriovctl.view.room.pen import box, label, mark, put, word_of
from sriovctl.view.text import count

WIDTH = 360
"""Of a host in detail, in px: what a phone has."""
TILE = 184
"""Width of a host as one of many."""
IN_DETAIL = 6
"""Hosts in a room up to which each is drawn in detail."""
MOST_MACHINES = 24
"""VMs drawn of one bay; tables have them all."""

_LEFT, _RIGHT = 12, 188
_PORT = 160
_RAILS = (28, 332)
_MACHINE_X, _MACHINE = 76, 208
_NETWORK_RAIL = 56
_ROW = 38
_COLOURS = 4
"""Of legs, by the switch's place in the rack file."""
_CELLS: dict[Holding, str] = {
    "vm": "M{x} {y}h{s}v{s}h-{s}z",
    "process": "M{x} {y}h{s}v{s}h-{s}zl{s} {s}",
    "host": "M{x} {y}h{s}v{s}h-{s}zm0 {h}h{s}",
    "free": "M{x} {y}h{s}v{s}h-{s}z",
    "unknown": "M{x} {y}h{s}v{s}h-{s}zm{h} 0v{s}",
    "missing": "M{x} {y}h{s}v{s}h-{s}z",
}


def tile(server: Server, room: Room) -> Element:
    """A host as one of many: its mark, its name, its legs, how many VFs are held."""
    svg = _svg(TILE, 64)
    for place, (port, x) in enumerate(zip(server.first_ports, feeds(TILE), strict=False)):
        leg = leg_of(port, place, room.switches)
        put(svg, "path", class_=f"wire {leg}{dead(port)}", d=f"M{x} 0V10")
        if not port.alive:
            put(svg, "path", class_="cross", d=f"M{x - 4} 1l8 8m0-8l-8 8")
    box(svg, 1, 10, TILE - 2, 53, f"host {word_of(server.standing)}")
    mark(svg, 9, 17, server.standing)
    label(svg, 32, 30, server.name, TILE - 40, class_="name")
    said = usage(server.ports)
    if server.machines:
        said += f", {count(len(server.machines), 'VM', 'VMs')}"
    if server.standing is Standing.UNREACHED:
        said = "no answer"
    label(svg, 10, 49, said, TILE - 20, class_="small")
    bar = (TILE - 20) / max(1, len(server.ports))
    for place, port in enumerate(server.ports):
        full = bar - 4
        part = full * port.held / max(1, len(port.vfs))
        leg = leg_of(port, place, room.switches)
        put(svg, "path", class_=f"bar {leg}", d=f"M{10 + place * bar:.1f} 56.5h{full:.1f}")
        if part:
            d = f"M{10 + place * bar:.1f} 56.5h{part:.1f}"
            put(svg, "path", class_=f"bar held {leg}", d=d)
    return svg


def host(server: Server, known: tuple[str, ...], *, switches: bool = True) -> Element:
    """A host in detail.

    :param known: the rack file's switches: those two are linked
    :param switches: draw those of its first two ports above it
    """
    svg = _svg(WIDTH, 0)
    top = 44 if switches and any(port.switch for port in server.first_ports) else 1
    frame = box(svg, 1, top, WIDTH - 2, 0, f"host {word_of(server.standing)}")
    if top == 44:
        _own_switches(svg, server, known, top)
    y = top + 8
    mark(svg, _LEFT, y, server.standing)
    label(svg, _LEFT + 24, y + 13, server.name, 210, class_="name")
    word = server.standing.value
    label(svg, WIDTH - _LEFT, y + 13, word, 100, class_="small", anchor="end")
    y += 26
    for bay in server.bays:
        y = _bay(svg, bay, known, y)
    frame.set("height", str(y - top))
    svg.set("height", str(y + 2))
    svg.set("viewBox", f"0 0 {WIDTH} {y + 2}")
    return svg


def _own_switches(svg: Element, server: Server, known: tuple[str, ...], top: int) -> None:
    ports = server.first_ports
    names = [port.switch for port in ports]
    if len(names) == 2 and None not in names and names[0] != names[1]:
        put(svg, "path", class_="trunk", d="M150 13H210")
    for place, (port, x) in enumerate(zip(ports, feeds(WIDTH), strict=False)):
        if port.switch is None:
            continue
        leg = leg_of(port, place, known)
        put(svg, "path", class_=f"wire {leg}{dead(port)}", d=f"M{x} 25V{top}")
        if not port.alive:
            put(svg, "path", class_="cross", d=f"M{x - 5} 29l10 10m0-10l-10 10")
        box(svg, x - 58, 1, 116, 24, f"switch {leg}")
        label(svg, x, 17, port.switch, 108, anchor="middle")


def _bay(svg: Element, bay: Bay, known: tuple[str, ...], y: int) -> int:
    """Draw one from ``y`` down.

    :returns: where the next begins
    """
    wires = SubElement(svg, "g")
    legs = {port.name: leg_of(port, place, known) for place, port in enumerate(bay.ports)}
    bottoms = [
        _port(svg, port, (_LEFT, _RIGHT)[place], y, legs[port.name])
        for place, port in enumerate(bay.ports)
    ]
    y = floor = max(bottoms, default=y)
    y = _networks(svg, wires, bay, bottoms, y)
    shown = bay.machines[:MOST_MACHINES]
    if shown:
        y += 12
    last = dict.fromkeys(legs, 0)
    on_networks = 0
    for machine in shown:
        middle = y + 15
        for place, port in enumerate(bay.ports):
            ends = [end for end in machine.ends if end.port == port.name]
            if ends:
                last[port.name] = middle
                _plug(svg, wires, place, ends, legs[port.name], middle)
        if machine.networks and not machine.ends:
            on_networks = middle
            put(wires, "path", class_="net", d=f"M{_NETWORK_RAIL} {middle}H{_MACHINE_X}")
        _machine(svg, machine, y)
        y += _ROW
    for place, port in enumerate(bay.ports):
        if last[port.name]:
            rail = f"M{_RAILS[place]} {bottoms[place]}V{last[port.name]}"
            put(wires, "path", class_=f"wire {legs[port.name]}", d=rail)
    if on_networks and bay.bridges:
        rail = f"M130 {_first_bridge(bay, floor)}H{_NETWORK_RAIL}V{on_networks}"
        put(wires, "path", class_="net", d=rail)
    if more := len(bay.machines) - len(shown):
        label(svg, WIDTH // 2, y + 6, f"and {more} more VMs", 200, class_="small", anchor="middle")
        y += 18
    return y + 6


def _first_bridge(bay: Bay, floor: int) -> int:
    return floor + (50 if bay.bond else 14) + 12


def _networks(svg: Element, wires: Element, bay: Bay, bottoms: list[int], y: int) -> int:
    """The bond and what is over it, below the ports."""
    names = [(bay.bond, True)] if bay.bond else []
    names += [(bridge.name, bridge.over_ports) for bridge in bay.bridges]
    if not names:
        return y
    y += 14
    if names[0][1]:
        for x, bottom in zip((150, 210), bottoms, strict=False):
            put(wires, "path", class_="net", d=f"M{x} {bottom}V{y}")
    for place, (name, over) in enumerate(names):
        if place and over:
            put(wires, "path", class_="net", d=f"M180 {y - 12}v12")
        box(svg, 130, y, 100, 24, "network")
        label(svg, 180, y + 16, name, 92, anchor="middle")
        y += 36
    return y - 12


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
    quiet = "small" if port.alive else "small bad"
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


def _plug(svg: Element, wires: Element, place: int, ends: list[End], leg: str, middle: int) -> None:
    rail = _RAILS[place]
    edge = _MACHINE_X if place == 0 else _MACHINE_X + _MACHINE
    put(wires, "path", class_=f"wire {leg}", d=f"M{rail} {middle}H{edge}")
    put(wires, "circle", class_=f"dot {leg}", cx=rail, cy=middle, r=3)
    known = [str(end.index) for end in ends if end.index is not None]
    said = f"VF {','.join(known)}" if known else "any VF"
    x = (rail + edge) // 2
    label(svg, x, middle - 5, said, abs(edge - rail) - 4, class_="index", anchor="middle")


def _machine(svg: Element, machine: Machine, y: int) -> None:
    off = "" if machine.running else " off"
    box(svg, _MACHINE_X, y, _MACHINE, 30, f"machine {word_of(machine.standing)}{off}")
    at = _MACHINE_X + 10
    if machine.standing is not Standing.WANTED:
        mark(svg, at - 2, y + 7, machine.standing)
        at += 20
    side = {None: "not seen", False: "off", True: ""}[machine.running]
    if not side and not machine.ends:
        side = ", ".join(machine.networks)
    room = min(80, 7 * len(side)) if side else 0
    label(svg, at, y + 20, machine.name, _MACHINE_X + _MACHINE - 16 - at - room, class_="name")
    if side:
        edge = _MACHINE_X + _MACHINE - 8
        label(svg, edge, y + 20, side, room + 4, class_="small", anchor="end")


def _svg(width: int, height: int) -> Element:
    return Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "drawing",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "aria-hidden": "true",
        },
    )


def feeds(width: int) -> tuple[int, int]:
    """Where the cables of a host's first ports come in from above."""
    return (_LEFT + _PORT // 2, _RIGHT + _PORT // 2) if width == WIDTH else (24, TILE - 24)


def leg_class(place: int) -> str:
    """The class that gives a leg its colour, by its switch's place."""
    return f"leg-{place % _COLOURS}"


def leg_of(port: Port, place: int, switches: tuple[str, ...]) -> str:
    """The same of a port; ``place`` counts where it is cabled to none."""
    return leg_class(switches.index(port.switch) if port.switch in switches else place)


def dead(port: Port) -> str:
    """The class of a cable without a link."""
    return "" if port.alive else " dead"
