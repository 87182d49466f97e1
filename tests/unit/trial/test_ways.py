"""The ways as stages, run against an ip that is put in place."""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from sriovctl.errors import TransactionError
from sriovctl.reach import LocalReach
from sriovctl.trial.away import Away, RefusedError
from sriovctl.trial.ways import UNASKED, WAYS, LabPlace, Leg, Skipped, Way, WayName, way
from tests.unit.trial.legs import GUEST, leg

IGB = leg(1, 3)
ICE = dataclasses.replace(IGB, pf=IGB.pf.model_copy(update={"driver": "ice"}))
LAB = LabPlace("x", "sriovctl-x", "server-2", {"em1": "switch-1"}, {"em1": "s2-em1"})

IP = """#!/bin/sh
echo "$*" >>'{folder}/calls'
case $* in
*" state "*) {on_state} ;;
*"set dev em1 "*) echo "${{5}}" >'{folder}/em1' ;;
*show*) read -r is <'{folder}/em1'; [ "$is" = up ] && echo '4: em1: <BROADCAST,UP>' ||
	echo '4: em1: <BROADCAST>' ;;
esac
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalReach:
    """This machine with another ``ip``, which keeps em1 in a file."""
    return make_host(tmp_path, monkeypatch, "exit 0")


def make_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_state: str) -> LocalReach:
    (tmp_path / "bin").mkdir()
    ip = tmp_path / "bin" / "ip"
    ip.write_text(IP.format(folder=tmp_path, on_state=on_state))
    ip.chmod(0o755)
    (tmp_path / "em1").write_text("up\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return LocalReach("here", need_root=False)


def taken(name: WayName, leg: Leg, tmp_path: Path, bound_s: int = 30) -> Away:
    one = way(name, [leg], None)
    assert isinstance(one, Way)
    return Away(LocalReach("here"), one.stage, bound_s, 60.0, tmp_path / "state")


def test_a_port_goes_down_and_comes_back(tmp_path: Path, host: LocalReach) -> None:
    away = taken("pf-down", IGB, tmp_path)
    away.take(host)
    assert (tmp_path / "em1").read_text() == "down\n"
    assert not away.ended
    away.give_back(host)
    assert (tmp_path / "em1").read_text() == "up\n"
    assert away.ended
    calls = (tmp_path / "calls").read_text()
    away.give_back(host)
    assert (tmp_path / "calls").read_text() == calls, "once is enough"


def test_a_leg_comes_back_by_itself(tmp_path: Path, host: LocalReach) -> None:
    away = taken("pf-down", IGB, tmp_path, bound_s=1)
    away.take(host)
    assert away._run is not None
    away._run.join(60)
    assert (tmp_path / "em1").read_text() == "up\n"
    away.give_back(host)


@pytest.mark.parametrize("on_state", ["", "exit 1"])
def test_where_what_took_it_was_killed_it_comes_back_by_another_run(
    tmp_path: Path, host: LocalReach, on_state: str
) -> None:
    away = taken("pf-down", IGB, tmp_path)
    away.take(host)
    assert away._run is not None
    lock = str((tmp_path / "state" / "lock").readlink())
    os.kill(int(lock.partition(".")[0]), signal.SIGKILL)
    away._run.join(60)
    if on_state:
        (tmp_path / "bin" / "ip").write_text(f"#!/bin/sh\necho no such device >&2\n{on_state}\n")
        with pytest.raises(TransactionError, match=r"died.*no such device") as caught:
            away.give_back(host)
        assert "ip link set dev em1 up" in caught.value.mend
        assert not away.ended
    else:
        away.give_back(host)
        assert (tmp_path / "em1").read_text() == "up\n"
        assert away.ended


def test_what_was_never_taken_is_given_back_at_once(tmp_path: Path, host: LocalReach) -> None:
    away = taken("pf-down", IGB, tmp_path)
    away.give_back(host)
    assert away.ended
    assert not (tmp_path / "calls").exists()


def test_a_driver_that_refuses_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = make_host(tmp_path, monkeypatch, "echo RTNETLINK: not supported >&2; exit 2")
    away = taken("vf-link", ICE, tmp_path)
    with pytest.raises(RefusedError, match="not supported"):
        away.take(host)


def test_link_state_goes_back_to_what_it_was(tmp_path: Path, host: LocalReach) -> None:
    leg = dataclasses.replace(ICE, vf=ICE.vf.model_copy(update={"link_state": "enable"}))
    away = taken("vf-link", leg, tmp_path)
    away.take(host)
    away.give_back(host)
    states = [line.split()[-1] for line in (tmp_path / "calls").read_text().splitlines()]
    assert states == ["disable", "enable"]


OTHER = dataclasses.replace(
    leg(1, 4), vm=GUEST.model_copy(update={"name": "VM-3", "uuid": "1-3"}), pf=ICE.pf
)
"""Another VM's leg of the same port."""


def test_a_port_is_taken_from_all_vms_at_once(tmp_path: Path, host: LocalReach) -> None:
    found = way("pf-down", [ICE, OTHER], None)
    assert isinstance(found, Way)
    (step,) = found.stage.steps
    assert step.affects == ("VM-2", "VM-3")


def test_each_vm_has_a_vf_of_its_own_to_lose(tmp_path: Path, host: LocalReach) -> None:
    found = way("vf-link", [ICE, OTHER], None)
    assert isinstance(found, Way)
    away = Away(LocalReach("here"), found.stage, 30, 60.0, tmp_path / "state")
    away.take(host)
    away.give_back(host)
    states = [line.split()[5:] for line in (tmp_path / "calls").read_text().splitlines()]
    assert states == [
        ["3", "state", "disable"],
        ["4", "state", "disable"],
        ["4", "state", "auto"],
        ["3", "state", "auto"],
    ]


def test_one_vf_that_is_refused_leaves_none_without_its_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = make_host(tmp_path, monkeypatch, "case $* in *'vf 4'*) exit 2 ;; esac")
    found = way("vf-link", [ICE, OTHER], None)
    assert isinstance(found, Way)
    with pytest.raises(RefusedError):
        Away(LocalReach("here"), found.stage, 30, 60.0, tmp_path / "state").take(host)
    states = [line.split()[5:] for line in (tmp_path / "calls").read_text().splitlines()]
    assert states[-1] == ["3", "state", "auto"]


def test_igb_has_no_link_state() -> None:
    skipped = way("vf-link", [IGB], None)
    assert isinstance(skipped, Skipped)
    assert "igb" in skipped.why


def test_a_driver_is_unbound_by_libvirt_and_the_same_card_comes_back() -> None:
    found = way("unbind", [IGB], None)
    assert isinstance(found, Way)
    (step,) = found.stage.steps
    card = ["1-2", "02:00:00:00:01:03", "em1&apos;s", IGB.pf.pci, "--live"]
    assert shlex.split(step.do) == ["detach_nic", *card]
    *words, xml = shlex.split(step.undo)
    assert words == ["attach_nic_if_missing", *card]
    assert '<mac address="02:00:00:00:01:03"' in xml
    assert 'network="em1\'s"' in xml
    assert "unbind" not in UNASKED


@pytest.mark.parametrize("card", [{"how": "hostdev", "mac": None}, {"managed": False}])
def test_a_card_that_cannot_be_plugged_in_again_is_left_alone(card: dict[str, Any]) -> None:
    nic = IGB.nic.model_copy(update=card)
    assert isinstance(way("unbind", [dataclasses.replace(IGB, nic=nic)], None), Skipped)


@pytest.mark.parametrize("name", ["cable", "switch"])
def test_only_a_lab_has_cables(name: WayName) -> None:
    assert isinstance(way(name, [IGB], None), Skipped)
    found = way(name, [IGB], LAB)
    assert isinstance(found, Way)
    assert not found.on_host
    (step,) = found.stage.steps
    assert step.undo == step.do.replace(" cut ", " mend ")


def test_the_command_line_offers_these() -> None:
    from sriovctl.commandline.trials import FAILOVER_WAYS

    assert FAILOVER_WAYS == WAYS
