"""One server as a QEMU process: its command line, its start, its monitor, its end."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sriovctl.errors import SriovctlError
from sriovctl.lab.accelerator import Accelerator
from sriovctl.lab.firmware import Firmware
from sriovctl.lab.layout import SERVER_MEMORY, Server
from sriovctl.lab.timeouts import seconds

QEMU = "qemu-system-x86_64"
OLDEST_QEMU = (9, 0)
_IOMMU = "intel-iommu,intremap=on,caching-mode=on,device-iotlb=on"
#: How often a waiter looks at the console for a panic, of which nothing else tells; seconds.
_CONSOLE_LOOK_S = 2.0


def qemu_path() -> str:
    """Path of a QEMU that has the igb card.

    :raises SriovctlError: there is none, or it is too old
    """
    path = shutil.which(QEMU)
    if path is None:
        raise SriovctlError(f"there is no {QEMU}", "servers are QEMU machines", "scripts/setup")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    digits = said.partition("version ")[2].split(".")
    try:
        version = (int(digits[0]), int(digits[1]))
    except (ValueError, IndexError):
        raise SriovctlError(f"{path} --version says {said!r}", mend="scripts/setup") from None
    if version < OLDEST_QEMU:
        raise SriovctlError(
            f"QEMU is {version[0]}.{version[1]}",
            f"the SR-IOV card igb needs {OLDEST_QEMU[0]}.{OLDEST_QEMU[1]}; 10.0 is tried",
            "scripts/setup takes it from Debian's backports",
        )
    return path


def command_line(
    server: Server,
    folder: Path,
    *,
    lab: str,
    qemu: str,
    accelerator: Accelerator,
    ssh_port: int,
    taps: Mapping[str, int],
    credentials: Mapping[str, Path],
    firmware: Firmware,
    has_bmc: bool,
) -> list[str]:
    """QEMU's whole command line for a server. Pure.

    :param folder: the server's folder: disk, sockets and logs
    :param ssh_port: port on 127.0.0.1 that leads to the server's ssh
    :param taps: port name → open tap file
    :param credentials: systemd credential → file with its content
    :param firmware: what its BIOS lets its system see
    :param has_bmc: a BMC listens on a monitor of its own; a reboot from inside ends QEMU, and the
        BMC starts it again
    """
    arguments = [
        qemu, "-name", f"{lab}/{server.name}", "-no-user-config", "-nodefaults",
        "-machine", "q35,kernel-irqchip=split",
        *accelerator.arguments(firmware.virtualization),
        "-m", str(SERVER_MEMORY), "-display", "none", "-vga", "none",
        *(("-device", _IOMMU) if firmware.virtualization else ()),
        "-drive", f"id=disk,if=none,file={folder}/disk.qcow2,format=qcow2,cache=unsafe",
        "-device", "virtio-blk-pci,drive=disk,bootindex=0",
        "-device", "virtio-rng-pci",
        "-qmp", f"unix:{folder}/qmp.sock,server=on,wait=off",
        "-chardev", f"socket,id=serial,path={folder}/serial.sock,server=on,wait=off,"
        f"logfile={folder}/console.log,logappend=on",
        "-serial", "chardev:serial",
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=ready,path={folder}/ready.sock,server=on,wait=off",
        "-device", "virtserialport,chardev=ready,name=lab.ready",
        "-netdev", "user,id=mgmt0,restrict=on,ipv6=off,"
        f"hostfwd=tcp:127.0.0.1:{ssh_port}-:22",
        "-device", f"virtio-net-pci,netdev=mgmt0,mac={server.management_mac},romfile=",
    ]  # fmt: skip
    if has_bmc:
        arguments += ["-action", "reboot=shutdown"]
        arguments += ["-qmp", f"unix:{folder}/events.sock,server=on,wait=off"]
    for number, port in enumerate(server.ports, start=1):
        arguments += ["-netdev", f"tap,id={port.name},fd={taps[port.name]}"]
        card = port.model
        if port.sriov:
            card += f",bus=rp{number}"
            if port.name in firmware.sriov:
                slot = f"pcie-root-port,id=rp{number},chassis={number},slot={number}"
            else:
                # a conventional bus has no extended configuration space, where SR-IOV would be;
                # without a hot-plug controller the card keeps the address it has on a root port
                slot = f"pci-bridge,id=rp{number},bus=pcie.0,chassis_nr={number},shpc=off"
                card += ",addr=0"
            arguments += ["-device", slot]
        arguments += ["-device", f"{card},netdev={port.name},mac={port.mac},romfile="]
    for name, path in sorted(credentials.items()):
        arguments += ["-fw_cfg", f"name=opt/io.systemd.credentials/{name},file={path}"]
    return arguments


@dataclass(frozen=True)
class Process:
    """A QEMU or a BMC that we started.

    The pid alone may be another's by now, with its start time not.
    """

    pid: int
    started: int

    def alive(self) -> bool:
        """Whether that very process still runs (a zombie does not)."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        fields = stat.rpartition(")")[2].split()
        return fields[0] not in ("Z", "X") and int(fields[19]) == self.started

    def end(self, gently: bool = False) -> None:
        """Kill it and see it gone.

        :param gently: let it finish what it does, and kill it only if it takes too long
        :raises SriovctlError: it stays
        """
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if not self.alive():
                return
            if gently:
                signal.pidfd_send_signal(descriptor, signal.SIGTERM)
                ended(descriptor, seconds("stop"))
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            if not ended(descriptor, seconds("stop")):
                raise SriovctlError(f"process {self.pid} does not end", mend="look at it: ps")
            with contextlib.suppress(ChildProcessError):
                # ours where the same process started it; init's otherwise
                os.waitpid(self.pid, 0)
        finally:
            os.close(descriptor)


def ended(pidfd: int, limit: float) -> bool:
    """Whether the process of a pidfd ends within so many seconds."""
    return bool(select.select([pidfd], [], [], limit)[0])


def record(pid: int, folder: Path) -> Process:
    """Write down a process that was just started, for :func:`running`."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    process = Process(pid, int(stat[19]))
    (folder / "process.json").write_text(
        json.dumps({"pid": process.pid, "started": process.started}) + "\n"
    )
    return process


def running(folder: Path) -> Process | None:
    """The process whose folder it is, a server's QEMU or a BMC, or None where it is off."""
    try:
        facts = json.loads((folder / "process.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    process = Process(int(facts["pid"]), int(facts["started"]))
    return process if process.alive() else None


def start(command: list[str], folder: Path, descriptors: list[int]) -> Process:
    """Start QEMU in a session of its own and wait until its monitor answers.

    :param descriptors: open files that it inherits
    :raises SriovctlError: it died or does not answer; with what it said
    """
    for name in ("qmp.sock", "events.sock", "serial.sock", "ready.sock"):
        (folder / name).unlink(missing_ok=True)
    with (folder / "qemu.log").open("w") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=descriptors,
        )
    process = record(child.pid, folder)
    deadline = time.monotonic() + seconds("start")
    while True:
        if child.poll() is not None:
            said = (folder / "qemu.log").read_text(errors="replace").strip()
            raise SriovctlError(f"QEMU ended with status {child.returncode}: {said[-600:]}")
        try:
            with Monitor(folder):
                break
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                process.end()
                raise SriovctlError(f"QEMU does not open {folder}/qmp.sock") from None
            # the socket appears within some 50 ms; there is no event before it
            time.sleep(0.02)
    # our child no more: whoever runs `lab down` finds it by process.json
    child.returncode = 0
    return process


class Monitor:
    """QEMU's machine protocol on the server's unix socket; use as a context."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(seconds("start"))
        try:
            self._socket.connect(str(folder / "qmp.sock"))
            self._lines = self._socket.makefile("r", encoding="utf-8")
            self._answer()
            self.command("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def _answer(self) -> dict[str, Any]:
        """The next message that is no event.

        :raises SriovctlError: QEMU went away
        """
        for line in self._lines:
            message: dict[str, Any] = json.loads(line)
            if "event" not in message:
                return message
        raise SriovctlError("QEMU closed its monitor", "the server has just stopped")

    def command(self, name: str, /, **arguments: object) -> Any:
        """Execute a command and return its answer.

        :raises SriovctlError: QEMU refuses it
        """
        order: dict[str, Any] = {"execute": name}
        if arguments:
            order["arguments"] = arguments
        self._socket.sendall(json.dumps(order).encode() + b"\n")
        message = self._answer()
        if "error" in message:
            raise SriovctlError(f"QEMU refuses {name}: {message['error'].get('desc')}")
        return message.get("return")

    def word(self, address: int) -> int:
        """32 bits at a physical address of the machine, registers of its cards included."""
        said = self.command("human-monitor-command", **{"command-line": f"xp /1xw {address:#x}"})
        return int(str(said).split()[-1], 16)

    def set_link(self, port: str, up: bool) -> None:
        """The card's end of a cable."""
        self.command("set_link", name=port, up=up)


class Readiness:
    """What a booting server says of itself, on a virtio-serial port, and whether QEMU lives.

    It keeps what was said before anybody listened, as long as nobody else listened.
    """

    def __init__(self, server: Server, folder: Path, process: Process) -> None:
        self._server = server
        self._folder = folder
        self._pid = os.pidfd_open(process.pid)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._rest = b""
        self._heard: list[tuple[str, str]] = []
        self._socket.connect(str(folder / "ready.sock"))

    def __enter__(self) -> Readiness:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        os.close(self._pid)

    def wait(self, words: set[str], timeout: str, not_boot: str = "") -> tuple[str, str]:
        """Wait until the server says one of the words.

        :param timeout: name of the timeout
        :param not_boot: a boot id that does not count (the boot before)
        :returns: the word and the boot id
        :raises SriovctlError: QEMU ended or the time is over; with the end of the console
        """
        limit = seconds(timeout)
        deadline = time.monotonic() + limit
        console = self._folder / "console.log"
        begin = console.stat().st_size if console.exists() else 0
        while True:
            while self._heard:
                word, boot = self._heard.pop(0)
                if word in words and boot != not_boot:
                    return word, boot
            left = deadline - time.monotonic()
            sources = [self._socket.fileno(), self._pid]
            ready, _, _ = select.select(sources, [], [], max(min(left, _CONSOLE_LOOK_S), 0))
            if self._socket.fileno() in ready and (said := self._socket.recv(4096)):
                *lines, self._rest = (self._rest + said).split(b"\n")
                pairs = [line.decode(errors="replace").split() for line in lines]
                self._heard += [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]
            elif ready:
                raise self._error("QEMU ended while the server was starting")
            elif _panicked(console, begin):
                raise self._error("its kernel panicked")
            elif left <= 0:
                raise self._error(f"no sign of {' or '.join(sorted(words))} in {limit:.0f} s")

    def _error(self, what: str) -> SriovctlError:
        tail = console_tail(self._folder)
        said = (self._folder / "qemu.log").read_text(errors="replace").strip()
        return SriovctlError(
            f"{self._server.name}: {what}" + (f"\n  QEMU: {said[-400:]}" if said else ""),
            f"the end of its console:\n{tail}",
            "where the machine is slow or busy: a larger SRIOVCTL_LAB_TIMEOUT_BOOT",
        )


def _panicked(console: Path, begin: int) -> bool:
    """Whether the console has told of a panic since it was `begin` bytes long."""
    try:
        with console.open("rb") as log:
            log.seek(begin)
            return b"Kernel panic - not syncing" in log.read()
    except FileNotFoundError:
        return False


def console_tail(folder: Path, lines: int = 15) -> str:
    """The last lines of the server's serial console."""
    try:
        text = (folder / "console.log").read_text(errors="replace")
    except FileNotFoundError:
        return "    (nothing)"
    clean = "".join(letter for letter in text if letter.isprintable() or letter == "\n")
    return "\n".join(f"    {line}" for line in clean.splitlines()[-lines:] if line.strip())
