"""What a lab looks like now: seen, not remembered."""

from __future__ import annotations

import json
from typing import Any

from sriovctl.lab import access, cables, machine, switches
from sriovctl.lab.layout import INTERLINK, SWITCHES, Server
from sriovctl.lab.state import Lab

_ASK = (
    "cat /proc/sys/kernel/random/boot_id; systemctl is-system-running; virsh -q list --name --all"
)


def look(lab: Lab) -> dict[str, Any]:
    """Facts of the lab as plain data: what `lab status --json` prints."""
    there = switches.exists(lab.namespace)
    cuts = set(lab.cuts)
    wires = {name: "cut" if name in cuts else "up" for name in (*SWITCHES, INTERLINK)}
    return {
        "name": lab.name,
        "accelerator": lab.accelerator,
        "reason": lab.reason,
        "image": lab.image,
        "namespace": lab.namespace if there else None,
        "ssh_config": str(lab.ssh_config),
        "switches": wires,
        "servers": [_server(lab, server) for server in lab.servers],
    }


def _server(lab: Lab, server: Server) -> dict[str, Any]:
    process = machine.running(lab.server_folder(server))
    facts: dict[str, Any] = {
        "name": server.name,
        "power": "on" if process else "off",
        "pid": process.pid if process else None,
        "address": server.address,
        "ssh_port": lab.ssh_ports[server.name],
        "cables": {
            port.name: {
                "switch": port.switch,
                "mac": port.mac,
                "card": port.model,
                "link": "up" if cables.link_up(server, port, lab.cuts) else "cut",
            }
            for port in server.ports
        },
        "system": None,
        "boot_id": None,
        "vms": [],
    }
    if process:
        done = access.run(lab, server, ["sh", "-c", _ASK])
        lines = [line for line in done.stdout.splitlines() if line]
        if len(lines) >= 2:
            facts |= {"boot_id": lines[0], "system": lines[1], "vms": lines[2:]}
    return facts


def as_json(facts: dict[str, Any]) -> str:
    """The facts for programs."""
    return json.dumps(facts, indent=2)


def as_table(facts: dict[str, Any]) -> str:
    """The facts for people."""
    rows = [("SERVER", "POWER", "SYSTEM", "EM1", "EM2", "ADDRESS", "SSH PORT", "VMS")]
    for server in facts["servers"]:
        links = [cable["link"] for cable in server["cables"].values()]
        rows.append(
            (
                server["name"],
                server["power"],
                server["system"] or "-",
                *links,
                server["address"],
                str(server["ssh_port"]),
                " ".join(server["vms"]) or "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    wires = ", ".join(f"{name} {state}" for name, state in facts["switches"].items())
    return (
        f"lab {facts['name']} on {facts['accelerator']} ({facts['reason']})\n"
        f"{wires}\n\n{table}\n\nssh -F {facts['ssh_config']} {facts['servers'][-1]['name']}"
    )
