"""Which cards a trial takes for the VM's pair, from the rack file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriovctl import rackfile
from sriovctl.targets import Target
from sriovctl.trial.command import _macs
from tests.unit.probe.test_captures import state_of


@pytest.mark.parametrize("macs", ["shared", "active", "open"])
def test_both_legs_have_an_address_whatever_the_policy(tmp_path: Path, macs: str) -> None:
    file = tmp_path / "rack.yaml"
    file.write_text(
        "hosts: {server-2: {pfs: {em1: 7, em2: 7}}}\n"
        f"vms: {{VM-2: {{pairs: [{{macs: {macs}}}]}}}}\n"
    )
    (want,) = rackfile.wants(file)
    found = _macs(Target(name="server-2", want=want), "VM-2", 0, state_of("server-2-guests"))
    assert set(found) == {"em1", "em2"}
    assert len(set(found.values())) == (1 if macs == "shared" else 2)
