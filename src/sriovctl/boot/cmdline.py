"""``/etc/kernel/cmdline``: systemd's kernel-install and Proxmox's boot tool make entries from it.

kernel-install takes all lines of it for one (90-loaderentry.install); Proxmox only the first
(proxmox-boot/zz-proxmox-boot, get_first_line). What is added is added where both read it.
"""

from __future__ import annotations

from typing import Final

from sriovctl.boot.arguments import Arguments, satisfied, words
from sriovctl.boot.arguments import set_arguments as set_on_line

PATH: Final = "/etc/kernel/cmdline"


def command_line(text: str, *, first_line_only: bool) -> str:
    """The arguments that an entry would be made with.

    :param first_line_only: as Proxmox reads it
    """
    return text.partition("\n")[0] if first_line_only else text


def set_arguments(text: str, wanted: Arguments, *, first_line_only: bool) -> str:
    """The file with the wanted arguments.

    :param first_line_only: as Proxmox reads it; the other lines stay
    """
    if satisfied(command_line(text, first_line_only=first_line_only), wanted):
        return text
    first, newline, rest = text.partition("\n")
    if first_line_only or not words(rest):
        return set_on_line(first, wanted) + newline + rest
    return set_on_line(text, wanted)


def from_running(arguments: tuple[str, ...]) -> str:
    """A first file from what runs, as kernel-install itself would take it where there is none.

    :param arguments: of the running kernel, word by word
    """
    own = ("BOOT_IMAGE=", "initrd=")
    return " ".join(word for word in arguments if not word.startswith(own)) + "\n"
