"""racadm get and set: settings by their dotted names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sriovctl.lab.bmc.attributes import GROUPS, NIC_GROUPS, Attribute, Value
from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.jobs import BIOS_TARGET
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.racadm.wording import UsageError, said
from sriovctl.lab.bmc.settings import Settings


@dataclass(frozen=True)
class _Place:
    """Where racadm's dotted words lead."""

    target: str
    group: str
    device: Settings
    attribute: Attribute | None

    @property
    def key(self) -> str:
        return f"[Key={self.target}#{self.group}]\n"


def _place(controller: Controller, word: str) -> _Place:
    """Where ``BIOS.ProcSettings.LogicalProc`` or ``NIC.DeviceLevelConfig.1.DeviceName`` is.

    Names in any case; also ``BIOS.Setup.1-1.ProcSettings.…``.

    :raises RefusedError: there is no such device, group or attribute
    """
    parts = word.lower().split(".")
    if parts[:3] == ["bios", "setup", "1-1"]:
        del parts[1:3]
    match parts:
        case ["bios", group, *name]:
            target = BIOS_TARGET
        case ["nic", group, index, *name] if index in _indices(controller):
            target = _indices(controller)[index]
        case _:
            raise RefusedError("RAC917", word)
    groups = GROUPS if target == BIOS_TARGET else NIC_GROUPS
    known = next((each for each in groups if each.lower() == group), None)
    device = controller.device(target)
    if known is None or len(name) > 1:
        raise RefusedError("RAC917", word)
    if not name:
        return _Place(target, known, device, None)
    for attribute in device.attributes.values():
        if attribute.group == known and attribute.name.lower() == name[0]:
            return _Place(target, known, device, attribute)
    raise RefusedError("RAC917", word)


def _indices(controller: Controller) -> dict[str, str]:
    """racadm counts network ports from 1: ``{"1": "NIC.Integrated.1-1-1"}``."""
    return {str(number): fqdd for number, fqdd in enumerate(controller.nics, start=1)}


def _line(device: Settings, attribute: Attribute) -> str:
    """``Name=Value``, with ``#`` before what cannot be set and the pending value after it."""
    if attribute.kind == "Password":
        return f"!!{attribute.name}=******** (Write-Only)\n"
    mark = "#" if device.read_only(attribute.name) else ""
    pending = ""
    if attribute.name in device.pending:
        pending = f" (Pending Value={device.pending[attribute.name]})"
    return f"{mark}{attribute.name}={device.current[attribute.name]}{pending}\n"


def get(controller: Controller, words: Sequence[str]) -> str:
    """``get BIOS``, ``get BIOS.ProcSettings``, ``get BIOS.ProcSettings.ProcVirtualization``."""
    if len(words) != 1:
        raise UsageError
    match words[0].lower().split("."):
        case ["bios"]:
            return "".join(f"BIOS.{group}\n" for group in GROUPS)
        case ["nic"]:
            return "".join(f"NIC.{group}\n" for group in NIC_GROUPS)
        case ["nic", wanted]:
            return _ports(controller, words[0], wanted)
    place = _place(controller, words[0])
    if place.attribute is not None:
        return place.key + _line(place.device, place.attribute)
    shown = [each for each in place.device.attributes.values() if each.group == place.group]
    return place.key + "".join(_line(place.device, each) for each in shown)


def _ports(controller: Controller, word: str, wanted: str) -> str:
    """``NIC.NICConfig.1 [Key=NIC.Integrated.1-1-1#NICConfig]``, a line a port."""
    group = next((each for each in NIC_GROUPS if each.lower() == wanted), None)
    if group is None:
        raise RefusedError("RAC917", word)
    return "".join(
        f"NIC.{group}.{index} [Key={fqdd}#{group}]\n"
        for index, fqdd in _indices(controller).items()
    )


def set_value(controller: Controller, words: Sequence[str]) -> str:
    """``set BIOS.ProcSettings.ProcVirtualization Enabled``: stages it."""
    if len(words) != 2:
        raise UsageError
    place = _place(controller, words[0])
    if place.attribute is None:
        raise UsageError
    value: Value = words[1]
    if place.attribute.kind == "Integer" and words[1].isdecimal():
        value = int(words[1])
    controller.stage({place.attribute.name: value}, place.target)
    return place.key + said("RAC1017")
