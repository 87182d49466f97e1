"""A command inside a nested VM, by its guest agent: it needs no network of the VM's."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

from sriovctl.errors import SriovctlError, UsageError
from sriovctl.lab import access, machine
from sriovctl.lab.layout import Server
from sriovctl.lab.state import Lab
from sriovctl.lab.timeouts import seconds

#: Start the command, then ask until it has exited; one ssh connection for all of it.
#: $1 is the VM, $2 the order.
_SCRIPT = """
answer=$(virsh -q qemu-agent-command "$1" "$2") || exit 125
pid=${answer##*\\"pid\\":}
pid=${pid%%[!0-9]*}
[ -n "$pid" ] || { echo "$answer" >&2; exit 125; }
while :; do
    answer=$(virsh -q qemu-agent-command "$1" \
        "{\\"execute\\":\\"guest-exec-status\\",\\"arguments\\":{\\"pid\\":$pid}}") || exit 125
    case $answer in
    *'"exited":true'*) break ;;
    esac
done
printf '%s\\n' "$answer"
"""


#: Ask the agent; where it is not there yet, sleep until libvirt says that it came.
_WAIT = """
end=$(($(date +%s) + $2))
until virsh -q qemu-agent-command "$1" '{"execute":"guest-ping"}' >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || exit 1
    virsh -q event --domain "$1" --event agent-lifecycle --timeout 5 >/dev/null
done
"""


def find(lab: Lab, vm: str) -> Server:
    """The server on which a VM runs.

    :raises UsageError: it runs on none
    """
    seen: list[str] = []
    for server in lab.servers:
        if server.number == 1 or machine.running(lab.server_folder(server)) is None:
            continue
        names = access.run(lab, server, ["virsh", "-q", "list", "--name"]).stdout.split("\n")
        running = [name for name in names if name]
        if vm in running:
            return server
        seen += [f"{name} on {server.name}" for name in running]
    raise UsageError(
        f"no VM {vm!r} runs in lab {lab.name}",
        f"running: {', '.join(seen) or 'none'}",
        f"sriovctl lab ssh --name {lab.name} server-2 virsh start {vm}",
    )


def wait(lab: Lab, vm: str) -> None:
    """Wait until a VM's guest agent answers: it does when its network is set up.

    :raises SriovctlError: it does not within the `boot` timeout
    """
    server = find(lab, vm)
    limit = seconds("boot")
    done = access.run(lab, server, ["sh", "-c", _WAIT, "sh", vm, str(round(limit))])
    if done.returncode:
        raise SriovctlError(
            f"{vm} on {server.name} does not answer after {limit:.0f} s",
            "its guest agent is not there",
            f"sriovctl lab console --name {lab.name} {vm}",
        )


def order(command: list[str]) -> str:
    """The guest agent's order for a command; a single word is a line for sh. Pure."""
    words = ["/bin/sh", "-c", command[0]] if len(command) == 1 else command
    if "/" not in words[0]:
        words = ["/usr/bin/busybox", "env", *words]
    arguments = {"path": words[0], "arg": words[1:], "capture-output": True}
    return json.dumps({"execute": "guest-exec", "arguments": arguments})


def run(lab: Lab, vm: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command inside a VM and wait for it.

    :param command: program and arguments, or one line for the VM's sh
    :returns: exit code (128 + signal where one ended it) and both outputs
    :raises UsageError: there is no such VM, or no command
    :raises SriovctlError: its agent does not answer
    """
    if not command:
        raise UsageError("no command", mend=f"sriovctl lab exec {vm} ip address")
    server = find(lab, vm)
    line = ["sh", "-c", _SCRIPT, "sh", vm, order(command)]
    done = access.run(lab, server, line)
    if done.returncode:
        raise SriovctlError(
            f"{vm} on {server.name}: {done.stderr.strip()}",
            "its guest agent did not take the command",
            f"sriovctl lab console --name {lab.name} {vm}: is it up?",
        )
    return outcome(command, done.stdout)


def outcome(command: list[str], answer: str) -> subprocess.CompletedProcess[str]:
    """What guest-exec-status answered, as a finished process. Pure."""
    facts: dict[str, Any] = json.loads(answer)["return"]

    def text(key: str) -> str:
        return base64.b64decode(facts.get(key, "")).decode(errors="replace")

    code = int(facts.get("exitcode", 128 + int(facts.get("signal", 0))))
    return subprocess.CompletedProcess(command, code, text("out-data"), text("err-data"))
