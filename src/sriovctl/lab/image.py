"""The server image: Debian 13, made from the archive, cached under the key of its recipe.

Everything that is baked in lies in ``recipe/``; the key is a hash over all of it and over
this module, so that a change of either makes a new image and an old one is never taken
for it. The image is an MBR disk made without loop devices: ``mkfs.ext4 -d`` writes the
file system at 1 MiB, GRUB's two stages go to the first sectors.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from sriovctl.errors import SriovctlError
from sriovctl.lab.progress import Progress
from sriovctl.lab.timeouts import seconds

RECIPE = Path(__file__).parent / "recipe"
SUITE = "trixie"
DISK_GIB = 6
KEEP = 2
_FILESYSTEM_UUID = "5109c71a-b000-4000-8000-000000000001"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PARTITION_OFFSET = 1024 * 1024
_SPACE_GIB = 4


def cache_folder() -> Path:
    """$SRIOVCTL_CACHE, else sriovctl in $XDG_CACHE_HOME or ~/.cache."""
    if named := os.environ.get("SRIOVCTL_CACHE"):
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sriovctl"


def recipe_key(recipe: Path = RECIPE, builder: Path = Path(__file__)) -> str:
    """16 hex digits over every name, mode, link and byte of the recipe, and over the builder."""
    digest = hashlib.sha256()
    for path in sorted(recipe.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        digest.update(f"{path.relative_to(recipe)}\0".encode())
        if path.is_symlink():
            digest.update(f"link {path.readlink()}\0".encode())
        else:
            digest.update(b"file " + hashlib.sha256(path.read_bytes()).digest())
    digest.update(hashlib.sha256(builder.read_bytes()).digest())
    return digest.hexdigest()[:16]


def packages(recipe: Path = RECIPE) -> list[str]:
    """The recipe's package names, in its order."""
    lines = (recipe / "packages.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


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


def ensure(progress: Progress, keep: Set[Path] = frozenset()) -> Path:
    """The image of today's recipe, made if it is missing. Two at once make it once.

    :param keep: images that are not to be pruned
    :returns: path of a raw disk image, never to be written to
    :raises SriovctlError: a tool or space is missing, or the build failed (its log is named)
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    image = cache / f"image-{recipe_key()}.img"
    if image.exists():
        os.utime(image)
        return image
    with _building(cache, progress):
        if not image.exists():
            _build(image, progress)
            _prune(cache, keep)
    return image


@contextmanager
def _building(cache: Path, progress: Progress) -> Iterator[None]:
    """Only one builder a cache."""
    with (cache / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("  another lab is making the image: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(image: Path, progress: Progress) -> None:
    for tool in ("mmdebstrap", "mkfs.ext4", "sfdisk", "unshare"):
        if shutil.which(tool) is None:
            raise SriovctlError(
                f"{tool} is not installed", "the server image cannot be made", "scripts/setup"
            )
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
        with progress.part(f"server image: Debian {SUITE} and the nested guest"):
            _bootstrap(root, log)
        with progress.part("server image: file system and boot loader"):
            _write_disk(root, draft, log)
        draft.replace(image)


def _bootstrap(root: Path, log: Path) -> None:
    """Packages and hooks, in a mount and process namespace that leave nothing behind."""
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    command = [
        "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
        "mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(packages())}",
        f"--setup-hook=sh '{RECIPE}/setup.sh' \"$1\"",
        f"--customize-hook=sh '{RECIPE}/customize.sh' \"$1\"",
        SUITE, str(root), f"deb {signed}{archive_uri()} {SUITE} main",
    ]  # fmt: skip
    _run(command, log, seconds("build"))


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
    _run(command, log, seconds("build"))
    table = f"{_PARTITION_OFFSET // 512},,83,*\n"
    _run(["sfdisk", "--quiet", str(disk)], log, seconds("build"), table)
    grub = root / "boot/grub/i386-pc"
    core = (grub / "core.img").read_bytes()
    if len(core) > _PARTITION_OFFSET - 512:
        raise SriovctlError(f"GRUB's core.img is {len(core)} bytes", "it must fit before 1 MiB")
    with disk.open("r+b") as raw:
        raw.write((grub / "boot.img").read_bytes()[:440])
        raw.seek(512)
        raw.write(core)


def _run(command: list[str], log: Path, timeout: float, text: str | None = None) -> None:
    """Run a build command, all it says into the log; ended with all its children when we are.

    :raises SriovctlError: it failed; with the end of the log
    """
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
            f"no server image; the whole log is {log}",
            "is the Debian mirror reachable? try: apt-get update",
        )


def _prune(cache: Path, keep: Set[Path]) -> None:
    """Forget all images but the newest few and those that labs stand on."""
    images = sorted(cache.glob("image-*.img"), key=lambda path: path.stat().st_mtime)
    for old in images[:-KEEP]:
        if old not in keep:
            old.unlink()
    for left in cache.glob("building-*"):
        shutil.rmtree(left, ignore_errors=True)
