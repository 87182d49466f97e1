"""`sriovctl lab ...`: parse, call one function, say what happened. Light to import."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from sriovctl import ending

if TYPE_CHECKING:
    from sriovctl.lab.state import Lab

_Run = Callable[[argparse.Namespace], int]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `lab` and its commands; each sets `run`, which takes the namespace and returns
    an exit code."""
    lab = subparsers.add_parser(
        "lab",
        help="the virtual rack: servers with SR-IOV cards on this machine",
        description="A machine room on one machine without SR-IOV hardware: two switches, "
        "servers with two emulated 82576 cards each, libvirt and nested KVM. docs/lab.md "
        "tells more.",
    )
    commands = lab.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: _Run, summary: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + "."
        )
        parser.add_argument("--name", default="lab", help="which lab (default: lab)")
        parser.set_defaults(run=run)
        return parser

    up = command("up", _up, "build what is missing, boot, wait until it answers")
    up.add_argument(
        "--servers", type=int, default=1, metavar="N", help="KVM hosts, server-2 and up"
    )
    up.add_argument("--peer", action="store_true", help="with server-1, a peer without SR-IOV")
    up.add_argument(
        "--from",
        dest="origin",
        choices=("ready", "bare"),
        default="ready",
        help="bare: KVM hosts have a BMC, and virtualization and SR-IOV are off in their BIOS",
    )
    up.add_argument(
        "--bmc", choices=("idrac8", "idrac9"), help="which BMC, from bare (default: idrac9)"
    )
    up.add_argument("--no-wait", action="store_true", help="do not wait for the servers")

    command("down", _down, "remove the lab; nothing of it is left")

    status = command("status", _status, "what is on, what is cut, what runs")
    status.add_argument("--json", action="store_true", help="for programs")

    ssh = command("ssh", _ssh, "a shell, or a command, in a server")
    ssh.add_argument("server")
    ssh.add_argument("command", nargs=argparse.REMAINDER, help="as ssh takes it")

    console = command("console", _console, "the serial console of a VM or a server")
    console.add_argument("machine", help="VM-2, or server-2")

    cut = command("cut", _cut, "cut a cable, or kill a switch or the switches' link")
    cut.add_argument("what", help="server-2 (with a port), switch-1, switch-2 or interlink")
    cut.add_argument("port", nargs="?", help="em1 or em2")

    mend = command("mend", _mend, "mend what was cut; all of it without arguments")
    mend.add_argument("what", nargs="?")
    mend.add_argument("port", nargs="?")

    guard = command(
        "spoofguard", _spoofguard, "switches drop forged source addresses, as a real card would"
    )
    guard.add_argument("server")
    guard.add_argument(
        "order", nargs="?", choices=("on", "off"), help="left out: how many frames were dropped"
    )

    power = command("power", _power, "a server's power button")
    power.add_argument("server")
    power.add_argument("order", choices=("on", "off", "reset"))
    power.add_argument(
        "--graceful", action="store_true", help="with off: ask the server to shut down"
    )

    bmc = command("bmc", _bmc, "what a server's BMC holds, and faults on demand")
    bmc.add_argument("server")
    bmc.add_argument("do", choices=("state", "fault", "certificate", "host-key"))
    bmc.add_argument(
        "fault", nargs="*", metavar="NAME VALUE", help="with fault: docs/lab-bmc.md lists them"
    )

    rack_file = command("rack-file", _rack_file, "print a rack file with the lab's BMCs in it")
    rack_file.add_argument("file", help="a rack file without them")

    command("ssh-config", _ssh_config, "print the path of the lab's ssh configuration")

    execute = command("exec", _exec, "run a command inside a VM, by its guest agent")
    execute.add_argument("vm")
    execute.add_argument("command", nargs=argparse.REMAINDER)

    wait = command("wait", _wait, "wait until VMs are up and answer")
    wait.add_argument("vm", nargs="+")

    ping = command("ping", _ping, "ping from the switch (10.8.0.254)")
    ping.add_argument("address")
    ping.add_argument("-c", "--count", type=int, default=3)


def _load(arguments: argparse.Namespace) -> Lab:
    from sriovctl.lab import state

    return state.load(arguments.name)


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")


@ending.as_from_the_keyboard()
def _up(arguments: argparse.Namespace) -> int:
    from sriovctl.errors import UsageError
    from sriovctl.lab import lifecycle, progress

    if arguments.bmc and arguments.origin == "ready":
        raise UsageError(
            "--bmc goes with --from bare",
            "servers that are ready have no BMC",
            "add --from bare, or leave --bmc out",
        )
    lab = lifecycle.up(
        arguments.name,
        arguments.servers,
        arguments.peer,
        not arguments.no_wait,
        progress.to_stderr(),
        (arguments.bmc or "idrac9") if arguments.origin == "bare" else None,
    )
    name = "" if lab.name == "lab" else f" --name {lab.name}"
    first = lab.servers[0].name
    if lab.personality:
        _write(f"its BMCs, as a rack file takes them: {lab.folder}/bmc.json")
    _write(
        f"lab {lab.name} is up: {', '.join(server.name for server in lab.servers)}\n"
        f"  look around   sriovctl lab ssh{name} {first}\n"
        f"                sriovctl lab status{name}\n"
        f"  by ssh        export SRIOVCTL_SSH_CONFIG={lab.ssh_config}\n"
        f"                ssh -F $SRIOVCTL_SSH_CONFIG {first}\n"
        f"  tear down     sriovctl lab down{name}"
    )
    return 0


def _down(arguments: argparse.Namespace) -> int:
    from sriovctl.lab import lifecycle, progress

    if not lifecycle.down(arguments.name, progress.to_stderr()):
        _write(f"there is no lab {arguments.name}: nothing to do")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from sriovctl.lab import status

    facts = status.look(_load(arguments))
    _write(status.as_json(facts) if arguments.json else status.as_table(facts))
    return 0


def _ssh(arguments: argparse.Namespace) -> int:
    import subprocess

    from sriovctl.lab import access

    lab = _load(arguments)
    command = access.ssh_command(lab, lab.server(arguments.server), arguments.command)
    return subprocess.run(command, check=False).returncode


def _console(arguments: argparse.Namespace) -> int:
    from sriovctl.lab import console

    return console.attach(_load(arguments), arguments.machine)


def _cut(arguments: argparse.Namespace) -> int:
    from sriovctl.lab import cables

    lab = _load(arguments)
    lab = cables.cut(lab.name, cables.target(lab, arguments.what, arguments.port))
    _write(f"cut: {', '.join(lab.cuts)}")
    return 0


def _mend(arguments: argparse.Namespace) -> int:
    from sriovctl.lab import cables

    lab = _load(arguments)
    what = cables.target(lab, arguments.what, arguments.port) if arguments.what else None
    lab = cables.mend(lab.name, what)
    _write(f"cut: {', '.join(lab.cuts) or 'nothing'}")
    return 0


def _spoofguard(arguments: argparse.Namespace) -> int:
    from sriovctl.lab import spoofguard

    lab = _load(arguments)
    server = lab.server(arguments.server)
    if arguments.order == "off":
        spoofguard.set_off(lab, server)
    if arguments.order == "on":
        _write(
            "The emulated cards do not enforce spoofchk. The lab's switch ports do it instead, by\n"
            f"the addresses that {server.name} has now:"
        )
        for guard in spoofguard.set_on(lab, server):
            _write(f"  {guard.port}  {guard.told}")
        return 0
    counts = spoofguard.dropped(lab, server)
    for port in server.ports:
        count = counts.get(port.name)
        told = "not guarded" if count is None else f"guarded, {count} frames dropped"
        _write(f"  {port.name}  {told}")
    return 0


def _power(arguments: argparse.Namespace) -> int:
    from sriovctl.lab import power, progress

    lab = _load(arguments)
    server = lab.server(arguments.server)
    power.press(lab.name, server, arguments.order, arguments.graceful, progress.to_stderr())
    return 0


def _bmc(arguments: argparse.Namespace) -> int:
    import json

    from sriovctl.errors import UsageError
    from sriovctl.lab import bmcs

    lab = _load(arguments)
    server = lab.server(arguments.server)
    if len(arguments.fault) != (2 if arguments.do == "fault" else 0):
        raise UsageError(
            f"{arguments.do} was given {len(arguments.fault)} words",
            "fault takes a name and a value, the others nothing",
            f"sriovctl lab bmc {arguments.server} fault lifecycle busy",
        )
    if arguments.fault:
        said = bmcs.set_fault(lab, server, *arguments.fault)
    else:
        said = bmcs.ask(lab, server, do=arguments.do)
    _write(json.dumps(said, indent=2))
    return 0


def _rack_file(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from sriovctl import rackfile
    from sriovctl.lab import rackfile as lab_rackfile

    path = Path(arguments.file)
    rackfile.load(path)
    sys.stdout.write(lab_rackfile.with_bmcs(_load(arguments), path))
    return 0


def _ssh_config(arguments: argparse.Namespace) -> int:
    _write(str(_load(arguments).ssh_config))
    return 0


def _exec(arguments: argparse.Namespace) -> int:
    from sriovctl.lab import guest

    done = guest.run(_load(arguments), arguments.vm, arguments.command)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


def _wait(arguments: argparse.Namespace) -> int:
    from sriovctl.lab import guest, progress

    lab = _load(arguments)
    for vm in arguments.vm:
        with progress.to_stderr().part(f"{vm}: boots until its agent answers"):
            guest.wait(lab, vm)
    return 0


def _ping(arguments: argparse.Namespace) -> int:
    import subprocess

    from sriovctl.lab import switches

    command = ["ping", "-c", str(arguments.count), arguments.address]
    return subprocess.run(
        switches.inside(_load(arguments).namespace, command), check=False
    ).returncode
