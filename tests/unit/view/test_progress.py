"""What an apply draws."""

from __future__ import annotations

import io

from rich.console import Console

from sriovctl.errors import TransactionError
from sriovctl.observer import WAITING
from sriovctl.plan import Finding, Plan, Severity, Stage, Step
from sriovctl.transaction import (
    Begun,
    ConfirmAnswer,
    ConfirmWait,
    Ended,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    UndoDone,
    UndoFailed,
)
from sriovctl.view.progress import MANY, Progress

STAGE = Stage(
    title="VFs",
    steps=tuple(
        Step(link="nics", title=title, reason="", do="", check="", undo="")
        for title in ("em1 up", "em1: 7 VFs", "bad \x1b[2J\nname [red]")
    ),
)
PLAN = Plan(host="server-2", stages=(STAGE,))


def console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=100, highlight=False), file


def play(progress: Progress, host: str = "server-2") -> None:
    progress.planned(host, PLAN)
    progress.stage_started(host, STAGE)
    progress.event(host, STAGE, Begun("id", "digest", 1))
    for number in (1, 2, 3):
        progress.event(host, STAGE, StepStarted(number, "ignored"))
        progress.event(host, STAGE, StepDone(number, number / 2))
    progress.event(host, STAGE, ConfirmWait(60))
    progress.event(host, STAGE, ConfirmAnswer("accepted"))
    progress.event(host, STAGE, Ended("changed", ""))


def test_plain_lines() -> None:
    out, file = console()
    progress = Progress(["server-2"], out)
    play(progress)
    progress.planned("server-2", Plan(host="server-2"))
    progress.finished("server-2", True, 12.34)
    assert file.getvalue().splitlines() == [
        "VFs: 3 steps",
        "1/3  em1 up  done 0.50 s",
        "2/3  em1: 7 VFs  done 1.00 s",
        "3/3  bad \\x1b[2J\\nname [red]  done 1.50 s",
        "reached again",
        "server-2  as wanted now (12.3 s)",
    ]


def test_what_a_step_said_though_it_went_well() -> None:
    out, file = console()
    progress = Progress(["server-2"], out)
    for event in (StepDone(1, 0.5), StepSaid(1, "Warning: VM-2\x1b[2J: not within 30 s")):
        progress.event("server-2", STAGE, event)
    assert file.getvalue().splitlines() == [
        "1/3  em1 up  done 0.50 s",
        "  Warning: VM-2\\x1b[2J: not within 30 s",
    ]


def test_nothing_to_do() -> None:
    out, file = console()
    progress = Progress(["server-2"], out)
    progress.planned("server-2", Plan(host="server-2"))
    progress.finished("server-2", False, 0.41)
    assert file.getvalue() == "server-2  as wanted: nothing to do (0.4 s)\n"


def test_a_failure_and_its_undoing() -> None:
    out, file = console()
    progress = Progress(["server-2"], out)
    progress.stage_started("server-2", STAGE)
    failed = StepFailed(2, 0.5, "Device or resource \x1b[2Jbusy", refused=False)
    for event in (failed, UndoFailed(2, 0.1, "cannot"), UndoDone(1, 0.2), Ended("undone", "x")):
        progress.event("server-2", STAGE, event)
    progress.failed("server-2", TransactionError("x"))
    assert file.getvalue().splitlines() == [
        "VFs: 3 steps",
        "2/3  em1: 7 VFs  failed 0.50 s",
        "  Device or resource \\x1b[2Jbusy",
        "2/3  em1: 7 VFs  undo failed 0.10 s",
        "  cannot",
        "1/3  em1 up  undone 0.20 s",
        "everything was undone",
    ]


def test_several_hosts_are_named_and_counted() -> None:
    out, file = console()
    progress = Progress(["a", "server-2", "c"], out)
    play(progress)
    progress.finished("server-2", True, 1)
    progress.finished("a", False, 1)
    progress.failed("c", TransactionError("x"))
    lines = file.getvalue().splitlines()
    assert "server-2  1/3  em1 up  done 0.50 s" in lines
    assert "a         as wanted: nothing to do (1.0 s)" in lines


def test_of_many_hosts_only_the_ends_are_told() -> None:
    for terminal in (False, True):
        out, file = console(terminal=terminal)
        progress = Progress([f"server-{n}" for n in range(MANY + 1)], out)
        progress.doing("server-3", WAITING)
        play(progress)
        progress.finished("server-2", True, 1)
        progress.failed("server-1", TransactionError("server-1: no\x1b[2J"))
        progress.close()
        text = file.getvalue()
        assert "em1 up" not in text
        assert "as wanted now" in text
        assert "failed: no\\x1b[2J" in text
        assert ("1 waiting" in text) == terminal


def test_findings_are_told_once() -> None:
    out, file = console()
    progress = Progress(["server-2"], out)
    finding = Finding(severity=Severity.WARNING, link="nics", about="em1", found="netplan too")
    for _ in range(2):
        progress.planned("server-2", Plan(host="server-2", findings=(finding,)))
    assert file.getvalue().count("netplan too") == 1


def test_what_a_restart_brought_to_light_is_told() -> None:
    out, file = console()
    progress = Progress(["server-2"], out)
    for found in ("no IOMMU", "netplan too", "no IOMMU"):
        finding = Finding(severity=Severity.WARNING, link="nics", about="em1", found=found)
        progress.planned("server-2", Plan(host="server-2", findings=(finding,)))
    assert [file.getvalue().count(found) for found in ("no IOMMU", "netplan too")] == [1, 1]


def test_a_terminal_is_left_as_it_was() -> None:
    for ends in (True, False):
        out, file = console(terminal=True)
        progress = Progress(["server-2"], out)
        play(progress)
        progress.lost("server-2", "no route")
        if ends:
            progress.finished("server-2", True, 1)
        else:
            progress.failed("server-2", KeyboardInterrupt())
        text = file.getvalue()
        assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0  # the cursor shows again
        assert "\x1b[2Jb" not in text
