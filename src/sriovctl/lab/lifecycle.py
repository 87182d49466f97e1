"""A whole lab, up and down. Each holds the lab's lock while it works."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.lab import access, bare, bmcs, image, layout, machine, power, state, switches
from sriovctl.lab.accelerator import choose
from sriovctl.lab.layout import Server
from sriovctl.lab.progress import Progress
from sriovctl.lab.state import Lab

_DISK_MIB = 1024


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


def up(
    name: str,
    count: int,
    peer: bool,
    wait: bool,
    progress: Progress,
    personality: str | None = None,
) -> Lab:
    """Bring the lab up, from nothing or from where it is; leaves nothing if it fails.

    :param count: KVM hosts, server-2 and up
    :param peer: with server-1
    :param wait: until every server has finished starting
    :param personality: from bare: every KVM host with a BMC that is an idrac8 or idrac9,
        virtualization and SR-IOV off in its BIOS
    :returns: the lab
    :raises SriovctlError: it could not; all that was made is removed
    """
    layout.check_name(name)
    wanted = layout.servers(count, peer)
    qemu = check_machine()
    with state.locked(name, _tell(progress, f"lab {name} is held by another command: waiting")):
        lab = state.find(name)
        if lab is not None and switches.exists(lab.namespace):
            return _again(lab, wanted, personality, wait, qemu, progress)
        if lab is not None or (state.state_root() / name).exists():
            progress.say(f"lab {name}: what an earlier run left is removed")
            _remove(name)
        with ExitStack() as undo:
            undo.callback(_remove, name)
            lab = _make(name, wanted, personality, qemu, progress)
            _start_bmcs(lab, progress)
            power.turn_on_all(lab, lab.servers, qemu, wait, progress)
            undo.pop_all()
        return lab


def _tell(progress: Progress, line: str) -> Iterator[None]:
    progress.say(line)
    yield


def _start_bmcs(lab: Lab, progress: Progress) -> None:
    """Start the BMCs that do not run, and write down how to reach them."""
    hosts = [server for server in lab.servers if lab.has_bmc(server)]
    for server in hosts:
        with progress.part(f"{server.name}: its BMC, an {lab.personality}"):
            bmcs.start(lab, server)
    if hosts:
        bmcs.write_files(lab)


def _make(
    name: str,
    wanted: tuple[Server, ...],
    personality: str | None,
    qemu: str,
    progress: Progress,
) -> Lab:
    """Folder, keys, disks and switches; no process yet."""
    accelerator = choose(qemu, progress)
    progress.say(f"  servers run on {accelerator.name}: {accelerator.reason}")
    base = image.ensure(progress, keep=_images_in_use())
    root = state.state_root()
    free = shutil.disk_usage(root).free // 1024**2
    if free < _DISK_MIB * len(wanted):
        raise SriovctlError(
            f"{root} has {free} MiB free",
            f"{len(wanted)} servers want {_DISK_MIB} MiB each for what they write",
            "make room, or set SRIOVCTL_LAB_STATE to a folder on a larger disk",
        )
    (root / name).mkdir(mode=0o700)
    names = [server.name for server in wanted]
    with_bmc = [s.name for s in wanted if s.kvm_host] if personality else []
    ports = iter(access.free_ports(len(names) + 2 * len(with_bmc)))
    lab = Lab(
        name=name,
        numbers=tuple(server.number for server in wanted),
        accelerator=accelerator.name,
        reason=accelerator.reason,
        image=str(base),
        ssh_ports=dict(zip(names, ports, strict=False)),
        personality=personality,
        redfish_ports=dict(zip(with_bmc, ports, strict=False)),
        racadm_ports=dict(zip(with_bmc, ports, strict=False)),
    )
    lab.save()
    with progress.part("keys, disks, switches"):
        access.prepare(lab)
        for server in lab.servers:
            disk = lab.server_folder(server) / "disk.qcow2"
            subprocess.run(
                [
                    "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                    "-b", str(base), str(disk),
                ],
                check=True,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if lab.has_bmc(server):
                bare.prepare(base, disk)
        switches.build(lab.namespace)
    return lab


def _images_in_use() -> set[Path]:
    """Images that are under some lab's disks."""
    labs = [state.find(name) for name in state.lab_names()]
    return {Path(lab.image) for lab in labs if lab is not None}


def _again(
    lab: Lab,
    wanted: tuple[Server, ...],
    personality: str | None,
    wait: bool,
    qemu: str,
    progress: Progress,
) -> Lab:
    """`lab up` on a lab that is there: start what is off, wait for what boots, no more."""
    if set(lab.servers) != set(wanted):
        has = ", ".join(server.name for server in lab.servers)
        raise UsageError(
            f"lab {lab.name} is up with {has}",
            f"{', '.join(server.name for server in wanted)} was asked for",
            f"sriovctl lab down --name {lab.name}, or another --name",
        )
    if lab.personality != personality:
        raise UsageError(
            f"lab {lab.name} is up with {_kind(lab.personality)}",
            f"one with {_kind(personality)} was asked for",
            "give --from and --bmc as it was started with, or another --name",
        )
    _start_bmcs(lab, progress)
    folders = {server: lab.server_folder(server) for server in lab.servers}
    off = [server for server, folder in folders.items() if machine.running(folder) is None]
    booting = [s for s in lab.servers if s not in off and not (folders[s] / "booted").exists()]
    if off:
        power.turn_on_all(lab, off, qemu, wait, progress)
    elif not booting or not wait:
        progress.say(f"lab {lab.name} is up already")
    if wait:
        for server in booting:
            power.wait_booted(lab, server, progress)
    return lab


def _kind(personality: str | None) -> str:
    return (
        "servers that are ready" if personality is None else f"bare servers, an {personality} each"
    )


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


def processes(name: str) -> list[machine.Process]:
    """The QEMU processes of a lab that run now."""
    return _running(name, "server-*")


def bmc_processes(name: str) -> list[machine.Process]:
    """Its BMCs."""
    return _running(name, "server-*/bmc")


def _running(name: str, folders: str) -> list[machine.Process]:
    found = map(machine.running, sorted((state.state_root() / name).glob(folders)))
    return [process for process in found if process is not None]


def _remove(name: str) -> None:
    """Processes, namespace, folder; each only if it is there."""
    folder = state.state_root() / name
    # before the servers: a BMC that lives might just start one
    for process in bmc_processes(name):
        process.end(gently=True)
    for process in processes(name):
        process.end()
    switches.remove(layout.namespace(name))
    shutil.rmtree(folder, ignore_errors=True)
