"""A file of ssh host keys: one host's key exchanged, every other line as it was."""

from __future__ import annotations

from pathlib import Path

import paramiko
import pytest

from sriovctl.bmc.knownhosts import record, recorded, with_key
from sriovctl.errors import UsageError

KEYS = [paramiko.ECDSAKey.generate() for _ in range(3)]
OURS, OTHER, NEW = KEYS


def line(names: str, key: paramiko.PKey) -> str:
    return f"{names} {key.get_name()} {key.get_base64()}\n"


HASHED = paramiko.HostKeys.hash_host("10.8.0.2")
KEPT = (
    "# BMCs of the room\n\n"
    + line("10.8.0.3", OTHER)
    + line("[10.8.0.2]:2222", OTHER)
    + line("@revoked 10.8.0.2", OTHER)
    + "|1|x|y ssh-rsa AAAA\n"
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        (KEPT, KEPT),
        (KEPT.rstrip("\n"), KEPT),
        (KEPT + line("10.8.0.2", OURS), KEPT),
        (KEPT + line(HASHED, OURS), KEPT),
        (KEPT + line("10.8.0.2,bmc-2", OURS), KEPT + line("bmc-2", OURS)),
        (line("10.8.0.2", OURS).replace(" ", "\t"), ""),
    ],
)
def test_one_key_for_one_host(tmp_path: Path, before: str, after: str) -> None:
    assert with_key(before, "10.8.0.2", NEW) == after + line("10.8.0.2", NEW)
    (tmp_path / "known").write_text(before)
    record(tmp_path / "known", "10.8.0.2", NEW)
    assert recorded(tmp_path / "known", "10.8.0.2") == (NEW,)


@pytest.mark.parametrize(
    "broken", ["10.8.0.2\n", "10.8.0.2 ssh-rsa\n", "10.8.0.2 ssh-rsa !\n", "10.8.0.2 x AAAA\n"]
)
def test_a_broken_line_makes_nobody_known(tmp_path: Path, broken: str) -> None:
    (tmp_path / "known").write_text(broken)
    assert recorded(tmp_path / "known", "10.8.0.2") == ()
    (tmp_path / "known").write_text(broken + line("10.8.0.2", OURS))
    assert recorded(tmp_path / "known", "10.8.0.2") == (OURS,)


def test_owner_and_mode_stay(tmp_path: Path) -> None:
    path = tmp_path / "known"
    record(path, "a", OURS)
    assert path.stat().st_mode & 0o7777 == 0o600
    path.chmod(0o644)
    (tmp_path / "link").symlink_to(path)
    record(tmp_path / "link", "b", OTHER)
    assert path.stat().st_mode & 0o7777 == 0o644
    assert (tmp_path / "link").is_symlink()
    assert [recorded(path, name) for name in "abc"] == [(OURS,), (OTHER,), ()]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["known", "link"]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    assert recorded(tmp_path / "none", "a") == ()
    for path in (tmp_path, tmp_path / "no" / "folder"):
        with pytest.raises(UsageError):
            record(path, "a", OURS)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        recorded(tmp_path / "binary", "a")
