"""An iDRAC through racadm over ssh, for firmware that is too old for Redfish."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeVar

from sriovctl.bmc import transcript
from sriovctl.bmc.codes import BUSY, meaning
from sriovctl.bmc.door import LostAnswerError, Order, Patience, RefusedError
from sriovctl.bmc.intents import asked, resolve, table
from sriovctl.bmc.secrets import Secret
from sriovctl.bmc.ssh import SshTarget, run
from sriovctl.errors import FirmwareError
from sriovctl.firmware import (
    BIOS,
    IDRAC_BIOS,
    Absent,
    FirmwareState,
    FirmwareWant,
    Intent,
    Job,
    Pending,
    Setting,
)
from sriovctl.shell import command

_ACTIONS: Final = {
    Order.ON: "powerup",
    Order.SHUTDOWN: "graceshutdown",
    Order.OFF: "powerdown",
}

Answer = TypeVar("Answer")


class Racadm:
    """An iDRAC's racadm. One ssh connection a command: not all firmware takes two on one."""

    via: Literal["redfish", "racadm"] = "racadm"

    def __init__(self, target: SshTarget, password: Secret, patience: Patience) -> None:
        self._target = target
        self._password = password
        self._patience = patience
        self._last: float | None = None
        self._groups: dict[str, str] = {}
        """``NIC.Integrated.1-1-1`` → ``NIC.DeviceLevelConfig.1``."""
        self._places: dict[tuple[str, str], str] = {}
        """(device, setting) → racadm's group of it."""
        self._facts: dict[str, str] = {}
        self._elsewhere: tuple[Pending, ...] | None = None
        """What is pending in groups that no wish leads to; None: not looked at yet."""
        self.round_trips = 0
        """Commands run so far."""
        self.warnings: tuple[str, ...] = ()
        if target.old_ciphers:
            self.warnings = (
                f"{target.entry}: ssh with old ciphers is allowed. "
                "Who records the connection may read the password later.",
            )

    def look(self, want: FirmwareWant, jobs: bool = False) -> FirmwareState:
        """See :class:`sriovctl.bmc.door.Door`. Two commands where all BIOS settings hold.

        Then the job queue is left out, unless asked for: values are what is, and show a little
        before their job ends.
        """
        found: list[Setting] = []
        absent: list[Absent] = []
        pending: list[Pending] = []
        for device, intents in asked(want):
            values = self._values(device, intents)
            settings, missing = resolve(
                "dell",
                device,
                intents,
                {name: each.value for name, each in values.items()},
                {name: each.pending for name, each in values.items() if each.pending is not None},
            )
            found += [
                s.model_copy(update={"read_only": values[s.name].read_only}) for s in settings
            ]
            absent += missing
            pending += [
                Pending(device=device, name=name, value=each.pending)
                for name, each in values.items()
                if each.pending is not None
            ]
        if want.intents and any(not s.holds and not s.staged for s in found):
            pending += self._pending_elsewhere()
        if jobs or pending or any(not s.holds for s in found):
            queue: tuple[Job, ...] | None = self._jobs()
            self._facts = self._read("racadm getsysinfo", _some_facts)
        else:
            queue = None
        power = self._facts.get("Power Status", "").lower()
        return FirmwareState(
            via="racadm",
            vendor="dell",
            model=self._facts.get("System Model"),
            bios_version=self._facts.get("System BIOS Version"),
            bmc_firmware=self._facts.get("Firmware Version"),
            power="on" if power == "on" else "off" if power == "off" else None,
            settings=tuple(found),
            absent=tuple(absent),
            pending=tuple(pending),
            jobs=queue,
            needs_job=True,
        )

    def stage(self, device: str, values: Mapping[str, str]) -> None:
        """See :class:`sriovctl.bmc.door.Door`. One command a value."""
        for name, value in values.items():
            place = f"{self._places[device, name]}.{name}"
            self._do(command("racadm", "set", place, value), "RAC1017")

    def commit(self, device: str) -> None:
        """See :class:`sriovctl.bmc.door.Door`."""
        target = IDRAC_BIOS if device == BIOS else device
        self._do(command("racadm", "jobqueue", "create", target), "RAC1024")

    def power(self) -> Literal["on", "off"]:
        """See :class:`sriovctl.bmc.door.Door`."""
        return self._read("racadm serveraction powerstatus", transcript.power)

    def orders(self) -> frozenset[Order]:
        """See :class:`sriovctl.bmc.door.Door`."""
        return frozenset(_ACTIONS)

    def order(self, what: Order) -> None:
        """See :class:`sriovctl.bmc.door.Door`."""
        text = self._run(command("racadm", "serveraction", _ACTIONS[what]))
        if not transcript.ordered(text):
            raise self._refused(text)

    def ports(self) -> dict[str, str]:
        """See :class:`sriovctl.bmc.door.Door`."""
        return self._read("racadm getsysinfo", _macs_or_none)

    def close(self) -> None:
        """Nothing stays open between two commands."""

    # reading

    def _values(self, device: str, intents: tuple[Intent, ...]) -> dict[str, transcript.Value]:
        """All settings of the groups that the intents' settings are in."""
        vendor = table()["dell"]
        groups = dict.fromkeys(
            known.group for each in intents if (known := vendor.candidates(each)) is not None
        )
        values: dict[str, transcript.Value] = {}
        for name in groups:
            place = name if device == BIOS else self._port(name, device)
            if place is None:
                continue
            here = self._read(command("racadm", "get", place), _group_or_none)
            for setting, value in here.items():
                values[setting] = value
                self._places[device, setting] = place
        return values

    def _pending_elsewhere(self) -> tuple[Pending, ...]:
        """Somebody's values in the other groups of the BIOS, which our job would apply too.

        racadm has no command for it, so each group is asked, once, before the first change.
        """
        if self._elsewhere is None:
            ours = {place for (device, _), place in self._places.items() if device == BIOS}
            names = self._read("racadm get BIOS", _groups_or_none)
            self._elsewhere = tuple(
                Pending(device=BIOS, name=name, value=value.pending)
                for place in names
                if place not in ours
                for name, value in self._read(
                    command("racadm", "get", place), _group_or_none
                ).items()
                if value.pending is not None
            )
        return self._elsewhere

    def _port(self, group: str, fqdd: str) -> str | None:
        """racadm's name of a port's group; it counts ports from 1."""
        if fqdd not in self._groups:
            self._groups |= self._read(command("racadm", "get", group), _ports_or_none)
        return self._groups.get(fqdd)

    def _jobs(self) -> tuple[Job, ...]:
        return self._read("racadm jobqueue view", transcript.jobs)

    def _read(self, line: str, parse: Callable[[str], Answer | None]) -> Answer:
        """A command that only reads, run again where its answer was cut off."""
        deadline = self._patience.now() + self._patience.busy
        while True:
            try:
                text = self._run(line)
            except LostAnswerError:
                if self._patience.now() > deadline:
                    raise
                self._patience.sleep(self._patience.poll)
                continue
            answer = parse(text)
            if answer is not None:
                return answer
            raise self._refused(text)

    # changing

    def _do(self, line: str, success: str) -> None:
        text = self._run(line)
        if success not in transcript.message_ids(text) or transcript.refusal(text) is not None:
            raise self._refused(text)

    def _run(self, line: str) -> str:
        """Run a command; again while the iDRAC says that it is busy and so has done nothing."""
        deadline = self._patience.now() + self._patience.busy
        while True:
            self._pause()
            self.round_trips += 1
            try:
                text = run(self._target, self._password, line, self._patience)
            finally:
                self._last = self._patience.now()
            ids = transcript.message_ids(text)
            if not BUSY.intersection(ids) or transcript.DONE.intersection(ids):
                return text
            if self._patience.now() + self._patience.poll > deadline:
                raise self._refused(text)
            self._patience.sleep(self._patience.poll)

    def _pause(self) -> None:
        """An iDRAC counts a session for a while after its end, and has four to six."""
        if self._last is not None:
            rest = self._last + self._patience.between - self._patience.now()
            if rest > 0:
                self._patience.sleep(rest)

    def _refused(self, text: str) -> FirmwareError:
        ids = transcript.message_ids(text)
        said = transcript.refusal(text) or re.sub(r"\s+", " ", text).strip()[:200] or "nothing"
        return RefusedError(ids, f"{self._target.entry}: racadm says {said}", *meaning(ids))


def _group_or_none(text: str) -> dict[str, transcript.Value] | None:
    found = transcript.group(text)
    if found is not None:
        return found.values
    # RAC917 and RAC915: the model has no such group, so none of its settings
    return {} if {"RAC917", "RAC915"}.intersection(transcript.message_ids(text)) else None


def _groups_or_none(text: str) -> tuple[str, ...] | None:
    return transcript.groups(text) or None


def _ports_or_none(text: str) -> dict[str, str] | None:
    found = transcript.ports(text)
    no_such = {"RAC917", "RAC915"}.intersection(transcript.message_ids(text))
    return found if found or no_such else None


def _some_facts(text: str) -> dict[str, str] | None:
    found = transcript.facts(text)
    return found if "Power Status" in found else None


def _macs_or_none(text: str) -> dict[str, str] | None:
    return transcript.macs(text) if "Power Status" in transcript.facts(text) else None
