"""Link pools where a property of all hosts does not say it plainly."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sriovctl.chain import pools
from sriovctl.host import HostState, Pool
from sriovctl.plan import Severity
from sriovctl.shell import command
from sriovctl.wanted import HostWant, PFWant
from tests.unit.chain.hostmodel import HostModel, commands
from tests.unit.chain.worlds import bare_host
from tests.unit.shells import SHELLS, shell_folder

EM1 = "0000:01:00.0"
VIRSH = """#!/bin/sh
# one network: its definition is the file FOLDER/defined
case "$*" in
*net-uuid*) [ -e "$FOLDER/defined" ] ;;
*net-dumpxml*--inactive*) cat "$FOLDER/defined" ;;
*net-undefine*) rm "$FOLDER/defined" ;;
*net-define*) for file; do :; done; cat "$file" >"$FOLDER/defined" ;;
esac
"""


def want(vfs: int = 2) -> HostWant:
    em1 = PFWant(name="em1", by="name", vfs=vfs, pool="left", autoprobe=True)
    return HostWant(rack="r", name="server-2", pfs=(em1,))


def only_running() -> HostState:
    """``virsh net-create``: a pool that runs and is not defined."""
    model = HostModel(bare_host())
    model.set_numvfs(EM1, "2")
    pool = Pool(
        name="left", uuid="its-own", pf="em1", persistent=True, active=False, autostart=False
    )
    model.state = model.state.model_copy(update={"pools": (pool,)})
    model.start_pool("left")
    model.undefine_pool("left")
    return model.state


def test_a_pool_that_only_runs_is_defined_under_its_own_uuid() -> None:
    (step,) = pools.plan(want(), only_running()).build
    (define, *_) = commands(step.do)
    assert ElementTree.fromstring(define[1]).findtext("uuid") == "its-own"


def test_a_pool_that_only_runs_is_not_stopped() -> None:
    plan = pools.plan(want(3), only_running())
    assert (plan.release, plan.build) == ([], [])
    (finding,) = plan.findings
    assert finding.severity is Severity.ERROR
    assert "virsh net-destroy left" in finding.mend


@pytest.mark.parametrize("shell", SHELLS)
def test_a_definition_taken_away_comes_back_to_the_byte(shell: str, tmp_path: Path) -> None:
    shells = shell_folder(shell, tmp_path / "shell")
    if shells is None:
        pytest.skip(f"no {shell} here")
    (shells / "virsh").write_text(VIRSH)
    (shells / "virsh").chmod(0o755)
    theirs = "<network><!-- theirs --><name>left</name></network>\n"
    (tmp_path / "defined").write_text(theirs)
    chain = files("sriovctl").joinpath("chain")
    library = "".join(chain.joinpath(name).read_text() for name in ("virsh.sh", "pools.sh"))

    def run(*words: str) -> None:
        done = subprocess.run(
            [shells / "sh", "-s"],
            input=f"{library}\ntx_dir=$FOLDER\ntx_begun=3\nset -e\n{command(*words)}\n",
            env={"PATH": f"{shells}:/usr/bin:/bin", "FOLDER": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr

    run("take_away_pool", "left")
    assert not (tmp_path / "defined").exists()
    for _ in range(2):
        run("put_back_pool", "left")
        assert (tmp_path / "defined").read_text() == theirs
