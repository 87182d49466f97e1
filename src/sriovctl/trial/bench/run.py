"""Traffic to VMs and their host in turns, and what was measured of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sriovctl.errors import HostError
from sriovctl.reach import OverdueError, Reach
from sriovctl.shell import command
from sriovctl.trial.background import Background
from sriovctl.trial.bench.flows import (
    FLOWS,
    PING_INTERVAL_S,
    Flow,
    RunError,
    cpu_per_gigabit,
    latency,
    received,
    round_trips,
)
from sriovctl.trial.setting import Sending

KILL_S = 5
"""After which iperf3 or ping, told to end and not ended, is killed."""
PORT = 5201
"""iperf3's own."""
MORE = 1.1
"""So many times as much must arrive for a further rate to be tried."""
LOST = 0.9
"""Where a smaller part arrives, less is offered next, and not more."""
LEAST = 100e3
"""bit/s; less is not offered."""

_CPU = r"""
sleep "$1"
read -r before </proc/stat
sleep "$2"
read -r after </proc/stat
grep -c '^cpu[0-9]' /proc/stat
printf '%s\n%s\n' "${before#cpu}" "${after#cpu}"
"""
"""The middle of a run, so that neither its ends nor the way to the host are in it."""


@dataclass(frozen=True)
class Path:
    """A way to be measured: to a VM, or to the host itself."""

    name: str
    kind: Literal["VFs", "bridge", "host"]
    address: str
    driver: str
    """Of the ports on the way."""


@dataclass(frozen=True)
class Patience:
    """How long is waited for what, in seconds."""

    served_s: float
    """For a VM and its iperf3 server to answer."""
    run_s: float
    """So much longer than it should may a run take; then it is ended."""
    answer_s: float
    """For a host to say what takes no time."""


@dataclass
class Bench:
    """What is measured, and from where."""

    paths: tuple[Path, ...]
    sending: Sending
    host: Reach
    seconds: int
    """Of each run."""
    runs: int
    patience: Patience
    say: Callable[[str], None]
    skipped: list[str] = field(default_factory=list)
    """Runs that failed on a path where others did not, and why."""
    _well: set[tuple[Path, str]] = field(default_factory=set)
    """Paths on which a tool was seen to work."""
    _last: dict[tuple[Path, str], float] = field(default_factory=dict)
    """Of each path and flow, by its name, what arrived at last, bit/s."""

    def measure(self) -> dict[str, dict[str, list[float]]]:
        """All runs of all, the paths in turns.

        :returns: values by path and measure, in the order of the runs
        :raises HostError: iperf3 or ping is missing, or somebody does not answer
        """
        self._check_tools()
        found: dict[str, dict[str, list[float]]] = {path.name: {} for path in self.paths}
        for run in range(1, self.runs + 1):
            for flow in (None, *FLOWS):
                for path in self.paths:
                    self.say(f"run {run} of {self.runs}: {path.name}, {_words(flow)}")
                    for name, value in self._run(path, flow).items():
                        found[path.name].setdefault(name, []).append(value)
        return found

    def _check_tools(self) -> None:
        reaches = [(self.sending.reach, "iperf3"), (self.sending.reach, "ping")]
        if any(path.kind == "host" for path in self.paths):
            reaches.append((self.host, "iperf3"))
        for reach, tool in reaches:
            if reach.run(f"command -v {tool}\n", timeout_s=self.patience.answer_s).status != 0:
                raise HostError(
                    f"{reach.name}: there is no {tool}",
                    "traffic is measured by it",
                    f"install it there, as: apt-get install {tool}",
                )

    def _run(self, path: Path, flow: Flow | None) -> dict[str, float]:
        """One run; again while who is asked may not be ready yet, left out where it fails then.

        :param flow: None for ping
        """
        tool = "ping" if flow is None else "iperf3"
        deadline = time.monotonic() + self.patience.served_s
        while True:
            try:
                figures = self._latency(path) if flow is None else self._throughput(path, flow)
            except RunError as error:
                worked = (path, tool) in self._well
                # a server for a single run is gone for a moment after each
                if (error.unserved or not worked) and time.monotonic() <= deadline:
                    time.sleep(0.2)
                elif worked:
                    self._skip(f"{path.name}, {_words(flow)}, once: {error}")
                    return {}
                else:
                    raise self._never(path, tool, error) from error
            else:
                self._well.add((path, tool))
                return figures

    def _skip(self, what: str) -> None:
        self.skipped.append(what)
        self.say(f"left out: {what}")

    def _never(self, path: Path, tool: str, error: RunError) -> HostError:
        sender = self.sending.reach.name
        who = f"{path.name} at {path.address}"
        if tool == "ping":
            return HostError(
                f"{who} does not answer {sender} within {self.patience.served_s:g} s",
                "it is not up, has another address, or drops ICMP echo requests",
                f"try there: {command(tool, path.address)}; or --address, or --from HOST",
            )
        return HostError(
            f"{who}: iperf3: {error}",
            f"it needs an iperf3 server on port {PORT} there, that can be reached",
            f"in the VM: iperf3 -s; then try from {sender}: {command(tool, '-c', path.address)}",
        )

    def _send(self, words: Sequence[str]) -> str:
        limit = self.seconds + self.patience.run_s
        line = command(*self.sending.prefix, "timeout", "-k", str(KILL_S), f"{limit:g}", *words)
        longest = limit + KILL_S + self.patience.answer_s
        try:
            return self.sending.reach.run(f"exec {line}\n", timeout_s=longest).stdout
        except OverdueError as error:
            raise RunError(error.found) from error

    def _latency(self, path: Path) -> dict[str, float]:
        count = max(2, round(self.seconds / PING_INTERVAL_S))
        words = ["ping", "-n", "-i", f"{PING_INTERVAL_S:g}", "-c", str(count), path.address]
        trips = round_trips(self._send(words))
        if len(trips) < 2:
            raise RunError("no answer")
        return latency(trips)

    def _throughput(self, path: Path, flow: Flow) -> dict[str, float]:
        if flow.begins_at is None:
            return self._once(path, flow, flow.options)
        if (path, flow.begins_at) not in self._last:
            raise RunError("nobody knows what rate to begin at")
        offered = max(LEAST, self._last[path, flow.begins_at])
        best = self._offer(path, flow, offered)
        factor = 2.0 if self._last[path, flow.name] >= LOST * offered else 0.5
        while (offered := offered * factor) >= LEAST:
            try:
                other = self._offer(path, flow, offered)
            except RunError:
                break
            more = other[flow.name] > MORE * best[flow.name]
            drowned = factor < 1 and self._last[path, flow.name] < LOST * offered
            best = max(best, other, key=lambda figures: figures[flow.name])
            if not (more or drowned):
                break
        return best

    def _offer(self, path: Path, flow: Flow, rate: float) -> dict[str, float]:
        return self._once(path, flow, (*flow.options, "-b", f"{rate:.0f}"))

    def _once(self, path: Path, flow: Flow, options: Sequence[str]) -> dict[str, float]:
        if path.kind == "host":
            self._serve_once()
        cpu: list[str] = []
        watch = Background(lambda: cpu.append(self._host_cpu(path, flow)))
        words = ["iperf3", "-c", path.address, "-p", str(PORT), "-t", str(self.seconds), "-J"]
        try:
            rate = received(self._send([*words, *options]))
        finally:
            # longer than its own limit, which costs no more than the figure
            watch.join(self.seconds + 2 * self.patience.answer_s)
        self._last[path, flow.name] = rate
        figures = {flow.name: rate / flow.per_second}
        spent = cpu_per_gigabit(cpu[0], rate)
        if spent is not None:
            figures |= {f"cpu_{flow.name}": spent[0], f"cpu_all_{flow.name}": spent[1]}
        return figures

    def _host_cpu(self, path: Path, flow: Flow) -> str:
        """What :data:`_CPU` says; nothing where the host is too busy to say it in time."""
        if not flow.with_cpu:
            return ""
        quarter = f"{self.seconds / 4:g}", f"{self.seconds / 2:g}"
        limit = self.seconds + self.patience.answer_s
        try:
            return self.host.run(_CPU, quarter, timeout_s=limit).stdout
        except OverdueError as error:
            self._skip(f"{path.name}, host's CPU, {flow.words}, once: {error.found}")
            return ""

    def _serve_once(self) -> None:
        """A server on the host for one run; it ends by itself, also if nobody comes."""
        longest = self.seconds + 2 * self.patience.run_s
        line = command("timeout", f"{longest:g}", "iperf3", "-s", "-1")
        background = f"setsid {line} -p {PORT} >/dev/null 2>&1 </dev/null &\n"
        self.host.run(background, timeout_s=self.patience.answer_s)


def _words(flow: Flow | None) -> str:
    return "ping" if flow is None else flow.words
