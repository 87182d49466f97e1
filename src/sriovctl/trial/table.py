"""A trial's result as a person reads it. Imports rich."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from sriovctl.trial.learned import Learned
from sriovctl.trial.probes import Outage
from sriovctl.trial.result import Result
from sriovctl.view.harmless import harmless
from sriovctl.view.text import BAD, GOOD, NOTHING, Cell, put, screen, table


def print_result(result: Result) -> None:
    """On standard output."""
    out = screen()
    out.print(
        Text(
            harmless(
                f"{result.vm} at {result.address}: {result.sent_rate:.0f} packets/s sent of "
                f"{result.rate:.0f} asked, from {result.sent_from}"
            ),
            style="bold",
        )
    )
    if result.monitor is not None:
        out.print(Text(f"its bond's monitor: {result.monitor.detection}"))
    if noise := sum(one.lost_before for one in result.measured):
        out.print(Text(f"lost before anything was done: {noise}"))
    headings = ("way", "leg", "event", "outage", "lost", "carried", "peers told", "")
    put(out, table(headings, _rows(result), right="outage lost"))
    for skipped in result.skipped:
        out.print(Text(harmless(f"skipped  {skipped.name}, {skipped.leg}: {skipped.why}")))


def _rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    for one in result.measured:
        before, meanwhile, after = (leg or "?" for leg in one.round.carried)
        yield (
            one.round.way, one.round.leg, "failover", _ms(one.failover), str(one.failover.lost),
            f"{before} → {meanwhile}", _told(one.learned[0]), _verdict(result, one.failover),
        )  # fmt: skip
        yield (
            "", "", "failback", _ms(one.failback), str(one.failback.lost),
            f"{meanwhile} → {after}", _told(one.learned[1]), _verdict(result, one.failback),
        )  # fmt: skip
    if not result.measured:
        yield (NOTHING,) * 8


def _ms(one: Outage) -> str:
    return f"{'' if one.over else '> '}{one.ms:.0f} ms"


def _told(one: Learned) -> str:
    times = {"ARP": one.arp_ms, **one.switches_ms}
    return ", ".join(f"{who} {ms:.0f} ms" for who, ms in times.items() if ms is not None)


def _verdict(result: Result, one: Outage) -> Cell:
    if one.sent == 0:
        return Text("nothing was sent", style=BAD)
    if not one.over:
        return Text("not over", style=BAD)
    if result.budget_ms is None:
        return ""
    if result.within_budget(one):
        return Text(f"within {result.budget_ms:g} ms", style=GOOD)
    return Text(f"over {result.budget_ms:g} ms", style=BAD)
