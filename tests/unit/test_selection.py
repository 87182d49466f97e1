"""Hosts by name, group and pattern."""

from __future__ import annotations

import pytest

from sriovctl.errors import UsageError
from sriovctl.selection import chosen

HOSTS = ["server-01", "server-02", "server-10", "web"]
GROUPS = {"row-a": ["server-01", "web"], "empty": []}


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        (None, HOSTS),
        (["web"], ["web"]),
        (["row-a"], ["server-01", "web"]),
        (["server-*"], HOSTS[:3]),
        (["server-[01-02]"], HOSTS[:2]),
        (["server-?2", "row-a", "web"], ["server-02", "server-01", "web"]),
        (["*-[01-02]"], HOSTS[:2]),
    ],
)
def test_chosen(limit: list[str] | None, found: list[str]) -> None:
    assert chosen(limit, HOSTS, GROUPS, "rack.yaml") == found


@pytest.mark.parametrize("word", ["sever-01", "x*", "empty", "server-[01-03]", ""])
def test_what_means_no_host(word: str) -> None:
    with pytest.raises(UsageError, match=r"in rack\.yaml") as caught:
        chosen([word], HOSTS, GROUPS, "rack.yaml")
    assert "groups: row-a, empty" in caught.value.means


def test_not_all_of_many_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        chosen(["zz"], [f"h{number}" for number in range(1000)], {}, "rack.yaml")
    assert "and 980 more" in caught.value.means
