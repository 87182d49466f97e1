"""switch-1 and switch-2: bridges in a network namespace of the lab's own.

Nothing of it is seen in the machine's own namespace: taps are made by a thread that has
entered the lab's namespace, and reach QEMU as open files. The lab's own address 10.8.0.254
hangs on switch-1 by a cable of its own, which moves to switch-2 when switch-1 dies.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess
import threading
from pathlib import Path

from sriovctl.errors import SriovctlError
from sriovctl.lab.layout import INTERLINK, LAB_ADDRESS, PREFIX, SWITCHES, Port, Server, tap_name

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_CLONE_NEWNET = 0x40000000
_NAMESPACES = Path("/run/netns")
#: the lab's own port, and the switch's end of its cable
_OWN, _OWN_PORT = "lab", "lab-port"


def exists(namespace: str) -> bool:
    """Whether the namespace is there."""
    return (_NAMESPACES / namespace).exists()


def build(namespace: str) -> None:
    """Make the namespace, both switches, their link, and the lab's own address.

    :raises SriovctlError: `ip` refuses
    """
    _ip("netns", "add", namespace)
    try:
        lines = ["link set lo up"]
        for switch in SWITCHES:
            lines.append(
                f"link add {switch} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
            )
        first, second = SWITCHES
        lines += [
            f"link add {INTERLINK} type veth peer name {INTERLINK}-2",
            f"link set {INTERLINK} master {first}",
            f"link set {INTERLINK}-2 master {second}",
            f"link add {_OWN} type veth peer name {_OWN_PORT}",
            f"link set {_OWN_PORT} master {first}",
            f"address add {LAB_ADDRESS}/{PREFIX} dev {_OWN}",
        ]
        names = [*SWITCHES, INTERLINK, f"{INTERLINK}-2", _OWN, _OWN_PORT]
        # quiet: no IPv6 of the lab's own on the wires
        lines += [f"link set {name} addrgenmode none" for name in names]
        lines += [f"link set {name} up" for name in names]
        _batch(namespace, lines)
    except BaseException:
        remove(namespace)
        raise


def remove(namespace: str) -> None:
    """Remove the namespace and all in it; nothing to do where there is none."""
    if exists(namespace):
        _ip("netns", "delete", namespace)


def plug(namespace: str, server: Server, port: Port) -> int:
    """A tap on the port's switch; it lives as long as the file that is returned.

    :returns: an open file that QEMU takes as `-netdev tap,fd=`
    """
    name = tap_name(server, port)
    descriptor = _open_tap(namespace, name)
    try:
        _batch(
            namespace,
            [
                f"link set {name} addrgenmode none",
                f"link set {name} master {port.switch}",
                f"link set {name} up",
            ],
        )
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def links(namespace: str, cuts: set[str]) -> list[str]:
    """The `ip -batch` lines that make the switches' own links as the cuts say. Pure.

    A dead switch is a bridge that is down. The lab's own cable goes to the switch that lives.
    """
    lines = [f"link set {switch} {'down' if switch in cuts else 'up'}" for switch in SWITCHES]
    lines.append(f"link set {INTERLINK} {'down' if INTERLINK in cuts else 'up'}")
    living = [switch for switch in SWITCHES if switch not in cuts]
    if living:
        lines.append(f"link set {_OWN_PORT} master {living[0]}")
    return lines


def set_links(namespace: str, cuts: set[str]) -> None:
    """Make the switches' own links as the cuts say."""
    _batch(namespace, links(namespace, cuts))


def set_tap(namespace: str, server: Server, port: Port, up: bool) -> None:
    """The switch's end of a server's cable."""
    _batch(namespace, [f"link set {tap_name(server, port)} {'up' if up else 'down'}"])


def inside(namespace: str, command: list[str]) -> list[str]:
    """The command, run in the lab's namespace: traffic from the switch."""
    return ["ip", "netns", "exec", namespace, *command]


def _open_tap(namespace: str, name: str) -> int:
    """Make a tap in another namespace, by a thread that enters it and ends."""
    outcome: list[int | OSError] = []

    def work() -> None:
        try:
            _enter(namespace)
            descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            try:
                request = struct.pack(
                    "16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
                )
                fcntl.ioctl(descriptor, _TUNSETIFF, request)
            except OSError:
                os.close(descriptor)
                raise
            outcome.append(descriptor)
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name=f"tap-{name}")
    thread.start()
    thread.join()
    result = outcome[0]
    if isinstance(result, OSError):
        raise SriovctlError(
            f"cannot make the tap {name} in {namespace}: {result}",
            "a server's cable needs /dev/net/tun and the lab's network namespace",
            "run as root; is another server of this lab holding the tap?",
        )
    return result


def _enter(namespace: str) -> None:
    """setns(2), which Python has only from 3.12 on; for the calling thread alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(_NAMESPACES / namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def _ip(*arguments: str, text: str | None = None) -> str:
    try:
        done = subprocess.run(
            ["ip", *arguments], input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise SriovctlError("there is no `ip`", mend="apt-get install iproute2") from None
    if done.returncode:
        raise SriovctlError(
            f"ip {' '.join(arguments)}: {done.stderr.strip()}",
            "the lab's switches are not as they should be",
            "is this root, and may it make network namespaces?",
        )
    return done.stdout


def _batch(namespace: str, lines: list[str]) -> None:
    _ip("-n", namespace, "-batch", "-", text="\n".join(lines) + "\n")
