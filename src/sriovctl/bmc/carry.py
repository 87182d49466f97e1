"""Carry out link *firmware*: look, decide, make one move, look again, until all is as wanted.

Nothing is remembered from one run to the next. A run that was broken off anywhere, or whose answers
were cut off, is gone on with by looking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from sriovctl.bmc.door import Door, LostAnswerError, Order, Patience, RefusedError
from sriovctl.chain.firmware import Commit, Done, Restart, Stage, Wait, next_move, plan
from sriovctl.errors import BlockedError, FirmwareError
from sriovctl.firmware import FirmwareState, FirmwareWant, Job, JobState
from sriovctl.plan import Finding, Frozen, Severity

ATTEMPTS = 3
"""A move that does not last is made so often; more only fills the BMC's log."""

Tell = Callable[[str], None]


class Outcome(Frozen):
    """How a server's firmware is after a run that did not fail."""

    state: FirmwareState
    changed: bool
    """Something was staged, committed or switched in this run."""
    awaits_restart: bool
    """All is staged and committed; only the restart is missing, which was not allowed."""


def carry(
    door: Door,
    want: FirmwareWant,
    *,
    restart: bool = False,
    force_after: float | None = None,
    patience: Patience | None = None,
    tell: Tell = lambda text: None,
) -> Outcome:
    """Make a server's firmware as wanted.

    :param restart: the server may be restarted
    :param force_after: seconds that its system gets to shut down before the power is cut; 0 cuts
        it at once; None never does
    :param tell: is given each move, for a person to follow
    :raises BlockedError: somebody else's job or pending values stand in the way
    :raises FirmwareError: it cannot be as wanted, the BMC refuses, a job failed, time is up
    :raises UnreachableError: the BMC is gone, or is another
    """
    return _Run(door, want, restart, force_after, patience or Patience(), tell).go()


class _Run:
    def __init__(
        self,
        door: Door,
        want: FirmwareWant,
        may_restart: bool,
        force_after: float | None,
        patience: Patience,
        tell: Tell,
    ) -> None:
        self._door = door
        self._want = want
        self._may_restart = may_restart
        self._force_after = force_after
        self._patience = patience
        self._tell = tell
        self._tries: Counter[str] = Counter()
        self._jobs: set[str] = set()
        """Jobs seen under way on our devices."""
        self._since: dict[str, float] = {}
        """What is waited for → since when."""
        self._restarted = False

    def go(self) -> Outcome:
        have = self._look(jobs=False)
        while True:
            self._refuse_what_cannot_be(have)
            move = next_move(self._want, have, self._restarted)
            changed = bool(self._tries) or self._restarted
            match move:
                case Done():
                    return Outcome(state=have, changed=changed, awaits_restart=False)
                case Restart() if not self._may_restart:
                    return Outcome(state=have, changed=changed, awaits_restart=True)
                case Restart():
                    self._restart(have)
                case Wait(job):
                    self._wait(job)
                case Stage(device, values):
                    told = ", ".join(f"{name}={value}" for name, value in values.items())
                    stage = partial(self._door.stage, device, values)
                    self._try(f"{device}: set {told}", stage)
                case Commit(device):
                    self._try(f"{device}: make the job", partial(self._door.commit, device))
            have = self._look()

    def _look(self, jobs: bool = True) -> FirmwareState:
        have = self._door.look(self._want, jobs=jobs)
        devices = {s.device for s in have.settings}
        for job in have.jobs or ():
            if job.device in devices and job.state.live:
                self._jobs.add(job.id)
            elif job.id in self._jobs and job.state in (JobState.FAILED, JobState.ERRORS):
                self._job_failed(job, have)
        return have

    def _job_failed(self, job: Job, have: FirmwareState) -> None:
        missing = [s.display for s in have.settings if s.device == job.device and not s.holds]
        if job.state is JobState.ERRORS and not missing:
            return
        raise FirmwareError(
            f"job {job.id} ({job.name}) is over, {job.state}: {job.message}",
            f"not as wanted: {', '.join(missing)}" if missing else "",
            f"look at the Lifecycle log (racadm lclog view -i {job.id}), then run again",
        )

    def _refuse_what_cannot_be(self, have: FirmwareState) -> None:
        found = plan(self._want, have)
        if blocked := found.of(Severity.BLOCKED):
            raise BlockedError(*_together(blocked))
        if errors := found.of(Severity.ERROR):
            raise FirmwareError(*_together(errors))

    def _try(self, title: str, make: Callable[[], None]) -> None:
        self._tries[title] += 1
        if self._tries[title] > ATTEMPTS:
            raise FirmwareError(
                f"{title}: asked {ATTEMPTS} times, and the BMC does not keep it",
                "somebody else may work at it now",
                "look at the BMC's job queue and log, then run again",
            )
        self._tell(title)
        try:
            make()
        except LostAnswerError:
            self._tell("the answer was cut off: looking again")
        except RefusedError:
            # of a refusal's cause the job queue tells more than its message id
            self._refuse_what_cannot_be(self._door.look(self._want, jobs=True))
            raise

    # waiting

    def _wait(self, job: Job | None) -> None:
        what = "the pending values" if job is None else f"job {job.id} ({job.name})"
        new = job is not None and job.state is JobState.NEW
        limit = self._patience.schedule if new else self._patience.job
        key = f"{what} new={new}"
        if key not in self._since:
            self._since[key] = self._patience.now()
            self._tell(f"waiting for {what}")
        if self._patience.now() - self._since[key] > limit:
            state = "" if job is None else f", {job.state}: {job.message}"
            raise FirmwareError(
                f"{what}: not over after {limit:.0f} s{state}",
                "it was left as it is and may still come to its end",
                "look at the server's console; then run again, which goes on from there",
            )
        self._patience.sleep(self._patience.poll)

    # restarting

    def _restart(self, have: FirmwareState) -> None:
        """In the gentlest way that the BMC has."""
        self._restarted = True
        self._tries["restart"] += 1
        if self._tries["restart"] > ATTEMPTS:
            raise FirmwareError(
                f"the server is off again after {ATTEMPTS} starts",
                "somebody else switches it, or it does not start",
                "look at its console; then run again",
            )
        orders = self._door.orders()
        if self._off(have):
            self._on()
        elif self._force_after == 0 and Order.OFF in orders:
            self._cut()
        elif {Order.SHUTDOWN, Order.ON} <= orders:
            self._order(Order.SHUTDOWN, "shut the system down")
            self._after_shutdown(orders)
        elif Order.RESTART in orders:
            self._order(Order.RESTART, "restart the system")
        else:
            raise FirmwareError(
                "the BMC has no gentle way to restart the server",
                "all is staged; it applies at the next restart",
                "restart it from within, or allow force",
            )

    def _off(self, have: FirmwareState) -> bool:
        return (have.power or self._door.power()) == "off"

    def _after_shutdown(self, orders: frozenset[Order]) -> None:
        limit = self._patience.shutdown if self._force_after is None else self._force_after
        deadline = self._patience.now() + limit
        while True:
            have = self._look()
            if self._off(have):
                self._on()
                return
            if not isinstance(next_move(self._want, have), Restart):
                return  # somebody has restarted it, or its jobs changed: all is decided anew
            if self._patience.now() > deadline:
                break
            self._patience.sleep(self._patience.poll)
        if self._force_after is None or Order.OFF not in orders:
            raise FirmwareError(
                f"the system did not shut down within {limit:.0f} s",
                "all is staged and applies at the next restart; the power was not cut",
                "shut it down from within, or allow force; then run again",
            )
        self._cut()

    def _cut(self) -> None:
        self._order(Order.OFF, "cut the power")
        self._until("off")
        self._on()

    def _on(self) -> None:
        self._order(Order.ON, "switch on")
        self._until("on")

    def _order(self, what: Order, title: str) -> None:
        self._tell(title)
        try:
            self._door.order(what)
        except LostAnswerError:
            self._tell("the answer was cut off: looking again")
        except RefusedError as error:
            if (what is Order.ON) == (self._door.power() == "on"):
                return  # it is so already: somebody was faster
            raise FirmwareError(
                f"{title}: {error.found}",
                "all is staged and applies at the next restart",
                error.mend or "restart it from within or at its console; then run again",
            ) from None

    def _until(self, state: str) -> None:
        deadline = self._patience.now() + self._patience.power
        while self._door.power() != state:
            if self._patience.now() > deadline:
                raise FirmwareError(
                    f"the server is not {state} after {self._patience.power:.0f} s",
                    "all is staged and applies at its next start",
                    "look at its console; then run again",
                )
            self._patience.sleep(self._patience.poll)


def _together(findings: tuple[Finding, ...]) -> tuple[str, str, str]:
    """All findings as one error's three texts."""
    found = "; ".join(f"{f.about}: {f.found}" for f in findings)
    return (
        found,
        "; ".join(dict.fromkeys(f.means for f in findings if f.means)),
        "; ".join(dict.fromkeys(f.mend for f in findings if f.mend)),
    )
