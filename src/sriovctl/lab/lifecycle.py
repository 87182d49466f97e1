"""Up, down, power and cables of a whole lab. Each holds the lab's lock while it works."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.lab import access, image, layout, machine, state, switches
from sriovctl.lab.accelerator import Accelerator, choose
from sriovctl.lab.layout import INTERLINK, SWITCHES, Port, Server
from sriovctl.lab.progress import Progress
from sriovctl.lab.state import Lab
from sriovctl.lab.timeouts import seconds

_DISK_MIB = 1024
ENDED = {"running", "degraded", "maintenance", "stopping", "unknown", "offline"}


def check_machine() -> str:
    """See that this machine can hold a lab.

    :returns: path of QEMU
    :raises SriovctlError: what is missing, and the mend
    """
    if os.geteuid() != 0:
        raise SriovctlError(
            "the lab needs root",
            "it makes network namespaces, bridges and taps",
            "sudo sriovctl lab ...",
        )
    if not Path("/dev/net/tun").exists():
        raise SriovctlError(
            "there is no /dev/net/tun",
            "the servers' cables are taps",
            "modprobe tun; in a container, pass the device in",
        )
    for tool, package in (
        ("ip", "iproute2"),
        ("ssh", "openssh-client"),
        ("qemu-img", "qemu-utils"),
    ):
        if shutil.which(tool) is None:
            raise SriovctlError(f"there is no {tool}", mend=f"scripts/setup (Debian: {package})")
    return machine.qemu_path()


def up(name: str, count: int, peer: bool, wait: bool, progress: Progress) -> Lab:
    """Bring the lab up, from nothing or from where it is; leaves nothing if it fails.

    :param count: KVM hosts, server-2 and up
    :param peer: with server-1
    :param wait: until every server has finished starting
    :returns: the lab
    :raises SriovctlError: it could not; all that was made is removed
    """
    layout.check_name(name)
    wanted = layout.servers(count, peer)
    qemu = check_machine()
    with state.locked(name, _tell(progress, f"lab {name} is held by another command: waiting")):
        lab = state.find(name)
        if lab is not None and switches.exists(lab.namespace):
            return _again(lab, wanted, wait, qemu, progress)
        if lab is not None or (state.state_root() / name).exists():
            progress.say(f"lab {name}: what an earlier run left is removed")
            _remove(name)
        with ExitStack() as undo:
            undo.callback(_remove, name)
            lab = _make(name, wanted, qemu, progress)
            _start(lab, lab.servers, qemu, wait, progress)
            undo.pop_all()
        return lab


def _tell(progress: Progress, line: str) -> Iterator[None]:
    progress.say(line)
    yield


def _make(name: str, wanted: tuple[Server, ...], qemu: str, progress: Progress) -> Lab:
    """Folder, keys, disks and switches; no process yet."""
    with progress.part("hardware KVM: tried"):
        accelerator = choose(qemu)
    progress.say(f"  servers run on {accelerator.name}: {accelerator.reason}")
    base = image.ensure(progress)
    root = state.state_root()
    free = shutil.disk_usage(root).free // 1024**2
    if free < _DISK_MIB * len(wanted):
        raise SriovctlError(
            f"{root} has {free} MiB free",
            f"{len(wanted)} servers want {_DISK_MIB} MiB each for what they write",
            "make room, or set SRIOVCTL_LAB_STATE to a folder on a larger disk",
        )
    (root / name).mkdir(mode=0o700)
    lab = Lab(
        name=name,
        numbers=tuple(server.number for server in wanted),
        accelerator=accelerator.name,
        reason=accelerator.reason,
        image=str(base),
        ssh_ports={server.name: access.free_port() for server in wanted},
    )
    lab.save()
    with progress.part("keys, disks, switches"):
        access.prepare(lab)
        for server in lab.servers:
            subprocess.run(
                [
                    "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                    "-b", str(base), str(lab.server_folder(server) / "disk.qcow2"),
                ],
                check=True,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        switches.build(lab.namespace)
    return lab


def _again(lab: Lab, wanted: tuple[Server, ...], wait: bool, qemu: str, progress: Progress) -> Lab:
    """`lab up` on a lab that is there: start what is off, change nothing else."""
    if set(lab.servers) != set(wanted):
        has = ", ".join(server.name for server in lab.servers)
        raise UsageError(
            f"lab {lab.name} is up with {has}",
            f"{', '.join(server.name for server in wanted)} was asked for",
            f"sriovctl lab down --name {lab.name}, or another --name",
        )
    off = tuple(s for s in lab.servers if machine.running(lab.server_folder(s)) is None)
    if off:
        _start(lab, off, qemu, wait, progress)
    else:
        progress.say(f"lab {lab.name} is up already")
    return lab


def _start(
    lab: Lab, servers: tuple[Server, ...], qemu: str, wait: bool, progress: Progress
) -> None:
    """Start servers together, then wait for each."""
    for server in servers:
        with progress.part(f"{server.name}: power on"):
            power_on(lab, server, qemu)
    if not wait:
        return
    for server in servers:
        folder = lab.server_folder(server)
        process = machine.running(folder)
        if process is None:
            raise SriovctlError(f"{server.name} died at once", machine.console_tail(folder))
        with machine.Readiness(server, folder, process) as ready:
            with progress.part(f"{server.name}: boots until ssh answers"):
                ready.wait({"ssh"}, "boot")
            with progress.part(f"{server.name}: finishes starting"):
                word, _ = ready.wait(ENDED, "settle")
        if word != "running":
            failed = access.run(lab, server, ["systemctl", "--failed", "--plain", "--no-legend"])
            progress.say(f"  {server.name} is {word}: {failed.stdout.strip()}")


def power_on(lab: Lab, server: Server, qemu: str) -> None:
    """Plug the cables and start QEMU; cut cables stay cut.

    :raises SriovctlError: QEMU does not start
    """
    folder = lab.server_folder(server)
    taps: dict[str, int] = {}
    try:
        for port in server.ports:
            taps[port.name] = switches.plug(lab.namespace, server, port)
        command = machine.command_line(
            server,
            folder,
            lab=lab.name,
            qemu=qemu,
            accelerator=Accelerator(lab.accelerator, lab.reason),
            ssh_port=lab.ssh_ports[server.name],
            taps=taps,
            credentials={path.name: path for path in (folder / "credentials").iterdir()},
        )
        machine.start(command, folder, list(taps.values()))
    finally:
        for descriptor in taps.values():
            os.close(descriptor)
    _set_cables(lab, [server])


def down(name: str, progress: Progress) -> bool:
    """Remove the lab whole.

    :returns: whether there was anything
    """
    layout.check_name(name)
    root = state.state_root()
    there = (root / name).exists() or switches.exists(layout.namespace(name))
    if not there:
        return False
    if os.geteuid() != 0:
        check_machine()
    with (
        state.locked(name, _tell(progress, f"lab {name} is held by another command: waiting")),
        progress.part(f"lab {name}: removed"),
    ):
        _remove(name)
    return True


def _remove(name: str) -> None:
    """Processes, namespace, folder; each only if it is there."""
    folder = state.state_root() / name
    for path in sorted(folder.glob("server-*")):
        process = machine.running(path)
        if process is not None:
            process.end()
    switches.remove(layout.namespace(name))
    shutil.rmtree(folder, ignore_errors=True)


def power(lab: Lab, server: Server, order: str, graceful: bool, progress: Progress) -> None:
    """Power button of a server: on, off (hard, or graceful by ACPI), reset.

    :raises SriovctlError: it does not start, or does not shut down in time
    """
    with state.locked(lab.name):
        lab = state.load(lab.name)
        folder = lab.server_folder(server)
        process = machine.running(folder)
        if order == "on":
            if process is not None:
                progress.say(f"{server.name} is on already")
                return
            _start(lab, (server,), check_machine(), True, progress)
        elif process is None:
            if order == "reset":
                raise UsageError(
                    f"{server.name} is off", mend=f"sriovctl lab power {server.name} on"
                )
            progress.say(f"{server.name} is off already")
        elif order == "reset":
            with machine.Monitor(folder) as monitor:
                monitor.command("system_reset")
        elif graceful:
            with progress.part(f"{server.name}: shuts down"):
                _shut_down(server, folder, process)
        else:
            process.end()


def _shut_down(server: Server, folder: Path, process: machine.Process) -> None:
    descriptor = os.pidfd_open(process.pid)
    try:
        with machine.Monitor(folder) as monitor:
            monitor.command("system_powerdown")
        limit = seconds("shutdown")
        if not machine.ended(descriptor, limit):
            raise SriovctlError(
                f"{server.name} is still on after {limit:.0f} s",
                f"the end of its console:\n{machine.console_tail(folder)}",
                f"sriovctl lab power {server.name} off",
            )
    finally:
        os.close(descriptor)


def cut(name: str, what: str) -> Lab:
    """Cut a cable (`server-2/em1`), a switch (`switch-1`) or the switches' link (`interlink`)."""
    with state.locked(name):
        lab = state.load(name)
        return _set_cuts(lab, {*lab.cuts, what})


def mend(name: str, what: str | None) -> Lab:
    """Mend what was cut; all of it for None."""
    with state.locked(name):
        lab = state.load(name)
        return _set_cuts(lab, set() if what is None else set(lab.cuts) - {what})


def _set_cuts(lab: Lab, cuts: set[str]) -> Lab:
    lab = lab.with_cuts(cuts)
    lab.save()
    switches.set_links(lab.namespace, cuts)
    _set_cables(lab, lab.servers)
    return lab


def link_up(server: Server, port: Port, cuts: Iterable[str]) -> bool:
    """Whether the port has a living cable into a living switch. Pure."""
    return f"{server.name}/{port.name}" not in cuts and port.switch not in cuts


def _set_cables(lab: Lab, servers: Iterable[Server]) -> None:
    """Both ends of each cable of the servers that are on, as the cuts say."""
    for server in servers:
        folder = lab.server_folder(server)
        if machine.running(folder) is None:
            continue
        with machine.Monitor(folder) as monitor:
            for port in server.ports:
                alive = link_up(server, port, lab.cuts)
                monitor.set_link(port.name, alive)
                switches.set_tap(lab.namespace, server, port, alive)


def target(lab: Lab, first: str, port: str | None) -> str:
    """The name of a cable or switch from the words of the command line.

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
