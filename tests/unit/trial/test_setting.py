"""Whose address is which: what a VM's agent says, and what is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriovctl.errors import UsageError
from sriovctl.reach import LocalReach
from sriovctl.trial import setting
from sriovctl.trial.setting import AgentWait, address_by_agent, first_address, given_addresses
from tests.unit.clock import Clock

SAID = """\
 lo         00:00:00:00:00:00    ipv4         127.0.0.1/8
 -          -                    ipv6         ::1/128
 bond0      02:06:1e:c6:dc:29    ipv6         fe80::6:1eff:fec6:dc29/64
 -          -                    ipv6         fd00::12/64
{}
"""


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (" -          -                    ipv4         10.8.0.12/24", "10.8.0.12"),
        ("", "fd00::12"),
        (" eth5       02:06:1e:c6:dc:29    N/A          N/A", "fd00::12"),
    ],
)
def test_an_address_that_others_reach_is_taken(more: str, expected: str) -> None:
    assert first_address(SAID.format(more)) == expected


@pytest.mark.parametrize("text", ["", SAID.splitlines()[0], "a b c not-an-address/7"])
def test_there_may_be_none(text: str) -> None:
    assert first_address(text) is None


def test_one_vms_address_needs_no_name() -> None:
    assert given_addresses(["10.8.0.12"], ["VM-2"]) == {"VM-2": "10.8.0.12"}
    both = {"VM-2": "10.8.0.12", "VM-3": "fd00::13"}
    assert given_addresses(["VM-3=fd00::13", "VM-2=10.8.0.12"], ["VM-2", "VM-3"]) == both


@pytest.mark.parametrize("word", ["10.8.0.12", "VM-9=10.8.0.12", "VM-2=nothing", "VM-2=", ""])
def test_an_address_of_nobody_is_told(word: str) -> None:
    with pytest.raises(UsageError, match="no address of VM-2, VM-3"):
        given_addresses([word], ["VM-2", "VM-3"])


NOT_YET = "error: Guest agent is not responding: QEMU guest agent is not connected"
NEVER = "error: argument unsupported: QEMU guest agent is not configured"


class Booting:
    """A host whose virsh says of a VM's agent each time the next of some words."""

    def __init__(self, folder: Path, *said: str) -> None:
        for number, text in enumerate(said):
            (folder / f"said.{number}").write_text(text)
        virsh = folder / "virsh"
        # the last is said again and again
        virsh.write_text(
            f"#!/bin/sh\ncd {folder} || exit\nset -- said.*\n"
            'text=$(cat "$1")\n[ $# -eq 1 ] || rm "$1"\n'
            'case $text in error*) echo "$text" >&2; exit 1 ;; esac\necho "$text"\n'
        )
        virsh.chmod(0o755)
        self.told: list[str] = []

    def address(self, boot_s: float) -> str:
        return self.address_of("VM-2", AgentWait(20, boot_s))

    def address_of(self, vm: str, wait: AgentWait) -> str:
        reach = LocalReach("server-2", need_root=False)
        return address_by_agent(reach, vm, wait, self.told.append)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(setting, "POLL_S", 0)
    return tmp_path


def test_an_agent_that_comes_later_is_waited_for_and_that_is_said_once(folder: Path) -> None:
    host = Booting(folder, NOT_YET, NOT_YET, "", SAID.format(""))
    assert host.address(60) == "fd00::12"
    [told] = host.told
    assert "VM-2" in told
    assert "guest agent" in told


def test_an_agent_that_is_there_is_not_waited_for(folder: Path) -> None:
    host = Booting(folder, SAID.format(""))
    assert host.address(60) == "fd00::12"
    assert host.told == []


def test_an_agent_that_never_comes_names_the_option(folder: Path) -> None:
    with pytest.raises(UsageError, match="--agent-boot-timeout") as caught:
        Booting(folder, NOT_YET).address(0.001)
    assert "not connected" in caught.value.means


def test_a_vm_that_can_have_no_agent_is_told_at_once(folder: Path) -> None:
    host = Booting(folder, NEVER)
    with pytest.raises(UsageError, match="not configured"):
        host.address(1e9)
    assert host.told == []


def test_many_vms_without_an_agent_are_waited_for_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(setting, "time", clock)
    monkeypatch.setattr(setting, "POLL_S", 1.0)
    host, wait = Booting(folder, NOT_YET), AgentWait(20, 60)
    for number in range(10):
        with pytest.raises(UsageError, match=f"VM-{number} within 60 s"):
            host.address_of(f"VM-{number}", wait)
    assert clock.now == 1060
    assert len(host.told) == 1


def test_one_that_is_asked_after_the_others_time_is_over_can_still_say_its_address(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, wait = Clock(), AgentWait(20, 60)
    monkeypatch.setattr(setting, "time", clock)
    host = Booting(folder, SAID.format(""))
    wait.begin()
    clock.sleep(61)
    assert wait.over
    assert host.address_of("VM-3", wait) == "fd00::12"
