"""``sriovctl trust`` against the virtual iDRAC: told, recorded, nothing overwritten unasked."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from sriovctl import cli
from sriovctl.bmc.opening import open_door
from sriovctl.bmc.recognise import colons
from sriovctl.lab.bmc.control import ask
from sriovctl.lab.bmc.personality import IDRAC9
from sriovctl.rackfile import wants
from tests.unit.bmc.conftest import WANT, in_background, patience
from tests.unit.lab.bmc.conftest import Peer, Start


class Room:
    """A rack file with one BMC in it."""

    def __init__(self, peer: Peer, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.peer = peer
        self.path = folder / "rack.yaml"
        self.known_hosts = folder / "known"
        self._capsys = capsys
        secret = folder / "secret"
        secret.write_text("calvin\n")
        secret.chmod(0o600)
        self.write("known_hosts: known")

    @property
    def fingerprint(self) -> str:
        return self.peer.bmc.certificate.fingerprint

    def write(self, *more: str) -> None:
        bmc = self.peer.bmc
        lines = (
            "address: 127.0.0.1  # behind a tunnel",
            f"https_port: {bmc.https_port}",
            f"ssh_port: {bmc.ssh_port}",
            "password: file:secret",
            *more,
        )
        self.path.write_text(
            "hosts:\n  s:\n    pfs: {em1: 7}\n    bmc:\n"
            + "".join(f"      {line}\n" for line in lines)
        )

    def trust(self, *words: str) -> tuple[int, str, str]:
        code = cli.main(["trust", str(self.path), *words])
        return code, *self._capsys.readouterr()

    def standings(self, *words: str) -> dict[str, str]:
        told = json.loads(self.trust("--json", *words)[1])["s"]
        return {kind: told[kind]["standing"] for kind in ("certificate", "ssh key") if kind in told}

    def files(self) -> tuple[bytes, bytes]:
        known = self.known_hosts.read_bytes() if self.known_hosts.exists() else b""
        return self.path.read_bytes(), known


@pytest.fixture
def room(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Room:
    return Room(start(replace(IDRAC9)), tmp_path, capsys)


NEW = {"certificate": "new", "ssh key": "new"}
KNOWN = {"certificate": "known", "ssh key": "known"}
CHANGED = {"certificate": "changed", "ssh key": "changed"}


def test_new_is_told_and_nothing_is_written(room: Room) -> None:
    before = room.files()
    code, out, err = room.trust()
    assert code == 3
    assert colons(room.fingerprint) in out
    assert ask(room.peer.control, do="state")["host_key"] in out
    assert "--write" in out
    assert err == ""
    assert room.standings() == NEW
    assert room.files() == before


def test_recorded_once_and_then_believed(room: Room) -> None:
    code, out, _ = room.trust("--write")
    assert code == 0
    assert "--write" not in out
    assert room.known_hosts.stat().st_mode & 0o777 == 0o600
    after = room.files()
    assert room.trust("--write")[0] == 0
    assert room.files() == after
    assert room.standings() == KNOWN
    for via in ("redfish", "racadm"):
        (host,) = wants(room.path)
        assert host.bmc is not None
        door = open_door(host.bmc.model_copy(update={"via": via}), patience())
        assert door.via == via
        assert door.look(WANT).vendor == "dell"
        door.close()


def test_what_changed_is_shouted_and_kept(room: Room) -> None:
    room.trust("--write")
    before = room.files()
    was = room.fingerprint
    ask(room.peer.control, do="certificate")
    ask(room.peer.control, do="host-key")
    for words in ([], ["--write"]):
        code, out, err = room.trust(*words)
        assert code == 3
        assert "ANOTHER CERTIFICATE" in err
        assert "ANOTHER SSH KEY" in err
        assert colons(was) in out
        assert room.standings(*words) == CHANGED
        assert room.files() == before
    assert room.trust("--write", "--replace")[0] == 0
    assert room.standings() == KNOWN
    assert len(room.known_hosts.read_text().splitlines()) == 1
    assert room.path.read_text().count("fingerprint") == 1


def test_replace_without_write(room: Room) -> None:
    assert room.trust("--replace")[0] == 2


@pytest.mark.parametrize(
    ("more", "standings"),
    [
        (["via: redfish", "known_hosts: known"], {"certificate": "new"}),
        (["via: racadm", "known_hosts: known"], {"ssh key": "new"}),
        ([], {"certificate": "new"}),
        (["insecure: true"], {"certificate": "unchecked"}),
        (["authority: bmc.pem"], {"certificate": "known"}),
    ],
)
def test_only_what_the_way_to_it_checks(
    room: Room, more: list[str], standings: dict[str, str]
) -> None:
    room.write(*more)
    assert room.standings() == standings
    assert room.trust()[0] == (0 if set(standings.values()) == {"known"} else 3)


@pytest.mark.parametrize("more", [["insecure: true"], ["authority: bmc.pem"]])
def test_another_way_of_checking_is_not_mixed_with_a_pin(room: Room, more: list[str]) -> None:
    room.write(*more)
    ask(room.peer.control, do="certificate")
    before = room.files()
    assert room.trust("--write", "--replace")[0] == 3
    assert room.files() == before


def test_nobody_there(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    room.write("known_hosts: known")
    room.path.write_text(room.path.read_text().replace(str(room.peer.bmc.https_port), "9"))
    code, out, err = room.trust()
    assert code == 3  # its ssh key is new
    assert "does not answer to TLS" in err
    assert "ssh key" in out
    room.trust("--write")
    assert room.trust()[0] == 1


def test_somebody_who_speaks_neither(room: Room) -> None:
    """In a process of its own: nothing but our words on its standard error, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            for _ in range(2):
                stranger, _ = server.accept()
                stranger.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                stranger.close()

        room.write("known_hosts: known")
        port, text = str(server.getsockname()[1]), room.path.read_text()
        for was in (room.peer.bmc.https_port, room.peer.bmc.ssh_port):
            text = text.replace(str(was), port)
        room.path.write_text(text)
        in_background(hang_up)
        done = subprocess.run(
            [sys.executable, "-m", "sriovctl.cli", "trust", str(room.path)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    for line, what in zip(lines, ("TLS", "ssh"), strict=True):
        assert f"127.0.0.1:{port} does not answer to {what}" in line


def test_a_rack_without_a_bmc(room: Room) -> None:
    room.path.write_text("hosts: {s: {pfs: {em1: 7}}}\n")
    code, _, err = room.trust()
    assert code == 2
    assert "no BMC of s" in err


def test_a_rack_file_that_takes_no_line_more(room: Room) -> None:
    text = room.path.read_text().replace("address: 127.0.0.1", "address: *here")
    room.path.write_text("rack: &here 127.0.0.1\n" + text)
    before = room.path.read_bytes()
    code, _, err = room.trust("--write")
    assert code == 3
    assert f"by hand under hosts.s.bmc: fingerprint: {colons(room.fingerprint)}" in err
    assert room.path.read_bytes() == before
    assert room.standings() == {"certificate": "new", "ssh key": "known"}


@pytest.mark.parametrize("kind", ["ssh-rsa", "ssh-ed25519"])
def test_a_bmc_with_keys_of_two_kinds(room: Room, kind: str) -> None:
    """The recorded one is asked for, whichever would be preferred."""
    keys = {name: asyncssh.generate_private_key(name) for name in ("ssh-ed25519", "ssh-rsa")}
    bmc = room.peer.bmc
    room.peer.call(lambda: bmc._acceptor.update(server_host_keys=list(keys.values())))
    public = keys[kind].export_public_key().decode()
    room.known_hosts.write_text(f"[127.0.0.1]:{bmc.ssh_port} {public}")
    room.write("via: racadm", "known_hosts: known")
    assert room.standings() == {"ssh key": "known"}
    (host,) = wants(room.path)
    assert host.bmc is not None
    assert open_door(host.bmc, patience()).look(WANT).vendor == "dell"


def test_no_password_is_needed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    room.path.write_text(room.path.read_text().replace("file:secret", "env:NOT_SET"))
    assert room.standings() == NEW


def test_many_at_once(room: Room, start: Start) -> None:
    bmcs: dict[str, Any] = {f"s{n}": start(replace(IDRAC9)).bmc for n in range(3)}
    room.path.write_text(
        "hosts:\n"
        + "".join(
            f"  {name}: {{pfs: {{em1: 7}}, bmc: {{address: 127.0.0.1, password: env:P, "
            f"https_port: {bmc.https_port}, ssh_port: {bmc.ssh_port}, known_hosts: known}}}}\n"
            for name, bmc in bmcs.items()
        )
    )
    assert room.trust("--write", "--limit", "s0", "--limit", "s1")[0] == 0
    told = json.loads(room.trust("--json")[1])
    assert [told[name]["certificate"]["standing"] for name in bmcs] == ["known", "known", "new"]
    assert [told[name]["ssh key"]["standing"] for name in bmcs] == ["known", "known", "new"]
