"""A room as one self-contained HTML page: the drawing, each host on a click, the findings. Pure.

Whatever came from a host, a VM or a rack file is text in it: escaped by the template, or JSON in
which no ``<`` is left, shown as text by the page's script. The page's content security policy
knows its own script and styles by their hashes, and lets nothing else run or load.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from sriovctl.plan import Finding, Severity
from sriovctl.shell import command
from sriovctl.view.harmless import harmless
from sriovctl.view.room import drawing, pen
from sriovctl.view.room.model import Room, Server, Standing
from sriovctl.view.text import count

MOST_NAMED = 24
"""Hosts named under one finding."""


@dataclass(frozen=True)
class Card:
    """A host as the page shows it among others."""

    number: int
    server: Server
    drawing: Markup
    whole: Markup | None
    """In detail, where ``drawing`` is not."""
    detail: Markup
    words: str
    """What the filter looks in, in lower case."""


@dataclass(frozen=True)
class Group:
    """One finding, with all hosts that have it."""

    severity: str
    about: str
    found: str
    means: str
    mend: str
    cards: tuple[Card, ...]

    @property
    def named(self) -> tuple[Card, ...]:
        """As many hosts as are named."""
        return self.cards[:MOST_NAMED]


def page(room: Room, details: Sequence[Markup], *, rack: str, seen: datetime) -> str:
    """The page.

    :param details: of each server, as :func:`sriovctl.view.room.detail.detail` gives them
    :param rack: path of the rack file, for commands that mend
    :param seen: when the hosts were looked at, with its time zone
    """
    cards = [_card(number, one, room, details[number]) for number, one in enumerate(room.servers)]
    script, css = _file("page.js"), pen.style() + _file("page.css")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_file("page.html.j2")).render(
        room=room,
        standings=list(_by_standing(cards)),
        cards=cards,
        findings=list(_findings(cards, rack)),
        detailed=len(cards) <= drawing.IN_DETAIL,
        seen=seen,
        marks=Markup(pen.text_of(pen.marks())),
        word_of=pen.word_of,
        count=count,
        css=Markup(css),
        script=Markup(script),
        css_hash=_hash(css),
        script_hash=_hash(script),
    )


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _card(number: int, server: Server, room: Room, detail: Markup) -> Card:
    whole = Markup(pen.text_of(drawing.host(server, room.switches)))
    few = len(room.servers) <= drawing.IN_DETAIL
    small = whole if few else Markup(pen.text_of(drawing.tile(server, room)))
    words = [server.name, server.standing.value]
    words += [port.name for port in server.ports]
    words += [machine.name for machine in server.machines]
    words += [f"{finding.about} {finding.found}" for finding in server.findings]
    text = " ".join(dict.fromkeys(words)).lower()
    return Card(number, server, small, None if few else whole, detail, text)


def _by_standing(cards: Sequence[Card]) -> Iterator[tuple[Standing, list[Card]]]:
    """The worst first; those that no host has are left out."""
    for standing in Standing:
        if members := [card for card in cards if card.server.standing is standing]:
            yield standing, members


def _findings(cards: Sequence[Card], rack: str) -> Iterator[Group]:
    """The worst first, then what most hosts have; that hosts differ is one of them."""
    groups: dict[Finding, list[Card]] = {}
    for card in cards:
        for finding in dict.fromkeys(card.server.findings):
            groups.setdefault(_of_any_host(finding, card), []).append(card)
    order = list(Severity)[::-1]
    worst = sorted(groups.items(), key=lambda one: (order.index(one[0].severity), -len(one[1])))
    differs = [card for card in cards if card.server.steps]
    listed = [_group(finding, found) for finding, found in worst]
    stops = (Severity.BLOCKED.value, Severity.ERROR.value)
    yield from (one for one in listed if one.severity in stops)
    if differs:
        steps = sum(card.server.steps for card in differs)
        yield Group(
            severity="differs",
            about=count(len(differs), "host", "hosts"),
            found=f"{count(steps, 'step', 'steps')} to do until all is as the rack file wants it",
            means="",
            mend=harmless(
                f"{command('sriovctl', 'plan', rack)}; {command('sriovctl', 'apply', rack)}"
            ),
            cards=tuple(differs),
        )
    yield from (one for one in listed if one.severity not in stops)


def _of_any_host(finding: Finding, card: Card) -> Finding:
    """The same finding of several hosts is one: that it is about the host itself is not in it."""
    if finding.about != card.server.name:
        return finding
    return finding.model_copy(update={"about": "the host"})


def _group(finding: Finding, cards: Iterable[Card]) -> Group:
    return Group(
        severity=finding.severity.value,
        about=finding.about,
        found=finding.found,
        means=finding.means,
        mend=finding.mend,
        cards=tuple(cards),
    )
