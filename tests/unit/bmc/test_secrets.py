"""Passwords do not show themselves, and are not taken from where others can read them."""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest

from sriovctl.bmc.access import Access
from sriovctl.bmc.carry import carry
from sriovctl.bmc.secrets import Secret, SecretError, secret
from sriovctl.errors import SriovctlError, UsageError
from tests.unit.bmc.conftest import WANT, Doors, Way, patience

WORD = "hunter2-not-to-be-seen"


def written(path: Path, content: bytes | str = WORD + "\n", mode: int = 0o600) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return f"file:{path}"


def test_each_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert secret("env:BMC", {"BMC": WORD}).reveal() == WORD
    monkeypatch.setenv("BMC_HERE", WORD)
    assert secret("env:BMC_HERE").reveal() == WORD
    for number, content in enumerate((WORD, WORD + "\n", WORD + "\r\n")):
        assert secret(written(tmp_path / str(number), content)).reveal() == WORD
    assert secret(written(tmp_path / "r", mode=0o400)).reveal() == WORD
    assert secret(written(tmp_path / "s", "a b: c\n")).reveal() == "a b: c"
    keyring = SimpleNamespace(
        errors=SimpleNamespace(KeyringError=RuntimeError),
        get_password=lambda service, user: WORD if (service, user) == ("idrac", "root") else None,
    )
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert secret("keyring:idrac/root").reveal() == WORD
    with pytest.raises(SecretError, match="no entry"):
        secret("keyring:idrac/other")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretError, match="not installed"):
        secret("keyring:idrac/root")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666, 0o777])
def test_a_file_that_others_can_read(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SecretError, match=f"mode 0{mode:o}") as caught:
        secret(written(tmp_path / "password", mode=mode))
    assert "chmod 0600" in caught.value.mend
    assert WORD not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "password"
    reference = written(path)
    os.chown(path, 12345, 0)
    with pytest.raises(SecretError, match="belongs to user 12345"):
        secret(reference)


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"a\0b", b"\xff\xfe" + WORD.encode()])
def test_a_file_that_is_no_password(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SecretError) as caught:
        secret(written(tmp_path / "password", content))
    assert WORD not in "".join(traceback.format_exception(caught.value))


def test_no_file_and_no_plain_file(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="cannot be opened"):
        secret(f"file:{tmp_path / 'none'}")
    os.mkfifo(tmp_path / "fifo", 0o600)  # must not hang
    for name in ("fifo", "."):
        with pytest.raises(SecretError):
            secret(f"file:{tmp_path / name}")
    with pytest.raises(SecretError, match="not set or empty"):
        secret("env:BMC", {"BMC": ""})


@pytest.mark.parametrize("reference", [WORD, f"pass:{WORD}", "", "env:", "file:", f"{WORD}:"])
def test_a_password_written_as_reference_is_not_repeated(reference: str) -> None:
    with pytest.raises(UsageError) as caught:
        secret(reference, {})
    assert WORD not in str(caught.value)


def test_it_does_not_show(tmp_path: Path) -> None:
    kept = Secret(WORD)
    access = Access("10.8.0.1", "root", kept)
    shown = [
        repr(kept),
        str(kept),
        f"{kept}",
        f"{kept:>40}",
        repr(access),
        str([kept]),
        f"{kept!s}",
    ]
    assert not any(WORD in text for text in shown)
    for write in (json.dumps, pickle.dumps):
        with pytest.raises(TypeError):
            write(kept)
    assert not hasattr(kept, "__dict__")


def test_it_is_in_no_log_no_message_no_argument(
    way: Way, doors: Doors, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    door = doors(way)
    carry(door, WANT, restart=True, patience=patience(), tell=told.append)
    door.close()
    errors: list[str] = []
    way.peer.bmc.faults.locked = True
    for port in ("https_port", "ssh_port"):
        for change in ({}, {port: 1}):
            try:
                doors(way, **change).look(WANT)
            except SriovctlError as error:
                errors += [repr(error), str(error), *traceback.format_exception(error)]
    assert errors
    processes = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=False).stdout
    out, err = capfd.readouterr()
    everything = "\n".join([caplog.text, *told, *errors, processes, out, err])
    assert "calvin" not in everything
    # as HTTP's Basic login would have it
    assert "cm9vdDpjYWx2aW4" not in everything
