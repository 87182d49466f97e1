"""The command line: parse, call one function, give its exit code. Light to import."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from sriovctl.errors import SriovctlError

IMPACTS = ("vf-reset",)
"""What ``--allow`` takes: the impacts on running VMs that no plan has without being asked, beside
restarts of the host."""

NETWORK_SYSTEMS = ("networkd", "netplan", "networkmanager", "ifcfg", "ifupdown", "cloud-init")
"""What ``--as`` takes; :data:`sriovctl.netconf.SYSTEMS`, which is not light to import."""

FAILOVER_WAYS = ("pf-down", "vf-link", "cable", "switch")
"""What ``--way`` takes; :data:`sriovctl.trial.ways.WAYS`, which is not light to import."""


def parser() -> argparse.ArgumentParser:
    """The whole command line, every command with its help."""
    top = argparse.ArgumentParser(
        prog="sriovctl",
        description="Takes KVM servers to virtual machines whose network cards are SR-IOV "
        "virtual functions of two ports, and keeps them so.",
        epilog="Exit codes: 0 as wanted, 1 failed, 2 bad usage or rack file, 3 differs, "
        "4 blocked by something in use.",
    )
    top.add_argument("--debug", action="store_true", help="show a traceback with an error")
    top.add_argument(
        "--ssh-config",
        metavar="FILE",
        default=os.environ.get("SRIOVCTL_SSH_CONFIG"),
        help="ssh configuration for remote hosts (default: $SRIOVCTL_SSH_CONFIG, ~/.ssh/config)",
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _show(commands)
    _check(commands)
    _plan(commands)
    _apply(commands)
    _trust(commands)
    _init(commands)
    _guest_config(commands)
    _trial(commands)
    _schema(commands)
    from sriovctl.lab.commands import add_parser

    add_parser(commands)
    completion = commands.add_parser("completion", help="completion for a shell")
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    completion.set_defaults(run=_completion)
    return top


_Commands = argparse._SubParsersAction  # the type has no public name (typeshed argparse.pyi)


def _show(commands: _Commands[argparse.ArgumentParser]) -> None:
    show = commands.add_parser(
        "show",
        help="the whole chain of a host as it is",
        description="Probes a host once and shows its IOMMU, PFs, VFs and who holds them, pools "
        "and VMs. Changes nothing.",
    )
    show.add_argument("host", nargs="?", help="user@host[:port]; this machine if left out")
    _rack_option(show)
    _limit(show)
    _json(show)
    show.set_defaults(run=_verb("show"))


def _check(commands: _Commands[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="is every host as the rack file wants it?",
        description="Exit code 0: as wanted. 3: something differs or cannot be. 4: blocked by "
        "something in use. Changes nothing.",
    )
    check.add_argument("rack", help="rack file")
    _limit(check)
    _json(check)
    check.set_defaults(run=_verb("check"))


def _plan(commands: _Commands[argparse.ArgumentParser]) -> None:
    plan = commands.add_parser(
        "plan",
        help="what apply would do, and why",
        description="Shows every step with its reason. Exit code 0: nothing to do. 3: there is. "
        "4: blocked by something in use. Changes nothing.",
    )
    plan.add_argument("rack", help="rack file")
    _limit(plan)
    form = plan.add_mutually_exclusive_group()
    _json(form)
    form.add_argument(
        "--script", action="store_true", help="the sh script that apply would run, to read or carry"
    )
    plan.add_argument("-o", "--output", metavar="FILE", help="save the plan for apply")
    plan.set_defaults(run=_verb("plan"))


def _apply(commands: _Commands[argparse.ArgumentParser]) -> None:
    apply = commands.add_parser(
        "apply",
        help="make hosts as the rack file wants them",
        description="All steps of a host, or none: what fails is undone. Run again at any moment, "
        "it goes on from what is; with nothing to do it writes nothing.",
    )
    apply.add_argument("file", help="rack file, or a plan saved by plan -o")
    _limit(apply)
    apply.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=IMPACTS,
        help="let steps through that do this to running VMs",
    )
    apply.add_argument(
        "--reboot",
        action="store_true",
        help="restart hosts whose BIOS settings or kernel arguments need it, by the gentlest way; "
        "their VMs are shut down before and started again after",
    )
    apply.add_argument(
        "--force-off",
        type=_seconds,
        metavar="S",
        help="cut the power of a host that has not shut down for its power cycle within this many "
        "seconds (default: never)",
    )
    apply.add_argument(
        "--boot-timeout",
        type=_seconds,
        default=900,
        metavar="S",
        help="how long to wait for a restarted host to have started (default: 900)",
    )
    apply.add_argument(
        "--confirm-timeout",
        type=_seconds,
        default=60,
        metavar="S",
        help="a remote host undoes a change of its ports if it is not reached again within this "
        "many seconds (default: 60)",
    )
    apply.add_argument(
        "--stage-timeout",
        type=_seconds,
        default=600,
        metavar="S",
        help="how long to follow a host's script before giving up on it (default: 600)",
    )
    _json(apply)
    apply.set_defaults(run=_verb("apply"))


def _trust(commands: _Commands[argparse.ArgumentParser]) -> None:
    trust = commands.add_parser(
        "trust",
        help="are the BMCs the ones that were recorded?",
        description="Shows the certificate and the ssh host key that each BMC shows now, whether "
        "they are the recorded ones, and where to compare. Sends no password. Exit code 0: all is "
        "known. 3: something is new, changed or not checked. Changes nothing without --write.",
    )
    trust.add_argument("rack", help="rack file")
    _limit(trust)
    trust.add_argument(
        "--write",
        action="store_true",
        help="record what is new: fingerprints in the rack file, host keys in its known_hosts",
    )
    trust.add_argument(
        "--replace", action="store_true", help="with --write: also what is not as recorded"
    )
    trust.add_argument(
        "--timeout",
        type=_seconds,
        default=10,
        metavar="S",
        help="how long to wait for a connection, and for an answer (default: 10)",
    )
    _json(trust)
    trust.set_defaults(run=_verb("trust", "trust"))


def _init(commands: _Commands[argparse.ArgumentParser]) -> None:
    init = commands.add_parser(
        "init",
        help="a first rack file, from a host as it is",
        description="Prints a rack file that says what that host has now: ports, VFs, pools and "
        "VMs. What a rack file cannot say is told in its comments.",
    )
    init.add_argument("host", nargs="?", help="user@host[:port]; this machine if left out")
    init.add_argument("--rack-name", default="rack", metavar="NAME", help="(default: rack)")
    init.set_defaults(run=_verb("init"))


def _guest_config(commands: _Commands[argparse.ArgumentParser]) -> None:
    guest = commands.add_parser(
        "guest-config",
        help="the files of the bond inside a VM",
        description="Prints the files that make the bond over a VM's pair of VFs, in the words of "
        "the guest's network system, each after its path. Reads the rack file only.",
    )
    guest.add_argument("rack", help="rack file")
    guest.add_argument("vm", help="a VM of it")
    guest.add_argument(
        "--as", dest="system", choices=NETWORK_SYSTEMS, required=True, help="the network system"
    )
    form = guest.add_mutually_exclusive_group()
    form.add_argument("-o", "--output", metavar="DIR", help="write them as a tree under DIR")
    _json(form)
    guest.set_defaults(run=_verb("guest_config", "guestconfig"))


def _trial(commands: _Commands[argparse.ArgumentParser]) -> None:
    trial = commands.add_parser("trial", help="does it hold: outages on purpose, measured")
    kinds = trial.add_subparsers(metavar="TRIAL", required=True)
    failover = kinds.add_parser(
        "failover",
        help="take each leg of a VM's pair away and give it back, under traffic",
        description="Sends to a VM, takes a leg of its pair away and gives it back, in each way "
        "that can be gone here, and says how long the VM was silent. Exit code 0: every outage was "
        "over and within the budget. 3: one was not. 4: somebody else would be cut off. The host "
        "gives a leg back by itself if this is killed.",
    )
    failover.add_argument("rack", help="rack file")
    failover.add_argument("vm", help="a VM of it that runs")
    failover.add_argument(
        "--address", metavar="IP", help="of the VM (default: the rack file's, under its bond)"
    )
    failover.add_argument(
        "--way",
        action="append",
        choices=FAILOVER_WAYS,
        help="only this way, can be given several times (default: each that can be gone)",
    )
    failover.add_argument(
        "--rate",
        type=_above_zero,
        default=1000,
        metavar="N",
        help="packets/s (default: 1000)",
    )
    for name, default, words in (
        ("away", 5, "how long a leg is away (default: 5)"),
        ("back", 10, "how long is watched after it is back; the bond's updelay is added where it "
         "is known (default: 10)"),
        ("patience", 60, "how long to wait for the VM to answer (default: 60)"),
    ):  # fmt: skip
        failover.add_argument(f"--{name}", type=_seconds, default=default, metavar="S", help=words)
    failover.add_argument(
        "--budget", type=_above_zero, metavar="MS", help="no outage may be longer than this"
    )
    failover.add_argument(
        "--from",
        dest="sender",
        metavar="HOST",
        help="send from there: [user@]name[:port], with Python 3 (default: from here)",
    )
    failover.add_argument(
        "--lab",
        metavar="NAME",
        help="the host is in this lab: send from its switch, cut its cables and switches too",
    )
    failover.add_argument(
        "--force", action="store_true", help="also where somebody else would be cut off"
    )
    failover.add_argument("--picture", metavar="FILE", help="SVG of the answers over time")
    _json(failover)
    failover.set_defaults(run=_verb("failover", "trial.command"))


def _schema(commands: _Commands[argparse.ArgumentParser]) -> None:
    schema = commands.add_parser("schema", help="JSON schema of what is read and printed")
    schema.add_argument("kind", nargs="?", choices=("rack", "host", "plan"), default="rack")
    schema.set_defaults(run=_verb("schema"))


def _rack_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rack", metavar="FILE", help="hosts of a rack file")


def _limit(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--limit", action="append", metavar="HOST", help="only this host of the rack file"
    )


def _json(command: argparse._ActionsContainer) -> None:
    command.add_argument("--json", action="store_true", help="for programs")


def _above_zero(text: str) -> float:
    """A finite number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def _seconds(text: str) -> float:
    """Whole or broken seconds, a finite number above 0."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _verb(name: str, module: str = "verbs") -> Callable[[argparse.Namespace], int]:
    """A function of a module of sriovctl, which is imported only when it is called."""

    def run(arguments: argparse.Namespace) -> int:
        code: int = getattr(import_module(f"sriovctl.{module}"), name)(arguments)
        return code

    return run


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    sys.stdout.write(shtab.complete(parser(), shell=arguments.shell))
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    :param words: the command line without the program's name; ``sys.argv`` if left out
    :returns: the exit code: 0 as wanted, 1 failed, 2 bad usage or rack file, 3 differs, 4 blocked
    """
    arguments = parser().parse_args(words)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except SriovctlError as error:
        if arguments.debug:
            raise
        from sriovctl.view.harmless import harmless_lines

        sys.stderr.write(f"sriovctl: {harmless_lines(str(error))}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("sriovctl: interrupted\n")
        return 130
    except BrokenPipeError:
        # whoever read the output has gone; the interpreter must not complain of it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
