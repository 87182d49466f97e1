"""What holds for every test, and how two workers share them.

Each worker has one lab at a time: an emulated server keeps one processor busy.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# a busy machine is no failure
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

RACK = Path(__file__).parent / "rack"
OWN_LABS = ("test_bare.py", "test_from_bare.py")
ORDER = ("unit", "rack", "bare")
"""The second worker takes the shared rack at once, the first the bare ones after the unit tests."""


def _group(item: pytest.Item) -> str:
    if not item.path.is_relative_to(RACK):
        return "unit"
    return "bare" if item.path.name in OWN_LABS else "rack"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests of one group go to one worker (pytest-xdist, --dist loadgroup).

    xdist reads the marks before any conftest's pytest_collection_modifyitems.
    """
    item.add_marker(pytest.mark.xdist_group(_group(item)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups in their order."""
    items.sort(key=lambda item: ORDER.index(_group(item)))
