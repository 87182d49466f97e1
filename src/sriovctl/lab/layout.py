"""What stands where in the lab: names, ports, addresses. Pure.

::

    server-1 (peer)      server-2, server-3, ...        10.8.0.254 (the lab itself)
      em1    em2            em1    em2                        |
       |      |              |      |                         |
    switch-1  |           switch-1  |                      switch-1
           switch-2              switch-2
    switch-1 and switch-2 are joined by a link of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sriovctl.errors import UsageError

SWITCHES = ("switch-1", "switch-2")
INTERLINK = "interlink"
LAB_ADDRESS = "10.8.0.254"
PREFIX = 24
MAX_SERVERS = 9
#: Memory of a server, MiB. Never more: above it, VF BARs land above 4 GiB, where QEMU 10.0
#: maps them wrongly (seen: "PF still in reset state").
SERVER_MEMORY = 2700

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")


@dataclass(frozen=True)
class Port:
    """A network port of a server: `em1` on `switch-1`, with its card's QEMU model."""

    name: str
    mac: str
    switch: str
    model: str

    @property
    def sriov(self) -> bool:
        """Whether the port's card makes virtual functions."""
        return self.model == "igb"


@dataclass(frozen=True)
class Server:
    """A server of the lab: number 1 is the peer without SR-IOV cards, the others are KVM hosts."""

    number: int

    @property
    def name(self) -> str:
        return f"server-{self.number}"

    @property
    def kvm_host(self) -> bool:
        """Not the peer."""
        return self.number != 1

    @property
    def address(self) -> str:
        """The address of br0, without prefix."""
        return f"10.8.0.{self.number}"

    @property
    def management_mac(self) -> str:
        return f"52:54:00:00:{self.number:02x}:00"

    @property
    def ports(self) -> tuple[Port, ...]:
        model = "igb" if self.kvm_host else "virtio-net-pci"
        return tuple(
            Port(f"em{leg}", f"52:54:00:00:{self.number:02x}:{leg:02x}", switch, model)
            for leg, switch in enumerate(SWITCHES, start=1)
        )

    def port(self, name: str) -> Port:
        """The port of that name.

        :raises UsageError: the server has none
        """
        for port in self.ports:
            if port.name == name:
                return port
        known = ", ".join(port.name for port in self.ports)
        raise UsageError(f"{self.name} has no port {name!r}", mend=f"name one of {known}")


def servers(count: int, peer: bool) -> tuple[Server, ...]:
    """The lab's servers: server-2 and up, and server-1 first where a peer is wanted.

    :raises UsageError: a count that the lab has no numbers for
    """
    if not 1 <= count <= MAX_SERVERS:
        raise UsageError(
            f"--servers {count}: a lab has 1 to {MAX_SERVERS} servers",
            mend=f"give a number from 1 to {MAX_SERVERS}",
        )
    first = 1 if peer else 2
    return tuple(Server(number) for number in range(first, count + 2))


def check_name(name: str) -> str:
    """The lab's name if it can name a folder, a namespace and a socket.

    :raises UsageError: it cannot
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a lab",
            mend="use 1 to 20 of a-z, 0-9 and '-', a letter or digit first",
        )
    return name


def namespace(lab: str) -> str:
    """The network namespace of a lab."""
    return f"sriovctl-{lab}"


def tap_name(server: Server, port: Port) -> str:
    """The switch's end of a cable, inside the lab's namespace (15 characters at most)."""
    return f"s{server.number}-{port.name}"
