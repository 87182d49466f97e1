"""What peers and switches say of the VM, as they say it."""

from __future__ import annotations

from sriovctl.trial.learned import (
    Announcement,
    Learned,
    Move,
    learned,
    parse_announcement,
    parse_move,
)

MAC = "02:06:1e:c6:dc:29"


def test_a_switch_learns_and_forgets() -> None:
    # as bridge of iproute2 6.1 prints it
    assert parse_move(f"{MAC} dev s2-em2 master switch-2 ", 7) == Move(7, MAC, "s2-em2", "switch-2")
    assert parse_move(f"Deleted {MAC} dev s2-em2 master switch-2 ", 7) is None
    assert parse_move(f"{MAC} dev s2-em2 self permanent", 7) is None
    assert parse_move("pid 4711", 7) is None


def test_a_line_of_the_pinger() -> None:
    assert parse_announcement(f"announced 1500000 {MAC}") == Announcement(1.5, MAC)
    assert parse_announcement("answer 1 2") is None


def test_the_first_of_each_in_the_window_counts() -> None:
    heard = [Announcement(moment, MAC) for moment in (9.0, 11.5, 12.0)]
    moves = [
        Move(9.5, MAC, "s2-em2", "switch-2"),
        Move(11.0, "02:00:00:00:00:99", "s3-em1", "switch-1"),
        Move(11.25, MAC, "interlink", "switch-1"),
        Move(11.75, MAC, "s2-em1", "switch-1"),
    ]
    assert learned(heard, moves, [], 10, 13) == Learned(1500, {"switch-1": 1250})
    assert learned([], moves, [], 10, 13) == Learned(None, {})
    assert learned([], moves, [MAC], 13, 14) == Learned(None, {})
