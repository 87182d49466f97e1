"""From what was sent and answered to outages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.trial.probes import Probe, answers_per_second, onset, outage, parse

PITCH_S = 0.001


def sent(answered: list[bool]) -> list[Probe]:
    """A probe a millisecond from 100 s on."""
    moments = [100 + place * PITCH_S for place in range(len(answered))]
    return [
        Probe(moment, moment + 0.0005 if came else None)
        for moment, came in zip(moments, answered, strict=True)
    ]


def test_nothing_lost_is_no_outage() -> None:
    found = outage(sent([True] * 50), 100, 101)
    assert (found.ms, found.lost, found.sent, found.over) == (0, 0, 50, True)


def test_the_longest_silence_counts() -> None:
    answered = [True] * 10 + [False] * 3 + [True] * 10 + [False] * 20 + [True] * 10
    found = outage(sent(answered), 100, 101)
    assert found.lost == 23
    assert found.ms == pytest.approx(21, abs=0.2), "from the last answer before to the next"
    assert found.over


def test_a_silence_at_the_end_is_not_over() -> None:
    found = outage(sent([True] * 10 + [False] * 40), 100, 100.05)
    assert not found.over
    assert found.ms == pytest.approx(41, abs=0.2)


def test_what_is_outside_of_the_window_does_not_count() -> None:
    answered = [False] * 20 + [True] * 20 + [False] * 20
    found = outage(sent(answered), 100.0195, 100.0395)
    assert (found.lost, found.ms, found.sent) == (0, 0, 20)


def test_a_silence_began_when_its_first_packet_was_lost() -> None:
    probes = sent([True] * 10 + [False] * 30 + [True] * 10)
    assert onset(probes, 100.0205) == pytest.approx(100.010)
    assert onset(probes, 100.0055) == 100.0055, "the VM answered then"
    assert onset([], 100) == 100


def test_nobody_sent_anything() -> None:
    assert outage([], 100, 101).sent == 0


@given(st.lists(st.booleans(), max_size=200))
def test_an_outage_is_as_long_as_its_losses(answered: list[bool]) -> None:
    found = outage(sent(answered), 100, 100 + len(answered) * PITCH_S - PITCH_S / 2)
    assert found.lost == answered.count(False)
    assert (found.ms > 0) == (found.lost > 0)
    assert found.ms <= (found.lost + 1) * PITCH_S * 1000 + 0.1
    assert found.over or not answered[-1]


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_every_answer_is_in_one_bin(answered: list[bool]) -> None:
    until = 100 + len(answered) * PITCH_S
    bins = answers_per_second(sent(answered), 99.9995, until, 0.01)
    # the last bin may be cut short: what is in the others is all that came until then
    whole = [p for p in sent(answered) if p.received and p.sent < bins[-1][0] + 0.01]
    assert sum(rate * 0.01 for _, rate in bins) == pytest.approx(len(whole))


@pytest.mark.parametrize(
    ("line", "probe"),
    [
        ("answer 1000000 1500000", Probe(1.0, 1.5)),
        ("lost 2000000", Probe(2.0, None)),
        ("pid 7", None),
        ("answer 1", None),
        ("answer x y", None),
        ("", None),
    ],
)
def test_lines_of_the_pinger(line: str, probe: Probe | None) -> None:
    assert parse(line) == probe
