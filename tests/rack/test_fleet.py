"""Two servers: one first, then the other; one made to fail, and the same command again.

They have a lab of their own; SRIOVCTL_TEST_ROOM_LAB names one that is up and stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sriovctl.lab import lifecycle
from sriovctl.lab.progress import to_stderr
from tests.rack.conftest import Rack, take_down
from tests.rack.program import sriovctl

FIRST, SECOND = "server-2", "server-3"
RULES, SCRIPTS = "/etc/udev/rules.d", "/etc/sriovctl"


@pytest.fixture(scope="module")
def room() -> Iterator[Rack]:
    progress = to_stderr()
    kept = os.environ.get("SRIOVCTL_TEST_ROOM_LAB")
    name = kept or f"room-{os.getpid()}"
    lifecycle.up(name, 2, False, True, progress)
    try:
        yield Rack(name, progress)
    finally:
        if kept is None:
            take_down(name, progress)


def count(room: Rack, server: str) -> int:
    return int(room.must(server, "cat /sys/class/net/em1/device/sriov_numvfs"))


def test_one_first_then_the_other(room: Rack, tmp_path: Path) -> None:
    rack = tmp_path / "room.yaml"

    def wanted(vfs: int) -> Path:
        rack.write_text(f"hosts:\n  server-[2-3]:\n    pfs: {{em1: {{vfs: {vfs}, pool: false}}}}\n")
        return rack

    before = {server: count(room, server) for server in (FIRST, SECOND)}

    # the canary fails in the middle: undone, and the other is not touched
    room.must(FIRST, f"chattr +i {RULES}")
    done = sriovctl(room, "apply", wanted(2), expect=1)
    room.must(FIRST, f"chattr -i {RULES}")
    assert f"wave 1 of 2, the canary: {FIRST}" in done.stdout
    assert "wave 2" not in done.stdout.replace("wave 1 of 2", "")
    assert f"failed: {FIRST}" in done.stdout
    assert f"not touched: {SECOND}" in done.stdout
    assert "everything was undone" in done.stderr
    assert {server: count(room, server) for server in (FIRST, SECOND)} == before

    # the same again goes on
    done = sriovctl(room, "apply", wanted(2))
    assert f"wave 2 of 2, 1 host: {SECOND}" in done.stdout
    assert "2 hosts: 2 changed" in done.stdout
    assert count(room, FIRST) == count(room, SECOND) == 2
    sriovctl(room, "check", "--all", wanted(2))

    # the second fails: the canary stays changed, and is not begun again
    room.must(SECOND, f"chattr +i {SCRIPTS}")
    done = sriovctl(room, "apply", wanted(3), expect=1)
    room.must(SECOND, f"chattr -i {SCRIPTS}")
    assert "1 changed, 1 failed" in done.stdout
    assert (count(room, FIRST), count(room, SECOND)) == (3, 2)
    assert sriovctl(room, "check", "--all", wanted(3), expect=3).stdout.startswith(SECOND)
    done = sriovctl(room, "apply", wanted(3))
    assert "1 changed, 1 as wanted before" in done.stdout
    assert "wave" not in done.stdout
    assert count(room, SECOND) == 3
