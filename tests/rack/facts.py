"""What is on a server, for comparing before with after."""

from __future__ import annotations

from typing import Any

from sriovctl import probe
from sriovctl.host import HostState
from tests.rack.conftest import Rack

SERVER = "server-2"


def look(rack: Rack) -> HostState:
    """One probe of server-2."""
    done = rack.ssh(SERVER, "sh", probe.script())
    assert done.returncode == 0, done.stderr
    return probe.parse(done.stdout)


def lasting(state: HostState) -> dict[str, Any]:
    """All of a host's facts that a run that was undone must give back."""
    facts = state.model_dump(
        mode="json", include={"pfs", "pools", "vms", "files", "other_networks"}
    )
    for pf in facts["pfs"]:
        # a port whose count went to and fro may still negotiate, and IOMMU groups count up
        pf.pop("carrier")
        pf.pop("speed")
        for vf in pf["vfs"]:
            vf.pop("iommu_group")
    for pool in facts["pools"]:
        pool.pop("uuid")
    return facts
