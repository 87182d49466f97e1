"""Where the network systems' own programs are: in a Debian tree, or on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sriovctl.netconf import File
from tests.unit.netconf import tree

TIMEOUT_S = 60


class Tools:
    """A folder that the tools see, and the way to run them."""

    def __init__(self, root: str, folder: Path) -> None:
        self.root = root
        """The tree's folder; empty for this machine's own tools."""
        self.folder = folder
        """As seen from here."""
        self.seen = "/" + str(folder.relative_to(root or "/"))
        """As seen by the tools."""

    def need(self, name: str) -> list[str]:
        """The words that run a tool; skips the test where it is not here."""
        root = self.root
        path = f"{root}/usr/sbin:{root}/usr/bin:{root}/sbin:{root}/bin" if root else None
        if shutil.which(name, path=path) is None:
            pytest.skip(f"no {name} in {root or 'this machine; root would get a tree'}")
        return ["chroot", root, name] if root else [name]

    def run(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, input=text, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )

    def put(self, files: tuple[File, ...]) -> None:
        for file in files:
            path = self.folder / file.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text)
            path.chmod(file.mode)


@pytest.fixture(scope="session")
def tools_root() -> str:
    """The tree that ``SRIOVCTL_NET_TOOLS`` names, else our own, else nothing: this machine."""
    if named := os.environ.get("SRIOVCTL_NET_TOOLS"):
        return named
    if os.geteuid() == 0 and shutil.which("mmdebstrap") is not None:
        return str(tree.ensure())
    return ""


@pytest.fixture
def tools(tools_root: str, tmp_path: Path) -> Iterator[Tools]:
    if not tools_root:
        yield Tools("", tmp_path)
        return
    folder = Path(tools_root, "tmp", str(uuid.uuid4()))
    folder.mkdir()
    yield Tools(tools_root, folder)
    shutil.rmtree(folder)
