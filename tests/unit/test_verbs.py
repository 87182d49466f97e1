"""Commands from the command line to the exit code, hosts put in their place."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from sriovctl import chain, cli, legrun, probe, reconcile, targets
from sriovctl.errors import SriovctlError, UnreachableError
from sriovctl.host import VM, HostState, Pool, VMNic
from sriovctl.hostnet import HostBond, HostNetwork
from sriovctl.probe.sections import Sections
from sriovctl.reach import LocalReach
from sriovctl.reconcile import Planner
from sriovctl.stagerun import Timeouts
from sriovctl.targets import Target
from tests.unit.chain.hostmodel import HostModel
from tests.unit.chain.worlds import bare_host

ONE = "hosts: {a: {pfs: {em1: 7}}}\n"
TWO = "hosts: {a: {pfs: {em1: 7}}, b: {pfs: {em1: 7}}}\n"


def held_host(vm: str) -> HostState:
    """Two VFs of em1, one of them held by a running VM."""
    model = HostModel(bare_host())
    model.set_numvfs("0000:01:00.0", "2")
    pool = Pool(name="p", uuid=None, pf="em1", persistent=True, active=False, autostart=True)
    nic = VMNic(how="pool", mac="02:22:00:00:00:01", pool="p")
    guest = VM(name=vm, uuid="u", persistent=True, running=False, autostart=True, nics=(nic,))
    model.state = model.state.model_copy(update={"pools": (pool,), "vms": (guest,)})
    model.start_pool("p")
    model.start_vm("u")
    return model.state


@pytest.fixture
def rack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes a rack file and says what its hosts are like."""

    def make(text: str, **hosts: HostState | SriovctlError) -> str:
        def each(
            chosen: Sequence[Target], work: Callable[[LocalReach, Target], Any], **_: object
        ) -> dict[str, Any]:
            def one(target: Target) -> Any:
                state = hosts[target.name]
                if isinstance(state, SriovctlError):
                    return state
                answer = probe.Answer(state, Sections([]))
                monkeypatch.setattr(reconcile, "ask", lambda *_: answer)
                try:
                    return work(LocalReach(target.name), target)
                except SriovctlError as error:
                    return error

            return {target.name: one(target) for target in chosen}

        monkeypatch.setattr(targets, "each", each)
        path = tmp_path / "rack.yaml"
        path.write_text(text)
        return str(path)

    return make


def test_no_line_is_folded_where_it_is_piped(
    rack: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = rack(ONE, a=held_host("a-virtual-machine-with-a-rather-long-name-" + "x" * 80))
    assert cli.main(["plan", path]) == 4
    (found,) = (line for line in capsys.readouterr().out.splitlines() if "is held by" in line)
    assert found.endswith("xxx (pool)")


def test_a_name_gives_the_terminal_no_orders(
    rack: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = rack(ONE, a=held_host("VM\x9b2J\u202e"))
    for words in (["plan", path], ["check", path], ["plan", "--script", path]):
        assert cli.main(words) == 4
        said = "".join(capsys.readouterr())
        assert "\\x9b2J\\u202e" in said
        assert not any(char in said for char in "\x1b\x9b\u202e")


def test_a_blocked_plan_has_no_script(
    rack: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["plan", "--script", rack(ONE, a=held_host("VM-2"))]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert "virsh shutdown VM-2" in err


def test_a_script_is_one_hosts(
    rack: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = rack(TWO, a=bare_host(), b=bare_host())
    assert cli.main(["plan", "--script", path]) == 2
    assert "--limit HOST" in capsys.readouterr().err
    assert cli.main(["plan", "--script", path, "--limit", "b"]) == 3
    assert capsys.readouterr().out.startswith("#!/bin/sh\n")


def test_the_largest_code_counts(rack: Callable[..., str]) -> None:
    gone = UnreachableError("a: no way there")
    assert cli.main(["check", rack(TWO, a=gone, b=held_host("VM-2"))]) == 4
    assert cli.main(["check", rack(TWO, a=gone, b=bare_host())]) == 3
    assert cli.main(["show", "--rack", rack(TWO, a=gone, b=bare_host())]) == 1


def test_what_worked_is_printed_beside_what_did_not(
    rack: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    gone = UnreachableError("a: no way there")
    assert cli.main(["plan", "--json", rack(TWO, a=gone, b=bare_host())]) == 3
    out, err = capsys.readouterr()
    assert list(json.loads(out)) == ["b"]
    assert "no way there" in err


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_no_timeout_without_end(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--confirm-timeout", "--stage-timeout"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["apply", "rack.yaml", flag, seconds])
        assert ended.value.code == 2
    assert "seconds" in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"sriovctl {metadata.version('sriovctl')}\n"


def test_a_limit_needs_a_rack(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "server-2", "--limit", "a"]) == 2
    assert "--rack" in capsys.readouterr().err


def test_a_program_is_told_what_failed(
    rack: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    gone = UnreachableError("a: no way there", mend="try: ssh a")
    assert cli.main(["apply", "--json", rack(TWO, a=gone, b=held_host("VM-2"))]) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["a"]["error"]["mend"] == "try: ssh a"
    assert told["b"]["error"]["exit_code"] == 4


def test_a_rack_file_may_be_json(rack: Callable[..., str]) -> None:
    path = rack('{"hosts": {"a": {"pfs": {"em1": 7}}}}', a=held_host("VM-2"))
    assert cli.main(["apply", path]) == 4


def test_a_file_is_no_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "examples/one-host.yaml"]) == 2
    assert "--rack examples/one-host.yaml" in capsys.readouterr().err


def test_cron_hears_of_what_is_not_as_wanted_only(
    rack: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = rack(TWO, a=held_host("VM-2"), b=bare_host())
    assert cli.main(["check", "--all", path]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == ["a", "b"]
    assert "VM-2" in lines[0]
    assert "0 → 7 VFs" in lines[1]
    path = rack("hosts: {a: {pfs: {em1: 0}}}\n", a=bare_host())
    assert cli.main(["check", "--all", path]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main(["check", "--all", path, "--limit", "a"]) == 2


def test_check_says_that_a_bond_is_on_one_leg(
    rack: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    host = bare_host()
    bonded = [pf.model_copy(update={"master": "bond0", "up": True}) for pf in host.pfs]
    lame = (bonded[0].model_copy(update={"carrier": False}), *bonded[1:])
    bond = HostBond(name="bond0", options={}, legs=tuple(pf.name or "" for pf in bonded))
    network = HostNetwork(bonds=(bond,))
    text = "hosts: {a: {pfs: {em1: {vfs: 0}, em2: {vfs: 0}}}}\n"
    for pfs, code in ((tuple(bonded), 0), (lame, 3)):
        path = rack(text, a=host.model_copy(update={"pfs": pfs, "network": network}))
        for more in ([], ["--all"]):
            assert cli.main(["check", *more, path]) == code
            said = capsys.readouterr().out
            assert ("its leg em1 has no link" in said) == (code == 3)
        assert cli.main(["plan", path]) == 0
        capsys.readouterr()


def test_what_somebody_would_notice_is_left_alone(
    rack: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = rack(ONE, a=bare_host())
    assert cli.main(["apply", "--unnoticed", path]) == 4
    assert "link-blip" in capsys.readouterr().err


def test_a_plan_is_saved_by_root_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What another user does not see would be other in apply, which then refuses the plan."""
    path = tmp_path / "rack.yaml"
    path.write_text("hosts: {a: {address: local, pfs: {em1: 7}}}\n")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cli.main(["plan", str(path), "-o", str(tmp_path / "plan.json")]) == 2
    assert "this user is not root" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["apply", "f"], ["leg", "out", "f", "h", "p"]])
def test_what_is_waited_for_by_default_is_what_the_help_says(words: list[str]) -> None:
    asked = cli.parser().parse_args(words)
    assert (asked.agent_timeout, asked.agent_boot_timeout, asked.bond_timeout) == (
        Timeouts.agent_s,
        Timeouts.agent_boot_s,
        Timeouts.bond_s,
    )


def test_agents_get_longer_for_a_leg_only_where_one_can_move(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (["check"], ["report"], ["metrics"], ["plan"], ["apply"], ["leg", "out"]):
        with pytest.raises(SystemExit):
            cli.main([*words, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert "guest agents of running VMs get" in said
        assert ("a leg or a port is moved" in said) == (words[0] in ("apply", "leg"))


def test_a_plan_leg_by_leg_looks_into_vms_for_as_long_as_is_said(
    rack: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Timeouts] = []

    def planner(_: object, __: object, ___: object, timeouts: Timeouts) -> Planner:
        asked.append(timeouts)
        return chain.plan

    monkeypatch.setattr(legrun, "asked_for", planner)
    cli.main(["plan", "--leg-by-leg", "--agent-timeout", "2.5", rack(ONE, a=bare_host())])
    assert [(one.agent_s, one.bond_s) for one in asked] == [(2.5, 0)]
