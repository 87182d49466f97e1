"""A Debian tree in a folder, made from the archive that this machine's apt uses, and its cache.

What is made of it (:mod:`sriovctl.lab.image`, the tests' network tools) has a key over its recipe
and over its builder, and is made by one process at a time.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sriovctl.errors import SriovctlError
from sriovctl.lab.progress import Progress
from sriovctl.lab.timeouts import seconds

SUITE = "trixie"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def cache_folder() -> Path:
    """$SRIOVCTL_CACHE, else sriovctl in $XDG_CACHE_HOME or ~/.cache."""
    if named := os.environ.get("SRIOVCTL_CACHE"):
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sriovctl"


def archive_uri(etc: Path = Path("/etc/apt")) -> str:
    """The Debian mirror that this machine's own apt uses.

    :raises SriovctlError: apt's sources name none
    """
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text(errors="replace")):
            fields = dict(re.findall(r"^(URIs|Suites|Enabled):[ \t]*(.+)$", stanza, re.MULTILINE))
            if fields.get("Enabled", "yes").strip() == "no":
                continue
            for uri in str(fields.get("URIs", "")).split():
                if re.search(r"/debian/?$", uri):
                    return uri.rstrip("/")
    lists = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    for path in lists:
        if not path.is_file():
            continue
        line = re.search(
            r"^deb\s+(?:\[[^]]*\]\s+)?(\S+/debian)/?\s", path.read_text(), re.MULTILINE
        )
        if line:
            return str(line[1])
    raise SriovctlError(
        f"no Debian mirror in {etc}",
        "the server image is made from the archive that this machine's apt uses",
        "run the lab on Debian 12 or 13, or add a Debian source to apt",
    )


@contextmanager
def only_builder(lock: Path, progress: Progress, what: str) -> Iterator[None]:
    """Only one builder a lock file; waits for another one.

    :param what: what the other one makes, for the line that says so
    """
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"  {what}: another process makes it, waiting for that")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def need(tools: Iterable[str], what: str) -> None:
    """
    :param what: what cannot be made without them

    :raises SriovctlError: one is not here
    """
    for tool in tools:
        if shutil.which(tool) is None:
            raise SriovctlError(
                f"{tool} is not installed", f"{what} cannot be made", "scripts/setup"
            )


def bootstrap(root: Path, packages: Iterable[str], log: Path, *options: str) -> None:
    """Install packages into a new folder, in a mount and process namespace that leave nothing
    behind, also where we are killed. No service of theirs is started.

    :param options: more of mmdebstrap's, such as hooks
    :raises SriovctlError: it failed, or took too long
    """
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    command = [
        "setpriv", "--pdeathsig", "KILL",
        "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
        "mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(packages)}",
        *options, SUITE, str(root), f"deb {signed}{archive_uri()} {SUITE} main",
    ]  # fmt: skip
    run(command, log)


def run(command: list[str], log: Path, text: str | None = None) -> None:
    """Run a build command, all it says into the log; ended with all its children when we are.

    :raises SriovctlError: it failed; with the end of the log
    """
    timeout = seconds("build")
    with log.open("a+") as out:
        out.write(f"+ {' '.join(command)}\n")
        out.flush()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        )
        try:
            process.communicate(text, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise SriovctlError(
                f"{command[0]} took longer than {timeout:.0f} s",
                f"the log is {log}",
                "is the Debian mirror reachable? raise SRIOVCTL_LAB_TIMEOUT_BUILD",
            ) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        raise SriovctlError(
            f"{command[0]} failed with status {process.returncode}:\n{tail}",
            f"the whole log is {log}",
            "is the Debian mirror reachable? try: apt-get update",
        )
