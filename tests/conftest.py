"""What holds for every test, and how two workers share them.

Each worker has one lab at a time: an emulated server keeps one processor busy.
"""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# a busy machine is no failure
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# a run in a shell's background ignores Ctrl-C, and so would all that it starts
signal.signal(signal.SIGINT, signal.default_int_handler)

# what a test starts on this machine is not behind the proxy that fetches packages
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = ",".join(filter(None, [os.environ.get(_name), "127.0.0.1,localhost"]))

RACK = "tests/rack/"
BROWSER = "tests/browser/"
GROUPS = {
    "outages": ("test_bonds.py", "test_inside.py", "test_legs.py", "test_mac_", "test_trial.py"),
    "bare": ("test_bare.py",),
    "fleet": ("test_fleet.py",),
}
"""Tests of the rack that may run beside the others, by how their files' names begin: they make
labs of their own, or begin with what they need on whichever lab their worker has."""
FROM_BARE = "test_from_bare.py"
ORDER = ("unit", "rack", "outages", FROM_BARE, "bare", "fleet", "browser")
"""Groups by when they begin: what says most in least time, then the long ones. Each test from bare
makes a lab of its own, so each is a group: two workers end at about the same time."""


def group_of(nodeid: str) -> str:
    """Whose tests one worker has to do, in their order."""
    path = nodeid.partition("::")[0]
    if path.startswith(BROWSER):
        return "browser"
    if not path.startswith(RACK):
        return "unit"
    name = path.removeprefix(RACK)
    if name == FROM_BARE:
        return nodeid
    return next((group for group, files in GROUPS.items() if name.startswith(files)), "rack")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups in their order, in each the tests in theirs."""
    groups = {item: group_of(item.nodeid) for item in items}
    items.sort(
        key=lambda item: ORDER.index(FROM_BARE if groups[item] not in ORDER else groups[item])
    )


class TwoLabs(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Unit tests to one worker, the shared rack to the other, and what is left to whom is done.

    xdist 3.8's own groups do nothing with pytest 9.2: it writes them into a field of that name that
    is read no more.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _reschedule(self, node: Any) -> None:
        """Give a worker its next group when it is at its last test, and not a test earlier.

        What it is given before it must it has to do itself, also if the other has nothing left.
        """
        if self.workqueue and self._pending_of(self.assigned_work[node]) > 1:
            return
        super()._reschedule(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoLabs:
    """For ``pytest -n 2 --dist loadscope``."""
    config.option.loadscopereorder = False
    return TwoLabs(config, log)
