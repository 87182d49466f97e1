"""What a host's rack file asks of its BMC: to look, or to carry out, over a way opened for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sriovctl.bmc.carry import carry
from sriovctl.bmc.door import Door, Patience
from sriovctl.bmc.opening import open_door
from sriovctl.chain.firmware import without_sriov
from sriovctl.errors import SriovctlError
from sriovctl.firmware import FirmwareState, FirmwareWant
from sriovctl.host import HostState
from sriovctl.wanted import BMCWant, HostWant


def look(want: HostWant, have: HostState) -> FirmwareState | None:
    """What the host's BMC says; None where the rack file names none.

    :param have: the host itself: ports that show no SR-IOV are looked at too
    :raises SriovctlError: the BMC cannot be asked
    """
    if want.bmc is None:
        return None
    with _open(want.name, want.bmc) as door:
        macs = without_sriov(want, have)
        ports = door.ports() if macs else {}
        nics = tuple(ports[mac] for mac in macs if mac in ports)
        return door.look(FirmwareWant(intents=want.bmc.intents, nics=nics))


def make(
    host: str,
    bmc: BMCWant,
    want: FirmwareWant,
    *,
    restart: bool,
    force_after: float | None,
    tell: Callable[[str], None],
    patience: Patience | None = None,
) -> None:
    """Stage and commit what is wanted; with ``restart`` also make it hold.

    :param force_after: as :func:`sriovctl.bmc.carry.carry`
    :raises SriovctlError: it cannot be, or was not done; says what is staged
    """
    with _open(host, bmc) as door:
        carry(door, want, restart=restart, force_after=force_after, tell=tell, patience=patience)


@contextmanager
def _open(host: str, bmc: BMCWant) -> Iterator[Door]:
    try:
        door = open_door(bmc)
        try:
            yield door
        finally:
            door.close()
    except SriovctlError as error:
        error.found = f"{host}: BMC {bmc.address}: {error.found}"
        raise
