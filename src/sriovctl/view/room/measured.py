"""Trials and benchmarks that were kept on the controller, as tables of the page. Pure.

A document that is not of the form that :mod:`sriovctl.trial.result` writes is left out: it is of
another version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sriovctl.view.harmless import harmless
from sriovctl.view.room.detail import Table

Document = dict[str, Any]


def failovers(documents: Mapping[str, Document | None]) -> Table | None:
    """The last failover trial of each VM, a row a leg taken; None where there was none."""
    rows: list[tuple[str, ...]] = []
    for vm, document in documents.items():
        if document is None:
            continue
        try:
            rows += _rounds(vm, document)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    headings = ("VM", "taken", "when", "leg gone", "leg back", "within budget")
    return Table("Last failover trials", headings, tuple(rows)) if rows else None


def _rounds(vm: str, document: Document) -> Iterator[tuple[str, ...]]:
    budget = document["budget_ms"]
    for one in document["rounds"]:
        held = one["failover"]["within"] and one["failback"]["within"]
        yield (
            harmless(vm),
            harmless(f"{one['leg']} by {one['way']}"),
            harmless(str(document["date"])[:16].replace("T", " ")),
            _outage(one["failover"]),
            _outage(one["failback"]),
            ("yes" if held else "no") + (f" ({budget:g} ms)" if budget is not None else ""),
        )


def _outage(one: Document) -> str:
    more = "" if one["over"] else "more than "
    return f"{more}{one['ms']:.0f} ms, {one['lost']:d} lost"
