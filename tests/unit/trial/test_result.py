"""The figures against a budget, the table's and the picture's words."""

from __future__ import annotations

import dataclasses
import re
from functools import partial
from xml.etree import ElementTree

import pytest

from sriovctl.rackbond import GuestBond
from sriovctl.trial.failover import Round, differences
from sriovctl.trial.learned import Announcement, Move, learned
from sriovctl.trial.monitor import Monitor, of_rack
from sriovctl.trial.picture import svg
from sriovctl.trial.probes import Outage, Probe
from sriovctl.trial.result import Result, measure
from sriovctl.trial.table import print_result
from sriovctl.trial.ways import Skipped
from tests.unit.chain.hostmodel import HostModel
from tests.unit.chain.worlds import bare_host

HOSTILE = "VM<2>&\x1b[2J"


def result(silent_s: float = 0.5, budget_ms: float | None = None, vm: str = "VM-2") -> Result:
    """A leg away from 2 to 4 s, the VM silent from its beginning on."""
    moments = [100 + place / 1000 for place in range(6000)]
    probes = tuple(
        Probe(moment, None if 102 <= moment < 102 + silent_s else moment + 0.001)
        for moment in moments
    )
    told = partial(
        learned,
        [Announcement(102.4, "02:00:00:00:00:02")],
        [Move(102.3, "02:00:00:00:00:02", "s2-em2", "switch-2"), Move(103, "?", "x", "switch-1")],
        ["02:00:00:00:00:01"],
    )
    one = Round(vm, "pf-down", "em1", 101, 102, 104, 106, ("em1", "em2", None))
    return Result(
        date="2026-11-22T12:00:00+00:00",
        host="server-2",
        vm=vm,
        address="10.8.0.12",
        sent_from="here",
        rate=1000,
        monitor=None,
        budget_ms=budget_ms,
        probes=probes,
        measured=measure([one], probes, told),
        skipped=(Skipped("vf-link", "em1", "igb cannot"),),
    )


def test_failover_is_told_apart_from_failback() -> None:
    (one,) = result().measured
    assert one.failover.ms == pytest.approx(501, abs=1)
    assert (one.failover.lost, one.failback.lost, one.lost_before) == (500, 0, 0)


@pytest.mark.parametrize(
    ("budget_ms", "silent_s", "held"),
    [(None, 0.5, True), (600, 0.5, True), (400, 0.5, False), (None, 3, False), (9999, 3, False)],
)
def test_the_budget_holds_or_not(budget_ms: float | None, silent_s: float, held: bool) -> None:
    assert result(silent_s, budget_ms).held is held


def test_what_was_not_seen_has_not_held() -> None:
    seen = result()
    assert not dataclasses.replace(seen, measured=()).held, "all ways were skipped"
    silent = Skipped("cable", "em2", "VM-2: less than half is answered", silent=True)
    assert not dataclasses.replace(seen, skipped=(silent,)).held
    # the sender died while the leg was away: what it sent until then was answered
    (one,) = seen.measured
    unseen = dataclasses.replace(one, failover=Outage(0.0, sent=0, lost=0, over=True))
    assert not dataclasses.replace(seen, measured=(unseen,)).held


def test_rate_is_what_was_sent() -> None:
    assert result().sent_rate == pytest.approx(1000)


def test_json_has_all_figures() -> None:
    told = result(budget_ms=400).as_json()
    assert told["held"] is False
    (one,) = told["rounds"]
    assert one["carried"] == {"before": "em1", "away": "em2", "after": None}
    assert one["failover"]["within"] is False
    assert one["failover"]["learned"] == {
        "arp_ms": pytest.approx(400),
        "switches_ms": {"switch-2": pytest.approx(300)},
    }
    assert one["failback"]["learned"] == {"arp_ms": None, "switches_ms": {}}
    assert one["failback"]["within"] is True
    assert told["skipped"][0]["why"] == "igb cannot"


@pytest.mark.parametrize("vm", ["VM-2", HOSTILE])
def test_picture_is_xml_and_within_its_frame(vm: str) -> None:
    tree = ElementTree.fromstring(svg([result(vm=vm)]))
    width, height = (float(tree.attrib[key]) for key in ("width", "height"))
    (line,) = tree.iter("{http://www.w3.org/2000/svg}polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    texts = " ".join(text.text or "" for text in tree.iter("{http://www.w3.org/2000/svg}text"))
    assert "leg away" in texts
    assert "leg back" in texts
    assert {"ARP", "switch-2"} <= set(texts.split())
    assert "501 ms" in texts or "500 ms" in texts


def test_picture_has_every_colour_for_light_and_dark() -> None:
    light, _, dark = svg([result()]).partition("prefers-color-scheme:dark")
    coloured = r"([.\w]+){[^}]*(?:fill|stroke):#"
    assert set(re.findall(coloured, light)) == set(re.findall(coloured, dark))


def test_table_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(result(budget_ms=400, vm=HOSTILE))
    said = capsys.readouterr().out
    assert "\x1b[2J" not in said
    assert re.search(
        r"pf-down +em1 +failover +50\d ms +500 +em1 → em2 +ARP 400 ms, switch-2 300 ms +over", said
    )
    assert re.search(r"failback +0 ms +0 +em2 → \? +within 400 ms", said)
    assert "skipped  vf-link, em1: igb cannot" in said


def test_what_is_not_back_is_found() -> None:
    model = HostModel(bare_host())
    model.set_numvfs("0000:01:00.0", "2")
    before = model.state
    assert list(differences(before, before)) == []
    pf = before.pfs[0]
    vf = pf.vfs[1].model_copy(update={"spoofchk": "off"})
    down = pf.model_copy(update={"up": not pf.up, "vfs": (pf.vfs[0], vf)})
    after = before.model_copy(update={"pfs": (down, *before.pfs[1:])})
    found = list(differences(before, after))
    assert len(found) == 2
    assert "em1 VF 1: spoofchk" in found[1]


def test_detection_is_the_monitors() -> None:
    assert of_rack(GuestBond.model_validate({})) is None
    arp = of_rack(GuestBond.model_validate({"arp_interval": 300}))
    assert arp is not None
    assert "600 to 900 ms" in arp.detection
    any_frame = of_rack(GuestBond.model_validate({"arp_interval": 300, "arp_validate": "none"}))
    assert any_frame is not None
    assert "750 to 1050 ms" in any_frame.detection
    assert Monitor(0, 300, arp_only=True).notices_ms == (600, 900)
    assert Monitor(0, 0).notices_ms is None
    link = of_rack(GuestBond.model_validate({"miimon": 80, "downdelay": 100}))
    assert link is not None
    assert "180 ms" in link.detection
