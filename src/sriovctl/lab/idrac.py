"""`python -m sriovctl.lab.idrac LAB SERVER`: the BMC of a server of the lab, as a process.

It keeps its certificate, its ssh host key and the BIOS values that the server last started with
in its folder. Once it answers it prints one line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncssh

from sriovctl.lab import bmcs, firmware, machine, state
from sriovctl.lab.bmc.attributes import Nic
from sriovctl.lab.bmc.certificate import Certificate, self_signed
from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.personality import named
from sriovctl.lab.bmc.process import serve
from sriovctl.lab.bmc.server import BMC
from sriovctl.lab.bmc.shell import new_host_key
from sriovctl.lab.chassis import QemuChassis


def make(lab_name: str, server_name: str) -> BMC:
    """The server's BMC, with what its folder holds of an earlier process of it."""
    lab = state.load(lab_name)
    server = lab.server(server_name)
    folder = bmcs.folder(lab, server)
    tag = f"LAB{server.number:04d}"
    memory = folder / "bios.json"
    assert lab.personality is not None
    controller = Controller(
        named(lab.personality),
        QemuChassis(lab_name, server, machine.qemu_path(), memory),
        tag=tag,
        nics=[Nic(firmware.fqdd(port), port.mac) for port in server.ports],
    )
    if memory.exists():
        controller.restore(json.loads(memory.read_text()))
    return BMC(
        controller,
        address=bmcs.ADDRESS,
        https_port=lab.redfish_ports[server.name],
        ssh_port=lab.racadm_ports[server.name],
        certificate=_certificate(folder, tag),
        host_key=_host_key(folder),
    )


def _certificate(folder: Path, tag: str) -> Certificate:
    shown, key = folder / "certificate.pem", folder / "certificate.key"
    if not key.exists():
        made = self_signed(tag, datetime.now(UTC), (bmcs.ADDRESS,))
        shown.write_bytes(made.certificate)
        _write_secret(key, made.key)
    return Certificate(shown.read_bytes(), key.read_bytes())


def _host_key(folder: Path) -> asyncssh.SSHKey:
    path = folder / "host_key"
    if not path.exists():
        made = new_host_key()
        made.write_public_key(path.with_suffix(".pub"))
        _write_secret(path, made.export_private_key())
    return asyncssh.read_private_key(path)


def _write_secret(path: Path, content: bytes) -> None:
    """In one move, so that an end half-way leaves none."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)


def _run(lab_name: str, server_name: str) -> None:
    lab = state.load(lab_name)
    control = bmcs.folder(lab, lab.server(server_name)) / "control.sock"
    asyncio.run(serve(make(lab_name, server_name), control, _say))


def _say(bmc: BMC) -> None:
    sys.stdout.write(f"{bmc.url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    _run(*sys.argv[1:])
