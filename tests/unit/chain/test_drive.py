"""Config drives: planned where they differ, written, plugged in, taken back, and not twice."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest

from sriovctl import configdrive, rackfile
from sriovctl.chain import guests
from sriovctl.chain.inside import findings
from sriovctl.errors import RackError
from sriovctl.host import CONFIG_DRIVES, VM, HostState
from sriovctl.insidefacts import Inside
from sriovctl.plan import Step
from sriovctl.wanted import HostWant
from tests.unit.chain.test_inside import KEY, RACK, wanted
from tests.unit.chain.worlds import bare_host
from tests.unit.shells import SHELLS, shell_folder

BY_DRIVE = RACK.replace("by: agent", "by: drive")
PATH = f"{CONFIG_DRIVES}{KEY}.iso"
VIRSH = """#!{python} -S
# libvirt as far as it matters here: one VM's definition, which virsh writes again in its own way
import os, sys
file = os.environ["DEFINITION"]
text = open(file).read()
if "dumpxml" in sys.argv:
    sys.stdout.write(text)
elif "attach-device" in sys.argv:
    open(file, "w").write(text.replace("  </devices>", sys.stdin.read() + "\\n  </devices>"))
elif "detach-device" in sys.argv:
    left = text.replace(sys.stdin.read() + "\\n", "")
    open(file, "w").write(left)
    sys.exit(left == text)
"""
OTHER_DISK = "    <disk type='file' device='disk'><target dev='sd{}' bus='sata'/></disk>\n"


def want_of(folder: Path, text: str = BY_DRIVE) -> HostWant:
    path = folder / "rack.yaml"
    path.write_text(text)
    return rackfile.wants(path)[0]


def host(vm: VM, **drives: str) -> HostState:
    return bare_host().model_copy(update={"vms": (vm,), "drives": drives})


def vm(*drives: str, running: bool = False, live: tuple[str, ...] = ()) -> VM:
    return VM(
        name="VM-2", uuid=KEY, persistent=True, running=running, autostart=False,
        drives=drives, live_drives=live,
    )  # fmt: skip


def steps(want: HostWant, have: HostState) -> list[Step]:
    return [step for step in guests.plan(want, have).build if "drive" in step.do]


def digest(step: Step) -> str:
    return step.check.split()[-1]


class Host:
    """A host's file and a VM's definition, and the shell that changes them."""

    def __init__(self, folder: Path, shells: Path, taken: str) -> None:
        self.image = folder / "images/drive.iso"
        self.definition = folder / "definition"
        disks = "".join(OTHER_DISK.format(letter) for letter in taken)
        self.before = f"<domain>\n  <devices>\n{disks}  </devices>\n</domain>\n"
        self.definition.write_text(self.before)
        (shells / "virsh").write_text(VIRSH.replace("{python}", sys.executable))
        (shells / "virsh").chmod(0o755)
        self._shells = shells
        self._folder = folder

    def run(self, text: str, number: int) -> subprocess.CompletedProcess[str]:
        chain = files("sriovctl").joinpath("chain")
        names = ("virsh.sh", "guests.sh", "drive.sh")
        library = "".join(chain.joinpath(name).read_text() for name in names)
        return subprocess.run(
            [self._shells / "sh", "-s"],
            input=f"{library}\ntx_dir={self._folder} tx_begun={number}\n"
            + text.replace(PATH, str(self.image)),
            env={
                "PATH": f"{self._shells}:/usr/sbin:/usr/bin:/sbin:/bin",
                "DEFINITION": str(self.definition),
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture(params=SHELLS)
def shells(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = shell_folder(request.param, tmp_path / "shell")
    if folder is None:
        pytest.skip(f"no {request.param} here")
    return folder


@pytest.mark.parametrize("old", [None, b"an older drive\0"])
def test_it_is_written_plugged_in_and_taken_back(
    tmp_path: Path, shells: Path, old: bytes | None
) -> None:
    there = Host(tmp_path, shells, taken="ab")
    if old is not None:
        there.image.parent.mkdir()
        there.image.write_bytes(old)
    want = want_of(tmp_path)
    made = steps(want, host(vm()))
    for number, step in enumerate(made, 1):
        assert there.run(step.check, number).returncode != 0
        done = there.run(step.do, number)
        assert done.returncode == 0, done.stderr
        assert there.run(step.check, number).returncode == 0
    assert there.image.read_bytes() == configdrive.image("VM-2", wanted(want).files)
    assert "<target dev='sdc' bus='sata'/>" in there.definition.read_text()
    for number, step in reversed(list(enumerate(made, 1))):
        assert there.run(step.undo, number).returncode == 0
    assert there.definition.read_text() == there.before
    assert (there.image.read_bytes() if there.image.exists() else None) == old
    assert [path.name for path in there.image.parent.iterdir()] == ["drive.iso"][: old is not None]


def test_a_vm_without_a_place_for_it_is_told_of(tmp_path: Path, shells: Path) -> None:
    there = Host(tmp_path, shells, taken="abcdef")
    *_, plug_in = steps(want_of(tmp_path), host(vm()))
    done = there.run(plug_in.do, 1)
    assert done.returncode != 0
    assert "sda to sdf are taken" in done.stderr
    assert there.definition.read_text() == there.before


def test_what_is_as_wanted_is_left_alone_and_what_is_not_is_written_again(tmp_path: Path) -> None:
    want = want_of(tmp_path)
    is_now = digest(steps(want, host(vm()))[0])
    assert steps(want, host(vm(PATH), **{PATH: is_now})) == []
    [again] = steps(want, host(vm(PATH), **{PATH: "0" * 64}))
    assert again.do.startswith("write_drive ")


def test_one_that_is_no_longer_wanted_goes_its_image_when_nobody_reads_it(tmp_path: Path) -> None:
    want = want_of(tmp_path, BY_DRIVE.replace("    inside: {by: drive, system: networkd}\n", ""))

    def left(machine: VM) -> list[str]:
        return [step.do.split()[0] for step in steps(want, host(machine, **{PATH: "0" * 64}))]

    assert left(vm(PATH)) == ["unplug_drive", "remove_drive"]
    assert left(vm(PATH, running=True, live=(PATH,))) == ["unplug_drive"]
    assert left(vm(running=True, live=(PATH,))) == []
    assert left(vm(running=True)) == ["remove_drive"]


def test_a_vm_that_runs_without_it_is_told_and_its_bond_too(tmp_path: Path) -> None:
    want = want_of(tmp_path)
    have = host(vm(running=True)).model_copy(update={"inside": {KEY: Inside(vm=KEY)}})
    assert [f.about for f in guests.plan(want, have).findings if "drive" in f.found] == ["VM-2"]
    assert [f.about for f in findings(want, have)] == ["VM-2, bond0"]
    have = host(vm(running=True, live=(PATH,)))
    assert [f for f in guests.plan(want, have).findings if "drive" in f.found] == []


def test_the_same_files_give_the_same_image_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = wanted(want_of(tmp_path)).files
    images = set()
    for zone, now in (("UTC", 0.0), ("Asia/Shanghai", 1e9), ("XST-5", 2e9)):
        with monkeypatch.context() as there:
            there.setenv("TZ", zone)
            there.setattr(time, "time", lambda now=now: now)
            time.tzset()
            images.add(configdrive.image("VM-2", kept))
    time.tzset()
    assert len(images) == 1


def test_cloud_init_takes_a_drive_only_and_what_it_loses_is_told(tmp_path: Path) -> None:
    want = want_of(tmp_path, BY_DRIVE.replace("system: networkd", "system: cloud-init"))
    told = [f for f in guests.plan(want, host(vm())).findings if "fail_over_mac" in f.found]
    assert [f.about for f in told] == ["VM-2, bond0"]
    with pytest.raises(RackError, match="by: drive"):
        want_of(tmp_path, RACK.replace("system: networkd", "system: cloud-init"))
