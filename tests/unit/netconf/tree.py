"""A Debian tree with the network systems' own programs, for the tests, cached.

A folder to ``chroot`` into, nothing more: no service of it runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from sriovctl.lab import debian
from sriovctl.lab.progress import Progress

PACKAGES = (
    "netplan.io", "network-manager", "ifupdown", "ifenslave", "vlan", "bridge-utils",
    "dhcpcd-base", "cloud-init", "systemd",
)  # fmt: skip
KEEP = 2
_UNREAD = ("doc", "man", "locale", "info")
"""Folders of /usr/share that no program here reads."""


def key(packages: tuple[str, ...] = PACKAGES) -> str:
    """16 hex digits over the packages and over the modules that build."""
    digest = hashlib.sha256(" ".join(packages).encode())
    for builder in (__file__, debian.__file__):
        digest.update(hashlib.sha256(Path(builder).read_bytes()).digest())
    return digest.hexdigest()[:16]


def ensure() -> Path:
    """The tree of today's recipe, made if it is missing. Two at once make it once.

    :raises SriovctlError: a tool is missing, or the build failed (its log is named)
    """
    cache = debian.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / f"net-tools-{key()}"
    with debian.only_builder(cache / "net-tools.lock", Progress(), "network tools"):
        if not tree.exists():
            _build(tree)
        os.utime(tree)
        _prune(cache)
    return tree


def _build(tree: Path) -> None:
    debian.need(("mmdebstrap", "unshare", "setpriv"), "the network tools' tree")
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNREAD]
    # the whole folder is thrown away if it is not finished
    options.append("--dpkgopt=force-unsafe-io")
    with tempfile.TemporaryDirectory(prefix="net-tools.new-", dir=tree.parent) as folder:
        draft = Path(folder) / "root"
        debian.bootstrap(draft, PACKAGES, tree.parent / "net-tools.log", *options)
        # whole, or not there
        draft.rename(tree)


def _prune(cache: Path) -> None:
    """Forget all trees but the newest few, and what a build that was killed has left."""
    trees = sorted(cache.glob("net-tools-*"), key=lambda path: path.stat().st_mtime)
    for old in [*trees[:-KEEP], *cache.glob("net-tools.new-*")]:
        shutil.rmtree(old)
