"""``sriovctl guest-config``: from a rack file to a guest's files."""

from __future__ import annotations

import io
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pycdlib
import pytest
from hypothesis import given, settings
from pycdlib.dr import DirectoryRecord

from sriovctl import cli
from sriovctl.commandline import guest
from sriovctl.contradictions import contradictions
from sriovctl.guestbond import LONGEST_INTERFACE_NAME, networks_of
from sriovctl.netconf import SYSTEMS, Network, System, render
from sriovctl.plan import Severity
from sriovctl.rack import Rack
from sriovctl.rackfile import load
from tests.unit.test_rack_properties import racks

ROOT = Path(__file__).parents[2]
HEAD = "hosts: {s: {pfs: {em1: 7, em2: 7}}}\nvms:\n  VM-1: {pairs: []}\n  VM-2:\n"


@pytest.fixture
def rack(tmp_path: Path) -> Callable[[str], str]:
    """Writes a rack file whose VM-2 has these pairs."""

    def make(pairs: str) -> str:
        path = tmp_path / "rack.yaml"
        path.write_text(f"{HEAD}    pairs: {pairs}\n")
        return str(path)

    return make


def network_of(pair: dict[str, object]) -> Network:
    hosts = {"s": {"pfs": {"em1": 7, "em2": 7}}}
    rack = Rack.model_validate({"hosts": hosts, "vms": {"VM-2": {"pairs": [pair]}}})
    assert contradictions(rack) == []
    (network,) = networks_of(rack, "VM-2")
    return network


def test_the_command_line_offers_every_system() -> None:
    assert guest.NETWORK_SYSTEMS == SYSTEMS


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_printed_is_what_is_written(
    rack: Callable[[str], str], system: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["guest-config", rack("[{}, {}]"), "VM-2", "--as", system]
    tree = tmp_path / "tree"
    assert cli.main([*words, "-o", str(tree)]) == 0
    written = {Path(line) for line in capsys.readouterr().out.splitlines()}
    assert written == {path for path in tree.rglob("*") if path.is_file()}
    assert cli.main([*words, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert cli.main(words) == 0
    printed = capsys.readouterr().out
    for file in shown:
        path = tree / file["path"].lstrip("/")
        assert path.read_text() == file["text"]
        assert f"{stat.S_IMODE(path.stat().st_mode):04o}" == file["mode"]
        assert f"# {file['path']}" in printed
        assert file["text"] in printed
    assert len(shown) == len(written)


def test_the_page_shows_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    page = Path("docs/guest-config.md").read_text("utf-8")
    shown = re.search(r"^\$ sriovctl (.*)\n((?:.*\n)*?)\.\.\.$", page, re.MULTILINE)
    assert shown is not None
    assert cli.main(shown[1].split()) == 0
    assert capsys.readouterr().out.startswith(shown[2])


def test_a_policy_decides_what_the_guests_bond_does() -> None:
    shared, active, any_address = (
        network_of({"macs": policy}) for policy in ("shared", "active", "open")
    )
    assert (shared.bond.fail_over_mac, active.bond.fail_over_mac) == (None, "active")
    assert any_address.bond.fail_over_mac is None
    assert shared.alike
    assert {leg.mac for leg in shared.legs} == {shared.bond.mac}
    assert active.bond.mac is None
    assert any_address.bond.mac == any_address.legs[0].mac != any_address.legs[1].mac


def test_an_open_bond_has_the_address_of_its_primary() -> None:
    network = network_of({"macs": "open", "bond": {"primary": "em2"}})
    assert network.bond.primary == "bond0_em2"
    assert network.bond.mac == network.legs[1].mac


def test_slots_tell_cards_apart_only_where_addresses_do_not() -> None:
    slot = {"em1": "05:00.0", "em2": "06:00.0"}
    assert [leg.slot for leg in network_of({"macs": "shared", "slot": slot}).legs] == [
        "0000:05:00.0",
        "0000:06:00.0",
    ]
    assert [leg.slot for leg in network_of({"slot": slot}).legs] == [None, None]


def test_a_bond_is_always_watched() -> None:
    assert network_of({}).bond.miimon_ms
    by_arp = network_of({"bond": {"arp_interval": 300, "arp_ip_targets": ["10.0.0.1"]}}).bond
    assert (by_arp.miimon_ms, by_arp.arp_interval_ms) == (None, 300)


@pytest.mark.parametrize("written", ["none", "backup", "all", None])
def test_a_leg_in_use_lives_by_arp_answers_unless_it_is_said_otherwise(written: str | None) -> None:
    asks = {"arp_interval": 300, "arp_ip_targets": ["10.0.0.1"]}
    said = {} if written is None else {"arp_validate": written}
    assert network_of({"bond": asks | said}).bond.arp_validate == (written or "active")
    assert network_of({"bond": {"miimon": 100}}).bond.arp_validate is None


@pytest.mark.parametrize(
    ("pairs", "vm", "system", "said"),
    [
        ("[{}]", "VM2", "networkd", "did you mean 'VM-2'? it has: VM-1, VM-2"),
        ("[{}]", "VM-1", "networkd", "the VM 'VM-1' has no pair"),
        ("[{macs: shared}]", "VM-2", "ifupdown", "macs: active"),
        ("[{macs: shared}, {macs: shared}]", "VM-2", "cloud-init", "VM-2, bond1, as cloud-init"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_printed(
    rack: Callable[[str], str],
    pairs: str,
    vm: str,
    system: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["guest-config", rack(pairs), vm, "--as", system]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "mend:" in err


def test_what_not_every_guest_gets_is_warned_about(
    rack: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = rack("[{macs: open, bond: {arp_interval: 300, arp_ip_targets: [10.0.0.1]}}]")
    assert cli.main(["guest-config", path, "VM-2", "--as", "cloud-init"]) == 0
    out, err = capsys.readouterr()
    assert "arp-ip-targets" in out
    assert err.startswith("sriovctl: warning: bond0: arp_ip_targets")


def test_a_folder_that_cannot_be_written(
    rack: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    words = ["guest-config", rack("[{}]"), "VM-2", "--as", "netplan", "-o", str(tmp_path / "file")]
    assert cli.main(words) == 2
    assert "cannot write" in capsys.readouterr().err


@given(racks)
@settings(max_examples=200)
def test_every_sound_rack_gives_every_guest_its_bonds(written: dict[str, object]) -> None:
    rack = Rack.model_validate(written) if _valid(written) else None
    if rack is None or contradictions(rack):
        return
    for vm in rack.vms:
        networks = networks_of(rack, vm)
        (want,) = (
            guest
            for guest in rack.want(rack.host_of(vm), Path()).vms
            if guest.name == vm
        )  # fmt: skip
        assert [leg.mac for network in networks for leg in network.legs] == [
            nic.mac for nic in want.nics
        ]
        names = [leg.name for network in networks for leg in network.legs]
        assert len(set(names)) == len(names)
        assert all(len(name.encode()) <= LONGEST_INTERFACE_NAME for name in names)
        for network in networks:
            # own addresses under one address of the bond: silent at failover with the spoof check
            own = len({leg.mac for leg in network.legs}) > 1
            checked = all(nic.macs != "open" for nic in want.nics)
            assert not (own and checked) or network.bond.fail_over_mac == "active"
        for system in SYSTEMS:
            _has_files_or_says_why(networks, system)


def _valid(written: dict[str, object]) -> bool:
    try:
        Rack.model_validate(written)
    except ValueError:
        return False
    return True


def _has_files_or_says_why(networks: tuple[Network, ...], system: System) -> None:
    files, findings = render(networks, system)
    refused = any(finding.severity is Severity.ERROR for finding in findings)
    assert bool(files) != refused or (not networks and not refused)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_config_drive_has_every_file_with_its_mode(
    rack: Callable[[str], str], tmp_path: Path, system: System
) -> None:
    words = ["guest-config", rack("[{}]"), "VM-2", "--as", system]
    drive = tmp_path / "drive.iso"
    assert cli.main([*words, "--drive", str(drive)]) == 0
    image = pycdlib.PyCdlib()
    image.open(str(drive))
    assert image.pvd.volume_identifier.strip() == b"cidata"
    files, _ = render(networks_of(load(tmp_path / "rack.yaml"), "VM-2"), system)
    for file in files:
        place = f"/files{file.path}" if system != "cloud-init" else f"/{file.path}"
        found = io.BytesIO()
        image.get_file_from_iso_fp(found, rr_path=place)
        assert found.getvalue().decode() == file.text
        entry = image.get_record(rr_path=place)
        assert isinstance(entry, DirectoryRecord)
        assert entry.rock_ridge is not None
        assert stat.S_IMODE(entry.rock_ridge.get_file_mode()) == file.mode
    (_, _, names) = next(iter(image.walk(rr_path="/")))
    assert set(names) == (
        {"meta-data", "user-data", "network-config"} if system == "cloud-init" else set()
    )
    image.close()
