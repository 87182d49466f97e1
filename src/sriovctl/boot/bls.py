"""Entries of the Boot Loader Specification, ``/boot/loader/entries/*.conf`` (RHEL 8 and later).

They are changed through ``grubby``, which keeps ``grubenv`` and the settings for future kernels in
step. Here is what it must be told, and what every entry must say afterwards. That is checked word
by word, because the first grubby of RHEL 8 compares parts of words: told ``iommu=pt`` it makes
``intel_iommu=pt`` of ``intel_iommu=on`` (grubby-bls, update_args).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sriovctl.boot.arguments import Arguments, set_arguments, words
from sriovctl.shell import command

GRUBENV: Final = "/boot/grub2/grubenv"
FOLDERS: Final = ("/boot/loader/entries/", "/boot/efi/loader/entries/", "/efi/loader/entries/")


@dataclass(frozen=True)
class Entry:
    """One entry, its options as GRUB would put them on the kernel's command line."""

    path: str
    title: str
    kernel: str
    options: str
    """With ``$kernelopts`` put in; of other variables nothing is known."""

    @property
    def rescue(self) -> bool:
        """The entry that dracut makes to get back in (51-dracut-rescue.install)."""
        return self.path.endswith("-0-rescue.conf") or "-0-rescue-" in self.path


def is_entry(path: str) -> bool:
    """Is this the path of an entry?"""
    return path.startswith(FOLDERS) and path.endswith(".conf")


def entries(files: Mapping[str, str]) -> list[Entry]:
    """The entries that boot Linux.

    :param files: path to text; others than entries and ``grubenv`` are passed over
    """
    kernelopts = ""
    for line in files.get(GRUBENV, "").split("\n"):
        name, _, value = line.partition("=")
        if name == "kernelopts":
            kernelopts = value
    found = []
    for path, text in sorted(files.items()):
        if not is_entry(path):
            continue
        fields: dict[str, list[str]] = {}
        for line in text.split("\n"):
            parts = line.strip().split(None, 1)
            if len(parts) == 2 and not parts[0].startswith("#"):
                fields.setdefault(parts[0], []).append(parts[1])
        if "linux" not in fields:
            continue
        options = " ".join(fields.get("options", []))
        found.append(
            Entry(
                path=path,
                title=fields.get("title", [""])[0],
                kernel=fields["linux"][0],
                options=options.replace("$kernelopts", kernelopts),
            )
        )
    return found


def grubby(found: list[Entry], wanted: Arguments) -> list[str]:
    """The grubby commands that give every entry what is wanted; empty where all have it."""
    calls: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Entry]] = {}
    for entry in found:
        before = words(entry.options)
        after = words(set_arguments(entry.options, wanted))
        added = tuple(word for word in after if word not in before)
        keys = {word.partition("=")[0] for word in added}
        # what gets another value is replaced by grubby itself
        gone = tuple(w for w in before if w not in after and w.partition("=")[0] not in keys)
        if added or gone:
            calls.setdefault((added, gone), []).append(entry)
    lines = []
    for (added, gone), those in calls.items():
        kernels = (
            ["ALL"] if len(those) == len(found) else list(dict.fromkeys(e.kernel for e in those))
        )
        options = []
        if gone:
            options.append(f"--remove-args={' '.join(gone)}")
        if added:
            # a name that ends another one first: see above
            options.append(f"--args={' '.join(sorted(added, key=lambda w: w.find('=')))}")
        lines += [command("grubby", f"--update-kernel={kernel}", *options) for kernel in kernels]
    return lines


def afterwards(entry: Entry, wanted: Arguments) -> list[str]:
    """The words that an entry must have, no more and no less, once it is done."""
    return words(set_arguments(entry.options, wanted))
