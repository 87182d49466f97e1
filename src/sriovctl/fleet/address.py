"""The way to a host, and how long one waits on it."""

from __future__ import annotations

from dataclasses import dataclass

from sriovctl.shell import command


@dataclass(frozen=True)
class Address:
    """The way to a host."""

    name: str
    """As the rack file calls it."""
    hostname: str
    """A name that DNS or the ssh configuration knows, or an IP address."""
    port: int | None = None
    """None: the ssh configuration's, or 22."""
    user: str | None = None
    """None: the ssh configuration's, or the local user's name."""

    @property
    def shown(self) -> str:
        """As messages name it."""
        return self.name + (f" ({self.hostname})" if self.hostname != self.name else "")

    def ssh(self, ssh_config: str | None) -> str:
        """The command by which a person would try the same.

        :param ssh_config: file in place of ``~/.ssh/config``
        """
        config = ("-F", ssh_config) if ssh_config else ()
        port = ("-p", self.port) if self.port else ()
        user = f"{self.user}@" if self.user else ""
        return command("ssh", *config, *port, f"{user}{self.hostname}")


@dataclass(frozen=True)
class Patience:
    """How long remote hosts are waited for."""

    connect_s: float = 10.0
    """For each of: the TCP connection, the server's first words, and logging in."""
    silence_s: float = 30.0
    """For a host to acknowledge what was sent; then the connection is taken for dead."""
