"""``make bench``: everything that is measured, one table after the other."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.lab import lifecycle, progress, state
from sriovctl.lab.bench import (
    applying,
    drawing,
    fleet,
    looking,
    neighbours,
    planning,
    room,
    starting,
)
from sriovctl.lab.bench.figures import COLUMNS, Comparison, table, verdict
from sriovctl.lab.bench.onhost import TimedReach
from sriovctl.lab.bench.scene import SERVER, Scene, borrowed
from sriovctl.lab.state import Lab

NAME = "bench"
ROUNDS = 7
ROOM_ROUNDS = 3
"""Each takes a minute and more, so fewer of them."""
IN_THE_ROOM = frozenset({"bridge", "failover"})
MEASURES = ("apply", "look", "neighbours", "start", "plan", "report", "fleet", "bridge", "failover")
ON_THE_RACK = frozenset({"apply", "look", "neighbours"}) | IN_THE_ROOM


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print. A figure that misses its aim is no failure.

    :returns: 0 measured, 1 something failed, 2 bad usage, 4 the lab is in use
    """
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Ratios of two things measured in turns, in one run, with both figures. "
        "Makes a lab of its own and removes it.",
    )
    parser.add_argument(
        "measure", nargs="*", metavar="MEASURE", help=f"all, or some of: {', '.join(MEASURES)}"
    )
    parser.add_argument("--lab", metavar="NAME", help="a lab that is up, without VFs and VMs")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help=f"of each (default: {ROUNDS})"
    )
    parser.add_argument(
        "--neighbours",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="beside ours netplan, systemd-networkd and NetworkManager (default)",
    )
    arguments = parser.parse_args(words)
    chosen = set(arguments.measure or MEASURES)
    if unknown := sorted(chosen - set(MEASURES)):
        parser.error(f"no measure {', '.join(unknown)}: choose from {', '.join(MEASURES)}")
    if arguments.rounds < 1:
        parser.error("--rounds: at least 1")
    if not arguments.neighbours:
        chosen.discard("neighbours")
    try:
        _run(chosen, arguments.lab, arguments.rounds)
    except SriovctlError as error:
        sys.stderr.write(f"bench: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("bench: interrupted\n")
        return 130
    return 0


def _run(chosen: set[str], name: str | None, rounds: int) -> None:
    if "start" in chosen:
        _heading("Starting the command line")
        _comparisons([starting.measure()])
    if "plan" in chosen:
        _heading("Planning, CPU seconds on this machine")
        _planning(planning.measure(rounds))
    if "report" in chosen:
        _heading("Drawing a room")
        _say(table(drawing.COLUMNS, tuple(drawing.measure(rounds))))
    if "fleet" in chosen:
        _heading(f"{fleet.HOSTS} sshd on the loopback interface, {rounds} rounds")
        _fleet(fleet.measure(rounds))
    if chosen & ON_THE_RACK:
        with _lab(name) as lab, borrowed(TimedReach(lab, lab.server(SERVER))) as scene:
            _heading(f"On {SERVER} of lab {lab.name}")
            _say(_circumstances(scene, lab))
            _on_the_rack(scene, chosen, rounds)
            if chosen & IN_THE_ROOM:
                with room.furnished(scene, lab) as furnished:
                    _in_the_room(furnished, chosen, min(rounds, ROOM_ROUNDS))


def _on_the_rack(scene: Scene, chosen: set[str], rounds: int) -> None:
    if "apply" in chosen:
        _heading(f"Apply, {rounds} rounds, seconds on the host")
        applied = applying.measure(scene, rounds)
        _comparisons(applied.comparisons)
        _heading("Where the time of an apply goes")
        _say(table(("part", "time on the host"), applied.parts))
    if "look" in chosen:
        _heading(f"One probe, {rounds} rounds, time on the host")
        looked = looking.measure(scene, rounds)
        _comparisons([looked.comparison])
        _heading("The usual commands, one by one")
        _say(table(("command", "time on the host"), looked.parts))
        _heading("What one probe starts and writes")
        _say(
            table(
                ("on the host", "processes", "programs among them", "files opened for writing"),
                [
                    (what, str(found.forks), str(found.programs), " ".join(found.written) or "none")
                    for what, found in looked.processes
                ],
            )
        )
    if "neighbours" in chosen:
        _heading(f"The same job by others, {neighbours.ROUNDS} rounds, seconds on the host")
        beside = neighbours.measure(scene)
        _comparisons(beside.comparisons)
        for who, why in beside.left_out:
            _say(f"\n{who}: not measured: {why}")


def _in_the_room(furnished: room.Room, chosen: set[str], rounds: int) -> None:
    if "bridge" in chosen:
        _heading(f"A VM on VFs against one on the bridge, {rounds} runs of {room.SECONDS} s")
        _comparisons(furnished.bridge(rounds))
        _say(f"\n{_load()}")
    if "failover" in chosen:
        _heading(f"Outage when a leg dies, {room.RATE} packets/s")
        _comparisons(furnished.failover())
        _say(f"\n{_load()}")


@contextmanager
def _lab(name: str | None) -> Iterator[Lab]:
    """The lab named, which stays; or one of the bench's own, which goes.

    :raises UsageError: there is none of that name; or one is in the way of the bench's own
    """
    if name is not None:
        yield state.load(name)
        return
    if state.find(NAME) is not None:
        raise UsageError(
            f"there is a lab {NAME} already",
            "the bench makes its own, and would remove it",
            f"sriovctl lab down --name {NAME}; or: scripts/bench --lab {NAME}",
        )
    say = progress.to_stderr()
    try:
        yield lifecycle.up(NAME, 1, False, True, say)
    finally:
        lifecycle.down(NAME, say)


def _circumstances(scene: Scene, lab: Lab) -> str:
    kernel, processors = scene.host.do("uname -r; nproc").split()
    return (
        f"{datetime.date.today().isoformat()}, {platform.machine()}, {os.cpu_count()} processors, "
        f"Linux {platform.release()}, {_load()}; {SERVER}: accelerator {lab.accelerator}, "
        f"{processors} processors, Linux {kernel}"
    )


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"


def _planning(results: Sequence[planning.Planning]) -> None:
    largest = max(result.size.vfs for result in results)
    rows = [
        (
            f"{one.size.pfs} PFs × {one.size.vfs // one.size.pfs} VFs, {one.size.vms} VMs",
            one.state,
            str(one.steps),
            one.parse.text("ms"),
            one.plan.text("ms"),
            f"{one.seconds:.3f} s",
            verdict(one.seconds, planning.AIM_S, "s") if one.size.vfs == largest else "",
        )
        for one in results
    ]
    _say(table(("host", "state", "steps", "parse", "plan", "both", "verdict"), rows))
    for name in dict.fromkeys(one.state for one in results):
        quarter, *_, whole = (one for one in results if one.state == name)
        grown = planning.growth(quarter, whole)
        _say(
            f"\n{name}: all of it costs {whole.seconds / quarter.seconds:.2f} times a quarter, "
            f"{grown:.2f} of linear ({verdict(grown, planning.AIM_GROWTH)})"
        )


def _fleet(measured: fleet.Measured) -> None:
    _comparisons(measured.comparisons)
    if measured.without:
        _say(f"\nansible-core: not measured: {measured.without}")
    cpu, memory = measured.cpu, measured.memory_kb
    of_cpu = verdict(cpu.median * 1000, fleet.AIM_CPU_MS, "ms")
    _say(f"\nCPU of the controller, a host: {cpu.text('ms')} ({of_cpu})")
    of_memory = verdict(memory, fleet.AIM_MEMORY_KB, "kB")
    _say(f"memory by which it grows, a host: {memory:.0f} kB ({of_memory})")
    _say(f"{measured.simulated.what}, read and planned: {measured.simulated.text('s')} of CPU")


def _comparisons(comparisons: Sequence[Comparison]) -> None:
    _say(table(COLUMNS, [comparison.row() for comparison in comparisons]))


def _heading(text: str) -> None:
    _say(f"\n## {text}\n")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
