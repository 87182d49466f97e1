"""What holds for every test, and how two workers share them.

Each worker has one lab at a time: an emulated server keeps one processor busy.
"""

from __future__ import annotations

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

RACK = "tests/rack/"
BROWSER = "tests/browser/"
GROUPS = {
    "outages": ("test_bonds.py", "test_inside.py", "test_legs.py", "test_mac_", "test_trial.py"),
    "bare": ("test_bare.py", "test_fleet.py"),
    "from bare": ("test_from_bare.py",),
}
"""Tests of the rack that may run beside the others, by how their files' names begin: they make
labs of their own, or begin with what they need on whichever lab their worker has."""


class TwoLabs(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """The largest group first: unit tests to one worker, the shared rack to the other, and what is
    left to whom is done.

    xdist 3.8's own groups do nothing with pytest 9.2: it writes them into a field of that name that
    is read no more.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if path.startswith(BROWSER):
            return "browser"
        if not path.startswith(RACK):
            return "unit"
        name = path.removeprefix(RACK)
        group = next((group for group, files in GROUPS.items() if name.startswith(files)), "rack")
        # each personality of the BMC has a lab of its own
        return f"{group}, idrac8" if group == "from bare" and "idrac8" in nodeid else group


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoLabs:
    """For ``pytest -n 2 --dist loadscope``."""
    return TwoLabs(config, log)
