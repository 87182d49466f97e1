"""A command inside a nested VM, by its guest agent: it needs no network of the VM's."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from sriovctl.agent import order_to_run
from sriovctl.errors import SriovctlError, UsageError
from sriovctl.lab import access, machine
from sriovctl.lab.layout import Server
from sriovctl.lab.state import Lab
from sriovctl.lab.timeouts import seconds

_SCRIPT = Path(__file__).with_name("guest-exec.sh")
#: Its exit codes for "not on this server" and "no answer in time".
_ELSEWHERE, _SILENT = 124, 123


def find(lab: Lab, vm: str) -> Server:
    """The server on which a VM runs.

    :raises UsageError: it runs on none
    """
    for server in _hosts(lab):
        if vm in _running(lab, server):
            return server
    raise _nowhere(lab, vm)


def wait(lab: Lab, vm: str) -> None:
    """Wait until a VM's guest agent answers: it does when its network is set up.

    :raises UsageError: there is no such VM
    :raises SriovctlError: it does not within the `boot` timeout
    """
    _ask(lab, vm, seconds("boot"), "")


def run(
    lab: Lab, vm: str, command: list[str], patient: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command inside a VM and wait for it.

    :param command: program and arguments, or one line for the VM's sh
    :param patient: wait for a VM that is still booting
    :returns: exit code (128 + signal where one ended it) and both outputs
    :raises UsageError: there is no such VM, or no command
    :raises SriovctlError: its agent does not answer
    """
    if not command:
        raise UsageError("no command", mend=f"sriovctl lab exec {vm} ip address")
    return outcome(command, _ask(lab, vm, seconds("boot") if patient else 0, order(command)))


def _ask(lab: Lab, vm: str, limit: float, line: str) -> str:
    """What the VM's agent answers, on whichever server it runs."""
    for server in _hosts(lab):
        words = ["sh", "-s", "--", vm, str(round(limit)), line]
        done = access.run(lab, server, words, _SCRIPT.read_text())
        if done.returncode == 0:
            return done.stdout
        if done.returncode != _ELSEWHERE:
            said = done.stderr.strip()
            if done.returncode == _SILENT:
                said = f"its guest agent does not answer after {limit:.0f} s"
            raise SriovctlError(
                f"{vm} on {server.name}: {said}",
                "its guest agent did not take the command",
                f"sriovctl lab console --name {lab.name} {vm}: is it up?",
            )
    raise _nowhere(lab, vm)


def _hosts(lab: Lab) -> list[Server]:
    """The KVM hosts that are on."""
    hosts = [server for server in lab.servers if server.number != 1]
    return [server for server in hosts if machine.running(lab.server_folder(server))]


def _running(lab: Lab, server: Server) -> list[str]:
    return access.run(lab, server, ["virsh", "-q", "list", "--name"]).stdout.split("\n")


def _nowhere(lab: Lab, vm: str) -> UsageError:
    seen = [f"{name} on {server.name}" for server in _hosts(lab) for name in _running(lab, server)]
    running = [name for name in seen if not name.startswith(" on ")]
    return UsageError(
        f"no VM {vm!r} runs in lab {lab.name}",
        f"running: {', '.join(running) or 'none'}",
        f"sriovctl lab ssh --name {lab.name} server-2 virsh start {vm}",
    )


def order(command: list[str]) -> str:
    """The guest agent's order for a command; a single word is a line for sh. Pure."""
    words = ["/bin/sh", "-c", command[0]] if len(command) == 1 else command
    if "/" not in words[0]:
        words = ["/usr/bin/busybox", "env", *words]
    return order_to_run(words)


def outcome(command: list[str], answer: str) -> subprocess.CompletedProcess[str]:
    """What guest-exec-status answered, as a finished process. Pure."""
    facts: dict[str, Any] = json.loads(answer)["return"]

    def text(key: str) -> str:
        return base64.b64decode(facts.get(key, "")).decode(errors="replace")

    code = int(facts.get("exitcode", 128 + int(facts.get("signal", 0))))
    return subprocess.CompletedProcess(command, code, text("out-data"), text("err-data"))
