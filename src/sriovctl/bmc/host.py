"""What a host's rack file asks of its BMC: to look, or to carry out, over a way opened for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from sriovctl.bmc.carry import carry
from sriovctl.bmc.door import Door, Patience
from sriovctl.bmc.opening import open_door
from sriovctl.chain.firmware import Restart, Wait, next_move, wish, without_sriov
from sriovctl.errors import SriovctlError
from sriovctl.firmware import FirmwareState, FirmwareWant
from sriovctl.host import HostState
from sriovctl.wanted import BMCWant, HostWant


def look(
    want: HostWant,
    have: HostState,
    before: FirmwareState | None = None,
    *,
    patience: Patience | None = None,
) -> FirmwareState | None:
    """What the host's BMC says; None where the rack file names none.

    :param have: the host itself: ports that show no SR-IOV are looked at too
    :param before: an earlier look, which knows these ports' names at the BMC
    :raises SriovctlError: the BMC cannot be asked
    """
    if want.bmc is None:
        return None
    with _open(want.name, want.bmc, patience) as door:
        if before is not None:
            return door.look(wish(want.bmc, before))
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
    with _open(host, bmc, patience) as door:
        carry(door, want, restart=restart, force_after=force_after, tell=tell, patience=patience)


def rouse(
    host: str, bmc: BMCWant, *, tell: Callable[[str], None], patience: Patience | None = None
) -> bool:
    """Go on with a restart that an earlier run left in the middle: of a host that does not answer.

    One that is off is switched on if something waits at the BMC for its start; that is waited for.

    :returns: False where nothing of ours is under way: it is on, and its way is cut or VMs hang
        there; or somebody has switched it off, and may have a hand in it
    :raises SriovctlError: the BMC cannot be asked, or does not do it
    """
    want = FirmwareWant(intents=bmc.intents)
    with _open(host, bmc, patience) as door:
        off = door.power() == "off"
        move = next_move(want, door.look(want, jobs=True))
        if not (isinstance(move, Wait) or (off and isinstance(move, Restart))):
            return False
        carry(door, want, restart=off, tell=tell, patience=patience)
        return True


def power(host: str, bmc: BMCWant) -> Literal["on", "off"]:
    """Whether a host is on, as its BMC says.

    :raises SriovctlError: the BMC cannot be asked
    """
    with _open(host, bmc) as door:
        return door.power()


@contextmanager
def _open(host: str, bmc: BMCWant, patience: Patience | None = None) -> Iterator[Door]:
    try:
        door = open_door(bmc, patience)
        try:
            yield door
        finally:
            door.close()
    except SriovctlError as error:
        error.found = f"{host}: BMC {bmc.address}: {error.found}"
        raise
