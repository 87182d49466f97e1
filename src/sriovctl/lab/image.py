"""The server image: Debian 13, made from the archive, cached under the key of its recipe.

Everything that is baked in lies in ``recipe/``; the key is a hash over all of it and over
the modules that build, so that a change of either makes a new image and an old one is never taken
for it. The image is an MBR disk made without loop devices: ``mkfs.ext4 -d`` writes the
file system at 1 MiB, GRUB's two stages go to the first sectors.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Set
from pathlib import Path

from sriovctl.errors import SriovctlError
from sriovctl.lab import debian
from sriovctl.lab.progress import Progress

RECIPE = Path(__file__).parent / "recipe"
DISK_GIB = 6
KEEP = 2
_FILESYSTEM_UUID = "5109c71a-b000-4000-8000-000000000001"
_PARTITION_OFFSET = 1024 * 1024
_SPACE_GIB = 4


def recipe_key(
    recipe: Path = RECIPE, builders: Iterable[Path] = (Path(__file__), Path(debian.__file__))
) -> str:
    """16 hex digits over every name, mode, link and byte of the recipe, and over the builders."""
    digest = hashlib.sha256()
    for path in sorted(recipe.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        digest.update(f"{path.relative_to(recipe)}\0".encode())
        if path.is_symlink():
            digest.update(f"link {path.readlink()}\0".encode())
        else:
            digest.update(b"file " + hashlib.sha256(path.read_bytes()).digest())
    for builder in builders:
        digest.update(hashlib.sha256(builder.read_bytes()).digest())
    return digest.hexdigest()[:16]


def packages(recipe: Path = RECIPE) -> list[str]:
    """The recipe's package names, in its order."""
    lines = (recipe / "packages.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def ensure(progress: Progress, keep: Set[Path] = frozenset()) -> Path:
    """The image of today's recipe, made if it is missing. Two at once make it once.

    :param keep: images that are not to be pruned
    :returns: path of a raw disk image, never to be written to
    :raises SriovctlError: a tool or space is missing, or the build failed (its log is named)
    """
    cache = debian.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    image = cache / f"image-{recipe_key()}.img"
    if image.exists():
        os.utime(image)
        return image
    with debian.only_builder(cache / "build.lock", progress, "server image"):
        if not image.exists():
            _build(image, progress)
            _prune(cache, keep)
    return image


def _build(image: Path, progress: Progress) -> None:
    debian.need(("mmdebstrap", "mkfs.ext4", "sfdisk", "unshare", "setpriv"), "the server image")
    free = shutil.disk_usage(image.parent).free
    if free < _SPACE_GIB * 1024**3:
        raise SriovctlError(
            f"{image.parent} has {free // 1024**2} MiB free",
            f"making the server image takes {_SPACE_GIB} GiB for a moment, 1 GiB to keep",
            "make room, or set SRIOVCTL_CACHE to a folder on a larger disk",
        )
    log = image.parent / "build.log"
    with tempfile.TemporaryDirectory(prefix="building-", dir=image.parent) as folder:
        root = Path(folder) / "root"
        draft = Path(folder) / "image"
        with progress.part(f"server image: Debian {debian.SUITE} and the nested guest"):
            _bootstrap(root, log)
        with progress.part("server image: file system and boot loader"):
            _write_disk(root, draft, log)
        draft.replace(image)


def _bootstrap(root: Path, log: Path) -> None:
    """Packages and hooks."""
    debian.bootstrap(
        root, packages(), log,
        f"--setup-hook=sh '{RECIPE}/setup.sh' \"$1\"",
        f"--customize-hook=sh '{RECIPE}/customize.sh' \"$1\"",
    )  # fmt: skip


def _write_disk(root: Path, disk: Path, log: Path) -> None:
    """An MBR disk: GRUB's boot.img and core.img, then one ext4 partition of all of `root`."""
    with disk.open("wb") as raw:
        raw.truncate(DISK_GIB * 1024**3)
    size_kib = DISK_GIB * 1024**2 - _PARTITION_OFFSET // 1024
    command = [
        "mkfs.ext4", "-q", "-F", "-m", "0", "-U", _FILESYSTEM_UUID,
        "-O", "^metadata_csum_seed,^orphan_file",
        "-E", f"offset={_PARTITION_OFFSET},lazy_itable_init=1,lazy_journal_init=1",
        "-d", str(root), str(disk), f"{size_kib}k",
    ]  # fmt: skip
    debian.run(command, log)
    table = f"{_PARTITION_OFFSET // 512},,83,*\n"
    debian.run(["sfdisk", "--quiet", str(disk)], log, table)
    grub = root / "boot/grub/i386-pc"
    core = (grub / "core.img").read_bytes()
    if len(core) > _PARTITION_OFFSET - 512:
        raise SriovctlError(f"GRUB's core.img is {len(core)} bytes", "it must fit before 1 MiB")
    with disk.open("r+b") as raw:
        raw.write((grub / "boot.img").read_bytes()[:440])
        raw.seek(512)
        raw.write(core)


def _prune(cache: Path, keep: Set[Path]) -> None:
    """Forget all images but the newest few and those that labs stand on."""
    images = sorted(cache.glob("image-*.img"), key=lambda path: path.stat().st_mtime)
    for old in images[:-KEEP]:
        if old not in keep:
            old.unlink()
    for left in cache.glob("building-*"):
        shutil.rmtree(left, ignore_errors=True)
