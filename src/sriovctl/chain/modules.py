"""VFIO's modules, through which VMs are given their VFs.

libvirt loads them when it first needs them. Loaded by us, a kernel that has none is found before a
VM is in need of it. Where the host's own files make all of its VFs at boot, that is left to them.
"""

from __future__ import annotations

import re
from typing import Final

from sriovctl.host import HostState
from sriovctl.plan import Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant

VFIO_SINCE: Final = (3, 6)
"""The kernel that brought VFIO; before it, libvirt gives VFs to VMs without."""
MODULES: Final = ("vfio-pci", "vfio_iommu_type1")
MODULES_LOAD: Final = "/etc/modules-load.d/sriovctl.conf"
"""Read by systemd-modules-load, and by OpenRC."""
SYSCONFIG_MODULES: Final = "/etc/sysconfig/modules/sriovctl.modules"
"""Run by rc.sysinit of CentOS 6 if it may be."""
TEXTS: Final = {
    MODULES_LOAD: "# Written by sriovctl.\n" + "".join(f"{name}\n" for name in MODULES),
    SYSCONFIG_MODULES: "#!/bin/sh\n# Written by sriovctl.\n"
    + "".join(f"modprobe {name}\n" for name in MODULES),
}


def steps(want: HostWant, have: HostState) -> list[Step]:
    """What must be loaded now, and at boot; and what must be no more, when no VM is to have VFs."""
    ours = any(pf.vfs and not pf.restored_by_host for pf in want.pfs)
    to_vms = ours and any(vm.nics for vm in want.vms)
    vfio = to_vms and version(have.kernel.release) >= VFIO_SINCE
    old_red_hat = have.system.init != "systemd" and "release 6" in have.system.os
    mine = SYSCONFIG_MODULES if old_red_hat else MODULES_LOAD
    missing = [m for m in MODULES if vfio and m.replace("-", "_") not in have.kernel.modules]
    do: list[str] = []
    check: list[str] = []
    undo: list[str] = []
    if missing:
        do.append(command("load_modules", *missing))
        check.append(command("modules_loaded", *(m.replace("-", "_") for m in missing)))
        undo.append(command("unload_modules", *reversed(missing)))
    for path in (MODULES_LOAD, SYSCONFIG_MODULES):
        text = TEXTS[path] if vfio and path == mine else None
        now = have.files.get(path)
        if text == now:
            continue
        do += _file_lines(path, text)
        check.append(
            command("boot_has_none", path) if text is None else command("boot_has_text", path, text)
        )
        undo[:0] = _file_lines(path, now)
    if not do:
        return []
    return [
        Step(
            link="kernel",
            title="vfio-pci and vfio_iommu_type1 loaded, now and at boot"
            if vfio
            else "no modules for VFs of VMs at boot any more",
            reason="VMs are given their VFs through them" if vfio else "no VM is to have VFs",
            do=" &&\n".join(do),
            check=" &&\n".join(check),
            undo=" &&\n".join(undo),
        )
    ]


def _file_lines(path: str, text: str | None) -> list[str]:
    if text is None:
        return [command("boot_remove", path)]
    lines = [command("boot_create", path, text)]
    return lines + ([command("boot_runnable", path)] if path == SYSCONFIG_MODULES else [])


def version(release: str) -> tuple[int, int]:
    """The first two numbers of a kernel's release; what cannot be read is taken for a new one."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (999, 0)
