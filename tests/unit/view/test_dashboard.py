"""The dashboard's queries, answered by a Prometheus that has scraped what metrics tells."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from sriovctl.counted import COUNTERS, Applied, Counted
from sriovctl.lab.access import free_ports
from tests.unit.view.rooms import dead, look
from tests.unit.view.test_metrics import room

DASHBOARD = Path(__file__).parents[3] / "contrib" / "grafana" / "sriovctl.json"
PATIENCE_S = 120.0
"""For a server to have started and looked a few times, on a busy machine."""
SCRAPES = 3
"""Two give a rate; the range of it must not begin before the first."""


class Moving(Collector):
    """A host whose VFs count, and one that is dead."""

    def __init__(self) -> None:
        self.moved = 0

    def collect(self) -> Iterator[Metric]:
        self.moved += 1000
        vfs = {index: dict.fromkeys(COUNTERS.values(), self.moved) for index in range(7)}
        counted = Counted({"em1": vfs}, Applied(time.time(), "undone"))
        return room(look("a"), dead("b"), counted=counted).collect()


class Prometheus:
    """The server's HTTP interface."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._url}/{path}?{query}") as answer:
            return json.load(answer)["data"]

    def ask(self, query: str) -> list[dict[str, str]]:
        """The labels of each series that a query gives now."""
        found = self.get("query", query=query)["result"]
        return [one["metric"] for one in found]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if holds():
                return
        except OSError:  # it does not listen yet
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus here: install it (scripts/setup does)")
    folder = tmp_path_factory.mktemp("prometheus")
    registry = CollectorRegistry()
    registry.register(Moving())
    server, _ = start_http_server(0, "127.0.0.1", registry)
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        "scrape_configs: [{job_name: room, honor_labels: true, "
        f"static_configs: [{{targets: ['127.0.0.1:{server.server_port}']}}]}}]\n"
    )
    (port,) = free_ports(1)
    words = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    started = subprocess.Popen(
        [program, *words, f"--web.listen-address=127.0.0.1:{port}"],
        stderr=(folder / "log").open("w"),
    )
    one = Prometheus(port)
    looks = "count_over_time(sriovctl_look_timestamp_seconds[1m])"
    try:
        until(lambda: bool(one.ask(f"{looks} >= {SCRAPES}")))
        yield one
    finally:
        started.terminate()
        started.wait()
        server.shutdown()
        server.server_close()


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return found


def filled(query: str) -> str:
    """As Grafana fills it in where all racks are chosen."""
    return query.replace("$rack", ".*").replace("$__rate_interval", "1m")


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_every_panel_has_something_to_show(prometheus: Prometheus, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        series = prometheus.ask(filled(target["expr"]))
        assert series
        # a label without a value is none to Prometheus
        labels = set().union(*series)
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels


def test_racks_can_be_chosen(prometheus: Prometheus) -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    (rack,) = (one for one in dashboard["templating"]["list"] if one["name"] == "rack")
    asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", rack["query"]["query"])
    assert asked is not None
    assert prometheus.get(f"label/{asked[2]}/values", **{"match[]": asked[1]}) == ["room"]
