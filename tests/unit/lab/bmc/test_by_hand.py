"""`python -m sriovctl.lab.bmc`, as somebody would try it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from sriovctl.lab.bmc.control import ask


def test_it_says_where_it_is_and_ends_when_told(tmp_path: Path) -> None:
    control = tmp_path / "control"
    command = [sys.executable, "-m", "sriovctl.lab.bmc", "--personality", "idrac8"]
    with subprocess.Popen(
        [*command, "--control", str(control)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        state = ask(control, do="state")
        assert said == f"idrac8: {state['url']}/redfish/v1\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not control.exists()


def test_a_personality_that_is_not_there() -> None:
    command = [sys.executable, "-m", "sriovctl.lab.bmc", "--personality", "ilo5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "name idrac8 or idrac9" in done.stderr
    assert "Traceback" not in done.stderr
