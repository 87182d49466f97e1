"""The boot loader's files, to the byte."""

from __future__ import annotations

from sriovctl.host import Boot
from sriovctl.probe.sections import Sections

SIZE_LIMIT = 262144
"""Bytes that the probe reads of each; a file as long as that may be cut short."""


def read_boot(sections: Sections) -> Boot:
    """Settings and entries of boot loaders.

    Bytes that are no UTF-8 become U+FFFD: such a line can be shown, and never be written back.
    """
    facts = sections.facts("system")
    lines = sections.lines("boot")
    count = next((n for n, line in enumerate(lines) if not line.startswith("file ")), len(lines))
    paths = [line.removeprefix("file ") for line in lines[:count]]
    rest = "\n" + "\n".join(lines[count:])
    files = {}
    # head's own headings; each file's text ends where the next one's heading begins
    for path, following in zip(paths, [*paths, "/dev/null"][1:], strict=True):
        _, heading, after = rest.partition(f"\n==> {path} <==\n")
        text, end, _ = after.partition(f"\n==> {following} <==")
        if heading and end and len(text) < SIZE_LIMIT:
            files[path] = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        rest = after
    return Boot(efi="efi" in facts, proxmox="proxmox_boot" in facts, files=files)
