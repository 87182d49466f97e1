"""A rack file for a lab from bare: one that is there, with the lab's BMCs at its hosts."""

from __future__ import annotations

import io
import json
from pathlib import Path

from ruamel.yaml import YAML

from sriovctl.errors import UsageError
from sriovctl.lab.state import Lab


def with_bmcs(lab: Lab, path: Path) -> str:
    """The file's text with a ``bmc:`` for each of the lab's servers; comments stay.

    :param path: a rack file that is right by itself; paths in it become absolute
    :raises UsageError: the lab has no BMCs, or none of the file's hosts is in it
    """
    known = lab.folder / "bmc.json"
    if not known.exists():
        raise UsageError(
            f"lab {lab.name} has no BMCs",
            "its servers were ready from the start",
            f"sriovctl lab down --name {lab.name}; sriovctl lab up --from bare --name {lab.name}",
        )
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 100
    rack = yaml.load(path.read_text("utf-8"))
    bmcs = json.loads(known.read_text("utf-8"))
    hosts = [name for name in rack["hosts"] if name in bmcs]
    if not hosts:
        raise UsageError(
            f"none of the hosts of {path} is in lab {lab.name}: {', '.join(rack['hosts'])}",
            f"it has: {', '.join(bmcs)}",
            "name one of these in the rack file",
        )
    for name in hosts:
        rack["hosts"][name].insert(0, "bmc", bmcs[name])
    for vm in (rack.get("vms") or {}).values():
        if vm and "domain" in vm:
            vm["domain"] = str((path.parent / vm["domain"]).absolute())
    out = io.StringIO()
    yaml.dump(rack, out)
    return out.getvalue()
