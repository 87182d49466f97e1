"""What an iDRAC's message ids mean to somebody who only wants his settings. Data only.

The same ids come over Redfish (with a registry's prefix, which varies) and over racadm.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

BUSY: Final = frozenset({"SYS518", "SWC0700", "RED023", "JCP024", "LC068", "RAC0218"})
"""iDRAC or its Lifecycle Controller is busy, or has no session left: nothing was done, and the same
will work later (Dell's Error and Event Messages guide)."""

_MEANING: Final = {
    "RAC947": (
        "the value is not one of those allowed; case matters",
        "racadm help BIOS.… lists the allowed values",
    ),
    "RAC1155": (
        "no BIOS setting can be applied while Lifecycle Controller is disabled",
        "racadm set LifecycleController.LCAttributes.LifecycleControllerState 1",
    ),
    "RAC0218": (
        "the iDRAC has no session left",
        "close other sessions: racadm getssninfo, racadm closessn -i N",
    ),
    "RED023": (
        "Lifecycle Controller is in use, by somebody at the BIOS screen perhaps",
        "wait, or end what uses it; then run again",
    ),
    "SYS518": ("the iDRAC has not come up yet", "wait some minutes, then run again"),
    "SWC0700": ("the iDRAC has not come up yet", "wait some minutes, then run again"),
    "SYS428": (
        "the setting is read-only, perhaps greyed out by another one",
        "look at it on the BIOS screen",
    ),
}


def meaning(codes: Iterable[str]) -> tuple[str, str]:
    """What the first known id means and how it is mended; empty where none is known."""
    return next((_MEANING[code] for code in codes if code in _MEANING), ("", ""))
