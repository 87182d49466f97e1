"""A BMC as the rack file has it, opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sriovctl.bmc.access import Access
from sriovctl.bmc.carry import carry
from sriovctl.bmc.opening import access_of, open_door
from sriovctl.bmc.secrets import Secret, SecretError
from sriovctl.bmc.trust import TlsTrust
from sriovctl.errors import UnreachableError, UsageError
from sriovctl.rackfile import wants
from sriovctl.wanted import BMCWant
from tests.unit.bmc.conftest import WANT, Doors, Way, patience

PASSWORD = Secret("calvin")


def want(**more: Any) -> BMCWant:
    return BMCWant(**({"address": "10.8.0.2", "user": "root", "password": "env:P"} | more))


def test_defaults_are_those_of_the_way_itself() -> None:
    assert access_of(want(), PASSWORD) == Access("10.8.0.2", "root", PASSWORD)


@pytest.mark.parametrize(
    ("written", "tls"),
    [
        ({"fingerprint": "9f" * 32}, TlsTrust(fingerprint="9f" * 32)),
        ({"authority": __file__}, TlsTrust(authority=Path(__file__))),
        ({"insecure": True}, TlsTrust(insecure=True)),
    ],
)
def test_whom_to_believe(written: dict[str, Any], tls: TlsTrust) -> None:
    assert access_of(want(**written), PASSWORD).tls == tls


def test_authorities_that_are_gone() -> None:
    with pytest.raises(UsageError, match="no file /gone"):
        access_of(want(authority="/gone"), PASSWORD)


def test_every_other_key() -> None:
    rest: dict[str, Any] = {
        "via": "racadm",
        "https_port": 8443,
        "ssh_port": 2222,
        "old_ciphers": True,
    }
    assert access_of(want(known_hosts="/known", **rest), PASSWORD) == Access(
        "10.8.0.2", "root", PASSWORD, known_hosts=Path("/known"), **rest
    )


def test_without_its_password_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P", raising=False)
    with pytest.raises(SecretError, match="P is not set"):
        open_door(want(address="host.invalid"))


def rack(way: Way, *more: str) -> BMCWant:
    """The BMC of a rack file in the way's folder."""
    bmc, keys = way.peer.bmc, way.access()
    lines = (
        "address: 127.0.0.1",
        "password: file:secret",
        f"via: {way.via}",
        f"https_port: {bmc.https_port}",
        f"ssh_port: {bmc.ssh_port}",
        f"known_hosts: {keys.known_hosts and keys.known_hosts.name}",
        *more,
    )
    (way.folder / "secret").write_text("calvin\n")
    (way.folder / "secret").chmod(0o600)
    path = way.folder / "rack.yaml"
    path.write_text(
        "hosts:\n  s:\n    pfs: {em1: 7}\n    bmc:\n" + "".join(f"      {line}\n" for line in lines)
    )
    (host,) = wants(path)
    assert host.bmc is not None
    return host.bmc


def test_few_round_trips_where_all_is_as_wanted(way: Way, doors: Doors) -> None:
    """From the rack file: 4 over Redfish, 2 over racadm."""
    carry(doors(way), WANT, restart=True, patience=patience())
    door = open_door(rack(way, f"fingerprint: {way.peer.bmc.certificate.fingerprint}"))
    try:
        state = door.look(WANT, jobs=False)
        assert all(setting.holds for setting in state.settings)
        assert door.round_trips <= (4 if way.via == "redfish" else 2)  # type: ignore[attr-defined]
    finally:
        door.close()


def test_a_wrong_pin_is_not_believed(way: Way) -> None:
    written = rack(way, f"fingerprint: {'9f' * 32}")
    if way.via == "racadm":
        assert written.known_hosts is not None
        Path(written.known_hosts).write_text("")
        with pytest.raises(UnreachableError, match="no recorded ssh key"):
            open_door(written).look(WANT)
    else:
        with pytest.raises(UnreachableError, match="another certificate"):
            open_door(written)
