"""A bench's figures in words, kept, compared, drawn."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from sriovctl.trial.bench.command import host_address
from sriovctl.trial.bench.picture import svg
from sriovctl.trial.bench.result import Circumstances, Measured, Result, figures, number
from sriovctl.trial.bench.run import Path
from sriovctl.trial.bench.table import print_result

ABOUT = Circumstances("2026-11-22T12:00:00+00:00", "room", "server-2", "6.12", "here", 5)
HOSTILE = "VM<2>&\x1b[2J"


def result(name: str = "VM-2", kernel_before: str = "6.1") -> Result:
    """VFs at three quarters of the bridge, which was twice as fast the last time."""
    vf = Path(name, "VFs", "10.8.0.12", "igb")
    bridge = Path("VM-1", "bridge", "10.8.0.11", "igb")
    slow = figures({"tcp_to": [340, 352, 348], "latency_p99": [2.0], "small_to": []})
    fast = figures({"tcp_to": [464]})
    other = Circumstances("2026-11-20T12:00:00+00:00", "room", "server-2", kernel_before, "here", 5)
    then = Measured(bridge, figures({"tcp_to": [928]}), None).document(other)
    return Result(ABOUT, (Measured(vf, slow, None), Measured(bridge, fast, then)), ("why not",))


def test_a_figure_is_its_median_and_spread() -> None:
    assert result().measured[0].figures["tcp_to"].text == "348 (340 to 352) Mbit/s"
    assert result().measured[1].figures["tcp_to"].text == "464 Mbit/s"
    assert "small_to" not in result().measured[0].figures


def test_a_document_tells_all_that_a_comparison_needs() -> None:
    document = result().measured[0].document(ABOUT)
    assert {"date", "rack", "host", "kernel", "driver", "path", "sent_from"} <= set(document)
    assert document["measures"]["tcp_to"]["median"] == 348
    assert result().as_json()["paths"][0]["before"] is None


def test_table_says_ratio_and_what_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(result(HOSTILE))
    said = capsys.readouterr().out
    assert "\x1b[2J" not in said
    assert re.search(r"TCP to it +348 \(340 to 352\) Mbit/s +464 Mbit/s +0\.75", said)
    assert "VM-1 since 2026-11-20T12:00, Linux 6.1: TCP to it 928 → 464 Mbit/s" in said
    assert "skipped  why not" in said


@pytest.mark.parametrize("name", ["VM-2", HOSTILE])
def test_picture_is_xml_and_within_its_frame(name: str) -> None:
    tree = ElementTree.fromstring(svg(result(name)))
    width, height = (float(tree.attrib[key]) for key in ("width", "height"))
    for bar in tree.iter("{http://www.w3.org/2000/svg}rect"):
        x, y = (float(bar.attrib.get(key, 0)) for key in ("x", "y"))
        assert x + float(bar.attrib["width"]) <= width
        assert y + float(bar.attrib["height"]) <= height


@pytest.mark.parametrize(
    ("value", "text"), [(14300.4, "14300"), (348, "348"), (6.731, "6.73"), (0.0421, "0.0421")]
)
def test_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_the_hosts_address_is_in_the_vms_network() -> None:
    own = ["192.0.2.1/24", "fd00::2/64", "10.8.0.2/24"]
    assert host_address(own, ["10.8.0.12"]) == "10.8.0.2"
    assert host_address(own, ["fd00::12"]) == "fd00::2"
    assert host_address(own, ["10.9.0.12"]) is None
