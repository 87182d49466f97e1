"""What sriovctl keeps on a host, the probe reads back: else apply would never come to an end."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from sriovctl import probe
from sriovctl.chain import persistence


@pytest.mark.parametrize("path", persistence.PATHS)
def test_probe_reads_what_is_kept(path: str) -> None:
    loop = re.search(r"^for file in (/etc/sriovctl.*?); do$", probe.script(), re.M | re.S)
    assert loop is not None
    assert any(fnmatchcase(path, pattern) for pattern in loop[1].replace("\\\n", " ").split())
