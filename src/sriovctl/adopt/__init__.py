"""A first rack file from a host as it is, so that a host set up by hand can be taken over."""

from __future__ import annotations

import io
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from sriovctl.adopt.bonds import bonds_of
from sriovctl.adopt.ports import about, pool_of, port_entry
from sriovctl.adopt.vms import vms_of
from sriovctl.adopt.words import fits, note, port_key
from sriovctl.host import HostState
from sriovctl.names import HostName, Pci
from sriovctl.view.harmless import harmless

NO_HOST_NAME = "host"
"""For a host whose own name no rack file could have."""


@dataclass(frozen=True)
class Found:
    """A host as it is, and how it was reached."""

    state: HostState
    address: str | None = None
    """``local`` for this machine; None: by its own name."""
    port: int | None = None
    user: str | None = None


def rack_from(found: Sequence[Found], name: str) -> str:
    """A rack file that wants of hosts what they have: YAML text with comments.

    What a rack file has no words for (VFs given to a VM past the pools, pools over listed
    addresses, more than one pool over a PF) is said in comments.

    :param name: of the rack
    """
    hosts = CommentedMap()
    vms = CommentedMap()
    opening = [
        f"What sriovctl init found on {', '.join(one.state.system.hostname for one in found)}. "
        "Edit it, then look: sriovctl plan THIS-FILE"
    ]
    closing: list[str] = []
    for one in found:
        key = _host_key(one.state.system.hostname, hosts)
        hosts[key], keys = _host(one, key)
        bonds, others = bonds_of(one.state, keys)
        if bonds:
            hosts[key]["bonds"] = bonds
        there, left = vms_of(one.state, keys, vms, key if len(found) > 1 else None)
        vms.update(there)
        where = f"{key}: " if len(found) > 1 else ""
        closing += [where + line for line in (*others, *left)]
        if not one.state.system.root:
            opening.append(f"{where}Seen without root: VMs and pools are missing here.")
    rack = CommentedMap({"rack": name, "hosts": hosts})
    if vms:
        rack["vms"] = vms
    rack.yaml_set_start_comment("\n".join(harmless(line) for line in opening) + "\n")
    out = io.StringIO()
    yaml = YAML()
    yaml.width = 4096
    yaml.dump(rack, out)
    return out.getvalue() + "".join(f"# {harmless(line)}\n" for line in closing)


def _host_key(hostname: str, taken: Container[str]) -> str:
    """The host's own name; with a number behind it where another host has that."""
    name = fitting(HostName, hostname)
    numbered = (f"{name}-{number}" for number in count(2))
    return next(key for key in chain((name,), numbered) if key not in taken)


def _host(found: Found, key: str) -> tuple[CommentedMap, dict[str, str]]:
    """A host's entry, and its ports' names there by PCI address."""
    state = found.state
    host = CommentedMap()
    for word, value in (("address", found.address), ("port", found.port), ("user", found.user)):
        if value is not None:
            host[word] = value
    pools = {pf.pci: pool_of(state, pf) for pf in state.pfs}
    keys = {pf.pci: port_key(pf) for pf in state.pfs if fits(Pci, pf.pci)}
    ports = CommentedMap()
    for pf in state.pfs:
        if pf.pci in keys:
            ports[keys[pf.pci]] = port_entry(state, pf, pools[pf.pci])
            note(ports, keys[pf.pci], about(state, pf, pools[pf.pci]), 6)
    host["pfs"] = ports
    if not ports:
        note(host, "pfs", ["No port here can have VFs; see `sriovctl show`."], 4)
    return host, keys


def fitting(kind: Any, text: str) -> str:
    return text if fits(kind, text) else NO_HOST_NAME
