"""A hundred hosts looked at and planned, against the bare fan-out of the same script."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

from sriovctl import chain, probe
from sriovctl.errors import SriovctlError, UsageError
from sriovctl.lab.bench import facts, planning
from sriovctl.lab.bench.crowd import Crowd, crowd
from sriovctl.lab.bench.facts import Size
from sriovctl.lab.bench.figures import Comparison, Series

HOSTS = 100
FEW = 10
"""Hosts of the run from which the cost of a host is told from that of starting."""
AIM = 1.5
AIM_CPU_MS = 15.0
AIM_MEMORY_KB = 100.0
SIMULATED = 1000
SIZE = Size(2, 10)


@dataclass(frozen=True)
class Run:
    """One program from its start to its end."""

    seconds: float
    cpu_s: float
    memory_kb: int
    """At its most."""


@dataclass(frozen=True)
class Measured:
    """What :func:`measure` gave."""

    comparisons: tuple[Comparison, ...]
    cpu: Series
    """Of the controller, a host."""
    memory_kb: float
    """By which the controller grows with each host."""
    simulated: Series
    """CPU of reading and planning for :data:`SIMULATED` hosts."""
    without: str
    """Why Ansible is missing, or empty."""


def measure(rounds: int) -> Measured:
    """In turns: ours, the floor; and once Ansible, which takes long.

    :raises UsageError: not root, or no sshd
    """
    if os.geteuid() != 0:
        raise UsageError("not root", "hosts are logged in to as root", "sudo make bench")
    with (
        tempfile.TemporaryDirectory(prefix="sriovctl-bench-") as folder,
        crowd(Path(folder), HOSTS) as hosts,
    ):
        taken = [(_ours(hosts, HOSTS), _floor(hosts), _ours(hosts, FEW)) for _ in range(rounds)]
        ansible = _ansible(hosts)
    many, floor, few = zip(*taken, strict=True)
    ours = Series(f"sriovctl check, {HOSTS} hosts", tuple(run.seconds for run in many))
    comparisons = [
        Comparison(
            ours,
            Series("asyncssh, the probe's script alone", tuple(run.seconds for run in floor)),
            "s",
            AIM,
        )
    ]
    if isinstance(ansible, Run):
        other = Series("ansible-core, one command task", (ansible.seconds,))
        comparisons.append(Comparison(ours, other, "s"))
    more = HOSTS - FEW
    return Measured(
        tuple(comparisons),
        Series(
            "CPU a host",
            tuple((m.cpu_s - f.cpu_s) / more for m, f in zip(many, few, strict=True)),
        ),
        (max(run.memory_kb for run in many) - max(run.memory_kb for run in few)) / more,
        _simulated(),
        ansible if isinstance(ansible, str) else "",
    )


def _ours(hosts: Crowd, count: int) -> Run:
    program = [sys.executable, "-m", "sriovctl.cli", "--ssh-config", str(hosts.config)]
    # 3: no port of the rack file is on this machine, which is all that the plan is to find
    return _timed([*program, "check", "--json", str(hosts.rack(count))], (0, 3))


def _floor(hosts: Crowd) -> Run:
    words = [sys.executable, "-m", "sriovctl.lab.bench.fanout", str(hosts.first), str(hosts.count)]
    return _timed([*words, str(hosts.key), str(hosts.known_hosts)], (0,), probe.script())


def _ansible(hosts: Crowd) -> Run | str:
    """One command task on each, by ansible-core in a venv of its own; or why not."""
    folder = hosts.folder / "ansible"
    venv.create(folder, with_pip=True)
    install = [str(folder / "bin" / "pip"), "-q", "install", "ansible-core"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    settings = {
        "ANSIBLE_SSH_ARGS": f"-F {hosts.config} -o ControlMaster=no",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
    }
    words = [str(folder / "bin" / "ansible"), "all", "-i", str(hosts.inventory())]
    return _timed([*words, "-f", str(HOSTS), "-m", "command", "-a", "true"], (0,), **settings)


def _timed(words: list[str], codes: tuple[int, ...], text: str = "", **settings: str) -> Run:
    began = time.perf_counter()
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **settings},
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(text.encode())
    process.stdin.close()
    said = process.stderr.read().decode("utf-8", "replace")
    process.stderr.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode not in codes:
        raise SriovctlError(f"{words[:4]} ended with {process.returncode}: {said[-500:]}")
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss)


def _simulated() -> Series:
    """Facts of so many hosts, all as wanted, read and planned one after the other."""
    want = facts.wanted(SIZE)
    first = chain.plan(want, probe.parse(facts.bare(SIZE)))
    answer = facts.as_wanted(SIZE, planning.files_of(first))
    began = time.process_time()
    plans = [chain.plan(want, probe.parse(answer)) for _ in range(SIMULATED)]
    taken = time.process_time() - began
    if not all(plan.empty for plan in plans):
        raise SriovctlError("a host as wanted gave steps")
    return Series(f"{SIMULATED} hosts of {SIZE.pfs} PFs × {SIZE.vfs // SIZE.pfs} VFs", (taken,))
