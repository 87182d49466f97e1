"""What a BMC says of its server: the typed facts that one look gave. Facts only, no opinion.

``None`` in a field means that the BMC did not say, never "no".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from sriovctl.plan import Frozen

Intent = Literal["virtualization", "iommu", "sriov", "nic"]
"""What a setting is for; ``nic`` is a network port's own switch, not one of the BIOS."""

BIOS = "BIOS"
"""The device that the BIOS settings belong to; the others are network ports, by their FQDD."""

IDRAC_BIOS = "BIOS.Setup.1-1"
"""iDRAC's name (FQDD) of the same."""


class FirmwareWant(Frozen):
    """What is to be on, at one server."""

    intents: tuple[Literal["virtualization", "iommu", "sriov"], ...] = (
        "virtualization",
        "iommu",
        "sriov",
    )
    nics: tuple[str, ...] = ()
    """FQDDs of network ports whose own switch is to be on: ``NIC.Integrated.1-1-1`` (Dell)."""


class Setting(Frozen):
    """A setting that an intent led to."""

    device: str
    name: str
    intents: tuple[Intent, ...]
    value: str
    """What holds now, or what a running job has just written."""
    pending: str | None = None
    """What will hold after a job or a reset; None where nothing is pending."""
    on: tuple[str, ...]
    """Values that switch it on, the best first."""
    display: str
    """As the BIOS screen shows it."""
    read_only: bool | None = None
    allowed: tuple[str, ...] | None = None
    depends: tuple[str, ...] = ()
    """Settings that may grey it out."""

    @property
    def holds(self) -> bool:
        """It is on."""
        return self.value in self.on

    @property
    def staged(self) -> bool:
        """It will be on after a job or a reset."""
        return self.pending in self.on

    @property
    def target(self) -> str | None:
        """The value to set; None where the machine allows none of those known."""
        if self.allowed is None:
            return self.on[0]
        return next((value for value in self.on if value in self.allowed), None)


class Absent(Frozen):
    """An intent that the machine has no known setting for."""

    device: str
    intent: Intent
    tried: tuple[str, ...]
    screen: str
    """Where a person finds it on the BIOS screen; empty where the vendor is not known."""


class Pending(Frozen):
    """A value that waits for a job or a reset, ours or somebody else's."""

    device: str
    name: str
    value: str


class JobState(StrEnum):
    """Where a job is, in both protocols' terms."""

    NEW = "new"
    """Taken, not yet scheduled: the Lifecycle Controller has not looked at it."""
    SCHEDULED = "scheduled"
    """Runs at the server's next start."""
    RUNNING = "running"
    DONE = "done"
    ERRORS = "done with errors"
    FAILED = "failed"

    @property
    def live(self) -> bool:
        """It is not over."""
        return self in (JobState.NEW, JobState.SCHEDULED, JobState.RUNNING)


class Job(Frozen):
    """An entry of the BMC's job queue."""

    id: str
    name: str
    state: JobState
    device: str | None = None
    """Whose settings it applies; None for a job of another kind."""
    message: str = ""
    """With its message id: ``PR21: Job failed.``"""


class FirmwareState(Frozen):
    """One look at one server through its BMC."""

    via: Literal["redfish", "racadm"]
    vendor: str | None = None
    """A key of ``intents.toml``."""
    model: str | None = None
    bios_version: str | None = None
    bmc_firmware: str | None = None
    power: Literal["on", "off"] | None = None
    settings: tuple[Setting, ...] = ()
    absent: tuple[Absent, ...] = ()
    pending: tuple[Pending, ...] = ()
    """Everything that is pending on the devices looked at."""
    jobs: tuple[Job, ...] | None = None
    """The queue, oldest first; None where the BMC has none, or was not asked because all holds."""
    needs_job: bool = False
    """Pending values wait for a job; False: the next reset alone applies them."""
    registry: bool | None = None
    """The attribute registry was read; None where it was not needed."""

    def live(self, device: str) -> Job | None:
        """The job for a device that is not over; BMCs allow one at most."""
        return next((j for j in self.jobs or () if j.device == device and j.state.live), None)

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices that were looked at."""
        names = [s.device for s in self.settings] + [p.device for p in self.pending]
        return tuple(dict.fromkeys(names))


def device_of_job(name: str, kind: str = "") -> str | None:
    """Whose settings a job applies, from its name ``Configure: NIC.Integrated.1-1-1``.

    :param kind: Redfish's JobType, where there is one
    """
    _, mark, fqdd = name.partition("Configure: ")
    if mark:
        return BIOS if fqdd.strip().startswith("BIOS.") else fqdd.strip()
    return BIOS if kind == "BIOSConfiguration" else None
