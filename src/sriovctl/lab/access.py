"""The ways into a server: ssh with keys that both sides know beforehand.

The lab makes the servers' host keys and hands them over as systemd credentials, so host
keys are checked from the first connection on.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import random
import shlex
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sriovctl.errors import SriovctlError
from sriovctl.lab.layout import PREFIX, Server
from sriovctl.lab.state import Lab
from sriovctl.lab.timeouts import seconds

FIRST_PORT = 20000
"""Services that have a port by their name are below."""


def make_key(path: Path, comment: str) -> str:
    """Make an ed25519 key pair without a passphrase.

    :returns: the public key, one line
    """
    if shutil.which("ssh-keygen") is None:
        raise SriovctlError("there is no ssh-keygen", mend="apt-get install openssh-client")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path.with_name(path.name + ".pub").read_text().strip()


def free_ports(count: int) -> list[int]:
    """So many TCP ports of 127.0.0.1 that nobody has now, all different.

    Below those that the kernel gives to whoever connects, so that none is taken while its server
    is off.
    """
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    candidates = list(range(FIRST_PORT, max(low, FIRST_PORT + 1000)))
    random.shuffle(candidates)
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            port = candidates.pop()
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
    return found


def ssh_config(lab: str, folder: Path, ports: Mapping[str, int]) -> str:
    """The text of the lab's ssh_config: a Host entry a server. Pure."""
    text = f"# made by: sriovctl lab up --name {lab}\n"
    for name, port in ports.items():
        text += f"""
Host {name}
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {folder}/ssh_key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 20
    ServerAliveInterval 10
"""
    return text


def known_hosts(ports: Mapping[str, int], keys: Mapping[str, str]) -> str:
    """The text of known_hosts: each server by address and by name. Pure.

    :param keys: server → `ssh-ed25519 AAAA…`
    """
    return "".join(
        f"[127.0.0.1]:{port},[{name}]:{port},{name} {keys[name]}\n" for name, port in ports.items()
    )


def credentials(lab: str, server: Server, private: str, public: str, user: str) -> dict[str, str]:
    """What makes the common image this server: systemd credential → content. Pure.

    :param private: the server's ssh host key, private half
    :param public: its public half
    :param user: the public key that may log in as root and as admin
    """
    address = f"[Network]\nAddress={server.address}/{PREFIX}\n"
    files = (
        ("/etc/ssh/ssh_host_ed25519_key", "0600 root root", private),
        ("/etc/ssh/ssh_host_ed25519_key.pub", "0644 root root", public + "\n"),
        ("/root/.ssh/authorized_keys", "0600 root root", user + "\n"),
        ("/home/admin/.ssh/authorized_keys", "0600 admin admin", user + "\n"),
        ("/run/systemd/network/33-br0.network.d/lab.conf", "0644 root root", address),
    )
    lines = ["d /root/.ssh 0700 root root", "d /home/admin/.ssh 0700 admin admin"]
    for path, owner, content in files:
        encoded = base64.b64encode(content.encode()).decode()
        lines.append(f"f+~ {path} {owner} - {encoded}")
    machine = hashlib.sha256(f"sriovctl lab {lab} {server.name}".encode()).hexdigest()[:32]
    return {
        "system.hostname": server.name,
        "system.machine_id": machine,
        "tmpfiles.extra": "\n".join(lines) + "\n",
    }


def prepare(lab: Lab) -> None:
    """Make keys, known_hosts, ssh_config and each server's credentials in the lab's folder."""
    user = make_key(lab.folder / "ssh_key", f"sriovctl lab {lab.name}")
    keys: dict[str, str] = {}
    for server in lab.servers:
        folder = lab.server_folder(server)
        (folder / "credentials").mkdir(mode=0o700, parents=True)
        public = make_key(folder / "host_key", server.name)
        keys[server.name] = " ".join(public.split()[:2])
        private = (folder / "host_key").read_text()
        for name, content in credentials(lab.name, server, private, public, user).items():
            (folder / "credentials" / name).write_text(content)
    (lab.folder / "known_hosts").write_text(known_hosts(lab.ssh_ports, keys))
    lab.ssh_config.write_text(ssh_config(lab.name, lab.folder, lab.ssh_ports))


def ssh_command(lab: Lab, server: Server, command: list[str], *options: str) -> list[str]:
    """The ssh command line; words of `command` are joined by blanks as ssh itself does."""
    return ["ssh", "-F", str(lab.ssh_config), *options, server.name, *command]


def run(
    lab: Lab, server: Server, command: list[str], text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in the server and wait for it; its words arrive as they are.

    Commands within a minute share one connection: setting one up costs an emulated server
    some 0.3 s.

    :param text: standard input; none is an empty one
    :raises SriovctlError: it took longer than the `command` timeout
    """
    shared = (
        "-oControlMaster=auto",
        f"-oControlPath={_control_path(lab, server)}",
        "-oControlPersist=60",
    )
    line = ssh_command(lab, server, [shlex.join(command)], *shared)
    try:
        return subprocess.run(
            line,
            input="" if text is None else text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds("command"),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SriovctlError(
            f"{server.name}: {shlex.join(command)} took longer than {seconds('command'):.0f} s",
            mend="raise SRIOVCTL_LAB_TIMEOUT_COMMAND",
        ) from None


def hang_up(lab: Lab, server: Server) -> None:
    """End the shared connection, before the server goes without a word."""
    path = _control_path(lab, server)
    if path.exists():
        line = ssh_command(lab, server, [], "-oControlPath=" + str(path), "-Oexit")
        subprocess.run(line, capture_output=True, check=False)


def _control_path(lab: Lab, server: Server) -> Path:
    return lab.server_folder(server) / "ssh.sock"
