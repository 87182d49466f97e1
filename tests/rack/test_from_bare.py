"""From a server as it came from the factory to traffic, by `apply --reboot`; broken off, and again.

Each personality has a lab of its own (SRIOVCTL_TEST_FROM_BARE_LAB and its personality name it).
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sriovctl.lab import bmcs, lifecycle
from sriovctl.lab import rackfile as lab_rackfile
from sriovctl.lab.progress import to_stderr
from tests.rack.conftest import Rack, take_down
from tests.rack.facts import SERVER, look
from tests.rack.program import EXAMPLES, rack_file, server_2, sriovctl, start
from tests.rack.test_bare import ON, Bare
from tests.rack.test_bare import SERVER as SERVER_2

MakeLab = Callable[[str], Bare]


@pytest.fixture(scope="module")
def make_lab() -> Iterator[MakeLab]:
    """A lab from bare with the BMC that is asked for; the one before goes down."""
    progress = to_stderr()
    made: list[str] = []

    def down() -> None:
        while made:
            take_down(made.pop(), progress)

    def make(personality: str) -> Bare:
        down()
        prefix = os.environ.get("SRIOVCTL_TEST_FROM_BARE_LAB", f"fb{os.getpid()}")
        name = f"{prefix}-{personality}"
        made.append(name)
        lifecycle.up(name, 1, False, True, progress, personality)
        return Bare(name, progress)

    yield make
    down()


def with_bmc(lab: Rack, plain: Path, *lines: str) -> Path:
    """The same rack file with the way to the lab's BMC, and more lines in that block."""
    text = lab_rackfile.with_bmcs(lab.lab, plain)
    for line in lines:
        text = re.sub(r"^( *)address: .*\n", rf"\g<0>\1{line}\n", text, count=1, flags=re.MULTILINE)
    path = plain.with_name("with-bmc.yaml")
    path.write_text(text)
    return path


def broken_off(lab: Rack, wanted: Path, at: str) -> None:
    """`apply --reboot`, killed once it has said a line like this."""
    with start(lab, "apply", wanted, "--reboot") as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if re.search(at, line):
                break
        else:
            pytest.fail(f"never said {at}:\n{''.join(said)}")
        process.send_signal(signal.SIGKILL)


def fault(lab: Bare, name: str, value: object) -> None:
    bmcs.ask(lab.lab, SERVER_2, do="fault", name=name, value=value)


def test_the_whole_way_over_redfish(make_lab: MakeLab, tmp_path: Path) -> None:
    """Faults first, each said and mended; then killed at each stage, and again until it is done."""
    lab = make_lab("idrac9")
    room = tmp_path / "room.yaml"
    room.write_text(
        (EXAMPLES / "machine-room.yaml").read_text().replace("domain: ", f"domain: {EXAMPLES}/")
    )
    wanted = with_bmc(lab, room)
    before = look(lab)
    held = lab.held()

    # asked for nothing, nothing is done
    assert "ProcVirtualization" in sriovctl(lab, "plan", wanted, expect=3).stdout
    assert "--reboot" in sriovctl(lab, "apply", wanted, expect=4).stderr
    assert lab.held() == held
    assert look(lab).kernel == before.kernel

    # another certificate is not believed; a person looks, and records it
    bmcs.ask(lab.lab, SERVER_2, do="certificate")
    assert "certificate" in sriovctl(lab, "apply", wanted, "--reboot", expect=1).stderr
    assert lab.held()["pending"] == {}
    sriovctl(lab, "trust", wanted, expect=3)
    sriovctl(lab, "trust", wanted, "--write", "--replace", expect=None)
    sriovctl(lab, "trust", wanted)

    # a wrong password is tried once
    password = lab.lab.folder / "bmc_password"
    right = password.read_text()
    password.write_text("wrong\n")
    assert "login" in sriovctl(lab, "apply", wanted, "--reboot", expect=1).stderr
    password.write_text(right)

    # the BMC does not restart it: all is staged, and said to be
    fault(lab, "reset_refused", True)
    refused = sriovctl(lab, "apply", wanted, "--reboot", expect=1)
    assert "staged" in refused.stderr
    fault(lab, "reset_refused", False)
    assert lab.held()["pending"] == ON

    # what is staged is not staged again; broken off while the server goes down
    broken_off(lab, wanted, "shut the system down")
    # and when it is back, in the middle of its VFs
    broken_off(lab, wanted, "em1: 0 → 7 VFs")
    said = sriovctl(lab, "apply", wanted, "--reboot", expect=None)
    if said.returncode:
        # the killed run's own transaction was still at work
        assert "another run is at work" in said.stderr
        lab.must(
            SERVER,
            "for i in $(seq 240); do [ -L /run/sriovctl.lock ] || exit 0; sleep 1; done; exit 1",
        )
        sriovctl(lab, "apply", wanted, "--reboot")
    assert lab.current() == ON
    assert lab.held()["starts"] == held["starts"] + 1
    now = look(lab)
    assert now.kernel.kvm
    assert now.kernel.iommu_groups > 0
    assert [pf.numvfs for pf in now.pfs] == [7, 7]
    for vm, address in (("VM-2", "10.8.0.12"), ("VM-3", "10.8.0.13")):
        assert lab.guest(vm, "cat /proc/net/bonding/bond0").returncode == 0
        assert lab.answers(address).returncode == 0
    assert "nothing to do" in sriovctl(lab, "apply", wanted).stdout
    sriovctl(lab, "check", wanted)


@pytest.mark.parametrize(
    ("personality", "via", "at"),
    [
        # too old for Redfish: nobody says so in the rack file
        ("idrac8", "racadm", None),
        ("idrac8", "redfish", "set ProcVirtualization=Enabled"),
        ("idrac9", "racadm", "kernel arguments for the next boot: .*done"),
    ],
)
def test_the_other_ways(
    make_lab: MakeLab, tmp_path: Path, personality: str, via: str, at: str | None
) -> None:
    """The same to the traffic of one VM; broken off once where ``at`` says so."""
    lab = make_lab(personality)
    if at is None:
        fault(lab, "no_redfish", True)
    vms = {"VM-2": {"domain": "machine-room/VM-2.xml", "running": True}}
    path = rack_file(tmp_path, server_2(7, 7), vms)
    wanted = with_bmc(lab, path, f"via: {'auto' if at is None else via}")
    starts = lab.held()["starts"]
    if at is not None:
        broken_off(lab, wanted, at)
    said = sriovctl(lab, "apply", wanted, "--reboot").stdout
    assert "back with a new boot" in said
    assert lab.current() == ON
    assert lab.held()["starts"] == starts + 1
    assert [pf.numvfs for pf in look(lab).pfs] == [7, 7]
    assert lab.guest("VM-2", "cat /proc/net/bonding/bond0").returncode == 0
    assert lab.answers("10.8.0.12").returncode == 0
    assert "nothing to do" in sriovctl(lab, "apply", wanted).stdout
