"""Traffic to a VM at a set rate, from wherever it is sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from importlib.resources import files

from sriovctl.errors import HostError, SriovctlError
from sriovctl.reach import Reach
from sriovctl.shell import command
from sriovctl.trial import pinger, probes
from sriovctl.trial.background import Background
from sriovctl.trial.learned import Announcement, parse_announcement
from sriovctl.trial.probes import Probe


class Sender:
    """Sends from when it is made until it is stopped."""

    def __init__(
        self,
        reach: Reach,
        prefix: Sequence[str],
        address: str,
        rate: float,
        most_s: float,
        answer_s: float,
    ) -> None:
        """
        :param reach: where traffic is sent from, as root
        :param prefix: a command that runs the sender's, with Python: ``("python3",)``
        :param rate: packets/s
        :param most_s: it ends by itself after this many seconds, whatever happens to us
        :param answer_s: to hand over what was lost, after it was told to end
        """
        self._reach = reach
        self._address = address
        self._answer_s = answer_s
        self._pid: str | None = None
        self._probes: list[Probe] = []
        self._announcements: list[Announcement] = []
        self._shift: float | None = None
        self._answered = threading.Event()
        program = files("sriovctl.trial").joinpath("pinger.py").read_text("utf-8")
        line = command(*prefix, "-c", program, address, f"{rate:g}", f"{most_s:g}")
        self._stderr = ""
        self._status = 0
        self._run = Background(lambda: self._follow(f"exec {line}\n", most_s))

    def _follow(self, script: str, most_s: float) -> None:
        done = self._reach.run(script, timeout_s=most_s + self._answer_s, on_line=self._on_line)
        self._stderr, self._status = done.stderr.strip(), done.status

    def _on_line(self, line: str) -> None:
        if line.startswith("pid "):
            self._pid = line.removeprefix("pid ")
        if (heard := parse_announcement(line)) is not None:
            self._announcements.append(heard)
        probe = probes.parse(line)
        if probe is None:
            return
        self._probes.append(probe)
        if probe.received is not None:
            # the sender's clock may be another one than ours: no line arrives before it is written
            late = time.time() - probe.received
            self._shift = late if self._shift is None else min(self._shift, late)
            self._answered.set()

    def wait_answer(self, patience_s: float) -> None:
        """Until the VM has answered.

        :raises HostError: it does not within ``patience_s``
        """
        deadline = time.monotonic() + patience_s
        while not self._answered.wait(0.1):
            if not self._run.running:
                self._run.join(0)
                why = self._stderr.splitlines()[-1:] or ["it ended"]
                raise HostError(
                    f"{self._reach.name}: the sender does not run: {why[0]}",
                    "it needs Python 3 and root, and sends ICMP echo requests",
                    "send from elsewhere: --from HOST",
                )
            if time.monotonic() > deadline:
                raise HostError(
                    f"{self._address} does not answer {self._reach.name} within {patience_s:g} s",
                    "the VM is not up, has another address, or drops ICMP echo requests",
                    f"try there: {command('ping', self._address)}; or --address, or --from HOST",
                )

    def answers_since(self, moment: float) -> int:
        """How many answers came to probes that were sent after a moment of our clock."""
        shift = self._shift or 0.0
        fresh = 0
        for probe in reversed(self._probes[:]):
            if probe.sent + shift < moment:
                break
            fresh += probe.received is not None
        return fresh

    def stop(self) -> None:
        """End it; a sender that cannot be told ends by itself."""
        if self._pid is not None and self._run.running:
            self._reach.run(f"kill {command(self._pid)} || :\n", timeout_s=self._answer_s)

    @property
    def announcements(self) -> tuple[Announcement, ...]:
        """Gratuitous ARPs of the VM that it has heard so far, by our own clock."""
        shift = self._shift or 0.0
        return tuple(Announcement(a.moment + shift, a.mac) for a in self._announcements)

    def finish(self) -> list[Probe]:
        """End it and take all probes in the order of their sending, by our own clock.

        :raises SriovctlError: it was lost, or ended before it had said what was lost
        """
        self.stop()
        self._run.join(pinger.LINGER_S + self._answer_s)
        if self._status != 0:
            why = self._stderr.splitlines()[-1:] or [f"exit status {self._status}"]
            raise HostError(
                f"{self._reach.name}: the sender broke off: {why[0]}",
                "what it sent that was not answered is not known, so nothing was measured",
                "try again",
            )
        if not self._probes:
            raise SriovctlError(f"{self._reach.name}: the sender said nothing", self._stderr)
        shift = self._shift or 0.0
        return sorted(
            (
                Probe(p.sent + shift, None if p.received is None else p.received + shift)
                for p in self._probes
            ),
            key=lambda probe: probe.sent,
        )
