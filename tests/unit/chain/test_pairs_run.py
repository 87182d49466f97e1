"""How VMs on pairs are waited for, by a virsh of our own whose guests are folders."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from sriovctl.shell import command
from tests.unit.shells import SHELLS, shell_folder

EM1, EM2 = "0000:01:00.0", "0000:02:00.0"

VIRSH = f"""#!{sys.executable} -SE
import base64, json, subprocess, sys
from pathlib import Path
words = sys.argv[1:]
vm = Path(sys.argv[0]).parents[1] / words[words.index("--domain") + 1]
order = json.loads(words[words.index("--cmd") + 1])
if not vm.exists():
    sys.exit("error: Guest agent is not responding: QEMU guest agent is not connected")
if order["execute"] == "guest-exec":
    _, script, *rest = order["arguments"]["arg"]
    script = script.replace("/sys/", f"{{vm}}/sys/").replace("/proc/", f"{{vm}}/proc/")
    script = script.replace("for bond in", f". {{vm}}/before\\nfor bond in", 1)
    done = subprocess.run(["sh", "-c", script, *rest], capture_output=True)
    (vm / "done").write_text(json.dumps([done.returncode, base64.b64encode(done.stderr).decode()]))
    print('{{"return":{{"pid":812}}}}')
else:
    code, said = json.loads((vm / "done").read_text())
    answer = {{"exitcode": code, "err-data": said, "exited": True}}
    print(json.dumps({{"return": answer}}, separators=(",", ":")))
"""
"""An agent whose guest is a folder."""

MAC1, MAC2, MAC3 = (f"02:00:00:00:00:0{n}" for n in (1, 2, 3))


class Guests:
    """Guests that are folders, a host with ports, and a shell that runs the host's functions."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.folder = folder
        shells = shell_folder(shell, folder / "shell")
        if shells is None:
            pytest.skip(f"no {shell} here")
        (folder / "bin").mkdir()
        (folder / "bin" / "virsh").write_text(VIRSH)
        (folder / "bin" / "virsh").chmod(0o755)
        self.shell = shells / "sh"
        self.path = f"{folder}/bin:{shells}:{os.environ['PATH']}"
        for number, pci in enumerate((EM1, EM2), 1):
            (folder / "sys" / "bus/pci/devices" / pci / "net" / f"em{number}").mkdir(parents=True)
        self.bonding("em2")

    def bonding(self, legs: str) -> None:
        there = self.folder / "sys/class/net/bond0/bonding"
        there.mkdir(parents=True, exist_ok=True)
        (there / "slaves").write_text(f"{legs}\n")

    def add(self, name: str, legs: dict[str, tuple[str, str]], active: str) -> None:
        """:param legs: address and state, by name"""
        vm = self.folder / name
        bonding = vm / "sys/class/net/bond0/bonding"
        bonding.mkdir(parents=True)
        (bonding / "active_slave").write_text(f"{active}\n")
        (vm / "before").write_text("")
        (vm / "proc/net/bonding").mkdir(parents=True)
        text = "Bonding Mode: fault-tolerance (active-backup)\nMII Status: up\nUp Delay (ms): 0\n"
        for leg, (address, state) in legs.items():
            text += (
                f"\nSlave Interface: {leg}\nMII Status: {state}\nSpeed: 1000 Mbps\n"
                f"Permanent HW addr: {address}\nSlave queue ID: 0\n"
            )
        (vm / "proc/net/bonding/bond0").write_text(text)

    def active(self, name: str) -> str:
        return (self.folder / name / "sys/class/net/bond0/bonding/active_slave").read_text().strip()

    def run(self, *words: str | int, timeout_s: int = 0) -> tuple[int, str, str]:
        """One command of a step: exit status, what it printed, what it complained of."""
        names = ("chain/nics.sh", "chain/bonds.sh", "agent.sh", "chain/inside.sh", "chain/pairs.sh")
        functions = "\n".join(files("sriovctl").joinpath(n).read_text("utf-8") for n in names)
        done = subprocess.run(
            [self.shell, "-s"],
            input=f"tx_dir={command(str(self.folder))}\n{functions}\nset -e\n{command(*words)}\n",
            env={
                "PATH": self.path,
                "SRIOVCTL_SYSFS": str(self.folder / "sys"),
                "SRIOVCTL_BOND_TIMEOUT_S": str(timeout_s),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(params=SHELLS)
def guests(request: pytest.FixtureRequest, tmp_path: Path) -> Guests:
    return Guests(tmp_path, request.param)


UP = {"eth0": (MAC1, "up"), "eth1": (MAC2, "up")}
SECOND_DOWN = {"eth0": (MAC1, "up"), "eth1": (MAC2, "down")}


def test_traffic_goes_over_before_the_port_does(guests: Guests) -> None:
    guests.add("two", UP, "eth0")
    guests.add("three", UP, "eth1")
    words = ("it's a VM", "two", MAC1, "VM-3", "three", MAC1)
    status, _, said = guests.run("pairs_leave", "bond0", EM1, "into", 0, *words)
    assert (status, said) == (0, "")
    assert (guests.active("two"), guests.active("three")) == ("eth1", "eth1")


def test_no_port_is_taken_from_one_that_has_no_other(guests: Guests) -> None:
    guests.add("two", SECOND_DOWN, "eth0")
    guests.add("three", UP, "eth0")
    words = ("VM-2", "two", MAC1, "VM-3", "three", MAC1, "VM-4", "nobody", MAC1)
    status, _, said = guests.run("pairs_leave", "bond0", EM1, "into", 0, *words)
    assert status != 0
    assert "VM-2: not within 0 s: no other leg of bond0 is up" in said
    assert "VM-4: not within 0 s: error: Guest agent is not responding" in said
    assert "VM-3" not in said
    assert "em1 is left as it is" in said
    # an undo goes on
    status, _, said = guests.run("pairs_leave_if_they_can", "bond0", EM1, "into", 0, *words)
    assert (status, said) == (0, "")
    assert guests.active("two") == "eth0"


def test_a_leg_that_the_kernel_does_not_take_is_named(guests: Guests) -> None:
    """It is down, and its bond has not noticed yet."""
    guests.add("two", {"Linux": (MAC1, "up"), "eth1": (MAC2, "up")}, "")
    active = guests.folder / "two/sys/class/net/bond0/bonding/active_slave"
    active.unlink()
    # holds the word Linux, and nobody may write to it
    active.symlink_to("/proc/sys/kernel/ostype")
    status, _, said = guests.run("pairs_leave", "bond0", EM1, "into", 0, "VM-2", "two", MAC1)
    assert status != 0
    assert "VM-2: not within 0 s: bond0 does not go over to eth1\n" in said


def test_the_other_leg_is_waited_for(guests: Guests) -> None:
    guests.add("two", SECOND_DOWN, "eth0")
    at = guests.folder / "two/proc/net/bonding/bond0"
    whole = at.read_text().replace("down", "up")
    (guests.folder / "whole").write_text(whole)
    # at the second look it has come
    (guests.folder / "two/before").write_text(
        f"if [ -e {guests.folder}/second ]; then cat {guests.folder}/whole >{at}; fi\n"
        f": >{guests.folder}/second\n"
    )
    words = ("bond0", EM1, "into", 0, "VM-2", "two", MAC1)
    status, printed, said = guests.run("pairs_leave", *words, timeout_s=40)
    assert (status, said) == (0, "")
    assert printed.startswith("em1: waited ")
    assert guests.active("two") == "eth1"


def test_a_port_that_is_where_it_is_to_be_is_no_business(guests: Guests) -> None:
    guests.add("two", SECOND_DOWN, "eth0")
    words = (0, "VM-2", "two", MAC1)
    assert guests.run("pairs_leave", "bond0", EM2, "into", *words)[0] == 0
    assert guests.run("pairs_leave", "bond0", EM1, "out_of", *words)[0] == 0
    assert guests.run("pairs_leave", "bond0", EM2, "out_of", *words)[0] != 0


def test_a_port_that_has_its_mtu_is_no_business(guests: Guests) -> None:
    guests.add("two", SECOND_DOWN, "eth0")
    port = guests.folder / "sys/class/net/em1"
    port.mkdir()
    (port / "mtu").write_text("9000\n")
    words = (0, "VM-2", "two", MAC1)
    assert guests.run("pairs_leave", "bond0", EM1, 9000, *words)[0] == 0
    assert guests.run("pairs_leave", "bond0", EM1, 1500, *words)[0] != 0
    assert guests.run("set_leg_mtu", EM1, 9000)[0] == 0


@pytest.mark.parametrize(("second", "well"), [("up", True), ("going back", False)])
def test_two_cards_with_one_address(guests: Guests, second: str, well: bool) -> None:
    guests.add("two", {"eth0": (MAC1, "up"), "eth1": (MAC1, second)}, "eth0")
    done, _, said = guests.run("pairs_leave", "bond0", EM1, "into", 0, "VM-2", "two", MAC1)
    assert (done == 0) == well
    assert well or "VM-2: not within 0 s: not up in bond0: eth1" in said
    assert guests.active("two") == "eth0"


def test_a_bond_that_is_not_whole_in_the_end_is_said(guests: Guests) -> None:
    guests.add("two", SECOND_DOWN, "eth0")
    guests.add("three", UP, "eth0")
    macs = f"{MAC1},{MAC2}"
    words = (0, "VM-2", "two", macs, "VM-3", "three", macs)
    status, printed, said = guests.run("pairs_are_back", *words)
    assert (status, said) == (0, "")
    assert printed == "Warning: VM-2: not within 0 s: not up in bond0: eth1\n"


def test_a_card_in_no_bond(guests: Guests) -> None:
    guests.add("two", UP, "eth0")
    _, _, said = guests.run("pairs_leave", "bond0", EM1, "into", 0, "VM-2", "two", MAC3)
    assert "VM-2: not within 0 s: its card is in no bond" in said
