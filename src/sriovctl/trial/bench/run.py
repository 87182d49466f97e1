"""Traffic to VMs and their host in turns, and what was measured of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from sriovctl.errors import HostError
from sriovctl.reach import Reach
from sriovctl.shell import command
from sriovctl.trial.background import Background
from sriovctl.trial.bench.flows import (
    FLOWS,
    PING_INTERVAL_S,
    Flow,
    FlowError,
    cpu_per_gigabit,
    latency,
    received,
    round_trips,
)
from sriovctl.trial.setting import Sending

ASK_S = 60.0
"""For a host to answer something that takes no time."""
LATE_S = 30.0
"""So much longer than it should may iperf3 or ping take; then it is ended."""
PORT = 5201
"""iperf3's own."""

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


@dataclass
class Bench:
    """What is measured, and from where."""

    paths: tuple[Path, ...]
    sending: Sending
    host: Reach
    seconds: int
    """Of each run."""
    runs: int
    patience_s: float
    say: Callable[[str], None]
    skipped: list[str] = field(default_factory=list)
    """Runs that failed on a path where others did not, and why."""
    _served: set[Path] = field(default_factory=set)

    def measure(self) -> dict[str, dict[str, list[float]]]:
        """All runs of all, the paths in turns.

        :returns: values by path and measure, in the order of the runs
        :raises HostError: iperf3 or ping is missing, or somebody does not answer
        """
        self._check_tools()
        found: dict[str, dict[str, list[float]]] = {path.name: {} for path in self.paths}
        for run in range(1, self.runs + 1):
            for words, measure in self._measures():
                for path in self.paths:
                    self.say(f"run {run} of {self.runs}: {path.name}, {words}")
                    for name, value in measure(path).items():
                        found[path.name].setdefault(name, []).append(value)
        return found

    def _measures(self) -> Iterator[tuple[str, Callable[[Path], dict[str, float]]]]:
        yield "ping", self._latency
        for flow in FLOWS:
            yield flow.words, partial(self._flow, flow)

    def _check_tools(self) -> None:
        reaches = [(self.sending.reach, "iperf3"), (self.sending.reach, "ping")]
        if any(path.kind == "host" for path in self.paths):
            reaches.append((self.host, "iperf3"))
        for reach, tool in reaches:
            if reach.run(f"command -v {tool}\n", timeout_s=ASK_S).status != 0:
                raise HostError(
                    f"{reach.name}: there is no {tool}",
                    "traffic is measured by it",
                    f"install it there, as: apt-get install {tool}",
                )

    def _send(self, words: Sequence[str]) -> str:
        limit = self.seconds + LATE_S
        line = command(*self.sending.prefix, "timeout", f"{limit:g}", *words)
        return self.sending.reach.run(f"exec {line}\n", timeout_s=limit + ASK_S).stdout

    def _latency(self, path: Path) -> dict[str, float]:
        count = max(2, round(self.seconds / PING_INTERVAL_S))
        words = ["ping", "-n", "-i", f"{PING_INTERVAL_S:g}", "-c", str(count), path.address]
        deadline = time.monotonic() + self.patience_s
        while True:
            trips = round_trips(self._send(words))
            if len(trips) > 1:
                return latency(trips)
            if time.monotonic() > deadline:
                raise HostError(
                    f"{path.name} at {path.address} does not answer {self.sending.reach.name} "
                    f"within {self.patience_s:g} s",
                    "it is not up, has another address, or drops ICMP echo requests",
                    f"try there: {command('ping', path.address)}; or --address, or --from HOST",
                )

    def _flow(self, flow: Flow, path: Path) -> dict[str, float]:
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                figures = self._once(path, flow)
            except FlowError as error:
                # a server for a single run is gone for a moment after each
                if time.monotonic() <= deadline:
                    time.sleep(0.2)
                    continue
                if path in self._served:
                    self.skipped.append(f"{path.name}, {flow.words}, once: {error}")
                    return {}
                raise HostError(
                    f"{path.name} at {path.address}: iperf3, {flow.words}: {error}",
                    f"it needs an iperf3 server on port {PORT} there, that can be reached",
                    f"in the VM: iperf3 -s; then try from {self.sending.reach.name}: "
                    f"{command('iperf3', '-c', path.address)}",
                ) from error
            self._served.add(path)
            return figures

    def _once(self, path: Path, flow: Flow) -> dict[str, float]:
        if path.kind == "host":
            self._serve_once()
        cpu: list[str] = []
        quarter = f"{self.seconds / 4:g}", f"{self.seconds / 2:g}"
        watch = Background(
            lambda: cpu.append(self.host.run(_CPU, quarter, timeout_s=self.seconds + ASK_S).stdout)
        )
        words = ["iperf3", "-c", path.address, "-p", str(PORT), "-t", str(self.seconds), "-J"]
        try:
            text = self._send([*words, *flow.options])
        finally:
            watch.join(self.seconds + ASK_S)
        rate = received(text)
        figures = {flow.name: rate / flow.per_second}
        spent = cpu_per_gigabit(cpu[0], rate) if flow.with_cpu else None
        if spent is not None:
            figures |= {f"cpu_{flow.name}": spent[0], f"cpu_all_{flow.name}": spent[1]}
        return figures

    def _serve_once(self) -> None:
        """A server on the host for one run; it ends by itself, also if nobody comes."""
        line = command("timeout", f"{self.seconds + 2 * LATE_S:g}", "iperf3", "-s", "-1")
        self.host.run(f"setsid {line} -p {PORT} >/dev/null 2>&1 </dev/null &\n", timeout_s=ASK_S)
