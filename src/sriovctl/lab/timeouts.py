"""How long the lab waits for what, in seconds; each can be set by the environment."""

from __future__ import annotations

import os

from sriovctl.errors import UsageError

#: name → seconds. `SRIOVCTL_LAB_TIMEOUT_<NAME>` overrides, such as SRIOVCTL_LAB_TIMEOUT_BOOT=600.
DEFAULTS = {
    "build": 1200.0,  # the image, from the archive
    "kvm": 15.0,  # a tiny machine that proves hardware KVM
    "start": 20.0,  # QEMU answers its monitor, a BMC answers
    "boot": 300.0,  # power on until ssh answers; 30 s seen emulated
    "settle": 300.0,  # until systemd has finished starting
    "stop": 20.0,  # QEMU is gone after it was told to go
    "shutdown": 180.0,  # a server shuts down in good order
    "command": 600.0,  # one command in a server or a guest
    "lock": 1800.0,  # another lab command on the same lab
}


def seconds(name: str) -> float:
    """The timeout of that name.

    :raises UsageError: the environment holds what is no number of seconds
    """
    variable = f"SRIOVCTL_LAB_TIMEOUT_{name.upper()}"
    text = os.environ.get(variable)
    if text is None:
        return DEFAULTS[name]
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise UsageError(f"{variable}={text!r} is no time", mend="give seconds, such as 300")
    return value
