"""racadm: one command in, what iDRAC prints out. The shells around it are in shell.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.racadm.objects import get, set_value
from sriovctl.lab.bmc.racadm.queue import jobqueue
from sriovctl.lab.bmc.racadm.server import getsvctag, getsysinfo, getversion, serveraction
from sriovctl.lab.bmc.racadm.wording import UsageError, error
from sriovctl.lab.bmc.settings import AttributesRefusedError

_TWINS = {"SYS426": "RAC947", "SYS428": "RAC1025", "SYS429": "RAC917"}
"""What racadm says where Redfish says the first."""


_COMMANDS: dict[str, Callable[[Controller, Sequence[str]], str]] = {
    "get": get,
    "set": set_value,
    "jobqueue": jobqueue,
    "getversion": getversion,
    "getsvctag": getsvctag,
}


async def racadm(controller: Controller, words: Sequence[str]) -> str:
    """Run one command.

    :param words: without the leading ``racadm``
    :returns: lines, each with ``\\n`` at its end
    """
    if not words or words[0] == "help":
        names = sorted((*_COMMANDS, "getsysinfo", "help", "serveraction"))
        return "".join(f" {name}\n" for name in names)
    name, *rest = words
    try:
        if name == "serveraction":
            return await serveraction(controller, rest)
        if name == "getsysinfo":
            return await getsysinfo(controller, rest)
        if name in _COMMANDS:
            return _COMMANDS[name](controller, rest)
    except RefusedError as refused:
        return error(refused.code, *refused.arguments)
    except AttributesRefusedError as refused:
        first = refused.refusals[0]
        return error(_TWINS[first.code], *first.arguments)
    except UsageError:
        return error("RAC901", name)
    return f"ERROR: Invalid subcommand specified: {name}\n"


__all__ = ["racadm"]
