"""Servers on, off, reset, rebooted, and waited for."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.lab import access, bmcs, cables, firmware, machine, state, switches
from sriovctl.lab.accelerator import Accelerator
from sriovctl.lab.firmware import Firmware
from sriovctl.lab.layout import Server
from sriovctl.lab.progress import Progress
from sriovctl.lab.state import Lab
from sriovctl.lab.timeouts import seconds

#: How a boot can end, in systemd's words (systemctl is-system-running).
_ENDS = {"running", "degraded", "maintenance", "stopping", "offline", "unknown"}
_BOOT_ID = ["cat", "/proc/sys/kernel/random/boot_id"]


def turn_on(lab: Lab, server: Server, qemu: str, switches_on: Firmware) -> None:
    """Plug the cables and start QEMU; cables that are cut stay cut. Does not wait for the boot.

    :param switches_on: what the BIOS lets the server's system see
    :raises SriovctlError: QEMU does not start
    """
    folder = lab.server_folder(server)
    (folder / "booted").unlink(missing_ok=True)
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
            firmware=switches_on,
            has_bmc=lab.has_bmc(server),
        )
        machine.start(command, folder, list(taps.values()))
    finally:
        for descriptor in taps.values():
            os.close(descriptor)
    cables.set_cables(lab, [server])


def turn_on_all(
    lab: Lab, servers: Sequence[Server], qemu: str, wait: bool, progress: Progress
) -> None:
    """Start servers together, then wait for each. On failure those started are off again."""
    started: list[Server] = []
    try:
        for server in servers:
            with progress.part(f"{server.name}: power on"):
                started.append(server)
                if lab.has_bmc(server):
                    bmcs.switch_on(lab, server, "On")
                else:
                    turn_on(lab, server, qemu, firmware.everything(server))
        if wait:
            for server in servers:
                wait_booted(lab, server, progress)
    except BaseException:
        for server in started:
            process = machine.running(lab.server_folder(server))
            if process is not None:
                process.end()
        raise


def wait_booted(lab: Lab, server: Server, progress: Progress, not_boot: str = "") -> str:
    """Wait until a server that is on has booted: ssh answers, then systemd has finished.

    :param not_boot: the id of a boot that does not count
    :returns: the boot's id
    :raises SriovctlError: it died or took too long; with the end of its console
    """
    folder = lab.server_folder(server)
    with machine.Readiness(server, folder, _running(lab, server)) as ready:
        return _hear(lab, server, ready, progress, not_boot)


def _hear(
    lab: Lab, server: Server, ready: machine.Readiness, progress: Progress, not_boot: str
) -> str:
    with progress.part(f"{server.name}: boots until ssh answers"):
        ready.wait({"ssh"}, "boot", not_boot)
    with progress.part(f"{server.name}: finishes starting"):
        word, boot = ready.wait(_ENDS, "settle", not_boot)
    (lab.server_folder(server) / "booted").write_text(f"{boot}\n")
    if word != "running":
        failed = access.run(lab, server, ["systemctl", "--failed", "--plain", "--no-legend"])
        progress.say(f"  {server.name} is {word}: {failed.stdout.strip()}")
    return boot


def reboot(lab: Lab, server: Server, progress: Progress, hard: bool = False) -> str:
    """Reboot a server, in good order or by the reset button, and wait for the new boot.

    :returns: the new boot's id
    :raises SriovctlError: it is off, does not answer, or does not come back
    """
    if lab.has_bmc(server):
        return _reboot_by_bmc(lab, server, progress, hard)
    folder = lab.server_folder(server)
    with machine.Readiness(server, folder, _running(lab, server)) as ready:
        # a server that hangs has no boot id to give, and needs none: its reset is hard
        old = access.run(lab, server, _BOOT_ID).stdout.strip()
        (folder / "booted").unlink(missing_ok=True)
        access.hang_up(lab, server)
        if hard:
            with machine.Monitor(folder) as monitor:
                monitor.command("system_reset")
        else:
            _reboot_from_inside(lab, server)
        return _hear(lab, server, ready, progress, old)


def _reboot_by_bmc(lab: Lab, server: Server, progress: Progress, hard: bool) -> str:
    """The same where a reboot ends QEMU, and the BMC starts another."""
    _running(lab, server)
    access.hang_up(lab, server)
    with progress.part(f"{server.name}: restarts"):
        if hard:
            bmcs.switch_on(lab, server, "ForceRestart")
        else:
            starts = bmcs.ask(lab, server, do="state")["starts"]
            _reboot_from_inside(lab, server)
            limit = seconds("shutdown")
            bmcs.ask(lab, server, do="started", count=starts + 1, timeout=limit)
    return wait_booted(lab, server, progress)


def _reboot_from_inside(lab: Lab, server: Server) -> None:
    done = access.run(lab, server, ["systemctl", "reboot"])
    # 255: the connection ended first, as it may
    if done.returncode not in (0, 255):
        raise SriovctlError(f"{server.name} does not reboot: {done.stderr.strip()}")


def press(name: str, server: Server, order: str, graceful: bool, progress: Progress) -> None:
    """Power button of a server: on, off (hard, or graceful by ACPI), reset; on and reset wait.

    :param name: the lab
    :raises SriovctlError: it does not start, or does not shut down in time
    """
    with state.locked(name):
        lab = state.load(name)
        folder = lab.server_folder(server)
        process = machine.running(folder)
        if order == "on":
            if process is None:
                turn_on_all(lab, (server,), machine.qemu_path(), True, progress)
            else:
                progress.say(f"{server.name} is on already")
        elif order == "reset":
            reboot(lab, server, progress, hard=True)
        elif process is None:
            progress.say(f"{server.name} is off already")
        elif graceful:
            with progress.part(f"{server.name}: shuts down"):
                _shut_down(lab, server, process)
        elif lab.has_bmc(server):
            bmcs.ask(lab, server, do="power", action="ForceOff", timeout=seconds("stop"))
        else:
            access.hang_up(lab, server)
            process.end()


def _running(lab: Lab, server: Server) -> machine.Process:
    process = machine.running(lab.server_folder(server))
    if process is None:
        tail = machine.console_tail(lab.server_folder(server))
        raise UsageError(
            f"{server.name} is off",
            f"the end of its console:\n{tail}",
            f"sriovctl lab power --name {lab.name} {server.name} on",
        )
    return process


def _shut_down(lab: Lab, server: Server, process: machine.Process) -> None:
    folder = lab.server_folder(server)
    descriptor = os.pidfd_open(process.pid)
    try:
        if lab.has_bmc(server):
            bmcs.ask(lab, server, do="power", action="GracefulShutdown")
        else:
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
