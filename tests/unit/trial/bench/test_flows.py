"""What iperf3, ping and /proc/stat say, as they say it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.trial.bench.flows import (
    RunError,
    cpu_per_gigabit,
    latency,
    received,
    round_trips,
)

PING = """\
PING 10.8.0.12 (10.8.0.12) 56(84) bytes of data.
64 bytes from 10.8.0.12: icmp_seq=1 ttl=64 time=2.51 ms
64 bytes from 10.8.0.12: icmp_seq=2 ttl=64 time=0.497 ms
64 bytes from 10.8.0.12: icmp_seq=3 ttl=64 time=112 ms

--- 10.8.0.12 ping statistics ---
4 packets transmitted, 3 received, 25% packet loss, time 31ms
rtt min/avg/max/mdev = 0.497/38.335/112.000/52.1 ms
"""


def told(**end: object) -> str:
    return json.dumps({"start": {}, "end": end})


def test_what_arrived_counts() -> None:
    # figures of an iperf 3.12, of which nearly half was lost
    sent = {"bits_per_second": 36917883.4, "lost_percent": 47.42}
    arrived = {"bits_per_second": 19409471.5}
    assert received(told(sum=sent, sum_sent=sent, sum_received=arrived)) == 19409471.5
    assert received(told(sum=sent)) == pytest.approx(19409471.5, rel=0.001)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"end": {}, "error": "unable to connect to server: Connection refused"}', "refused"),
        ("", "without a result"),
        ('{"end": {}}', "no figure"),
    ],
)
def test_a_run_that_failed_says_why(text: str, why: str) -> None:
    with pytest.raises(RunError, match=why):
        received(text)


def test_round_trips_are_the_answers() -> None:
    assert round_trips(PING) == [2.51, 0.497, 112]
    assert round_trips("ping: connect: Network is unreachable") == []


@given(st.lists(st.floats(0, 1e5), min_size=2))
def test_percentiles_are_within_what_was_measured(trips: list[float]) -> None:
    found = latency(trips)
    slack = 1e-6 * max(trips)
    assert min(trips) <= found["latency_median"] <= found["latency_p99"] + slack
    assert found["latency_p99"] <= max(trips) + slack


BEFORE = " 100 0 100 1000 0 0 10 0 50 0"


def test_cpu_is_of_all_processors_and_without_guests() -> None:
    # 4 processors, a tenth of the time busy, half of that in guests, at 2 Gbit/s
    after = " 150 0 140 1900 0 0 20 0 100 0"
    own, whole = cpu_per_gigabit(f"4\n{BEFORE}\n{after}\n", 2e9) or (0, 0)
    assert whole == pytest.approx(0.2)
    assert own == pytest.approx(0.1)


@pytest.mark.parametrize(
    "text", ["", "4\n", f"4\n{BEFORE}\n{BEFORE}\n", f"4\n{BEFORE}\n 1 2 3\n", "4\na\nb\n"]
)
def test_no_cpu_where_nothing_can_be_said(text: str) -> None:
    assert cpu_per_gigabit(text, 1e9) is None
