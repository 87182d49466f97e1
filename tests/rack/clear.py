"""A server with nothing on it that a test before may have left."""

from __future__ import annotations

import shlex

from sriovctl.chain.modules import MODULES_LOAD
from sriovctl.chain.persistence import PATHS
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look


def clear(rack: Rack) -> None:
    """Take away VMs, pools, VFs, and the files that would bring them back."""
    state = look(rack)
    for vm in state.vms:
        name = shlex.quote(vm.name)
        rack.ssh(SERVER, f"virsh destroy {name}; virsh undefine --nvram {name}")
    for pool in state.pools:
        name = shlex.quote(pool.name)
        rack.ssh(SERVER, f"virsh net-destroy {name}; virsh net-undefine {name}")
    rack.must(SERVER, shlex.join(["rm", "-rf", "/etc/sriovctl", MODULES_LOAD, *PATHS]))
    for pf in state.pfs:
        rack.must(SERVER, f"echo 0 >/sys/bus/pci/devices/{pf.pci}/sriov_numvfs")
