"""Which setting of a machine means what: the table ``intents.toml``, typed, and its resolution.

Pure. A vendor's names are candidates only; what counts is what the machine itself has.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from sriovctl.firmware import BIOS, Absent, FirmwareWant, Intent, Setting
from sriovctl.plan import Frozen


class Candidates(Frozen):
    """One vendor's settings for one intent."""

    names: tuple[str, ...]
    on: tuple[str, ...]
    screen: str
    prefix: bool = False
    group: str = ""
    """racadm's group, where the vendor has racadm."""

    def among(self, names: Iterable[str]) -> str | None:
        """The machine's own name for it: the first candidate that it has.

        Of several names that begin alike, the shortest is meant: ``IOMMU`` before ``IOMMUPages``.

        :param names: all that the machine has
        """
        present = sorted(set(names), key=lambda name: (len(name), name))
        for candidate in self.names:
            for name in present:
                if name == candidate or (self.prefix and name.startswith(candidate)):
                    return name
        return None


class Vendor(Frozen):
    """What one vendor's machines call things."""

    says: tuple[str, ...]
    source: str
    virtualization: Candidates
    iommu: Candidates
    sriov: Candidates
    nic: Candidates | None = None

    def candidates(self, intent: Intent) -> Candidates | None:
        """Of one intent; None where the vendor is not known to have such a setting."""
        found: Candidates | None = getattr(self, intent)
        return found


@cache
def table() -> dict[str, Vendor]:
    """All vendors that are known, by their short name."""
    text = files("sriovctl.bmc").joinpath("intents.toml").read_text("utf-8")
    entries: dict[str, Any] = tomllib.loads(text)
    return {name: Vendor(**entry) for name, entry in entries.items()}


def vendor_of(*texts: str | None) -> str | None:
    """The vendor that a machine's Manufacturer or Model names; None for one that is not known."""
    said = " ".join(text or "" for text in texts).lower()
    words = ((name, word) for name, vendor in table().items() for word in vendor.says)
    return next((name for name, word in words if word in said), None)


def asked(want: FirmwareWant) -> list[tuple[str, tuple[Intent, ...]]]:
    """Each device that is to be looked at, with what is asked of it."""
    bios: list[tuple[str, tuple[Intent, ...]]] = [(BIOS, want.intents)] if want.intents else []
    return [*bios, *((nic, ("nic",)) for nic in want.nics)]


def resolve(
    vendor: str | None,
    device: str,
    intents: Iterable[Intent],
    values: Mapping[str, str],
    pending: Mapping[str, str],
) -> tuple[list[Setting], list[Absent]]:
    """The machine's settings for some intents, each once, and the intents that have none.

    :param values: all settings of the device, by the machine's own names
    :param pending: those that wait
    """
    found: dict[str, Setting] = {}
    absent: list[Absent] = []
    for intent in intents:
        known = None if vendor is None else table()[vendor].candidates(intent)
        name = None if known is None else known.among(values)
        if known is None or name is None:
            absent.append(
                Absent(
                    device=device,
                    intent=intent,
                    tried=() if known is None else known.names,
                    screen="" if known is None else known.screen,
                )
            )
        elif name in found:
            before = found[name]
            found[name] = before.model_copy(update={"intents": (*before.intents, intent)})
        else:
            found[name] = Setting(
                device=device,
                name=name,
                intents=(intent,),
                value=values[name],
                pending=pending.get(name),
                on=known.on,
                display=known.screen,
            )
    return list(found.values()), absent
