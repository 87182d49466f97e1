"""The virtual iDRACs of a lab: one process a KVM host, started, asked and ended."""

from __future__ import annotations

import hashlib
import json
import select
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

from sriovctl.errors import HostError, UsageError
from sriovctl.lab import machine
from sriovctl.lab.layout import Server
from sriovctl.lab.state import Lab
from sriovctl.lab.timeouts import seconds

ADDRESS = "127.0.0.1"


def folder(lab: Lab, server: Server) -> Path:
    """Where the BMC's process, identity, log and control socket are."""
    return lab.server_folder(server) / "bmc"


def start(lab: Lab, server: Server) -> None:
    """Start the server's BMC unless it runs, and wait until it answers. The server stays as it is.

    :raises HostError: it ended or does not answer; with what it said
    """
    place = folder(lab, server)
    place.mkdir(mode=0o700, exist_ok=True)
    if machine.running(place) is not None:
        return
    with (place / "log").open("a") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "sriovctl.lab.idrac", lab.name, server.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    process = machine.record(child.pid, place)
    assert child.stdout is not None
    with child.stdout:
        ready, _, _ = select.select([child.stdout], [], [], seconds("start"))
        answers = bool(ready and child.stdout.readline())
    if not answers:
        process.end()
        raise HostError(
            f"the BMC of {server.name} does not start:\n{log_tail(lab, server)}",
            "a bare server is switched on by its BMC",
            "is the extra installed? pip install 'sriovctl[lab]'",
        )
    # our child no more: whoever runs `lab down` finds it by process.json
    child.returncode = 0


def write_files(lab: Lab) -> None:
    """Write what a controller needs: bmc.json, the BMCs' ssh host keys, their password.

    A server's entry in bmc.json is what a rack file's ``bmc`` takes. It has the identity that a
    BMC starts with, also while it shows another by a fault.
    """
    from sriovctl.lab.bmc.logins import DEFAULT_ACCOUNT

    password = lab.folder / "bmc_password"
    password.touch(mode=0o600)
    password.write_text(DEFAULT_ACCOUNT.password + "\n")
    known_hosts = lab.folder / "bmc_known_hosts"
    keys, blocks = "", {}
    for server in lab.servers:
        if not lab.has_bmc(server):
            continue
        place = folder(lab, server)
        port = lab.racadm_ports[server.name]
        key = " ".join((place / "host_key.pub").read_text().split()[:2])
        keys += f"[{ADDRESS}]:{port} {key}\n"
        certificate = ssl.PEM_cert_to_DER_cert((place / "certificate.pem").read_text())
        blocks[server.name] = {
            "address": ADDRESS,
            "user": DEFAULT_ACCOUNT.name,
            "password": f"file:{password}",
            "https_port": lab.redfish_ports[server.name],
            "ssh_port": port,
            "fingerprint": hashlib.sha256(certificate).hexdigest(),
            "known_hosts": str(known_hosts),
        }
    known_hosts.write_text(keys)
    (lab.folder / "bmc.json").write_text(json.dumps(blocks, indent=2) + "\n")


def ask(lab: Lab, server: Server, **order: Any) -> dict[str, Any]:
    """Ask a server's BMC by its control, see :mod:`sriovctl.lab.bmc.control`.

    :param order: ``timeout`` in seconds, and what is asked: ``do="state"``
    :returns: the state after it
    :raises UsageError: the server has no BMC, or the BMC does not do that
    :raises HostError: its BMC does not answer
    """
    if not lab.has_bmc(server):
        raise UsageError(
            f"{server.name} has no BMC",
            f"lab {lab.name} was not started from bare" if lab.personality is None else "",
            f"sriovctl lab down --name {lab.name}; sriovctl lab up --from bare --name {lab.name}",
        )
    from sriovctl.lab.bmc import control

    try:
        return control.ask(folder(lab, server) / "control.sock", **order)
    except HostError as error:
        raise HostError(
            f"{server.name}: {error.found}\n{log_tail(lab, server)}".rstrip(),
            "what its BMC logged last is above, if anything",
            f"a BMC that has ended is started by: sriovctl lab up --from bare --name {lab.name}",
        ) from None


def set_fault(lab: Lab, server: Server, name: str, value: str) -> dict[str, Any]:
    """Make something go wrong with a server's BMC, or right again.

    :param value: as typed: ``busy``, ``3``, ``true``
    :returns: the state after it
    :raises UsageError: there is no such fault, or the value is none of its
    """
    try:
        given = json.loads(value)
    except ValueError:
        given = value
    return ask(lab, server, do="fault", name=name, value=given)


def switch_on(lab: Lab, server: Server, action: str) -> None:
    """Have the BMC switch the server on or restart it; returns when it has been started.

    :param action: a ResetType of Redfish
    :raises SriovctlError: it refuses, or the server does not start
    """
    starts = ask(lab, server, do="state")["starts"]
    ask(lab, server, do="power", action=action)
    ask(lab, server, do="started", count=starts + 1, timeout=seconds("start"))


def log_tail(lab: Lab, server: Server, lines: int = 12) -> str:
    """The last lines that the server's BMC has logged."""
    text = (folder(lab, server) / "log").read_text(errors="replace")
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
