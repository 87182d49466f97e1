"""What both ways to a BMC offer, and how they fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from sriovctl.errors import FirmwareError, UnreachableError
from sriovctl.firmware import FirmwareState, FirmwareWant


class Order(StrEnum):
    """What can be asked of a server's power."""

    ON = "on"
    SHUTDOWN = "shutdown"
    """Press the power button: its system shuts down by itself."""
    RESTART = "restart"
    """The same, and it starts again."""
    OFF = "off"
    """Cut the power."""


class LostAnswerError(FirmwareError):
    """The connection broke before the answer was whole: it was carried out, or it was not.

    The one cure is to look again.
    """


class RefusedError(FirmwareError):
    """The BMC says no.

    :param codes: its message ids, without a registry's prefix: ``SYS011``, ``RAC947``
    """

    def __init__(self, codes: tuple[str, ...], found: str, means: str = "", mend: str = "") -> None:
        super().__init__(found, means, mend)
        self.codes = codes


class NoRedfishError(FirmwareError):
    """The BMC's firmware has no Redfish, or it is switched off."""


class NoAnswerError(UnreachableError):
    """Nobody is there: no connection at all."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds, and the clock to wait by."""

    connect: float = 10.0
    """TCP and TLS or ssh to the BMC."""
    request: float = 60.0
    """One answer."""
    busy: float = 300.0
    """The BMC or its Lifecycle Controller says that it is busy."""
    schedule: float = 300.0
    """A new job becomes scheduled."""
    shutdown: float = 300.0
    """The system shuts down after the power button was pressed."""
    power: float = 60.0
    """The server is off, or on, after it was ordered so by force."""
    job: float = 1800.0
    """From the restart until the job is over; an iDRAC takes 2 to 10 minutes."""
    poll: float = 5.0
    """Between two looks."""
    between: float = 2.0
    """Between two ssh sessions; an iDRAC counts one for a while after its end."""
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Door(Protocol):
    """A way to one BMC, open. Not to be shared by threads."""

    via: Literal["redfish", "racadm"]
    warnings: tuple[str, ...]
    """What is to be said at each run: a certificate that is not checked, old ciphers."""

    def look(self, want: FirmwareWant, jobs: bool = False) -> FirmwareState:
        """All facts that the wish needs.

        :param jobs: also the job queue and the power, where all holds and they could be left out
        :raises FirmwareError: the BMC cannot be asked
        """

    def stage(self, device: str, values: Mapping[str, str]) -> None:
        """Make values pending; where the BMC does both in one, also the job.

        :raises RefusedError: read-only, not allowed, a job is in the way
        :raises LostAnswerError: look again
        """

    def commit(self, device: str) -> None:
        """Make the job that applies at the next restart what is pending.

        :raises RefusedError: a job is in the way, Lifecycle Controller is off or stays busy
        :raises LostAnswerError: look again
        """

    def power(self) -> Literal["on", "off"]:
        """Whether the server is on."""

    def orders(self) -> frozenset[Order]:
        """What this BMC lets one do to the power."""

    def order(self, what: Order) -> None:
        """Do that, or begin to.

        :raises RefusedError: it does not
        :raises LostAnswerError: look again
        """

    def ports(self) -> dict[str, str]:
        """Permanent MAC address, lower case → FQDD of the network port; empty where it is not told.

        A rack file names ports by MAC address or by the host's names, a BMC by its own.
        """

    def close(self) -> None:
        """End sessions. May be called twice."""
