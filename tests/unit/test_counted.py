"""What a host has counted, and how its last apply ended, by the script that asks it."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sriovctl.counted import COUNTERS, UNFINISHED, Applied, Counted, read
from sriovctl.plan import Stage
from tests.unit.shells import Machine, stage_of, write

RX = {"bytes": 640, "packets": 10, "multicast": 1, "broadcast": 2, "dropped": 3}
TX = {"bytes": 128, "packets": 2, "dropped": 1}


def ip(machine: Machine, text: str) -> None:
    """What ``ip`` says there."""
    (machine.folder / "answer").write_text(text)
    program = machine.shells / "ip"
    program.write_text(
        f'#!/bin/sh\n[ "$*" = "-s -j link show" ] || exit 255\ncat {machine.folder / "answer"}\n'
    )
    program.chmod(0o755)


def asked(machine: Machine) -> Counted:
    script = files("sriovctl").joinpath("counted.sh").read_text("utf-8")
    done = subprocess.run(
        [machine.shells / "sh", "-s"],
        input=script,
        env=machine.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return read(done.stdout)


def port(name: str, *vfs: dict[str, Any]) -> dict[str, Any]:
    return {"ifname": name, "vfinfo_list": [{"vf": n, **vf} for n, vf in enumerate(vfs)]}


def still(way: dict[str, int]) -> dict[str, int]:
    return dict.fromkeys(way, 0)


def test_vfs_that_are_counted(machine: Machine) -> None:
    if (machine.shells / "sh").resolve().name == "busybox":
        pytest.skip("its own ip, which knows no JSON, goes before any other")
    idle = {"stats": {"rx": still(RX), "tx": still(TX)}}
    busy = {"stats": {"rx": RX, "tx": TX}}
    old = {"stats": {"rx": {"bytes": 5, "packets": 1}, "tx": {"bytes": 0, "packets": 0}}}
    ports = [{}, {"ifname": "lo"}, port("igb", idle, idle), port("ice", idle, busy)]
    ip(machine, json.dumps([*ports, port("ixgbe", old), port("none", {})]))
    vfs = asked(machine).vfs
    assert vfs.keys() == {"ice", "ixgbe"}
    assert vfs["ice"][1] == {
        name: {"rx": RX, "tx": TX}[way][what] for (way, what), name in COUNTERS.items()
    }
    assert set(vfs["ice"][0].values()) == {0}
    assert "receive_dropped" not in vfs["ixgbe"][0]


@pytest.mark.parametrize("text", ["", "Option -j is unknown", '[{"ifname":"em1"'])
def test_an_ip_that_knows_no_json(machine: Machine, text: str) -> None:
    ip(machine, text)
    assert asked(machine) == Counted()


def trial(path: Path) -> Stage:
    return stage_of(write(path)).model_copy(update={"title": "trial: em1 down"})


def aged(machine: Machine, seconds: int) -> None:
    """Every journal there is was written at this moment."""
    for path in machine.transactions:
        journal = path / "journal"
        if journal.stat().st_mtime > 1_000_000_000:
            os.utime(journal, (seconds, seconds))


def test_the_last_apply_is_told_and_no_trial(machine: Machine, files: list[Path]) -> None:
    ip(machine, "[]")
    assert asked(machine).applied is None
    machine.run(machine.file(stage_of(*map(write, files))))
    aged(machine, 1000)
    assert asked(machine).applied == Applied(1000, "changed")
    broken = write(files[0], do="exit 1\n# Stage: trial: a lie")
    machine.run(machine.file(stage_of(broken)))
    aged(machine, 2000)
    assert asked(machine).applied == Applied(2000, "undone")
    machine.run(machine.file(trial(files[1])))
    aged(machine, 3000)
    assert asked(machine).applied == Applied(2000, "undone")


def test_a_run_that_was_killed_has_no_end(machine: Machine, files: list[Path]) -> None:
    ip(machine, "[]")
    machine.run(machine.file(stage_of(*map(write, files))))
    (transaction,) = machine.transactions
    journal = transaction / "journal"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-1]))
    applied = asked(machine).applied
    assert applied is not None
    assert applied.end == UNFINISHED
    # one that found another at work has changed nothing
    journal.write_text("end\tbusy\tpid 1\n")
    assert asked(machine).applied is None
