"""The host of the bench: scripts run there and timed there, processes counted there.

Time is taken on the host itself, around the very scripts that sriovctl hands over, so that
neither ssh nor this machine's Python is in it. The clock is bash's EPOCHREALTIME, which costs no
process; the script comes out of a pipe, as it does from ssh.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sriovctl.errors import SriovctlError
from sriovctl.lab import access
from sriovctl.lab.layout import Server
from sriovctl.lab.state import Lab
from sriovctl.reach import Output

FOLDER = "/run/sriovctl-bench"

_TIMED = f"""
umask 077
mkdir -p {FOLDER} && folder=$(mktemp -d {FOLDER}/XXXXXX) || exit 1
cat >"$folder/script"
exec 9< <(exec cat "$folder/script")
began=$EPOCHREALTIME
sh -s -- "$@" <&9 >"$folder/out" 2>"$folder/err"
status=$?
ended=$EPOCHREALTIME
cat "$folder/out"
printf 'sriovctl-bench %s %s\\n' "$began" "$ended"
cat "$folder/err" >&2
rm -r "$folder"
exit "$status"
"""
_TIME = re.compile(r"^sriovctl-bench (\d+[.,]\d+) (\d+[.,]\d+)\n\Z", re.MULTILINE)

_COUNTED = f"""
umask 077
mkdir -p {FOLDER} && folder=$(mktemp -d {FOLDER}/XXXXXX) || exit 1
trap 'rm -r "$folder"' EXIT
cat >"$folder/script"
strace -f -qq -e trace=execve,fork,vfork,clone,clone3,openat -e signal=none -o "$folder/trace" \
    sh -s <"$folder/script" >/dev/null || exit 1
cat "$folder/trace"
"""
_CALL = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed).* = (-?\d+)")
_OPEN = re.compile(r'"([^"]*)", ([A-Z_|]+)')


@dataclass(frozen=True)
class Run:
    """One script on the host."""

    seconds: float
    output: Output
    script: str


class TimedReach:
    """The way to a server of the lab, for :mod:`sriovctl.reconcile`; keeps every run's time."""

    remote = False

    def __init__(self, lab: Lab, server: Server) -> None:
        self.name = server.name
        self._lab = lab
        self._server = server
        self.runs: list[Run] = []

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        timeout_s: float = 0.0,
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        """See :meth:`sriovctl.reach.Reach.run`; the lab's own timeout holds.

        :raises SriovctlError: the server does not answer as it should
        """
        del timeout_s
        began = time.monotonic()
        done = access.run(
            self._lab, self._server, ["bash", "-c", _TIMED, "bash", *arguments], script
        )
        timed = _TIME.search(done.stdout)
        if timed is None:
            raise SriovctlError(f"{self.name}: no time came back", done.stderr.strip())
        text = done.stdout[: timed.start()]
        output = Output(done.returncode, text, done.stderr, time.monotonic() - began)
        self.runs.append(Run(host_seconds(timed[1], timed[2]), output, script))
        for line in text.splitlines() if on_line else ():
            assert on_line is not None
            on_line(line)
        return output

    def timed(self, script: str) -> Run:
        """Run a script that must go well.

        :raises SriovctlError: it did not
        """
        self.must(script, self.run(script))
        return self.runs[-1]

    def do(self, script: str) -> str:
        """Run a script that must go well, not measured; gives its output.

        :raises SriovctlError: it did not
        """
        done = access.run(self._lab, self._server, ["sh", "-s"], script)
        self.must(script, Output(done.returncode, done.stdout, done.stderr, 0.0))
        return done.stdout

    def must(self, script: str, output: Output) -> None:
        """
        :raises SriovctlError: the script ended with anything but 0
        """
        if output.status:
            said = (output.stderr or output.stdout).strip().splitlines()[-3:]
            raise SriovctlError(
                f"{self.name}: a script ended with {output.status}: {' '.join(said)}",
                f"it begins with: {script.strip().splitlines()[0][:80]}",
            )

    def count(self, script: str) -> Counts:
        """What a script starts and opens, by strace.

        :raises SriovctlError: it failed, or the server has no strace
        """
        done = access.run(self._lab, self._server, ["sh", "-c", _COUNTED], script)
        self.must(script, Output(done.returncode, done.stdout, done.stderr, 0.0))
        return counts(done.stdout)


def host_seconds(began: str, ended: str) -> float:
    """Seconds between two values of EPOCHREALTIME, whose decimal point is the locale's."""
    return float(ended.replace(",", ".")) - float(began.replace(",", "."))


@dataclass(frozen=True)
class Counts:
    """What strace saw of a script and all that it started."""

    forks: int
    """New processes, the first one not counted."""
    programs: int
    """Successful execve, the first one not counted."""
    written: tuple[str, ...]
    """Files opened for writing, /dev/null left out."""


def counts(trace: str) -> Counts:
    """Read what ``strace -f -o`` wrote. Pure.

    :param trace: of execve, the fork calls and openat
    """
    forks = programs = 0
    written = []
    for line in trace.splitlines():
        call = _CALL.match(line)
        if call is None or int(call[3]) < 0:
            continue
        if call[2] == "execve":
            programs += 1
        elif call[2] in ("fork", "vfork", "clone", "clone3"):
            forks += "CLONE_THREAD" not in line
        elif call[2] == "openat":
            opened = _OPEN.search(line)
            if opened and {"O_WRONLY", "O_RDWR"} & set(opened[2].split("|")):
                written.append(opened[1])
    return Counts(forks, programs - 1, tuple(path for path in written if path != "/dev/null"))
