"""Trials of several VMs: all are looked at first, then they are tried, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sriovctl.errors import SriovctlError
from sriovctl.reach import Reach
from sriovctl.targets import Target
from sriovctl.trial.result import Result
from sriovctl.trial.subject import Subject, hosts_of

Ended = Result | SriovctlError | None
"""How it ended for one VM; None: it does not run, and was not tried."""


class Each(Protocol):
    """:func:`sriovctl.targets.each`, the way to the hosts already chosen."""

    def __call__(
        self, targets: Sequence[Target], work: Callable[[Reach, Target], None], *, at_once: int
    ) -> dict[str, SriovctlError | None]:
        """Do some work on so many hosts at the same time."""


LOOKS_AT_ONCE = 100


@dataclass
class Several:
    """Several VMs' trials. No two legs are ever away at the same time.

    Two hosts' trials at once would measure each other: they share the switches, and the sender.
    """

    each: Each
    runs: Callable[[Subject, Reach], bool]
    """Raises what stands in the way of its trial."""
    trial: Callable[[Subject, Reach], Result]
    tell: Callable[[Subject, Ended], None]
    """Called as each ends."""
    results: dict[str, Ended] = field(default_factory=dict)
    """By VM."""

    def run(self, subjects: Sequence[Subject]) -> dict[str, Ended]:
        """Who cannot be tried is told before the first leg is taken away, and keeps nobody waiting.

        :returns: by VM, in the order of ``subjects``
        """
        self._on_hosts(subjects, self._look, LOOKS_AT_ONCE)
        self._on_hosts([one for one in subjects if one.vm not in self.results], self._try, 1)
        return {one.vm: self.results[one.vm] for one in subjects}

    def _on_hosts(
        self, subjects: Sequence[Subject], work: Callable[[Subject, Reach], None], at_once: int
    ) -> None:
        def of_host(host: Reach, target: Target) -> None:
            for one in subjects:
                if one.target.name == target.name:
                    try:
                        work(one, host)
                    except SriovctlError as error:
                        self._end(one, error)

        self.each(hosts_of(subjects), of_host, at_once=at_once)

    def _look(self, one: Subject, host: Reach) -> None:
        if not self.runs(one, host):
            self._end(one, None)

    def _try(self, one: Subject, host: Reach) -> None:
        self._end(one, self.trial(one, host))

    def _end(self, one: Subject, ended: Ended) -> None:
        self.results[one.vm] = ended
        self.tell(one, ended)
