"""All that the page shows of one host when it is opened, as JSON: words, no markup. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from rich.text import Text

from sriovctl.host import HostState
from sriovctl.look import Look
from sriovctl.plan import Finding, Impact, Link, Plan
from sriovctl.view.harmless import harmless
from sriovctl.view.host import machine, parts
from sriovctl.view.room.host import of_link
from sriovctl.view.room.model import Server, Standing
from sriovctl.view.text import ROOMY, Cell, count

UNKNOWN = "not looked at"
"""Where ``check`` has no opinion."""


@dataclass(frozen=True)
class Table:
    """Something measured on a host: a trial, a benchmark."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def detail(look: Look, server: Server, measured: Sequence[Table] = ()) -> Markup:
    """A host in words, as JSON that can stand in a page: without ``<``, ``>`` and ``&``.

    :param measured: what was found on it earlier
    """
    state = look.have
    tables = (
        [_table(part.title, part.headings, part.rows) for part in parts(state, ROOMY)]
        if state
        else []
    )
    words = {
        "name": server.name,
        "standing": server.standing.value,
        "summary": server.summary,
        "chain": list(_chain(look)),
        "facts": list(_facts(state)) if state is not None else [],
        "steps": list(_steps(look.plan)) if look.plan is not None else [],
        "findings": [_finding(finding) for finding in server.findings],
        "tables": [_table(one.title, one.headings, one.rows) for one in measured] + tables,
    }
    return htmlsafe_json_dumps(words, ensure_ascii=False, separators=(",", ":"))


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> dict[str, Any]:
    cells = [[_plain(cell) for cell in row] for row in rows]
    return {"title": harmless(title), "headings": list(headings), "rows": cells}


def _plain(cell: Cell) -> str:
    return cell.plain if isinstance(cell, Text) else harmless(cell)


def _facts(state: HostState) -> Iterator[tuple[str, str]]:
    yield "system", harmless(f"{state.system.os}, kernel {state.kernel.release}")
    for label, said in machine(state):
        yield label.strip(), said.plain


def _steps(plan: Plan) -> Iterator[list[str]]:
    for step in plan.steps:
        impact = "" if step.impact is Impact.NONE else step.impact.value
        yield [step.link, harmless(step.title), harmless(step.reason), impact]


def _finding(finding: Finding) -> list[str]:
    return [finding.severity.value, finding.about, finding.found, finding.means, finding.mend]


def _chain(look: Look) -> Iterator[tuple[str, str, str]]:
    """Each link, how it stands, and what there is of it."""
    for name in get_args(Link):
        said = _said(name, look.have) if look.have is not None else ""
        known = look.plan is not None and (name != "firmware" or look.want.bmc is not None)
        standing = of_link(look, name) if known else None
        if look.have is None:
            standing = Standing.UNREACHED
        if name == "firmware" and look.want.bmc is None:
            said = "the rack file names no BMC"
        yield name, standing.value if standing is not None else UNKNOWN, said


def _said(name: Link, state: HostState) -> str:
    if name == "kernel":
        groups = state.kernel.iommu_groups
        return f"IOMMU active, {count(groups, 'group', 'groups')}" if groups else "no IOMMU"
    if name == "nics":
        vfs = sum(pf.numvfs for pf in state.pfs)
        held = len(state.holders())
        return f"{count(len(state.pfs), 'PF', 'PFs')}, {count(vfs, 'VF', 'VFs')}, {held} held"
    if name == "pools":
        return f"{sum(pool.active for pool in state.pools)} of {len(state.pools)} active"
    if name == "guests":
        return f"{sum(vm.running for vm in state.vms)} of {len(state.vms)} VMs run"
    if name == "bonds":
        bonds = (f"{bond.name} over {' and '.join(bond.legs)}" for bond in state.network.bonds)
        return harmless(", ".join(bonds)) or "none"
    return ""
