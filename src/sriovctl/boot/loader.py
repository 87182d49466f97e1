"""Which boot loader a host has, what it has staged, and what is to be done to stage more.

Settings are what a person or this program writes; entries are what the loader shows at boot. With
some loaders they are the same file, with others a generator makes the one from the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sriovctl.boot import bls, cmdline, grub2, grub_legacy
from sriovctl.boot.arguments import Arguments, satisfied, set_arguments, words
from sriovctl.host import HostState, KernelEntry
from sriovctl.shell import command

LEGACY_FILES: Final = re.compile(r"/boot/(grub|efi/EFI/[^/]*)/(grub\.conf|menu\.lst)")
_NOT_NORMAL: Final = re.compile(r"recovery|rescue|memtest|single[- ]user", re.IGNORECASE)
_RECOVERY_WORDS: Final = frozenset({"single", "recovery", "rescue", "emergency"})


class Loader(StrEnum):
    """How a host's kernel gets its arguments."""

    GRUB_LEGACY = "GRUB legacy"
    GRUB2 = "GRUB 2"
    BLS = "GRUB 2 with BLS entries"
    KERNEL_INSTALL = "systemd-boot"
    PROXMOX = "proxmox-boot-tool"


@dataclass(frozen=True)
class Line:
    """A command line, and where it stands: a file, with an entry's title where it has some."""

    where: str
    text: str


@dataclass(frozen=True)
class Work:
    """What stages arguments: edits of files by us, then the loader's own generator."""

    edits: dict[str, tuple[str | None, str]]
    """Path to the text before (None: no such file) and after."""
    rewritten: tuple[str, ...]
    """Files that the generator writes and we can read: kept until all is well."""
    generate: tuple[str, ...]
    """Commands of shell, in order."""
    undo_generate: tuple[str, ...]
    """Commands for when the edits have been taken back and :attr:`rewritten` is not all."""
    check: tuple[str, ...]
    """Commands that read back what the generator made."""


def loader_of(have: HostState) -> Loader | None:
    """The host's boot loader by its files and tools; None where none of them is known."""
    files, tools = have.boot.files, have.system.tools
    if have.boot.proxmox and "proxmox-boot-tool" in tools:
        return Loader.PROXMOX
    generated = grub_entries(have)
    if "grubby" in tools and bls.entries(files) and (not generated or _uses_bls(files)):
        return Loader.BLS
    if generated:
        return Loader.GRUB2
    if "kernel-install" in tools and (cmdline.PATH in files or bls.entries(files)):
        return Loader.KERNEL_INSTALL
    if any(LEGACY_FILES.fullmatch(path) for path in files):
        return Loader.GRUB_LEGACY
    return None


def settings(loader: Loader, have: HostState) -> list[Line]:
    """The command lines that are to be changed, one for each place where that is to be done.

    :raises BootFileError: for a file that the loader could not read either
    """
    files = have.boot.files
    found = []
    if loader is Loader.GRUB_LEGACY:
        for path in _legacy(files):
            for entry in grub_legacy.entries(path, files[path]):
                found.append(Line(f"{path}: {entry.title}", entry.arguments))
    if loader is Loader.BLS:
        entries = [entry for entry in bls.entries(files) if not entry.rescue]
        found += [Line(entry.path, entry.options) for entry in entries]
    if loader in (Loader.KERNEL_INSTALL, Loader.PROXMOX):
        text = files.get(cmdline.PATH)
        if text is None and loader is Loader.KERNEL_INSTALL:
            text = cmdline.from_running(have.kernel.arguments)
        if text is not None:
            first_only = loader is Loader.PROXMOX
            line = cmdline.command_line(text, first_line_only=first_only)
            found.append(Line(cmdline.PATH, line))
    if loader is Loader.GRUB2 or (loader is Loader.PROXMOX and grub2.MAIN in files):
        found.append(Line(grub2.MAIN, grub2.command_line(files)))
    return found


def made_entries(loader: Loader, have: HostState) -> list[Line]:
    """What a generator has made of the settings, where that can be read; normal entries only."""
    if loader is Loader.GRUB2:
        outputs = _outputs(have)
        return [
            Line(f"{entry.file}: {entry.title}", " ".join(entry.arguments))
            for entry in grub_entries(have)
            if entry.file in outputs
        ]
    if loader is Loader.KERNEL_INSTALL:
        return [Line(entry.path, entry.options) for entry in bls.entries(have.boot.files)]
    return []


def is_staged(loader: Loader, have: HostState, wanted: Arguments) -> bool:
    """Will a kernel that is started next have what is wanted?

    Of made entries one must have it: others may be written by hand, or start another system.

    :raises BootFileError: as :func:`settings`
    """
    lines = settings(loader, have)
    made = made_entries(loader, have)
    return (
        bool(lines)
        and all(satisfied(line.text, wanted) for line in lines)
        and (not made or any(satisfied(line.text, wanted) for line in made))
    )


def grub_entries(have: HostState) -> list[KernelEntry]:
    """The normal entries of this system in GRUB 2's grub.cfg files."""
    found = [
        entry
        for entry in have.kernel.staged
        if entry.file.endswith("/grub.cfg")
        and not _NOT_NORMAL.search(entry.title)
        and not _RECOVERY_WORDS & set(entry.arguments)
    ]
    # os-prober adds entries of other systems, which have another root
    roots = {word for word in have.kernel.arguments if word.startswith("root=")}
    same = [entry for entry in found if roots & set(entry.arguments)]
    return same or found


def work(loader: Loader, have: HostState, wanted: Arguments) -> Work:
    """What gives every normal entry the wanted arguments.

    :raises BootFileError: as :func:`settings`, and where only a person can make the change
    """
    files = have.boot.files
    if loader is Loader.GRUB_LEGACY:
        edits = {
            path: grub_legacy.set_arguments(path, files[path], wanted) for path in _legacy(files)
        }
        return Work(_changed(files, edits), (), (), (), ())
    if loader is Loader.BLS:
        return _bls_work(have, wanted)
    if loader is Loader.GRUB2:
        return _grub2_work(have, wanted)
    return _cmdline_work(loader, have, wanted)


def _bls_work(have: HostState, wanted: Arguments) -> Work:
    files = have.boot.files
    entries = bls.entries(files)
    # grubby writes those too, so that future kernels get the same
    others = [bls.GRUBENV, grub2.MAIN, cmdline.PATH]
    checks = []
    for entry in entries:
        after = bls.afterwards(entry, wanted)
        gone = [word for word in words(entry.options) if word not in after]
        checks.append(command("bls_has", entry.path, bls.GRUBENV, len(after), *after, *gone))
    return Work(
        edits={},
        rewritten=tuple([e.path for e in entries] + [path for path in others if path in files]),
        generate=tuple(bls.grubby(entries, wanted)),
        undo_generate=(),
        check=tuple(checks),
    )


def _grub2_work(have: HostState, wanted: Arguments) -> Work:
    files = have.boot.files
    before = words(grub2.command_line(files))
    edits = grub2.set_arguments(files, wanted)
    after = words(grub2.command_line({**files, **edits}))
    keys = {argument.partition("=")[0] for argument in wanted.present}
    expected = [word for word in after if word.partition("=")[0] in keys]
    gone = [word for word in before if word not in after]
    outputs = _outputs(have)
    return Work(
        edits=_changed(files, edits),
        rewritten=outputs,
        generate=tuple(command("grub_generate", _mkconfig(have, path), path) for path in outputs),
        undo_generate=(),
        check=tuple(command("grub_has", path, len(expected), *expected, *gone) for path in outputs),
    )


def _cmdline_work(loader: Loader, have: HostState, wanted: Arguments) -> Work:
    files = have.boot.files
    edits = {}
    first_only = loader is Loader.PROXMOX
    text = files.get(cmdline.PATH)
    if text is None and not first_only:
        text = cmdline.from_running(have.kernel.arguments)
    if text is not None:
        edits[cmdline.PATH] = cmdline.set_arguments(text, wanted, first_line_only=first_only)
    if first_only:
        if grub2.MAIN in files:
            edits.update(grub2.set_arguments(files, wanted))
        refresh = (command("boot_run", "proxmox-boot-tool", "refresh"),)
        return Work(_changed(files, edits), (), refresh, refresh, ())
    entries = bls.entries(files)
    line = set_arguments(edits[cmdline.PATH], wanted)
    keys = {argument.partition("=")[0] for argument in wanted.present}
    expected = [word for word in words(line) if word.partition("=")[0] in keys]
    install = (command("kernel_install_all"),)
    return Work(
        edits=_changed(files, edits),
        rewritten=tuple(entry.path for entry in entries),
        generate=install,
        undo_generate=install,
        check=tuple(
            # entries of kernels that are no longer there are not made anew
            command("bls_has_or_is_of_no_kernel", entry.path, len(expected), *expected)
            for entry in entries
        ),
    )


def _changed(files: dict[str, str], edits: dict[str, str]) -> dict[str, tuple[str | None, str]]:
    return {
        path: (files.get(path), text) for path, text in edits.items() if text != files.get(path)
    }


def _legacy(files: dict[str, str]) -> list[str]:
    return [path for path in sorted(files) if LEGACY_FILES.fullmatch(path)]


def _uses_bls(files: dict[str, str]) -> bool:
    setting = re.compile(r"""^[ \t]*GRUB_ENABLE_BLSCFG=["']?true\b""", re.MULTILINE)
    return setting.search(files.get(grub2.MAIN, "")) is not None


def _outputs(have: HostState) -> tuple[str, ...]:
    """The grub.cfg that this system boots by; a stub that only names another has no entries.

    On CentOS 7 the BIOS's and EFI's are two files, with commands of their own (linux16, linuxefi),
    and grub2-mkconfig writes those of the firmware that runs: the other one is not ours to write.
    """
    paths = list(dict.fromkeys(entry.file for entry in grub_entries(have)))
    on_efi = [path for path in paths if path.startswith("/boot/efi/")]
    others = [path for path in paths if not path.startswith("/boot/efi/")]
    return tuple((on_efi or others) if have.boot.efi else (others or on_efi))


def _mkconfig(have: HostState, output: str) -> str:
    first, second = "grub-mkconfig", "grub2-mkconfig"
    if not output.startswith("/boot/grub/"):
        first, second = second, first
    return second if second in have.system.tools and first not in have.system.tools else first
