"""Hosts into waves, and when a run ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.waves import Share, too_many, waves

shares = st.builds(Share, st.integers(0, 200), st.just(False)) | st.builds(
    Share, st.integers(0, 100), st.just(True)
)


@given(st.integers(0, 300), shares)
def test_every_host_once_in_order_the_first_alone(count: int, batch: Share) -> None:
    made = list(waves(range(count), batch))
    assert [host for wave in made for host in wave] == list(range(count))
    assert all(made)
    assert [len(wave) for wave in made[:1]] == [1] * min(count, 1)
    assert all(len(wave) <= max(1, batch.of(count)) for wave in made)


@given(st.integers(1, 300), shares)
def test_none_may_fail_where_none_is_said(total: int, most: Share) -> None:
    assert too_many(total + 1, total, Share(100, percent=True))
    assert not too_many(0, total, most)
    assert too_many(1, total, Share(0, percent=False))


@pytest.mark.parametrize("text", ["0", "7", "10%", "33.3%", "100%"])
def test_a_share_is_written_as_it_is_read(text: str) -> None:
    assert str(Share.parse(text)) == text


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "ten", "%", "1e3", "nan%"])
def test_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        Share.parse(text)
