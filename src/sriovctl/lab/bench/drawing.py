"""A room of many hosts: what it costs to look, plan and draw, and how soon its page is open."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sriovctl import chain, probe
from sriovctl.lab.bench import facts
from sriovctl.lab.bench.facts import Size
from sriovctl.lab.bench.figures import Series, verdict
from sriovctl.lab.bench.planning import files_of
from sriovctl.look import Look
from sriovctl.report import Drawn, draw
from sriovctl.view.room import page
from sriovctl.view.room.model import room

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SIZE = Size(pfs=2, vms=16, each=64)
"""128 VFs a host."""
HOSTS = 1000
OPENED = 500
OPEN_S = 2.0
MEMORY_KB = 100.0
COLUMNS = ("what", "taken", "verdict")

_PAINTED = """
const done = arguments[arguments.length - 1];
requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() / 1000)));
"""
_OPENED = """
const done = arguments[arguments.length - 1];
const began = performance.now();
document.querySelector(".hosts button").click();
requestAnimationFrame(() =>
  requestAnimationFrame(() => done((performance.now() - began) / 1000)));
"""


def measure(rounds: int) -> Iterator[tuple[str, str, str]]:
    """Rows of :data:`COLUMNS`."""
    want = facts.wanted(SIZE)
    first = chain.plan(want, probe.parse(facts.bare(SIZE)))
    answer = facts.as_wanted(SIZE, files_of(first))
    before, began = _resident_kb(), time.process_time()
    drawn = [_look(f"kvm-{number:04}", answer) for number in range(HOSTS)]
    taken, grown = time.process_time() - began, (_resident_kb() - before) / HOSTS
    each = f"{HOSTS} hosts × {SIZE.vfs} VFs and {SIZE.vms} VMs"
    yield (
        f"{each}: parsed, planned and drawn",
        f"{taken:.1f} s CPU, {1e3 * taken / HOSTS:.0f} ms a host",
        "",
    )
    yield "memory a host", f"{grown:.0f} kB", verdict(grown, MEMORY_KB, "kB")
    began = time.process_time()
    text = _page(drawn)
    taken = time.process_time() - began
    yield "its page written", f"{taken:.1f} s CPU, {len(text.encode()) / 1e6:.1f} MB", ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    yield "most memory in all", f"{peak:.0f} MB", ""
    yield from _opening(drawn[:OPENED], rounds)


def _look(name: str, answer: str) -> Drawn:
    want = facts.wanted(SIZE).model_copy(update={"name": name})
    have = probe.parse(answer)
    return draw(Look(want, have, chain.plan(want, have)))


def _page(drawn: list[Drawn]) -> str:
    whole = room("bench", tuple(one.server for one in drawn))
    words = [one.words for one in drawn]
    return page.page(whole, words, rack="rack.yaml", seen=datetime.now(UTC))


def _opening(drawn: list[Drawn], rounds: int) -> Iterator[tuple[str, str, str]]:
    from sriovctl.lab.bench import chromium

    what = f"the page of {len(drawn)} hosts open and painted"
    if not (chromium.PROGRAM.exists() and chromium.DRIVER.exists()):
        yield what, "not measured: no Chromium", ""
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "room.html"
        path.write_text(_page(drawn), "utf-8")
        painted, worked, opened = [], [], []
        with chromium.chromium(Path(folder) / "profile") as driver:
            driver.set_script_timeout(60)
            driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
            for _ in range(rounds):
                driver.get("about:blank")
                before = _at_work(driver)
                driver.get(path.as_uri())
                painted.append(float(driver.execute_async_script(_PAINTED)))
                worked.append(_at_work(driver) - before)
                opened.append(float(driver.execute_async_script(_OPENED)))
    whole = Series(what, tuple(painted))
    yield what, whole.text("s"), verdict(whole.median, OPEN_S, "s")
    yield "of that, its thread at work", f"{Series('', tuple(worked)).text('s')} CPU", ""
    yield "one of its hosts opened", Series("", tuple(opened)).text("ms"), ""


def _at_work(driver: Chrome) -> float:
    """CPU seconds of the page's main thread so far."""
    answer = driver.execute_cdp_cmd("Performance.getMetrics", {})
    metrics = {metric["name"]: metric["value"] for metric in answer["metrics"]}
    return float(metrics["TaskDuration"])


def _resident_kb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e3
