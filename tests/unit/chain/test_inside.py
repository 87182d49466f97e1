"""Files put inside VMs: planned where they differ, really run by a sh, undone, not twice."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from sriovctl import chain, rackfile
from sriovctl.chain.inside import findings, plan
from sriovctl.errors import RackError
from sriovctl.host import VM, HostState
from sriovctl.insidefacts import Inside, InsideBond, InsideFile, InsideLeg
from sriovctl.plan import Severity, Step
from sriovctl.wanted import HostWant, InsideWant
from tests.unit.chain.worlds import bare_host

RACK = """
hosts: {server-2: {pfs: {em1: 7, em2: 7}}}
vms:
  VM-2:
    pairs: [{bond: {miimon: 80, primary: em1, address: 10.8.0.12/24}}]
    inside: {by: agent, system: networkd}
"""
KEY = "e0c0e4c7-0000-4000-8000-000000000002"


def want_of(folder: Path, text: str = RACK) -> HostWant:
    path = folder / "rack.yaml"
    path.write_text(text)
    return rackfile.wants(path)[0]


def wanted(want: HostWant) -> InsideWant:
    inside = want.vms[0].inside
    assert inside is not None
    return inside


def with_inside(inside: Inside | None) -> HostState:
    vm = VM(name="VM-2", uuid=KEY, persistent=True, running=True, autostart=False)
    inside_of = {} if inside is None else {KEY: inside}
    return bare_host().model_copy(update={"vms": (vm,), "inside": inside_of})


def bond(want: HostWant, **other: object) -> InsideBond:
    (network,) = wanted(want).networks
    legs = tuple(
        InsideLeg(name=f"eth{at}", mac=leg.mac or "", permanent_mac=leg.mac or "", up=True)
        for at, leg in enumerate(network.legs)
    )
    made = InsideBond(
        name="bond0", mode="active-backup", fail_over_mac="active", active="eth0", miimon_ms=80,
        updelay_ms=0, downdelay_ms=0, arp_interval_ms=0, num_grat_arp=3, primary="eth0",
        mac=legs[0].mac, legs=legs,
    )  # fmt: skip
    return made.model_copy(update=other)


def as_wanted(want: HostWant) -> dict[str, InsideFile]:
    return {file.path: InsideFile(mode=file.mode, text=file.text) for file in wanted(want).files}


def script_of(text: str) -> str:
    """What the VM's sh would be given."""
    function, key, order = shlex.split(text)
    assert (function, key) == ("run_inside", KEY)
    return str(json.loads(order)["arguments"]["arg"][1])


def in_guest(text: str, root: Path) -> int:
    """Run it with the guest's /etc elsewhere."""
    there = script_of(text).replace("/etc/systemd", f"{root}/etc/systemd")
    return subprocess.run(["sh", "-c", there], check=False, capture_output=True).returncode


def test_files_are_put_checked_and_taken_back(tmp_path: Path) -> None:
    want = want_of(tmp_path)
    first, *rest = wanted(want).files
    old = InsideFile(mode=0o640, text="it's old $(touch /no)")
    [step] = plan(want, with_inside(Inside(vm=KEY, files={first.path: old}))).build
    there = tmp_path / first.path.lstrip("/")
    there.parent.mkdir(parents=True)
    there.write_text(old.text)
    there.chmod(old.mode)
    assert in_guest(step.check, tmp_path) != 0
    assert in_guest(step.do, tmp_path) == 0
    assert in_guest(step.check, tmp_path) == 0
    assert there.stat().st_mode & 0o777 == first.mode
    assert in_guest(step.undo, tmp_path) == 0
    assert [path.name for path in there.parent.iterdir()] == [there.name]
    assert (there.read_text(), there.stat().st_mode & 0o777) == (old.text, old.mode)
    assert rest


def test_nothing_is_written_twice_and_a_bond_as_wanted_is_silent(tmp_path: Path) -> None:
    want = want_of(tmp_path)
    have = with_inside(Inside(vm=KEY, bonds=(bond(want),), files=as_wanted(want)))
    made = plan(want, have)
    assert (made.build, made.findings, findings(want, have)) == ([], [], [])


@pytest.mark.parametrize(
    "other",
    [
        {"fail_over_mac": "none"},
        {"miimon_ms": 0},
        {"primary": "eth1"},
        {"primary": None},
        {"legs": ()},
        {"name": "bond9"},
    ],
)
def test_a_bond_that_differs_is_told(tmp_path: Path, other: dict[str, object]) -> None:
    want = want_of(tmp_path)
    have = with_inside(Inside(vm=KEY, bonds=(bond(want, **other),), files=as_wanted(want)))
    [finding] = findings(want, have)
    assert plan(want, have).findings == []
    assert finding.severity is Severity.WARNING
    assert finding.about == "VM-2, bond0"


BY_ARP = "arp_interval: 300, arp_ip_targets: [10.8.0.254]"


@pytest.mark.parametrize(
    ("written", "has", "said"),
    [
        (BY_ARP, "active", ""),
        (BY_ARP, "none", "arp_validate is none, wanted active"),
        (f"{BY_ARP}, arp_validate: none", "active", "arp_validate is active, wanted none"),
        (f"{BY_ARP}, arp_validate: none", "none", ""),
        # with miimon nobody asks, and whatever it is means nothing
        ("miimon: 80", "all", ""),
    ],
)
def test_which_answers_count_is_compared_where_it_asks(
    tmp_path: Path, written: str, has: str, said: str
) -> None:
    want = want_of(tmp_path, RACK.replace("miimon: 80", written))
    asks = "arp_interval" in written
    inside = bond(
        want,
        miimon_ms=0 if asks else 80,
        arp_interval_ms=300 if asks else 0,
        arp_ip_targets=("10.8.0.254",) if asks else (),
        arp_validate=has,
    )
    found = findings(want, with_inside(Inside(vm=KEY, bonds=(inside,), files=as_wanted(want))))
    assert [finding.found for finding in found] == ([said] if said else [])


def test_a_silent_agent_stops_nothing_but_is_told(tmp_path: Path) -> None:
    made = plan(want_of(tmp_path), with_inside(Inside(vm=KEY, why_not="no guest agent runs in it")))
    assert made.build == []
    assert [f.severity for f in made.findings] == [Severity.WARNING]


def test_who_does_not_ask_is_not_looked_into(tmp_path: Path) -> None:
    want = want_of(tmp_path, RACK.replace("    inside: {by: agent, system: networkd}\n", ""))
    made = plan(want, with_inside(Inside(vm=KEY)))
    assert (made.build, made.findings) == ([], [])


def test_files_come_in_a_stage_of_their_own(tmp_path: Path) -> None:
    def inside(step: Step) -> bool:
        return "run_inside" in step.do

    stages = chain.plan(want_of(tmp_path), with_inside(Inside(vm=KEY))).stages
    assert [all(map(inside, stage.steps)) for stage in stages if any(map(inside, stage.steps))] == [
        True
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{by: agent, system: cloud-init}", "system"),
        ("{by: agent, system: netplan, files: 1}", "files"),
        ("{by: agent}", "system"),
    ],
)
def test_what_cannot_be(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(RackError, match=said):
        want_of(tmp_path, RACK.replace("{by: agent, system: networkd}", entry))
