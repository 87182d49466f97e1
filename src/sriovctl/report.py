"""``sriovctl report``: look at every host of a rack file, and draw the room."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from sriovctl import looked, wholefile
from sriovctl.errors import UsageError
from sriovctl.look import Look
from sriovctl.trial import store
from sriovctl.view.room import detail, measured, page, svg
from sriovctl.view.room.detail import Table
from sriovctl.view.room.host import server
from sriovctl.view.room.model import Room, Server, Standing, room


@dataclass(frozen=True)
class Drawn:
    """What is kept of a host."""

    rack: str
    """Its rack's name."""
    server: Server
    words: Markup
    """All that is shown of it when it is opened."""


def report(arguments: argparse.Namespace) -> int:
    """Draw a room as its hosts are now.

    :returns: 0 whatever was found: that is in the picture
    :raises UsageError: the file cannot be written
    """
    if arguments.output is not None and not Path(arguments.output).parent.is_dir():
        raise UsageError(
            f"no folder {Path(arguments.output).parent}", "nothing was looked at", "name another"
        )
    drawn = looked.each(arguments, lambda look, _: draw(look))
    whole = room(drawn[0].rack, tuple(one.server for one in drawn))
    if arguments.svg:
        text = svg.room_svg(whole)
    else:
        words = [one.words for one in drawn]
        text = page.page(whole, words, rack=arguments.rack, seen=datetime.now(UTC))
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        wholefile.write(Path(arguments.output), text.encode())
        sys.stderr.write(f"{arguments.output}: {_counts(whole)}\n")
    return 0


def draw(look: Look) -> Drawn:
    """What the report keeps of a host."""
    drawn = server(look)
    return Drawn(look.want.rack, drawn, detail.detail(look, drawn, _measured(look)))


def _measured(look: Look) -> list[Table]:
    """What trials kept on this machine say of the host and its VMs."""
    rack, vms = look.want.rack, [vm.name for vm in look.want.vms]
    benches = {vm: store.last("bench", rack, vm) for vm in vms}
    tables = (
        measured.failovers({vm: store.last("failover", rack, vm) for vm in vms}),
        measured.benches(
            {**benches, f"{look.want.name} itself": store.last("bench-host", rack, look.want.name)}
        ),
    )
    return [table for table in tables if table is not None]


def _counts(whole: Room) -> str:
    number = Counter(server.standing for server in whole.servers)
    return ", ".join(f"{number[one]} {one.value}" for one in Standing if number[one])
