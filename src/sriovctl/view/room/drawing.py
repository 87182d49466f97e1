"""One host as a drawing: its ports, bond, bridges and VMs. Pure."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from sriovctl.view.room.bay import CABLES, LEFT, WIDTH, draw_bay
from sriovctl.view.room.model import Room, Server, Standing, usage
from sriovctl.view.room.pen import box, cross, dead, label, leg_of, mark, put, word_of
from sriovctl.view.text import count

TILE = 184
"""Width of a host as one of many."""
IN_DETAIL = 6
"""Hosts in a room up to which each is drawn in detail."""


def tile(server: Server, room: Room) -> Element:
    """A host as one of many: its mark, its name, its legs, how many VFs are held."""
    svg = _svg(TILE, 64)
    for place, (port, x) in enumerate(zip(server.first_ports, feeds(TILE), strict=False)):
        leg = leg_of(port, place, room.switches)
        put(svg, "path", class_=f"wire {leg}{dead(port)}", d=f"M{x} 0V10")
        cross(svg, port, x, 5, 4)
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
    mark(svg, LEFT, y, server.standing)
    label(svg, LEFT + 24, y + 13, server.name, 210, class_="name")
    word = server.standing.value
    label(svg, WIDTH - LEFT, y + 13, word, 100, class_="small", anchor="end")
    y += 26
    for bay in server.bays:
        y = draw_bay(svg, bay, known, y)
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
        cross(svg, port, x, 34, 5)
        box(svg, x - 58, 1, 116, 24, f"switch {leg}")
        label(svg, x, 17, port.switch, 108, anchor="middle")


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
    return CABLES if width == WIDTH else (24, TILE - 24)
