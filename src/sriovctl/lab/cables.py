"""Cables and switches, cut and mended. A cut cable is dead at both ends."""

from __future__ import annotations

from collections.abc import Iterable

from sriovctl.errors import UsageError
from sriovctl.lab import machine, state, switches
from sriovctl.lab.layout import INTERLINK, SWITCHES, Port, Server
from sriovctl.lab.state import Lab


def target(lab: Lab, first: str, port: str | None) -> str:
    """The name of a cable (`server-2/em1`) or switch from the words of the command line.

    :raises UsageError: the lab has no such thing
    """
    if first in (*SWITCHES, INTERLINK):
        if port is not None:
            raise UsageError(
                f"{first} has no port {port!r} to name here",
                mend=f"name a server and its port, or {first} alone",
            )
        return first
    server = lab.server(first)
    if port is None:
        raise UsageError(f"{first} has two cables", mend=f"sriovctl lab cut {first} em1, or em2")
    return f"{server.name}/{server.port(port).name}"


def link_up(server: Server, port: Port, cuts: Iterable[str]) -> bool:
    """Whether the port has a living cable into a living switch. Pure."""
    return f"{server.name}/{port.name}" not in cuts and port.switch not in cuts


def cut(name: str, what: str) -> Lab:
    """Cut a cable (`server-2/em1`), a switch (`switch-1`) or the switches' link (`interlink`).

    :param name: the lab
    :returns: the lab as it is now
    """
    with state.locked(name):
        lab = state.load(name)
        return _set_cuts(lab, {*lab.cuts, what})


def mend(name: str, what: str | None) -> Lab:
    """Mend what was cut; all of it for None.

    :param name: the lab
    :returns: the lab as it is now
    """
    with state.locked(name):
        lab = state.load(name)
        return _set_cuts(lab, set() if what is None else set(lab.cuts) - {what})


def set_cables(lab: Lab, servers: Iterable[Server]) -> None:
    """Both ends of each cable of the servers that are on, as the lab's cuts say."""
    for server in servers:
        folder = lab.server_folder(server)
        if machine.running(folder) is None:
            continue
        with machine.Monitor(folder) as monitor:
            for port in server.ports:
                alive = link_up(server, port, lab.cuts)
                monitor.set_link(port.name, alive)
                switches.set_tap(lab.namespace, server, port, alive)


def _set_cuts(lab: Lab, cuts: set[str]) -> Lab:
    lab = lab.with_cuts(cuts)
    lab.save()
    switches.set_links(lab.namespace, cuts)
    set_cables(lab, lab.servers)
    return lab
