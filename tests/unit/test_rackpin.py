"""A fingerprint into a rack file's text: one line more, or one value another; nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriovctl.rackfile import load
from sriovctl.rackpin import with_fingerprint

OLD = ":".join(["0A"] * 32)
NEW = ":".join(["9F"] * 32)

BLOCK = """# a room
hosts:
  s:            # 机房
    pfs: {em1: 7}
    bmc:
      address: 10.8.0.2   # its own
      password: "env:P"

vms:
"""
FLOW = "hosts: {s: {pfs: {em1: 7}, bmc: {address: 10.8.0.2, password: env:P}}}\n"


def test_a_line_after_the_address() -> None:
    comment = "      address: 10.8.0.2   # its own\n"
    expected = BLOCK.replace(comment, f"{comment}      fingerprint: {NEW}\n")
    assert with_fingerprint(BLOCK, "s", NEW) == expected


def test_in_braces() -> None:
    expected = FLOW.replace("10.8.0.2,", f"10.8.0.2, fingerprint: {NEW},")
    assert with_fingerprint(FLOW, "s", NEW) == expected


@pytest.mark.parametrize("quote", ["", "'", '"'])
@pytest.mark.parametrize("text", [BLOCK, FLOW])
def test_in_the_old_ones_place(text: str, quote: str) -> None:
    old = with_fingerprint(text, "s", OLD)
    assert old is not None
    expected = with_fingerprint(text, "s", NEW)
    assert with_fingerprint(old.replace(OLD, quote + OLD + quote), "s", NEW) == expected


def test_every_newline_stays() -> None:
    for text in (BLOCK.replace("\n", "\r\n"), "\ufeff" + BLOCK):
        plain = with_fingerprint(text, "s", NEW)
        assert plain is not None
        assert plain.replace("\r\n", "\n").removeprefix("\ufeff") == with_fingerprint(
            BLOCK, "s", NEW
        )
        assert plain.count("\r\n") == (plain.count("\n") if "\r" in text else 0)
        assert plain.startswith("\ufeff") == text.startswith("\ufeff")


def test_at_the_very_end(tmp_path: Path) -> None:
    text = "hosts:\n  s:\n    pfs: {em1: 7}\n    bmc:\n      password: env:P\n      address: h"
    written = with_fingerprint(text, "s", NEW)
    assert written == f"{text}\n      fingerprint: {NEW}\n"
    (tmp_path / "rack.yaml").write_text(written)
    bmc = load(tmp_path / "rack.yaml").hosts["s"].bmc
    assert bmc is not None
    assert bmc.fingerprint == "9f" * 32


def test_only_the_host_that_is_meant() -> None:
    text = BLOCK.replace(
        "vms:\n", "  t:\n    pfs: {em1: 7}\n    bmc: {address: h, password: env:P}\n"
    )
    first, second = with_fingerprint(text, "s", NEW), with_fingerprint(text, "t", NEW)
    assert first is not None
    assert second is not None
    assert first != second
    assert with_fingerprint(first, "t", OLD) == with_fingerprint(second, "s", NEW) or (
        with_fingerprint(first, "t", NEW) == with_fingerprint(second, "s", NEW)
    )


ALIASES = """hosts:
  s: &s
    pfs: {em1: 7}
    bmc: {address: 10.8.0.2, password: env:P}
  t: *s
"""


@pytest.mark.parametrize(
    "text",
    [
        ALIASES,
        "hosts:\n  s:\n    pfs: {}\n    bmc:\n      ? address\n      : h\n      ? password\n"
        "      : env:P\n",
        BLOCK.replace("10.8.0.2   # its own", "|-\n        10.8.0.2"),
    ],
)
def test_done_right_or_not_at_all(text: str, tmp_path: Path) -> None:
    written = with_fingerprint(text, "s", NEW)
    if written is not None:
        (tmp_path / "rack.yaml").write_text(written)
        bmc = load(tmp_path / "rack.yaml").hosts["s"].bmc
        assert bmc is not None
        assert bmc.fingerprint == "9f" * 32


def test_an_alias_would_pin_two_bmcs() -> None:
    assert with_fingerprint(ALIASES, "s", NEW) is None
