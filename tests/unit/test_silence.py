"""Pairs that would go silent at a failover: found where it is certain, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from sriovctl import cli, inside, reconcile, silence
from sriovctl.host import VF, VM, HostState, VMNic
from sriovctl.inside import Inside, InsideBond, InsideLeg
from sriovctl.plan import Finding, Severity
from sriovctl.stagerun import Timeouts
from sriovctl.wanted import HostWant
from tests.unit.chain.test_guest_macs import want_of
from tests.unit.chain.worlds import bare_host

FIRST, SECOND = "02:00:00:00:01:00", "02:00:00:00:02:00"
How = Literal["pool", "interface", "hostdev"]


def world(macs: tuple[str, str] = (FIRST, SECOND), how: How = "pool", **vf: Any) -> HostState:
    """A host whose VM-2 runs with a VF of em1 and one of em2."""
    state = bare_host()
    pfs, nics = [], []
    for pf, mac in zip(state.pfs, macs, strict=True):
        place = pf.pci[:-4] + "10.0"
        values = {"mac": mac, "spoofchk": "on", "trust": "off", **vf}
        card = VF(index=0, pci=place, **values)
        pfs.append(pf.model_copy(update={"numvfs": 1, "vfs": (card,)}))
        nics.append(VMNic(how=how, mac=None if how == "hostdev" else mac, pci=place))
    vm = VM(
        name="VM-2",
        uuid="u",
        persistent=True,
        running=True,
        autostart=True,
        nics=tuple(nics),
        live_nics=tuple(nics),
    )
    return state.model_copy(update={"pfs": tuple(pfs), "vms": (vm,)})


def bond(*legs: tuple[str, str], mac: str = FIRST, **values: Any) -> Inside:
    """VM-2 with one bond; legs by permanent and present address."""
    known: dict[str, Any] = {
        "name": "bond0",
        "mode": "active-backup",
        "fail_over_mac": "none",
        "active": "eth0",
        "miimon_ms": 100,
        "updelay_ms": 0,
        "downdelay_ms": 0,
        "arp_interval_ms": 0,
        "num_grat_arp": 1,
        "primary": None,
        "mac": mac,
        "legs": tuple(
            InsideLeg(name=f"eth{n}", permanent_mac=own, mac=now, up=True)
            for n, (own, now) in enumerate(legs)
        ),
    }
    return Inside(vm="u", bonds=(InsideBond(**known | values),))


WHOLE = ((FIRST, FIRST), (SECOND, FIRST))
"""Both cards with the bond's address, as fail_over_mac=none has it."""
OWN = ((FIRST, FIRST), (SECOND, SECOND))


def found(have: HostState, said: Inside, folder: Path, policy: str | None = None) -> list[Finding]:
    want = HostWant(rack="r", name="server-2", pfs=())
    if policy is not None:
        want = want_of(folder, policy)
    return silence.findings(want, have, {"u": said})


def test_a_leg_that_drops_the_bonds_address_is_named(tmp_path: Path) -> None:
    (finding,) = found(world(), bond(*WHOLE), tmp_path)
    assert (finding.severity, finding.about) == (Severity.WARNING, "VM-2")
    assert "silent on em2" in finding.found
    assert FIRST in finding.found
    assert SECOND in finding.found
    assert "fail_over_mac=none" in finding.found


def test_a_leg_that_the_bond_could_not_take_is_named(tmp_path: Path) -> None:
    (finding,) = found(world(), bond(OWN[0]), tmp_path)
    assert finding.severity is Severity.WARNING
    assert "silent without em1" in finding.found
    assert "no leg on em2" in finding.found


def redefined(have: HostState, second: str | None) -> HostState:
    """The same host with another address for the card on em2 in the VM's definition."""
    (vm,) = have.vms
    nics = (vm.live_nics[0], vm.live_nics[1].model_copy(update={"mac": second}))
    return have.model_copy(
        update={"vms": (vm.model_copy(update={"nics": nics, "live_nics": nics}),)}
    )


@pytest.mark.parametrize("own", ["02:00:00:00:09:00", None])
def test_a_leg_is_known_by_its_vfs_address_too(own: str | None, tmp_path: Path) -> None:
    # set by hand, before the guest booted
    (finding,) = found(redefined(world(), own), bond(*WHOLE), tmp_path)
    assert "silent on em2" in finding.found
    assert f"{SECOND} on em2" in finding.found
    (finding,) = found(redefined(world(), own), bond(OWN[0]), tmp_path)
    assert "no leg on em2" in finding.found


def test_a_leg_is_known_by_its_definitions_address_though_its_vf_has_another(
    tmp_path: Path,
) -> None:
    # set by hand, while the guest ran
    old = "02:00:00:00:09:00"
    (finding,) = found(redefined(world(), old), bond(OWN[0], (old, FIRST)), tmp_path)
    assert "silent on em2" in finding.found
    assert f"{SECOND} on em2" in finding.found


def test_a_leg_is_known_by_the_address_that_the_guest_chose(tmp_path: Path) -> None:
    chosen, booted = "02:00:00:00:05:00", "02:00:00:00:09:00"
    have = redefined(world((FIRST, chosen)), None)
    (finding,) = found(have, bond(OWN[0], (booted, chosen), mac=chosen), tmp_path)
    assert "silent on em1" in finding.found


@pytest.mark.parametrize(
    ("have", "said"),
    [
        (world((FIRST, FIRST)), bond((FIRST, FIRST), (FIRST, FIRST))),
        (world(), bond(*OWN, fail_over_mac="active")),
        (world(spoofchk="off"), bond(*WHOLE)),
        (world(spoofchk=None), bond(*WHOLE)),
        (world(mac="00:00:00:00:00:00"), bond(*WHOLE)),
        (world(mac=None), bond(*WHOLE)),
        (world(mac=FIRST), bond(*WHOLE)),
        (world(trust="on"), bond(*OWN, fail_over_mac="follow")),
        (world(), bond(*OWN, mode="balance-tlb")),
        (world(), bond(("52:54:00:00:00:01", "52:54:00:00:00:01"))),
        (world(), Inside(vm="u")),
    ],
    ids=[
        "shared", "active", "open", "spoof check not known", "address not set", "address not known",
        "the card took the bond's address", "follow, trusted", "each leg sends from its own",
        "a bond of other cards", "no bond",
    ],
)  # fmt: skip
def test_nothing_is_said_of_what_holds(have: HostState, said: Inside, tmp_path: Path) -> None:
    assert found(have, said, tmp_path) == []


@pytest.mark.parametrize("how", ["pool", "interface", "hostdev"])
def test_it_matters_not_how_the_vm_has_its_cards(how: How, tmp_path: Path) -> None:
    assert len(found(world(how=how), bond(*WHOLE), tmp_path)) == 1


def test_follow_needs_trust(tmp_path: Path) -> None:
    assert len(found(world(), bond(*OWN, fail_over_mac="follow"), tmp_path)) == 1


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("active", ["fail_over_mac=active", "macs: shared", "macs: open"]),
        ("shared", ["sriovctl apply", "macs: shared is not yet so"]),
        ("open", ["sriovctl apply", "macs: open is not yet so"]),
        (None, ["fail_over_mac=active", "virsh edit VM-2", "ip link set em2 vf 0 spoofchk off"]),
    ],
)
def test_the_mend_is_what_this_host_needs(
    policy: str | None, words: list[str], tmp_path: Path
) -> None:
    (finding,) = found(world(), bond(*WHOLE), tmp_path, policy)
    assert [word for word in words if word not in finding.mend] == []


def test_a_bond_that_nobody_can_see_is_an_info(tmp_path: Path) -> None:
    (finding,) = found(world(), Inside(vm="u", why_not="no guest agent runs in it"), tmp_path)
    assert finding.severity is Severity.INFO
    assert "no guest agent" in finding.found


def test_only_vms_are_asked_of_which_it_matters() -> None:
    assert silence.vms_to_ask(world()) == ("u",)
    for have in (world((FIRST, FIRST)), world(spoofchk="off"), bare_host()):
        assert silence.vms_to_ask(have) == ()
    (vm,) = world().vms
    off = world().model_copy(
        update={"vms": (vm.model_copy(update={"running": False, "live_nics": ()}),)}
    )
    assert silence.vms_to_ask(off) == ()


def test_check_tells_of_it_and_a_saved_plan_does_not_hang_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rack = tmp_path / "rack.yaml"
    rack.write_text(
        "hosts: {a: {address: local, pfs: {em1: {vfs: 1, pool: false, autoprobe: on}}}}\n"
    )
    # without systemd nothing is to be written on it
    state = world()
    plain = state.model_copy(update={"system": state.system.model_copy(update={"init": "other"})})
    monkeypatch.setattr(reconcile, "look", lambda *_, **__: plain)
    saved = []
    for said, code in ((bond(*WHOLE), 3), (bond(*OWN, fail_over_mac="active"), 0)):
        monkeypatch.setattr(inside, "look", lambda *_, answer=said, **__: {"u": answer})
        for more in ([], ["--all"], ["--json"]):
            assert cli.main(["check", *more, str(rack)]) == code
            assert ("silent on em2" in capsys.readouterr().out) == (code == 3)
        cli.main(["plan", str(rack), "-o", str(tmp_path / "plan")])
        saved.append((tmp_path / "plan").read_text())
        capsys.readouterr()
    assert saved[0] == saved[1]


@pytest.mark.parametrize("verb", ["check", "plan", "report"])
def test_agents_get_as_long_as_is_said(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack = tmp_path / "rack.yaml"
    rack.write_text("hosts: {a: {address: local, pfs: {em1: {vfs: 1}}}}\n")
    monkeypatch.setattr(reconcile, "look", lambda *_, **__: world())
    asked = []

    def answer(*_: object, timeout_s: float, **__: object) -> dict[str, Inside]:
        asked.append(timeout_s)
        return {"u": bond(*OWN, fail_over_mac="active")}

    monkeypatch.setattr(inside, "look", answer)
    cli.main([verb, str(rack)])
    cli.main([verb, str(rack), "--agent-timeout", "2.5"])
    assert asked == [Timeouts.agent_s, 2.5]
