"""Legs of a VM's pair, for tests."""

from __future__ import annotations

from sriovctl.host import VF, VM, VMNic
from sriovctl.trial.ways import Leg
from tests.unit.chain.worlds import bare_pf

GUEST = VM(name="VM-2", uuid="1-2", persistent=True, running=True, autostart=False)


def leg(number: int, index: int = 0) -> Leg:
    """A VF of em1 or em2, from a pool, with igb as the PF's driver."""
    pci = f"0000:0{number}:10.{index}"
    mac = f"02:00:00:00:0{number}:0{index}"
    card = VMNic(how="pool", mac=mac, pool=f"em{number}'s", pci=pci, vlan=7)
    return Leg(GUEST, bare_pf(number), VF(index=index, pci=pci, driver="vfio-pci"), card)
