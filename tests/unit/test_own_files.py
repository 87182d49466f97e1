"""What sriovctl keeps on a host, the probe reads back: else apply would never come to an end."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatchcase

import pytest

from sriovctl import probe
from sriovctl.chain import persistence
from sriovctl.wanted import HostWant


@pytest.mark.parametrize("path", persistence.PATHS)
def test_probe_reads_what_is_kept(path: str) -> None:
    loop = re.search(r"^for file in (/etc/sriovctl.*?); do$", probe.script(), re.M | re.S)
    assert loop is not None
    assert any(fnmatchcase(path, pattern) for pattern in loop[1].replace("\\\n", " ").split())


def test_nothing_of_what_is_kept_is_left_out() -> None:
    """The probe leaves lines of libvirt's and sysfs' files out that say nothing."""
    left_out = re.search(r"^grep -asHv (.*)$", probe.script(), re.M)
    assert left_out is not None
    patterns = [word for word in shlex.split(left_out[1]) if word not in ("-e", "$@")]
    port = persistence.Port("0000:01:00.0", "02:00:00:00:00:01", 7, True, ("0 vlan 7",), ())
    texts = persistence.wanted_files(HostWant(rack="r", name="h", pfs=()), [port])
    assert set(texts) == set(persistence.PATHS)
    lines = [line for text in texts.values() for line in text.splitlines()]
    assert [line for line in lines for pattern in patterns if re.search(pattern, line)] == []
