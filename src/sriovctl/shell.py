"""The one place where a word becomes shell text.

Names of interfaces, VMs, pools and files come from hosts and rack files and are hostile input.
"""

from __future__ import annotations

from shlex import quote

from sriovctl.errors import SriovctlError


def command(*words: str | int) -> str:
    """One shell command line, every word quoted.

    :param words: the command and its arguments, as they are
    :returns: a line that dash, bash and busybox sh read back as exactly these words
    :raises SriovctlError: for a word with a NUL byte, which no command line can carry

    >>> command("virsh", "start", "a b; $(reboot)")
    "virsh start 'a b; $(reboot)'"
    """
    texts = [str(word) for word in words]
    for text in texts:
        if "\0" in text:
            raise SriovctlError(
                f"a NUL byte in {text!r}", "no command line can carry it", "take it out"
            )
    return " ".join(quote(text) for text in texts)
