"""``sriovctl report``: look at every host of a rack file, and draw the room."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from sriovctl import reconcile, targets, wholefile
from sriovctl.errors import SriovctlError, UsageError
from sriovctl.reach import Reach
from sriovctl.targets import Target
from sriovctl.trial import store
from sriovctl.view.room import detail, measured, page, svg
from sriovctl.view.room.detail import Table
from sriovctl.view.room.host import Look, server
from sriovctl.view.room.model import Room, Server, Standing, room

Drawn = tuple[Server, Markup]
"""What is kept of a host: as it is drawn, and all that is shown of it when it is opened."""


def report(arguments: argparse.Namespace) -> int:
    """Draw a room as its hosts are now.

    :returns: 0 whatever was found: that is in the picture
    :raises UsageError: the file cannot be written
    """
    if arguments.output is not None and not Path(arguments.output).parent.is_dir():
        raise UsageError(
            f"no folder {Path(arguments.output).parent}", "nothing was looked at", "name another"
        )
    hosts = targets.of_rack(arguments.rack, arguments.limit)
    results = targets.each(hosts, _look, ssh_config=arguments.ssh_config, need_root=False)
    drawn = [_drawn(target, results[target.name]) for target in hosts]
    whole = room(_rack_of(hosts[0]), tuple(one for one, _ in drawn))
    if arguments.svg:
        text = svg.room_svg(whole)
    else:
        words = [said for _, said in drawn]
        text = page.page(whole, words, rack=arguments.rack, seen=datetime.now(UTC))
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        wholefile.write(Path(arguments.output), text.encode())
        sys.stderr.write(f"{arguments.output}: {_counts(whole)}\n")
    return 0


def _look(reach: Reach, target: Target) -> Drawn:
    """A host's facts are let go as soon as they are drawn: a thousand hosts have many."""
    assert target.want is not None
    have = reconcile.look(reach)
    try:
        firmware = reconcile.look_at_firmware(target.want, have)
        plan = reconcile.plan_of(target.want, have, firmware)
    except SriovctlError as error:
        return draw(Look(target.want, have, error=error))
    return draw(Look(target.want, have, plan))


def _drawn(target: Target, result: Drawn | SriovctlError) -> Drawn:
    if not isinstance(result, SriovctlError):
        return result
    assert target.want is not None
    return draw(Look(target.want, error=result))


def draw(look: Look) -> Drawn:
    """What the report keeps of a host."""
    drawn = server(look)
    return drawn, detail.detail(look, drawn, tuple(_measured(look)))


def _measured(look: Look) -> list[Table]:
    """What trials kept on this machine say of the host's VMs."""
    kept = {vm.name: store.last("failover", look.want.rack, vm.name) for vm in look.want.vms}
    table = measured.failovers(kept)
    return [table] if table is not None else []


def _rack_of(target: Target) -> str:
    assert target.want is not None
    return target.want.rack


def _counts(whole: Room) -> str:
    number = Counter(server.standing for server in whole.servers)
    return ", ".join(f"{number[one]} {one.value}" for one in Standing if number[one])
