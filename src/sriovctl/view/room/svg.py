"""A whole room as one drawing: the switches, their link, and every host on their cables. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from sriovctl.view.room.bay import WIDTH
from sriovctl.view.room.drawing import IN_DETAIL, TILE, feeds, host, tile
from sriovctl.view.room.model import Port, Room
from sriovctl.view.room.pen import (
    box,
    cross,
    dead,
    define_marks,
    label,
    leg_class,
    put,
    style,
    text_of,
)


def room_svg(room: Room) -> str:
    """The drawing of a whole room, on its own."""
    detailed = len(room.servers) <= IN_DETAIL
    drawn = [
        (server, host(server, room.switches, switches=False) if detailed else tile(server, room))
        for server in room.servers
    ]
    width = WIDTH if detailed else TILE
    columns = min(3, len(drawn)) if detailed else math.ceil(math.sqrt(len(drawn) / 1.6))
    gap, margin, head = 24, 24 + 8 * len(room.switches), 120
    feed = 26 + 8 * len(room.switches)
    whole = max(2 * margin + columns * (width + gap) - gap, 160 * len(room.switches) + 2 * margin)
    svg = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
    put(svg, "title", text=f"The room {room.name}")
    put(svg, "style", text=style())
    define_marks(svg)
    put(svg, "rect", class_="ground", width="100%", height="100%")
    put(svg, "text", class_="name", x=margin, y=30, text=room.name)
    y = head
    buses: list[list[int]] = [[] for _ in room.switches]
    wires = SubElement(svg, "g")
    for start in range(0, len(drawn), columns):
        row = drawn[start : start + columns]
        levels = {name: y + 8 * place for place, name in enumerate(room.switches)}
        for place, level in enumerate(levels.values()):
            buses[place].append(level)
            end = margin + len(row) * (width + gap) - gap
            put(
                wires,
                "path",
                class_=f"wire {leg_class(place)}",
                d=f"M{8 + 8 * place} {level}H{end}",
            )
        for position, (server, drawing) in enumerate(row):
            x = margin + position * (width + gap)
            drawing.set("x", str(x))
            drawing.set("y", str(y + feed))
            for port, at in zip(server.first_ports, feeds(width), strict=False):
                _feed(wires, port, room, x + at, levels, y + feed)
            svg.append(drawing)
        y += feed + max(int(drawing.get("height", "0")) for _, drawing in row) + gap
    _switches(svg, wires, room, margin, buses)
    svg.set("viewBox", f"0 0 {whole} {y}")
    svg.set("width", str(whole))
    svg.set("height", str(y))
    return text_of(svg) + "\n"


def _feed(
    wires: Element, port: Port, room: Room, x: int, levels: dict[str, int], bottom: int
) -> None:
    if port.switch is None:
        return
    leg = leg_class(room.switches.index(port.switch))
    level = levels[port.switch]
    put(wires, "path", class_=f"wire {leg}{dead(port)}", d=f"M{x} {level}V{bottom}")
    put(wires, "circle", class_=f"dot {leg}", cx=x, cy=level, r=3)
    if len(room.servers) <= IN_DETAIL:
        cross(wires, port, x, bottom - 12, 5)


def _switches(
    svg: Element, wires: Element, room: Room, margin: int, buses: Sequence[Sequence[int]]
) -> None:
    y, width, height = 50, 120, 34
    for place, name in enumerate(room.switches):
        x = margin + place * (width + 40)
        if place:
            put(wires, "path", class_="trunk", d=f"M{x - 40} {y + height // 2}h40")
        if buses[place]:
            down = f"M{x + width // 2} {y + height}V{buses[place][0]}"
            rail = 8 + 8 * place
            put(wires, "path", class_=f"wire {leg_class(place)}", d=down)
            along = f"M{rail} {buses[place][0]}V{buses[place][-1]}"
            put(wires, "path", class_=f"wire {leg_class(place)}", d=along)
        box(svg, x, y, width, height, f"switch {leg_class(place)}")
        label(svg, x + width // 2, y + 22, name, width - 12, anchor="middle")
