"""Which module may import which: the arrows go one way, from the command line down to the facts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sriovctl

ROOT = Path(sriovctl.__file__).parent
LINKS = ("firmware", "kernel", "nics", "pools", "guests", "bonds")


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in ROOT.rglob("*.py")}


def imported(tree: ast.AST) -> Iterator[str]:
    """What a module imports, at once or later; not what only its types need."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.ImportFrom(module=str(module)):
                names = [f"{module}.{one.name}" for one in node.names]
                yield from (name if name in MODULES else module for name in names)
            case ast.Import():
                yield from (one.name for one in node.names)
        yield from imported(node)


ARROWS = {
    name: frozenset(imported(ast.parse(path.read_text("utf-8")))) - {name}
    for name, path in MODULES.items()
}


def importers(package: str) -> set[str]:
    """Who imports a package or something in it, from outside."""
    return {
        name
        for name, targets in ARROWS.items()
        if not f"{name}.".startswith(f"{package}.")
        and any(f"{target}.".startswith(f"{package}.") for target in targets)
    }


def test_no_module_needs_itself() -> None:
    own = {name: {one for one in to if one in MODULES} for name, to in ARROWS.items()}
    try:
        TopologicalSorter(own).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("sriovctl.cli", set()),
        ("sriovctl.commandline", {"sriovctl.cli"}),
        ("sriovctl.verbs", set()),
        # for a leg by hand: it tells what apply tells
        ("sriovctl.applying", {"sriovctl.legverbs"}),
        ("sriovctl.legverbs", set()),
        ("sriovctl.fleet", {"sriovctl.inventory", "sriovctl.targets"}),
    ],
)
def test_nobody_below_knows_who_is_above(package: str, allowed: set[str]) -> None:
    assert importers(package) <= allowed


def test_no_link_knows_another() -> None:
    for link in LINKS:
        others = {f"sriovctl.chain.{other}" for other in LINKS if other != link}
        assert not ARROWS[f"sriovctl.chain.{link}"] & others, link


def test_only_the_fleet_knows_pyinfra() -> None:
    assert all(name.startswith("sriovctl.fleet.") for name in importers("pyinfra"))
    assert importers("pyinfra")
