"""The shells that scripts must run under, and stages made of steps that write files."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sriovctl.plan import Stage, Step
from sriovctl.shell import command
from sriovctl.transaction import Event, compile_stage, parse_event

SHELLS = ("dash", "bash", "busybox")
PATIENCE_S = 30.0
"""Against a test that hangs; nothing here takes a second."""


def shell_folder(shell: str, folder: Path) -> Path | None:
    """A folder in which ``sh`` is this shell, None where this machine has no such shell."""
    found = shutil.which(shell)
    if found is None:
        return None
    folder.mkdir(exist_ok=True)
    (folder / "sh").symlink_to(found)
    return folder


@dataclass(frozen=True)
class Run:
    """A finished script."""

    status: int
    lines: list[str]
    stderr: str

    @property
    def events(self) -> list[Event]:
        """Every line, each of which must be an event."""
        events = [parse_event(line) for line in self.lines]
        assert None not in events, self.lines
        return [event for event in events if event is not None]


@dataclass(frozen=True)
class Machine:
    """A host of its own: a folder for what steps change, one for sriovctl's state, and a shell."""

    folder: Path
    shells: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def world(self) -> Path:
        """What steps change."""
        return self.folder / "world"

    @property
    def transactions(self) -> list[Path]:
        return list((self.state / "transactions").iterdir())

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.shells}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "SRIOVCTL_STATE": str(self.state)}

    def before(self) -> dict[str, str]:
        """What is in the world now."""
        return {path.name: path.read_text() for path in self.world.iterdir() if path.is_file()}

    def file(self, stage: Stage, *, name: str = "script.sh") -> Path:
        path = self.folder / name
        path.write_bytes(compile_stage(stage, host="server-2").encode("utf-8", "surrogateescape"))
        return path

    def start(
        self, script: Path, *words: str, confirm_s: int | None = None, **settings: str
    ) -> subprocess.Popen[str]:
        environment = {**self.environment, **settings}
        if confirm_s is not None:
            environment["SRIOVCTL_CONFIRM_S"] = str(confirm_s)
        return subprocess.Popen(
            [self.shells / "sh", script, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        )

    def run(self, script: Path, *words: str, confirm_s: int | None = None, **settings: str) -> Run:
        return finish(self.start(script, *words, confirm_s=confirm_s, **settings))

    def journal(self) -> list[Event | None]:
        [transaction] = self.transactions
        return [parse_event(line) for line in (transaction / "journal").read_text().splitlines()]


def finish(process: subprocess.Popen[str]) -> Run:
    out, err = process.communicate(timeout=PATIENCE_S)
    return Run(process.returncode, out.splitlines(), err)


def write(path: Path, *, title: str | None = None, do: str = "", check: str = "") -> Step:
    """A step that changes a file's text from ``old`` to ``new``, and back."""
    word = command(str(path))
    return Step(
        link="bonds",
        title=title or f"write {path.name}",
        reason=f"{path.name} is old",
        do=f"echo new >{word}\n{do}",
        check=f'read -r text <{word}; [ "$text" = new ]\n{check}',
        undo=f"echo old >{word}",
    )


def stage_of(*steps: Step) -> Stage:
    return Stage(title="files", steps=steps)


class Gate:
    """A place in a step where it waits for the test, by pipes that block nobody else."""

    def __init__(self, folder: Path) -> None:
        """
        :param folder: an existing one; the pipes' names are this gate's own
        """
        self._names = [folder / f"{what}-{len(list(folder.iterdir()))}" for what in ("here", "go")]
        for name in self._names:
            os.mkfifo(name)
        self._here, self._go = (os.open(name, os.O_RDWR) for name in self._names)

    @property
    def text(self) -> str:
        """Shell text that comes here and waits."""
        here, go = (command(str(name)) for name in self._names)
        return f"echo x >{here}; read -r go <{go}"

    def reached(self) -> None:
        """Wait until a step has come here."""
        ready, _, _ = select.select([self._here], [], [], PATIENCE_S)
        assert ready, "no step came"
        os.read(self._here, 2)

    def open(self) -> None:
        """Let one step through, whether it is here already or comes later."""
        os.write(self._go, b"go\n")
