"""What tests of a lab's processes share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """A folder for sockets: the path of one has at most 107 bytes (man 7 unix)."""
    with tempfile.TemporaryDirectory(prefix="sriovctl-", dir="/tmp") as made:
        yield Path(made)
