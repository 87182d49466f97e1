"""What is set on VFs holds, whatever happens to them and to the VM that has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sriovctl.lab import spoofguard
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, look
from tests.rack.program import EXAMPLES, sriovctl

ROOM = EXAMPLES / "machine-room.yaml"
VM = "VM-2"
VLAN = 7
OF_EACH_VF = {"spoofchk": "off", "trust": "on", "max_rate": 300}


def assert_all_holds(rack: Rack) -> None:
    """As `ip` shows it, and the spoof check as the cards' own registers have it."""
    state = look(rack)
    holders = state.holders()
    for pf in state.pfs:
        for vf in pf.vfs:
            assert OF_EACH_VF.items() <= vf.model_dump().items(), (pf.name, vf)
        # which VF of a port it has is libvirt's choice
        vlans = [vf.vlan for vf in pf.vfs if vf.pci in holders and holders[vf.pci].name == VM]
        assert vlans == [VLAN], pf.name
    for guard in spoofguard.look(rack.lab, rack.lab.server(SERVER)):
        assert guard.open_vfs == tuple(range(7)), guard.port


def test_settings_hold_whatever_happens_to_vfs_and_vm(rack: Rack, tmp_path: Path) -> None:
    (tmp_path / "machine-room").symlink_to(EXAMPLES / "machine-room")
    written: dict[str, Any] = YAML(typ="safe").load(ROOM)
    for port in written["hosts"][SERVER]["pfs"].values():
        port["vf"] = {"all": OF_EACH_VF}
    written["vms"] = {VM: {**written["vms"][VM], "pairs": [{"vlan": VLAN}]}}
    path = tmp_path / "rack.yaml"
    with path.open("w") as stream:
        YAML().dump(written, stream)

    # where the guide's room runs it is a hot-plug, since a VM's VLAN is libvirt's to set
    sriovctl(rack, "apply", path, "--allow", "vf-reset")
    assert_all_holds(rack)
    for pf in look(rack).pfs:
        rack.must(SERVER, f"echo 1 >/sys/bus/pci/devices/{pf.vfs[-1].pci}/reset")
    rack.must(SERVER, f"virsh reset {VM}")
    assert rack.guest(VM, "true").returncode == 0
    assert_all_holds(rack)
    rack.must(SERVER, f"virsh destroy {VM} && virsh start {VM}")
    assert rack.guest(VM, "true").returncode == 0
    assert_all_holds(rack)
    assert "nothing to do" in sriovctl(rack, "check", path).stdout
    rack.must(SERVER, f"virsh destroy {VM}")
