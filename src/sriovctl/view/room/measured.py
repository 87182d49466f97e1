"""Trials and benchmarks that were kept on the controller, as tables of the page. Pure.

A document that is not of the form that docs/trial.md says is left out: it is of another version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sriovctl.view.harmless import harmless
from sriovctl.view.room.detail import Table

Document = dict[str, Any]


def failovers(documents: Mapping[str, Document | None]) -> Table | None:
    """The last failover trial of each VM, a row a leg taken; None where there was none."""
    headings = ("VM", "taken", "when", "leg gone", "leg back", "within budget")
    return _table("Last failover trials", headings, documents, _rounds)


def benches(documents: Mapping[str, Document | None]) -> Table | None:
    """The last benchmark of each VM and of the host itself, a row a figure."""
    headings = ("of", "over", "when", "measure", "median")
    return _table("Last benchmarks", headings, documents, _figures)


def _table(
    title: str,
    headings: tuple[str, ...],
    documents: Mapping[str, Document | None],
    rows_of: Callable[[str, Document], Iterator[tuple[str, ...]]],
) -> Table | None:
    rows: list[tuple[str, ...]] = []
    for name, document in documents.items():
        try:
            rows += [] if document is None else [*rows_of(name, document)]
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return Table(title, headings, tuple(rows)) if rows else None


def _when(document: Document) -> str:
    return harmless(str(document["date"])[:16].replace("T", " "))


def _figures(name: str, document: Document) -> Iterator[tuple[str, ...]]:
    over = f"{document['path']}, {document['seconds']:g} s"
    for measure, figure in document["measures"].items():
        said = f"{figure['median']:.4g} {figure['unit']}"
        yield harmless(name), harmless(over), _when(document), harmless(measure), harmless(said)


def _rounds(vm: str, document: Document) -> Iterator[tuple[str, ...]]:
    budget = document["budget_ms"]
    for one in document["rounds"]:
        held = one["failover"]["within"] and one["failback"]["within"]
        yield (
            harmless(vm),
            harmless(f"{one['leg']} by {one['way']}"),
            _when(document),
            _outage(one["failover"]),
            _outage(one["failback"]),
            ("yes" if held else "no") + (f" ({budget:g} ms)" if budget is not None else ""),
        )


def _outage(one: Document) -> str:
    more = "" if one["over"] else "more than "
    return f"{more}{one['ms']:.0f} ms, {one['lost']:d} lost"
