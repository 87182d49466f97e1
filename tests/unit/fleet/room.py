"""A room of twenty hosts, each an sshd of its own on the loopback interface, and what befalls them.

Run by test_fleet.py in a process of its own.
"""

from __future__ import annotations

# isort: off
import sriovctl.fleet  # noqa: F401 (first of all: it makes sockets gevent's)

# isort: on
import getpass
import os
import signal
import socket
import subprocess
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import paramiko
import pytest

from sriovctl import reconcile, targets
from sriovctl.errors import HostError, SriovctlError, TransactionError, UnreachableError
from sriovctl.lab.access import free_ports
from sriovctl.plan import Plan, Stage
from sriovctl.reach import OverdueError, Reach
from sriovctl.reconcile import Outcome
from sriovctl.rollout import Pace, Result, Rollout, Stop, UntouchedError, Work
from sriovctl.stagerun import Timeouts
from sriovctl.targets import Target
from sriovctl.transaction import Event, StepDone, StepStarted
from sriovctl.wanted import HostWant
from sriovctl.waves import Share
from tests.unit.fleet.remote import SSHD, Server, keygen, use_pam
from tests.unit.namespaces import why_no_mounts
from tests.unit.test_reconcile import Recorder, World

COUNT = 20
CONNECT_S = 10.0
"""A hanging host costs a test this much; an sshd among twenty needs less on a busy machine."""
HOST_S = 120.0
"""As long as no host of a test needs, on the busiest machine."""
SLOW_S = 15.0
"""So long lasts the test of a slow host; who is well needs a second of it."""
NAMES = [f"server-{number:02}" for number in range(COUNT)]


class Room:
    """Twenty sshd, the way to each, and what each should be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.go = folder / "go"
        self.host_key, self.key = keygen(folder / "host_key"), keygen(folder / "key")
        self.public = Path(f"{self.host_key}.pub").read_text()
        self.ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
        self.servers: dict[str, Server] = {}
        self.worlds = {name: World(folder / f"{name}-world") for name in NAMES}
        self.known = dict.fromkeys(NAMES, self.public)
        self.begun: list[str] = []
        self.here: set[str] = set()
        """This machine, under these names."""
        self.stop = Stop(lambda _: None)
        self.on_event: Callable[[str, Event], None] = lambda *_: None
        (folder / "ssh_config").write_text(
            f"Host *\n User {getpass.getuser()}\n IdentityFile {self.key}\n"
            f" UserKnownHostsFile {folder / 'known_hosts'}\n"
        )

    def start(self, name: str, path: str = os.environ["PATH"], disk: str | None = None) -> None:
        """An sshd, and wait until it listens.

        :param path: where its sessions find programs
        :param disk: size of a file system of its own for its state, for root only
        """
        state = self.folder / f"{name}-state"
        state.mkdir(exist_ok=True)
        config = self.folder / f"{name}-sshd"
        config.write_text(
            f"Port {self.ports[name]}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\n"
            f"PidFile none\nAuthorizedKeysFile {self.key}.pub\nStrictModes no\n{use_pam()}\n"
            "PermitRootLogin yes\nPasswordAuthentication no\n"
            f'SetEnv "SRIOVCTL_STATE={state}" "PATH={path}"\n'
        )
        words = [SSHD or "sshd", "-D", "-e", "-f", str(config)]
        if disk is not None:
            mount = f'mount -t tmpfs -o size={disk} tmpfs {state} && exec "$@"'
            words = ["unshare", "-m", "sh", "-c", mount, "sh", *words]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        self.servers[name] = Server(self.folder, self.ports[name], process)
        assert process.stderr is not None
        for line in process.stderr:
            if "Server listening" in line:
                return
        pytest.fail(f"sshd of {name} did not start")

    def end(self, name: str) -> None:
        """It and its connections die; what runs on the host goes on."""
        self.servers.pop(name).end()

    def apply(
        self,
        names: Sequence[str] = NAMES,
        *,
        batch: str = "30%",
        most_failed: str = "0",
        host_s: float = HOST_S,
    ) -> dict[str, Result]:
        (self.folder / "known_hosts").write_text(
            "".join(f"[127.0.0.1]:{self.ports[name]} {key}" for name, key in self.known.items())
        )
        room = self
        self.begun = []

        class Watching(Recorder):
            def stage_started(self, host: str, stage: Stage) -> None:
                room.begun.append(host)

            def event(self, host: str, stage: Stage, event: Event) -> None:
                room.on_event(host, event)

        observer = Watching()

        def plan(name: str, *_: Any) -> Plan:
            return self.worlds[name].plan(*_).model_copy(update={"host": name})

        def look(reach: Reach, target: Target) -> Outcome | None:
            reconcile.look(reach)
            made = plan(target.name, None, None, None)
            return Outcome(target.name, made) if made.empty else None

        def change(reach: Reach, target: Target) -> Outcome:
            return reconcile.apply(
                reach,
                HostWant(rack="r", name=target.name, pfs=()),
                observer=observer,
                timeouts=Timeouts(probe_s=HOST_S, stage_s=HOST_S, reconnect_s=2, retry_s=0.1),
                planner=partial(plan, target.name),
                begin=partial(self.stop.begin, target.name),
            )

        def gate(reach: Reach, target: Target) -> None:
            if look(reach, target) is None:
                raise HostError(f"{target.name}: not any more")

        each = partial(
            targets.each,
            ssh_config=str(self.folder / "ssh_config"),
            connect_s=CONNECT_S,
            host_s=host_s,
            need_root=False,
        )
        self.stop = Stop(lambda _: None)
        rollout = Rollout(
            each,
            Work(look, change, gate, lambda _: None),
            Pace(Share.parse(batch), Share.parse(most_failed)),
            observer,
            self.stop,
            lambda _: None,
        )
        with self.stop:
            return rollout.run([self.target(name) for name in names])

    def target(self, name: str) -> Target:
        if name in self.here:
            return Target(name, targets.HERE)
        return Target(name, "127.0.0.1", self.ports[name])

    def waits(self, name: str) -> Path:
        """Let a host's second step wait for a file, and give that file."""
        world = self.worlds[name]
        step = world.steps[world.files[1]]
        world.change(1, do=f"until [ -e {self.go} ]; do sleep 0.1; done; {step.do}")
        return self.go

    def becomes_new(self, names: Sequence[str]) -> None:
        with gevent.Timeout(HOST_S):
            while self.texts(names) != {"new"}:
                gevent.sleep(0.1)

    def texts(self, names: Sequence[str]) -> set[str]:
        return {text for name in names for text in self.worlds[name].texts}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd asks for it when it is root
    room = Room(tmp_path)
    yield room
    room.go.touch()  # what still waits for it when a test has failed
    for name in list(room.servers):
        room.end(name)


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Whoever runs the tests logs in as root; on these ports as somebody who is not."""
    others: set[int] = set()

    def name(transport: paramiko.Transport) -> str:
        return "operator" if transport.getpeername()[1] in others else "root"

    monkeypatch.setattr(paramiko.Transport, "get_username", name)
    return others


def said(results: dict[str, Result], name: str, kind: type[SriovctlError]) -> str:
    result = results[name]
    assert isinstance(result, kind), result
    return result.found


def test_what_befalls_one_host_befalls_no_other(room: Room, user: set[int]) -> None:
    unknown, changed, dead, hanging, sudoless, full, dying = NAMES[1:8]
    well = [NAMES[0], *NAMES[8:]]
    del room.known[unknown]
    room.known[changed] = Path(f"{keygen(room.folder / 'other')}.pub").read_text()
    user.add(room.ports[sudoless])
    bare = room.folder / "bare"
    bare.mkdir()
    (bare / "sh").symlink_to("/bin/sh")
    if why := why_no_mounts() if os.geteuid() == 0 else "not root":
        # its state is on no file system of its own, so its disk is not full
        warnings.warn(f"no full disk here: {why}", stacklevel=1)
        well.append(full)
    for name in NAMES:
        if name in (dead, hanging):
            continue
        path = str(bare) if name == sudoless else os.environ["PATH"]
        small = "16k" if name == full and name not in well else None
        room.start(name, path=path, disk=small)
    go = room.waits(dying)

    def die(host: str, event: Event) -> None:
        if host == dying and isinstance(event, StepDone) and host in room.servers:
            room.end(host)

    room.on_event = die
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", room.ports[hanging]))
        silent.listen()
        results = room.apply(most_failed="50%")

    assert "not known" in said(results, unknown, UnreachableError)
    assert "has changed" in said(results, changed, UnreachableError)
    assert "Unable to connect" in said(results, dead, UnreachableError)
    said(results, hanging, UnreachableError)
    assert "sudo" in said(results, sudoless, UnreachableError)
    assert "lost in mid-run" in said(results, dying, TransactionError)
    if full not in well:
        assert "disk" in said(results, full, HostError)
    for name in well:
        assert isinstance(results[name], Outcome), results[name]
    assert room.texts(well) == {"new"}
    untouched = [unknown, changed, dead, hanging, sudoless, *({full} - {*well})]
    assert room.texts(untouched) == {"old"}
    assert not set(untouched[:5]) & set(room.begun)

    # what was lost goes on by itself
    go.touch()
    room.becomes_new([dying])

    # mended, the same again goes on: who is as wanted is not begun
    room.on_event = lambda *_: None
    room.known = dict.fromkeys(NAMES, room.public)
    user.clear()
    for name in (dead, hanging, dying, sudoless):
        if name in room.servers:
            room.end(name)
        room.start(name)
    if full in room.servers and full not in well:
        room.end(full)
        room.start(full)
    again = room.apply()
    # pyinfra reads known_hosts once a process
    keyless = {unknown, changed}
    assert {n for n, r in again.items() if not isinstance(r, Outcome)} == keyless
    assert not {*well} & {*room.begun}
    assert room.texts([name for name in NAMES if name not in keyless]) == {"new"}


def test_a_slow_host_is_given_up_and_delays_no_other(room: Room) -> None:
    canary, slow, well = names = NAMES[:3]
    for name in names:
        room.start(name)
    go = room.waits(slow)
    results = room.apply(names, batch="100%", most_failed="1", host_s=SLOW_S)
    assert f"not done after {SLOW_S:g} s" in said(results, slow, OverdueError)
    assert isinstance(results[canary], Outcome), results[canary]
    assert isinstance(results[well], Outcome), results[well]
    # what was given up goes on by itself
    go.touch()
    room.becomes_new(names)
    room.apply(names)
    assert room.begun == []


def test_the_canary_fails_and_no_other_is_touched(room: Room) -> None:
    for name in NAMES:
        room.start(name)
    room.worlds[NAMES[0]].change(2, do="false")
    results = room.apply()
    assert "failed" in said(results, NAMES[0], TransactionError)
    assert room.begun == NAMES[:1]
    assert room.texts(NAMES) == {"old"}
    assert all(isinstance(results[name], UntouchedError) for name in NAMES[1:])


FEW = NAMES[:10]


def wave_at_work(room: Room, interrupts: int) -> tuple[Path, list[str]]:
    """Ctrl-C, so many times, once all of the first wave after the canary are at their first step.

    :returns: the file for which that step waits, and the hosts of the wave
    """
    go = room.go
    wave = FEW[1:4]  # of 30%
    for name in wave:
        step = next(iter(room.worlds[name].steps.values()))
        room.worlds[name].change(0, do=f"until [ -e {go} ]; do sleep 0.1; done; {step.do}")

    def event(host: str, event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == 1 and host in wave:
            started.add(host)
            if started == {*wave}:
                gevent.spawn(interrupt)

    def interrupt() -> None:
        for _ in range(interrupts):
            os.kill(os.getpid(), signal.SIGINT)
            gevent.sleep(0)
        if interrupts == 1:
            go.touch()

    started: set[str] = set()
    room.on_event = event
    return go, wave


def test_ctrl_c_lets_the_wave_end_and_says_who_is_changed(room: Room) -> None:
    for name in FEW:
        room.start(name)
    _, wave = wave_at_work(room, 1)
    results = room.apply(FEW)
    changed = [name for name, result in results.items() if isinstance(result, Outcome)]
    assert changed == [FEW[0], *wave]
    assert all(isinstance(results[name], UntouchedError) for name in FEW[4:])
    assert room.texts(changed) == {"new"}
    assert room.texts(FEW[4:]) == {"old"}
    assert room.stop.asked


def test_ctrl_c_twice_leaves_the_wave_to_itself_and_names_it(room: Room) -> None:
    for name in FEW:
        room.start(name)
    go, wave = wave_at_work(room, 2)
    results = room.apply(FEW)
    for name in wave:
        assert "left while it was at work" in said(results, name, SriovctlError)
    assert all(isinstance(results[name], UntouchedError) for name in FEW[4:])
    # what was left goes on by itself
    go.touch()
    room.becomes_new(wave)
    assert room.texts(FEW[4:]) == {"old"}


def test_this_machine_goes_after_the_others_of_its_wave(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the canary, and in a wave."""
    monkeypatch.setenv("SRIOVCTL_STATE", str(room.folder / "own-state"))
    room.here = {FEW[0], FEW[2]}
    names = FEW[:5]
    for name in names:
        if name not in room.here:
            room.start(name)
    results = room.apply(names, batch="60%")
    assert all(isinstance(result, Outcome) for result in results.values())
    assert room.texts(names) == {"new"}
    canary, *wave = room.begun
    assert canary == FEW[0]
    assert {*wave[:3]} == {FEW[1], FEW[2], FEW[3]}
    assert wave[2:] == [FEW[2], FEW[4]]
    room.apply(names)
    assert room.begun == []
