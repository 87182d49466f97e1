"""The linters, as tests: a tree that is not clean does not pass."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
FOLDERS = (".ci", "examples", "scripts", "src", "tests")
SHEBANG = re.compile(r"#! ?(/usr)?/bin/(env )?(?P<shell>sh|bash|dash)\b")
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


def shell_files() -> dict[str, str]:
    """Every shell file of the tree, by path, with the shell that it is for."""
    found = {}
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*")):
        if not path.is_file() or "__pycache__" in path.parts:
            continue
        with path.open("rb") as file:
            start = SHEBANG.match(file.read(40).decode("latin-1"))
        if start or path.suffix == ".sh":
            shell = start["shell"] if start else "sh"
            found[str(path.relative_to(ROOT))] = "sh" if shell == "dash" else shell
    return found


SHELL_FILES = shell_files()


def clean(*words: str) -> None:
    """Run one linter; its output is the failure's message."""
    done = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(words)}\n{done.stdout}{done.stderr}", pytrace=False)


def test_ruff() -> None:
    clean(str(BIN / "ruff"), "check", "--no-fix", ".")


def test_ruff_format() -> None:
    clean(str(BIN / "ruff"), "format", "--check", ".")


def test_mypy() -> None:
    clean(str(BIN / "mypy"))


@pytest.mark.parametrize("name", SHELL_FILES)
def test_shellcheck(name: str) -> None:
    clean(str(BIN / "shellcheck"), "-x", "-s", SHELL_FILES[name], name)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", [name for name, shell in SHELL_FILES.items() if shell == "sh"])
def test_syntax_in_every_shell(name: str, shell: str) -> None:
    clean(shell, *(["sh"] if shell == "busybox" else []), "-n", name)
