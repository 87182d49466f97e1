"""The screen of one host: on real facts, with hostile names, at every width."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sriovctl.host import VM, HostState, Pool, VMNic
from sriovctl.plan import Finding, Severity
from sriovctl.view.findings import render_findings
from sriovctl.view.harmless import ACTING, harmless
from sriovctl.view.host import render_host
from tests.unit.probe.test_captures import CAPTURES, state_of


def shown(state: HostState, width: int = 100, *, terminal: bool = False) -> str:
    out = io.StringIO()
    render_host(state, Console(file=out, width=width, force_terminal=terminal, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", CAPTURES)
def test_no_table_is_wider_than_the_screen_and_no_line_ends_in_blanks(
    name: str, width: int
) -> None:
    lines = shown(state_of(name), width).splitlines()
    # findings are sentences and commands to copy: the terminal folds them
    findings = ("blocked", "error", "warning", "info", "    ")
    assert max(len(line) for line in lines if not line.startswith(findings)) <= width
    assert [line for line in lines if line != line.rstrip()] == []


def test_the_guides_server() -> None:
    screen = shown(state_of("server-2-guests"))
    for said in (
        "Debian GNU/Linux 13 (trixie)",
        "active, 24 groups",
        "0000:01:00.0  em1   igb     up 1 Gbit/s  –     7 of 7  own     on   bond0",
        " 0  0000:01:10.0  vfio-pci  52:54:00:08:02:02  –     on        off    –           VM-2",
        "200 Mbit/s",
        "plain (hostdev)",
        "pool em1-vfs",
    ):
        assert said in screen
    assert "stale" not in screen


def test_a_stale_pool_says_why() -> None:
    state = state_of("server-2-guests")
    em1 = state.pfs[0].model_copy(update={"vfs": state.pfs[0].vfs[:3], "numvfs": 3})
    fewer = state.model_copy(update={"pfs": (em1, *state.pfs[1:])})
    assert fewer.stale_pool(fewer.pools[0]) == "lists 4 VFs no longer there"
    assert "stale: lists 4 VFs no longer there" in shown(fewer, 120)


def test_without_sriov_it_says_what_it_saw_and_what_to_do() -> None:
    screen = shown(state_of("no-sriov"))
    assert "none of the 1 network ports here can have VFs" in screen
    assert "eth0: driver virtio-pci" in screen
    assert "there are no IOMMU groups" in screen


def test_without_root_no_vf_is_called_free() -> None:
    screen = shown(state_of("server-2-guests-not-root"), 120)
    assert "without root" in screen
    assert " free" not in screen


def test_no_colour_in_a_pipe_and_some_on_a_terminal() -> None:
    state = state_of("server-2-guests")
    assert "\x1b" not in shown(state)
    assert "\x1b[" in shown(state, terminal=True)


@given(st.text(max_size=40))
def test_names_never_reach_the_terminal_raw(name: str) -> None:
    nic = VMNic(how="pool", mac=None, pool=name)
    vm = VM(name=name, uuid=None, persistent=True, running=True, autostart=False, live_nics=(nic,))
    pool = Pool(name=name, uuid=None, pf=name, persistent=True, active=True, autostart=False)
    finding = Finding(severity=Severity.ERROR, link="nics", about=name, found=name, mend=name)
    state = state_of("no-sriov").model_copy(
        update={"vms": (vm,), "pools": (pool,), "unread": (name,)}
    )
    out = io.StringIO()
    render_findings([finding], Console(file=out, width=100))
    for char in (shown(state) + out.getvalue()).replace("\n", ""):
        assert unicodedata.category(char) not in ACTING


@given(st.text())
def test_harmless_leaves_harmless_names_alone(name: str) -> None:
    assert harmless(harmless(name)) == harmless(name)
    if all(unicodedata.category(char) not in ACTING for char in name):
        assert harmless(name) == name


def test_the_worst_finding_comes_first() -> None:
    out = io.StringIO()
    findings = [
        Finding(severity=severity, link="nics", about=severity.value, found="x")
        for severity in Severity
    ]
    render_findings(findings, Console(file=out, width=80))
    words = [line.split()[0] for line in out.getvalue().splitlines()]
    assert words == ["blocked", "error", "warning", "info"]
