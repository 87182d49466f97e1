"""Serial consoles: a VM's through virsh in its server, a server's on QEMU's socket."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import termios
import tty

from sriovctl.errors import SriovctlError
from sriovctl.lab import access, guest, machine
from sriovctl.lab.layout import Server
from sriovctl.lab.state import Lab

_LEAVE = b"\x1d"  # Ctrl-]


def attach(lab: Lab, name: str) -> int:
    """Join a console to this terminal until Ctrl-].

    :param name: a server or a VM of the lab
    :returns: exit code
    """
    if name.startswith("server-"):
        return _server(lab, lab.server(name))
    server = guest.find(lab, name)
    command = access.ssh_command(lab, server, ["virsh", "console", "--force", name], "-t")
    return subprocess.run(command, check=False).returncode


def _server(lab: Lab, server: Server) -> int:
    folder = lab.server_folder(server)
    if machine.running(folder) is None:
        raise SriovctlError(
            f"{server.name} is off", mend=f"sriovctl lab power --name {lab.name} {server.name} on"
        )
    sys.stderr.write(f"{server.name}, leave with Ctrl-]\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(str(folder / "serial.sock"))
        keyboard = sys.stdin.fileno()
        if not os.isatty(keyboard):
            return _relay(line, keyboard)
        before = termios.tcgetattr(keyboard)
        tty.setraw(keyboard)
        try:
            return _relay(line, keyboard)
        finally:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _relay(line: socket.socket, keyboard: int) -> int:
    """Carry bytes both ways until Ctrl-], the end of input, or the server's end."""
    while True:
        ready, _, _ = select.select([line.fileno(), keyboard], [], [])
        if line.fileno() in ready:
            said = line.recv(65536)
            if not said:
                return 0
            os.write(sys.stdout.fileno(), said)
        if keyboard in ready:
            typed = os.read(keyboard, 4096)
            before, leave, _ = typed.partition(_LEAVE)
            line.sendall(before)
            if leave or not typed:
                return 0
