"""Medians, ratios, verdicts and the table."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.lab.bench.figures import COLUMNS, Comparison, Series, table, verdict

SECONDS = st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=20).map(tuple)


@given(SECONDS)
def test_the_median_lies_within_the_spread(values: tuple[float, ...]) -> None:
    series = Series("x", values)
    assert min(values) <= series.median <= max(values)
    assert series.median == median(values)


@given(SECONDS, SECONDS)
def test_a_ratio_is_of_medians_and_turned_round_its_inverse(
    first: tuple[float, ...], second: tuple[float, ...]
) -> None:
    one = Comparison(Series("a", first), Series("b", second), "s")
    other = Comparison(Series("b", second), Series("a", first), "s")
    assert one.ratio == median(first) / median(second)
    assert one.ratio * other.ratio == pytest.approx(1)


def test_against_nothing() -> None:
    nothing, something = Series("a", (0.0,)), Series("b", (1.0,))
    assert Comparison(nothing, nothing, "s").ratio == 1
    assert Comparison(something, nothing, "s").ratio == float("inf")


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured of a probe"):
        Series("a probe", ())


@pytest.mark.parametrize(
    ("value", "aim", "said"),
    [
        (1.15, 1.15, "aim 1.15: met"),
        (1.1500001, 1.15, "aim 1.15: missed"),
        (0.3, 1 / 3, "aim 0.333: met"),
    ],
)
def test_the_verdict_is_of_the_value_as_it_is(value: float, aim: float, said: str) -> None:
    assert verdict(value, aim) == said


def test_a_verdict_names_its_unit() -> None:
    assert verdict(2, 1, "s") == "aim 1 s: missed"


def test_a_row_has_both_figures_with_units_and_spread() -> None:
    row = Comparison(Series("ours", (2.0, 3.0, 2.5)), Series("bare", (2.0,)), "s", 1.15).row()
    assert row == (
        "ours: 2.50 s (2.00 to 3.00)",
        "bare: 2.00 s",
        "1.25",
        "aim 1.15: missed",
        "",
    )


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.00123, "1.23 ms"), (0.0123, "12.3 ms"), (0.1234, "123 ms")]
)
def test_three_digits(seconds: float, said: str) -> None:
    assert Series("x", (seconds,)).text("ms") == said


def test_without_an_aim_there_is_no_verdict() -> None:
    assert Comparison(Series("a", (1.0,)), Series("b", (1.0,)), "s").verdict == ""


CELLS = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Mn", "Cf"]), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5))
def test_every_row_of_a_table_has_every_column(rows: list[tuple[str, str, str]]) -> None:
    lines = table(("a", "b", "c"), rows).split("\n")
    assert len(lines) == len(rows) + 2
    columns = sum(any(row[i] for row in rows) for i in range(3))
    for line in lines:
        assert line.replace("\\|", "").count("|") == (columns + 1 if columns else 2)


def test_a_column_without_a_word_is_left_out() -> None:
    text = table(COLUMNS, [("a", "b", "1.00", "", "")])
    assert text.split("\n")[0] == "| ours | against | ratio |"


def test_wide_characters_keep_the_columns_apart() -> None:
    lines = table(("x", "y"), [("虚机", "1"), ("VM", "2")]).split("\n")
    assert lines[2:] == ["| 虚机 | 1 |", "| VM   | 2 |"]
