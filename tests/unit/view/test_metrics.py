"""What Prometheus is told."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample as Read

from sriovctl.counted import COUNTERS, Applied, Counted
from sriovctl.host import VM
from sriovctl.look import Look
from sriovctl.view.metrics import Told, samples
from tests.unit.probe.test_captures import state_of
from tests.unit.view.rooms import SEEN, dead, look
from tests.unit.view.test_room import OUTAGE

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "metrics.md"
TRIAL = {
    "date": "2026-01-02T03:04:05+00:00",
    "held": True,
    "rounds": [{"way": "cable", "leg": "em1", "failover": OUTAGE, "failback": OUTAGE}],
}


COUNTED = Counted(
    {"em1": {index: dict.fromkeys(COUNTERS.values(), 100 + index) for index in range(7)}},
    Applied(1_700_000_000, "undone"),
)


def room(*looks: Look, counted: Counted = COUNTED) -> Told:
    trials = {"VM-2": TRIAL, "VM-3": None}
    nothing = Counted()
    numbers = tuple(
        (one.want.name, samples(one, trials, counted if one.have else nothing)) for one in looks
    )
    return Told("room", numbers, SEEN)


def told(*looks: Look) -> str:
    registry = CollectorRegistry()
    registry.register(room(*looks))
    return generate_latest(registry).decode()


def read(text: str) -> list[Read]:
    """As Prometheus reads it."""
    families = text_string_to_metric_families(text)
    return [sample for family in families for sample in family.samples]


def value(found: list[Read], name: str, **labels: str) -> float:
    (one,) = (
        sample.value
        for sample in found
        if sample.name == f"sriovctl_{name}" and sample.labels.items() >= labels.items()
    )
    return float(one)


def test_the_guides_server() -> None:
    found = read(told(look("a"), dead("b")))
    em1 = {"host": "a", "pf": "em1"}
    assert value(found, "vfs_wanted", **em1) == value(found, "vfs_present", **em1) == 7
    assert value(found, "vfs_held", holder="vm", **em1) == 2
    assert value(found, "vfs_free", pool="passthrough_em1", **em1) == 5
    assert value(found, "link_up", switch="switch-1", **em1) == 1
    assert value(found, "link_speed_bytes_per_second", **em1) == 125e6
    assert value(found, "standing", host="a", standing="differs") == 1
    assert value(found, "up", host="b") == 0
    assert value(found, "vf_receive_bytes_total", vf="3", host="a") == 103
    vms = {one.labels["vm"] for one in found if one.name == "sriovctl_vf_transmit_packets_total"}
    assert {"VM-2", ""} <= vms
    assert value(found, "apply_timestamp_seconds", host="a") == 1_700_000_000
    assert value(found, "apply_end", end="undone") == 1
    assert value(found, "apply_end", end="changed") == 0
    outage = {"vm": "VM-2", "leg": "em1", "phase": "failover", "host": "a"}
    assert value(found, "trial_outage_seconds", **outage) == pytest.approx(0.0764)
    assert value(found, "look_timestamp_seconds") == SEEN.timestamp()


def test_each_host_stands_in_exactly_one_way() -> None:
    stands = [one for one in read(told(look("a"), dead("b"))) if one.name == "sriovctl_standing"]
    for host in ("a", "b"):
        assert sum(one.value for one in stands if one.labels["host"] == host) == 1


def test_without_root_nothing_is_called_free() -> None:
    names = {one.name for one in read(told(look(state=state_of("server-2-guests-not-root"))))}
    assert "sriovctl_vfs_present" in names
    assert not names & {"sriovctl_vfs_free", "sriovctl_vfs_held"}


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_no_name_breaks_a_line_or_makes_a_series_twice(names: list[str]) -> None:
    vms = tuple(
        VM(name=name, uuid=None, persistent=True, running=True, autostart=False)
        for name in (*names, "a\x1b", "a\\x1b")
    )
    state = state_of("server-2-guests").model_copy(update={"vms": vms})
    found = read(told(look(state=state)))
    series = [(one.name, *sorted(one.labels.items())) for one in found]
    assert len(series) == len(set(series))


def test_the_page_lists_them_all() -> None:
    names = {one.name for one in read(told(look("a"), dead("b")))}
    assert set(re.findall(r"`(sriovctl_\w+)`", PAGE.read_text("utf-8"))) == names


def test_prometheus_own_words_for_names_and_units() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: install prometheus (scripts/setup does)")
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=told(look("a"), dead("b")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_file_and_a_port(tmp_path: Path) -> None:
    (tmp_path / "rack.yaml").write_text(
        "hosts: {nowhere: {address: 127.0.0.1, port: 1, pfs: {em1: 7}}}\n"
    )
    words = [sys.executable, "-m", "sriovctl.cli", "metrics", "rack.yaml"]
    subprocess.run([*words, "-o", "room.prom"], cwd=tmp_path, check=True)
    assert 'sriovctl_up{host="nowhere",rack="rack"} 0.0' in (tmp_path / "room.prom").read_text()
    assert (tmp_path / "room.prom").stat().st_mode & 0o777 == 0o644
    serving = subprocess.Popen(
        [*words, "--listen", "0"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    try:
        assert serving.stderr is not None
        said = serving.stderr.readline()
        port = re.search(r"port (\d+)", said)
        assert port is not None, said
        with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/metrics") as answer:
            assert 'sriovctl_up{host="nowhere"' in answer.read().decode()
    finally:
        serving.terminate()
        serving.communicate()
