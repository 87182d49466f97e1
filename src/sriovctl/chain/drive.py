"""Config drives, for link guests: an image on the host, and a CD-ROM in a VM's definition."""

from __future__ import annotations

import base64
import gzip
import hashlib

from sriovctl import netconf
from sriovctl.host import CONFIG_DRIVES, VM, HostState
from sriovctl.plan import Finding, Severity, Step
from sriovctl.shell import command
from sriovctl.wanted import InsideWant, VMWant


def steps(want: VMWant, vm: VM, have: HostState) -> list[Step]:
    """What must change for a VM's config drive, in the order of its doing.

    :param vm: as it is, or as it is about to be defined
    """
    if want.inside is None or want.inside.by != "drive":
        return _take_away(vm, have)
    path, key = _path(vm), vm.key
    made = []
    image = _image(want.name, want.inside)
    digest = hashlib.sha256(image).hexdigest()
    if have.drives.get(path) != digest:
        # the header's time would make each plan another one
        packed = base64.b64encode(gzip.compress(image, mtime=0)).decode()
        made.append(
            Step(
                link="guests",
                title=f"VM {vm.name}: write its config drive ({want.inside.system})",
                reason=f"{path}: {'not as wanted' if path in have.drives else 'not there'}",
                do=command("write_drive", path, packed),
                check=command("drive_is", path, digest),
                undo=command("put_back_drive", path),
            )
        )
    if vm.persistent and path not in vm.drives:
        made.append(
            Step(
                link="guests",
                title=f"VM {vm.name}: give it its config drive, for its next start",
                reason="the files of its bond are to come into it by a drive",
                do=command("plug_in_drive", key, path),
                check=command("has_drive", key, path),
                undo=command("unplug_drive", key, path),
            )
        )
    return made


def findings(want: VMWant, vm: VM) -> list[Finding]:
    """A VM that runs without the config drive that it should have, and what its network system
    makes of the drive differently."""
    if want.inside is None or want.inside.by != "drive":
        return []
    _, found = netconf.render(want.inside.networks, want.inside.system)
    about = [f.model_copy(update={"about": f"{vm.name}, {f.about}"}) for f in found]
    if vm.running and _path(vm) not in vm.live_drives:
        about.append(_runs_without(vm))
    return about


def _runs_without(vm: VM) -> Finding:
    shut_down, start, dump = (
        command("virsh", verb, vm.name) for verb in ("shutdown", "start", "dumpxml")
    )
    return Finding(
        severity=Severity.WARNING,
        link="guests",
        about=vm.name,
        found="it runs without its config drive",
        means="the files of its bond come into it with its next start",
        mend=f"shut it down and start it: {shut_down}; {start}"
        if vm.persistent
        else f"define it: {dump}, virsh define",
    )


def _take_away(vm: VM, have: HostState) -> list[Step]:
    path, key = _path(vm), vm.key
    made = []
    if path in vm.drives:
        made.append(
            Step(
                link="guests",
                title=f"VM {vm.name}: take its config drive away, for its next start",
                reason="the rack file gives it none",
                do=command("unplug_drive", key, path),
                check=command("lacks_drive", key, path),
                undo=command("plug_in_drive", key, path),
            )
        )
    if path in have.drives and path not in vm.live_drives:
        made.append(
            Step(
                link="guests",
                title=f"VM {vm.name}: remove the image of its config drive",
                reason="the rack file gives it none",
                do=command("remove_drive", path),
                check=command("no_drive", path),
                undo=command("put_back_drive", path),
            )
        )
    return made


def _path(vm: VM) -> str:
    return f"{CONFIG_DRIVES}{vm.key}.iso"


def _image(name: str, wanted: InsideWant) -> bytes:
    # its library takes long to load, and most racks have no drives
    from sriovctl import configdrive

    return configdrive.image(name, wanted.files)
