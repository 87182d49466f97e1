"""What a lab looks like now: seen, not remembered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sriovctl.errors import HostError
from sriovctl.lab import access, bmcs, cables, machine, switches
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
        "bmc": _bmc(lab, server) if lab.has_bmc(server) else None,
    }
    if process:
        done = access.run(lab, server, ["sh", "-c", _ASK])
        lines = [line for line in done.stdout.splitlines() if line]
        if len(lines) >= 2:
            facts |= {"boot_id": lines[0], "system": lines[1], "vms": lines[2:]}
    return facts


def _bmc(lab: Lab, server: Server) -> dict[str, Any]:
    """A server's BMC: how to reach it, and what it says of itself where it answers."""
    from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION
    from sriovctl.lab.bmc.logins import DEFAULT_ACCOUNT

    process = machine.running(bmcs.folder(lab, server))
    facts: dict[str, Any] = {
        "personality": lab.personality,
        "pid": process.pid if process else None,
        "url": f"https://{bmcs.ADDRESS}:{lab.redfish_ports[server.name]}",
        "ssh_port": lab.racadm_ports[server.name],
        "user": DEFAULT_ACCOUNT.name,
        "password": DEFAULT_ACCOUNT.password,
        "answers": False,
    }
    try:
        said = bmcs.ask(lab, server, do="state")
    except HostError:
        return facts
    return facts | {
        "answers": True,
        **{name: said[name] for name in ("certificate", "host_key", "power", "pending", "jobs")},
        "bios": {name: said["current"][name] for name in (VIRTUALIZATION, SRIOV)},
    }


def as_json(facts: dict[str, Any]) -> str:
    """The facts for programs."""
    return json.dumps(facts, indent=2)


def as_table(facts: dict[str, Any]) -> str:
    """The facts for people."""
    rows: list[tuple[str, ...]] = [
        ("SERVER", "POWER", "SYSTEM", "EM1", "EM2", "ADDRESS", "SSH PORT", "VMS")
    ]
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
    below = "".join(_bmc_lines(server) for server in facts["servers"] if server["bmc"])
    last = facts["servers"][-1]["name"]
    wires = ", ".join(f"{name} {state}" for name, state in facts["switches"].items())
    return (
        f"lab {facts['name']} on {facts['accelerator']} ({facts['reason']})\n"
        f"{wires}\n\n{_table(rows)}\n\n{below}ssh -F {facts['ssh_config']} {last}"
    )


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _bmc_lines(server: dict[str, Any]) -> str:
    bmc = server["bmc"]
    title = f"BMC of {server['name']}, an {bmc['personality']}"
    if not bmc["answers"]:
        return f"{title}: does not answer\n\n"
    jobs = ", ".join(f"{job['id']} {job['state']}" for job in bmc["jobs"])
    values = [f"{name} {value}" for name, value in bmc["bios"].items()]
    values += [f"{name} {value} (pending)" for name, value in bmc["pending"].items()]
    rows = [
        ("  power", bmc["power"]),
        ("  BIOS", ", ".join(values)),
        ("  jobs", jobs or "-"),
        ("  Redfish", f"{bmc['url']}/redfish/v1"),
        ("  racadm", f"ssh -p {bmc['ssh_port']} {bmc['user']}@{bmcs.ADDRESS}"),
        ("  password", bmc["password"]),
        ("  certificate", f"SHA-256 {bmc['certificate']}"),
        ("  host key", bmc["host_key"]),
    ]
    return f"{title}\n{_table(rows)}\n\n"
