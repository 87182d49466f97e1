"""What is drawn of a room: from captures, of any shape, with any name."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl import chain, cli
from sriovctl.errors import UnreachableError
from sriovctl.host import VM, HostState
from sriovctl.hostnet import Bridge, HostBond, HostNetwork
from sriovctl.look import Look
from sriovctl.plan import Finding, Severity
from sriovctl.view.room.detail import detail
from sriovctl.view.room.drawing import host
from sriovctl.view.room.host import server
from sriovctl.view.room.measured import benches, failovers
from sriovctl.view.room.model import Standing, usage
from sriovctl.view.room.pen import fit
from sriovctl.view.room.svg import room_svg
from sriovctl.wanted import HostWant
from tests.unit.chain.worlds import hosts, wants
from tests.unit.probe.test_captures import CAPTURES, state_of
from tests.unit.view.rooms import content, dead, look, looks, page_of, room_of, unplugged

SVG = "{http://www.w3.org/2000/svg}"


def test_the_guides_server() -> None:
    drawn = server(look())
    (bay,) = drawn.bays
    assert [port.name for port in bay.ports] == ["em1", "em2"]
    assert [port.switch for port in bay.ports] == ["switch-1", "switch-2"]
    assert [(one.name, one.over, one.said, one.depth) for one in bay.networks] == [
        ("bond0", ("em1", "em2"), "active-backup: em1", 0),
        ("br0", ("bond0",), "192.0.2.2/24", 1),
    ]
    ends = {one.name: [(end.port, end.index) for end in one.ends] for one in bay.machines}
    assert ends["VM-1"] == []
    assert ends["VM-2"] == [("em1", 0), ("em2", 0)]
    assert bay.ports[0].vfs == ("vm", "free", "free", "free", "free", "vm", "free")
    assert bay.ports[0].held == 2


def test_without_root_no_vf_is_drawn_as_free() -> None:
    drawn = server(look(state=state_of("server-2-guests-not-root")))
    assert not any("free" in port.vfs for port in drawn.ports)
    assert usage(drawn.ports) == "14 VFs, holders not seen"


def test_how_a_host_stands_is_what_check_says() -> None:
    assert server(content()).standing is Standing.WANTED
    assert server(dead()).standing is Standing.UNREACHED
    assert server(unplugged()).ports[1].alive is False
    differs = server(look())
    assert differs.standing is Standing.DIFFERS
    assert {one.name: one.standing for one in differs.machines}["VM-2"] is Standing.DIFFERS
    without = server(look(state=state_of("no-sriov")))
    assert without.standing is Standing.IMPOSSIBLE
    assert [port.standing for port in without.ports] == [Standing.IMPOSSIBLE] * 2


def test_a_host_that_was_seen_but_not_planned_cannot_be() -> None:
    want = look().want
    seen = Look(want, state_of("server-2-guests"), error=UnreachableError("no BMC", "", "ask it"))
    assert server(seen).standing is Standing.IMPOSSIBLE
    assert [finding.mend for finding in server(seen).findings] == ["ask it"]


def test_a_vm_that_would_go_silent_differs() -> None:
    warned = Finding(severity=Severity.WARNING, link="guests", about="VM-2", found="drops")
    drawn = server(dataclasses.replace(content(), unmended=(warned,)))
    assert drawn.standing is Standing.DIFFERS
    assert {one.name: one.standing for one in drawn.machines}["VM-2"] is Standing.DIFFERS
    assert drawn.findings == (warned,)


@given(wants(), hosts())
def test_any_host_is_drawn_and_each_of_its_vfs_and_vms_once(
    want: HostWant, have: HostState
) -> None:
    one = Look(want, have, chain.plan(want, have))
    drawn = server(one)
    names = [port.name for port in drawn.ports]
    assert len(names) == len(set(names))
    there = sum(len(port.vfs) - port.missing for port in drawn.ports)
    assert there == sum(len(pf.vfs) for pf in have.pfs)
    assert {vm.name for vm in have.vms} <= {machine.name for machine in drawn.machines}
    assert {end.port for machine in drawn.machines for end in machine.ends} <= set(names)
    ElementTree.fromstring(room_svg(room_of(one)))
    json.dumps(detail(one, drawn))


@given(st.text(min_size=1))
def test_any_name_leaves_the_drawing_well_formed_and_without_other_elements(name: str) -> None:
    state = state_of("server-2-guests")
    vm = VM(name=name, uuid=None, persistent=True, running=True, autostart=False, taps={name: name})
    bond = HostBond(name=name, options={"mode": name}, legs=("em1", "em2"), active=name)
    network = HostNetwork(bonds=(bond,), bridges=(Bridge(name=f"br{name}", ports=(name,)),))
    hostile = look(name=name, state=state.model_copy(update={"vms": (vm,), "network": network}))
    tags = {element.tag for element in ElementTree.fromstring(room_svg(room_of(hostile))).iter()}
    known = ("svg", "title", "style", "defs", "symbol", "path", "rect", "text", "g", "circle")
    assert tags <= {SVG + tag for tag in (*known, "use")}


def test_shapes_of_a_drawing_are_within_it() -> None:
    for number in (1, 3, 7, 40):
        root = ElementTree.fromstring(room_svg(room_of(*looks(number))))
        width, height = float(root.get("width", 0)), float(root.get("height", 0))
        for part in root.iter(f"{SVG}svg"):
            if part is not root:
                right = float(part.get("x", 0)) + float(part.get("width", 0))
                assert right <= width
                assert float(part.get("y", 0)) + float(part.get("height", 0)) <= height


def test_many_vfs_and_vms_have_room() -> None:
    state = state_of("server-2-guests")
    em1 = state.pfs[0]
    vfs = tuple(em1.vfs[1].model_copy(update={"index": n, "pci": f"v{n}"}) for n in range(256))
    vms = tuple(
        VM(name=f"VM-{n}", uuid=None, persistent=True, running=True, autostart=False)
        for n in range(200)
    )
    em1 = em1.model_copy(update={"vfs": vfs, "numvfs": 256})
    big = state.model_copy(update={"pfs": (em1, state.pfs[1]), "vms": vms})
    drawing = host(server(look(state=big)), ())
    assert 500 < float(drawing.get("height", "0")) < 2000
    assert any("more VMs" in (text.text or "") for text in drawing.iter("text"))


@pytest.mark.parametrize("name", CAPTURES)
def test_every_capture_makes_a_page(name: str) -> None:
    page = page_of(look(state=state_of(name)))
    assert page.count("<script") == 2
    assert "{{" not in page.partition("</style>")[2].partition("<script")[0]


def test_a_page_names_no_other_place() -> None:
    page = page_of(*looks(8))
    places = set(re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]+)""", page))
    assert {place for place in places if not place.startswith("#")} == set()
    assert set(re.findall(r"https?://[^\"'\s<]+", page)) <= {"http://www.w3.org/2000/svg"}


@given(st.text(), st.integers(1, 60))
def test_what_is_cut_off_fits_and_says_so(said: str, columns: int) -> None:
    shown = fit(said, columns)
    assert shown == said or (shown.endswith("…") and said.startswith(shown[:-1].rstrip()))
    assert len(shown) <= max(columns, 1) or shown == said


OUTAGE = {"ms": 76.4, "lost": 76, "sent": 5000, "over": True, "within": True}


def test_the_last_trial_of_a_vm() -> None:
    trial = {
        "date": "2026-01-02T03:04:05.000000+00:00",
        "budget_ms": 100.0,
        "rounds": [{"way": "cable", "leg": "em1", "failover": OUTAGE, "failback": OUTAGE}],
    }
    table = failovers({"VM-2": trial, "VM-3": None, "VM-4": {"rounds": [{}]}})
    assert table is not None
    assert table.rows == (
        ("VM-2", "em1 by cable", "2026-01-02 03:04", *["76 ms, 76 lost"] * 2, "yes (100 ms)"),
    )
    assert failovers({"VM-3": None}) is None


def test_the_last_benchmark() -> None:
    bench = {
        "date": "2026-01-02T03:04:05+00:00",
        "path": "VFs",
        "seconds": 10,
        "measures": {"TCP out": {"unit": "Gbit/s", "values": [9.3, 9.4], "median": 9.35}},
    }
    table = benches({"VM-2": bench, "server-2 itself": None, "VM-4": {"measures": []}})
    assert table is not None
    assert table.rows == (("VM-2", "VFs, 10 s", "2026-01-02 03:04", "TCP out", "9.35 Gbit/s"),)


def test_a_file_that_cannot_be_is_said_before_any_host_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rack = tmp_path / "rack.yaml"
    rack.write_text("hosts: {nowhere.invalid: {pfs: {em1: 7}}}\n")
    assert cli.main(["report", str(rack), "-o", str(tmp_path / "no" / "room.html")]) == 2
    assert "nothing was looked at" in capsys.readouterr().err


def test_a_host_that_is_not_there_is_in_the_picture(tmp_path: Path) -> None:
    (tmp_path / "rack.yaml").write_text(
        "hosts: {nowhere: {address: 127.0.0.1, port: 1, pfs: {em1: 7}}}\n"
    )
    words = [sys.executable, "-m", "sriovctl.cli", "report", "rack.yaml"]
    done = subprocess.run([*words, "-o", "room.html"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert "room.html: 1 no answer" in done.stderr
    assert "nowhere, no answer" in (tmp_path / "room.html").read_text("utf-8")
    done = subprocess.run([*words, "--svg"], cwd=tmp_path, capture_output=True, text=True)
    ElementTree.fromstring(done.stdout)
