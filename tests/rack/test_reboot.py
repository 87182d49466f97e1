"""A reboot as a stage: asked for, its VMs make way and come back, also when nobody follows it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from sriovctl.lab import spoofguard
from tests.rack.conftest import Rack
from tests.rack.facts import SERVER, lasting, look
from tests.rack.program import rack_file, server_2, sriovctl, start

GRUB = "/etc/default/grub"
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
SET_ON_VFS = {"spoofchk": "off", "trust": "on", "max_rate": 300}
SET_ON_VF_6 = {"vlan": 7}
AS_NEW = {"spoofchk": "on", "trust": "off", "max_rate": 0, "vlan": 0}
BRIDGED = {"VM-1": {"pairs": [], "domain": "machine-room/VM-1.xml"}}


def test_a_kernel_without_its_iommu_is_rebooted_when_that_is_asked_for(
    rack: Rack, tmp_path: Path
) -> None:
    rack.must(SERVER, "for vm in $(virsh list --name); do virsh destroy $vm; done")
    port = {"vfs": 7, "vf": {"all": SET_ON_VFS, 6: SET_ON_VF_6}}
    wanted = rack_file(tmp_path, server_2(port, port), BRIDGED)
    sriovctl(rack, "apply", wanted)
    # as somebody left it who had trouble with the IOMMU
    script = "s/ intel_iommu=[a-z]*//g; s/no_timer_check/& intel_iommu=off/"
    boot_id = rack.must(SERVER, f"sed -i '{script}' {GRUB} && update-grub >&2 && sync && {BOOT_ID}")
    rack.power(SERVER, "off")
    assert rack.ping("10.8.0.2", count=1).returncode != 0
    rack.power(SERVER, "on")
    assert rack.must(SERVER, BOOT_ID) != boot_id
    rack.must(SERVER, "virsh autostart --disable VM-1; virsh start VM-1 || virsh domid VM-1")
    before = look(rack)
    assert before.kernel.iommu_groups == 0, "the lab's grub takes a changed kernel line from disk"
    grub = rack.must(SERVER, f"cat {GRUB}")

    for verb, code in (("plan", 3), ("check", 3), ("apply", 4)):
        done = sriovctl(rack, verb, wanted, expect=code)
        said = done.stdout + done.stderr
        assert "intel_iommu=off" in said
        assert "reboot" in said
    assert "felt by VM-1" in said
    assert "--reboot" in said
    after = look(rack)
    assert lasting(after) == lasting(before)
    assert after.kernel == before.kernel
    assert rack.must(SERVER, f"cat {GRUB}") == grub

    with start(rack, "apply", wanted, "--reboot") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if re.search(r"shut down VM-1, .*done", line):
                break
        process.send_signal(signal.SIGKILL)
    # another run takes it up: what is staged is not staged again, and the VM that ran is known
    said = sriovctl(rack, "apply", wanted, "--reboot").stdout
    assert "for the next boot" not in said
    assert "back with a new boot" in said
    now = look(rack)
    assert now.kernel.boot_id != before.kernel.boot_id
    assert now.kernel.iommu_groups > 0
    vm = now.vm_named("VM-1")
    assert vm is not None
    assert vm.running
    assert [pf.numvfs for pf in now.pfs] == [7, 7]
    for pf in now.pfs:
        assert SET_ON_VF_6.items() <= pf.vfs[6].model_dump().items()
        for vf in pf.vfs:
            assert SET_ON_VFS.items() <= vf.model_dump().items()
    for guard in spoofguard.look(rack.lab, rack.lab.server(SERVER)):
        assert guard.open_vfs == tuple(range(7)), "as the card's own register has it"
    assert "nothing to do" in sriovctl(rack, "apply", wanted, "--reboot").stdout
    changed = rack.must(SERVER, f"diff {GRUB}.sriovctl-backup {GRUB} || :").splitlines()
    written = [line for line in changed if line.startswith(">")]
    assert written
    assert all("intel_iommu" in line or "iommu=pt" in line for line in written)
    plain = {"vfs": 7, "vf": {"all": AS_NEW}}
    sriovctl(rack, "apply", rack_file(tmp_path, server_2(plain, plain), BRIDGED))
