"""racadm serveraction and the facts of a server."""

from __future__ import annotations

from collections.abc import Sequence

from sriovctl.lab.bmc.controller import Action, Controller
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.racadm.wording import UsageError

_ACTIONS = {
    "powerup": Action.ON,
    "powerdown": Action.FORCE_OFF,
    "powercycle": Action.POWER_CYCLE,
    "hardreset": Action.FORCE_RESTART,
    "graceshutdown": Action.GRACEFUL_SHUTDOWN,
}


async def serveraction(controller: Controller, words: Sequence[str]) -> str:
    """``powercycle``, ``powerup``, ``powerdown``, ``hardreset`` and so on; ``powerstatus``."""
    if len(words) != 1:
        raise UsageError
    if words[0] == "powerstatus":
        return f"Server power status: {(await controller.power()).upper()}\n"
    if words[0] not in _ACTIONS:
        raise UsageError
    try:
        await controller.reset(_ACTIONS[words[0]])
    except RefusedError as error:
        if error.code == "PSU501":
            return f"ERROR: Server is already powered {error.arguments[0]}.\n"
        return "ERROR: Unable to perform the requested server power operation.\n"
    return "Server power operation successful\n"


def _pairs(*pairs: tuple[str, str]) -> str:
    return "".join(f"{name:<24}= {value}\n" for name, value in pairs)


async def getsysinfo(controller: Controller, words: Sequence[str]) -> str:
    """Facts of the iDRAC, the server and its network ports; ``-s`` without the first."""
    personality = controller.personality
    power = (await controller.power()).upper()
    system = "System Information:\n" + _pairs(
        ("System Model", personality.model),
        ("System Revision", "I"),
        ("System BIOS Version", personality.bios_version),
        ("Service Tag", controller.tag),
        ("Express Svc Code", str(int(controller.tag, 36))),
        ("Host Name", ""),
        ("OS Name", ""),
        ("OS Version", ""),
        ("Power Status", power),
        ("Fresh Air Capable", "Yes"),
    )
    system += "\nEmbedded NIC MAC Addresses:\n" + "".join(
        f"{nic.fqdd:<24}Ethernet                = {nic.mac.upper()}\n"
        for nic in controller.nics.values()
    )
    if list(words) == ["-s"]:
        return f"\n{system}\n"
    if words:
        raise UsageError
    rac = "RAC Information:\n" + _pairs(
        ("RAC Date/Time", controller.clock.now().strftime("%a %b %d %H:%M:%S %Y")),
        ("Firmware Version", personality.firmware),
        ("Firmware Build", "1"),
        ("Last Firmware Update", "01/01/2024 00:00:00"),
        ("Hardware Version", "0.01"),
    )
    return f"\n{rac}\n{system}\n"


def getversion(controller: Controller, words: Sequence[str]) -> str:
    """Versions of BIOS and iDRAC."""
    if words:
        raise UsageError
    personality = controller.personality
    return "".join(
        f" {name:<30}= {value}\n"
        for name, value in (
            ("Bios Version", personality.bios_version),
            ("iDRAC Version", personality.firmware),
            ("Lifecycle Controller Version", personality.firmware),
        )
    )


def getsvctag(controller: Controller, words: Sequence[str]) -> str:
    """The service tag alone."""
    if words:
        raise UsageError
    return f"{controller.tag}\n"
