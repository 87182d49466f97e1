"""The command line: parse, call one function, give its exit code. Light to import."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from sriovctl import __version__
from sriovctl.commandline import changing, guest, legs, looking, report, trials
from sriovctl.errors import SriovctlError
from sriovctl.lab import commands as lab


def parser() -> argparse.ArgumentParser:
    """The whole command line, every command with its help."""
    top = argparse.ArgumentParser(
        prog="sriovctl",
        description="Takes KVM servers to virtual machines whose network cards are SR-IOV "
        "virtual functions of two ports, and keeps them so.",
        epilog="Exit codes: 0 as wanted, 1 failed, 2 bad usage or rack file, 3 differs, "
        "4 blocked by something in use.",
    )
    top.add_argument("--version", action="version", version=f"sriovctl {__version__}")
    top.add_argument("--debug", action="store_true", help="show a traceback with an error")
    top.add_argument(
        "--ssh-config",
        metavar="FILE",
        default=os.environ.get("SRIOVCTL_SSH_CONFIG"),
        help="ssh configuration for remote hosts (default: $SRIOVCTL_SSH_CONFIG, ~/.ssh/config)",
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for group in (looking, report, changing, legs, guest, trials):
        group.add_parsers(commands)
    lab.add_parser(commands)
    completion = commands.add_parser("completion", help="completion for a shell")
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    completion.set_defaults(run=_completion)
    return top


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    sys.stdout.write(shtab.complete(parser(), shell=arguments.shell))
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    :param words: the command line without the program's name; ``sys.argv`` if left out
    :returns: the exit code: 0 as wanted, 1 failed, 2 bad usage or rack file, 3 differs, 4 blocked
    """
    for stream in (sys.stdout, sys.stderr):
        # a letter that a terminal has not, or no letter at all in a host's name, is no failure
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(words)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read the output has gone
        _give_up_output()
        return 1
    except OSError as error:
        if arguments.debug:
            raise
        _give_up_output()
        sys.stderr.write(f"sriovctl: {error}\n")
        return 1
    return code


def _run(arguments: argparse.Namespace) -> int:
    try:
        code: int = arguments.run(arguments)
    except SriovctlError as error:
        if arguments.debug:
            raise
        from sriovctl.view.harmless import harmless_lines

        sys.stderr.write(f"sriovctl: {harmless_lines(str(error))}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("sriovctl: interrupted\n")
        return 130
    return code


def _give_up_output() -> None:
    """What cannot be written is not tried again at exit, where the interpreter would complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
