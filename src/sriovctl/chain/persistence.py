"""What makes VFs come back: after a reboot before libvirt starts, and when a PF's driver returns.

Four files on the host, none of them edited in place. A udev rule gives each PF a systemd device
of its own and asks for its unit whenever the PF appears; a unit that only ran at boot would miss
a PF that comes back later. multi-user.target wants the same unit, and the unit is ordered
before libvirt's daemons, so that at boot VFs are there before pools and VMs start.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from sriovctl.host import HostState
from sriovctl.plan import Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant

SCRIPT: Final = "/etc/sriovctl/nics.sh"
UNIT: Final = "/etc/systemd/system/sriovctl-pf@.service"
TARGET: Final = "/etc/systemd/system/multi-user.target.d/50-sriovctl.conf"
RULES: Final = "/etc/udev/rules.d/70-sriovctl.rules"
PATHS: Final = (SCRIPT, UNIT, TARGET, RULES)

_UNIT_TEXT: Final = """\
# Written by sriovctl.
[Unit]
Description=SR-IOV virtual functions of the port in %i
Requires=sriovctl-pf-%i.device
After=sriovctl-pf-%i.device network.target
Before=libvirtd.service virtnetworkd.service virtqemud.service

[Service]
Type=oneshot
ExecStart=/bin/sh /etc/sriovctl/nics.sh %i
TimeoutStartSec=180
"""


@dataclass(frozen=True)
class Port:
    """One PF as it is to come back: its slot, its count, and what its VFs get."""

    pci: str
    mac: str | None
    """Its permanent address, by which another card in the slot is told from it."""
    vfs: int
    autoprobe: bool | None
    wishes: tuple[str, ...]
    """As ``set_vfs`` of nics.sh takes them."""
    bindings: tuple[str, ...]
    """Lines of shell that bind VFs to drivers."""


def wanted_files(want: HostWant, ports: list[Port]) -> dict[str, str]:
    """The files that a host should have, path to text; empty where no PF is to have VFs.

    :param ports: the PFs that are to have VFs, in the rack file's order
    """
    if not ports:
        return {}
    addresses = [port.pci for port in ports]
    return {
        SCRIPT: _script(want, ports),
        UNIT: _UNIT_TEXT,
        TARGET: "# Written by sriovctl.\n[Unit]\n"
        + "".join(f"Wants=sriovctl-pf@{pci}.service\n" for pci in addresses),
        RULES: "# Written by sriovctl.\n"
        + "".join(
            f'ACTION!="remove", SUBSYSTEM=="net", KERNELS=="{pci}", TAG+="systemd", '
            f'ENV{{SYSTEMD_ALIAS}}+="/sriovctl/pf/{pci}", '
            f'ENV{{SYSTEMD_WANTS}}+="sriovctl-pf@{pci}.service"\n'
            for pci in addresses
        ),
    }


def steps(want: HostWant, have: HostState, ports: list[Port]) -> list[Step]:
    """The step that makes the host's files as they should be; none where they are."""
    wanted = wanted_files(want, ports)
    do: list[str] = []
    sums: list[str] = []
    gone: list[str] = []
    undo: list[str] = []
    for path in PATHS:
        text, present = wanted.get(path), have.files.get(path)
        if text == present:
            continue
        do.append(_file_command(path, text))
        undo.insert(0, _file_command(path, present))
        if text is None:
            gone.append(command("no_file", path))
        else:
            sums += [hashlib.sha256(text.encode()).hexdigest(), path]
    if not do:
        return []
    check = gone + ([command("files_have_sha256", *sums)] if sums else [])
    return [
        Step(
            link="nics",
            title="VFs come back at boot and with their driver"
            if wanted
            else "no VFs at boot any more",
            reason="the kernel forgets VFs at each boot and driver reload",
            do=" &&\n".join(do),
            check=" &&\n".join(check),
            undo=" &&\n".join(undo),
        )
    ]


def restores(have: HostState, pci: str) -> bool:
    """Whether files of ours make the VFs of the PF at this address again."""
    return f"\n{pci})\n" in have.files.get(SCRIPT, "")


def _file_command(path: str, text: str | None) -> str:
    return command("remove_file", path) if text is None else command("write_file", path, text)


def _script(want: HostWant, ports: list[Port]) -> str:
    folder = files("sriovctl").joinpath("chain")
    parts = [
        "#!/bin/sh\n"
        "# Written by sriovctl: the VFs of this host, for the unit sriovctl-pf@.service.\n"
        "# By hand: sh /etc/sriovctl/nics.sh PCI-ADDRESS\n",
        folder.joinpath("nics.sh").read_text("utf-8"),
        folder.joinpath("boot.sh").read_text("utf-8"),
        "case ${1-} in\n",
    ]
    for port in ports:
        autoprobe = "" if port.autoprobe is None else str(int(port.autoprobe))
        lines = [command("restore_vfs", port.pci, port.mac or "", port.vfs, autoprobe)]
        if port.wishes:
            lines.append(command("set_vfs", port.pci, *port.wishes))
        lines += port.bindings
        parts.append(f"{port.pci})\n    " + " &&\n        ".join(lines) + "\n    ;;\n")
    known = " ".join(port.pci for port in ports)
    parts.append(
        f'*)\n    echo "usage: $0 PCI-ADDRESS, one of: {known}" >&2\n    exit 2\n    ;;\nesac\n'
    )
    return "\n".join(parts)
