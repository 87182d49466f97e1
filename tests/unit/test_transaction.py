"""Compiling a stage: pure text in, pure text out, and what shellcheck says of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sriovctl.plan import Impact, Stage, Step
from sriovctl.shell import command
from sriovctl.transaction import (
    Begun,
    ConfirmAnswer,
    ConfirmWait,
    Ended,
    StepDone,
    StepFailed,
    StepStarted,
    TookOver,
    UndoFailed,
    compile_stage,
    launcher,
    parse_event,
    stage_digest,
    transaction_id,
)

NAMES = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_characters="\0"),
        st.sampled_from("'\"$`\\\n\r\t;&|<>(){}*?[]!#~=@%+:,.- "),
        st.sampled_from("\xa0\u2018\u2019\u201c\u201d\u2028\u202e\x1b\x7f\x85"),
    ),
    max_size=30,
)
NASTY = "x\n}\ntouch /tmp/no\n# shellcheck disable=all '\"`$(id)`\\"


def stage(names: list[str], host: str = "h") -> Stage:
    """A step for each name, the name in every place where one can be."""
    steps = tuple(
        Step(
            link="guests",
            title=name,
            reason=name,
            do=f"true {command(name)} {host and command(host)}",
            check=command("test", "-n", name),
            undo=f"true {command(name)}" if index % 2 else "",
            impact=Impact.VM_RESTART if index % 3 else Impact.NONE,
            affects=(name,),
        )
        for index, name in enumerate(names)
    )
    return Stage(title=names[0] if names else "", steps=steps)


def shellcheck(script: str) -> str:
    """What shellcheck says of a script; empty when it has nothing to say."""
    tool = Path(sys.executable).with_name("shellcheck")
    return subprocess.run(
        [tool, "--shell=sh", "--severity=style", "-"],
        input=script.encode("utf-8"),
        capture_output=True,
        check=False,
    ).stdout.decode()


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@example(names=[NASTY, "", " ", "\n", "shellcheck disable=all", "é"])
@given(names=st.lists(NAMES, min_size=8, max_size=12))
def test_shellcheck_is_clean_on_any_names(names: list[str]) -> None:
    assert shellcheck(compile_stage(stage(names, host=names[0]), host=names[0])) == ""


@given(name=NAMES)
def test_a_name_never_leaves_its_comment(name: str) -> None:
    script = compile_stage(stage([name]), host=name)
    bodies = script.split("\n# Step 1: ", 1)
    head, _, _ = bodies[0].partition("# How this script runs")
    assert all(line.startswith("#") or not line for line in head.split("\n"))
    assert head.isascii() or all(char.isprintable() or char == "\n" for char in head)
    about = bodies[1].partition("\nstep_1_do() {")[0]
    assert all(line.startswith("# ") for line in about.split("\n")[1:])


@given(name=NAMES)
def test_events_have_one_line_whatever_the_title(name: str) -> None:
    calls = compile_stage(stage([name]), host="h").rpartition("tx_steps() {\n")[2]
    assert calls.count("\n") == 4  # the call, the bracket, an empty line, the main call
    assert calls.startswith("\ttx_step 1 ")


def test_the_main_call_is_the_last_line() -> None:
    script = compile_stage(stage(["a"]), host="h", confirm_s=60)
    digest = stage_digest(stage(["a"]), host="h")
    assert script.splitlines()[-1] == f'tx_main {digest} 60 "${{1:-}}"'
    assert script.splitlines()[1] == f"# sriovctl transaction {digest}"


def test_the_same_stage_gives_the_same_script() -> None:
    assert compile_stage(stage(["a"]), host="h") == compile_stage(stage(["a"]), host="h")
    assert stage_digest(stage(["a"]), host="h") != stage_digest(stage(["a"]), host="g")


def test_only_the_links_that_have_a_step_bring_their_functions() -> None:
    nics = stage(["a"]).steps[0].model_copy(update={"link": "nics", "do": "set_numvfs x 1"})
    script = compile_stage(Stage(title="t", steps=(nics,)), host="h")
    assert "\nset_numvfs() {" in script
    assert "\nset_numvfs() {" not in compile_stage(stage(["a"]), host="h")


def test_shellcheck_is_clean_on_every_link_together() -> None:
    one = stage(["a"]).steps[0]
    links = ("firmware", "kernel", "nics", "pools", "guests", "bonds")
    steps = tuple(one.model_copy(update={"link": link}) for link in links)
    assert shellcheck(compile_stage(Stage(title="t", steps=steps), host="h")) == ""


def test_shellcheck_is_clean_on_the_launcher() -> None:
    script = compile_stage(stage([NASTY]), host="h")
    handed = launcher(script, transaction_id("0" * 64, "1"), confirm_s=60)
    assert shellcheck("#!/bin/sh\n" + handed) == ""


@pytest.mark.parametrize("unique", ["", "a/b", "..", "a b", "$(id)", "A\n"])
def test_a_transaction_id_is_a_safe_file_name(unique: str) -> None:
    with pytest.raises(ValueError, match="no transaction id"):
        transaction_id("0" * 64, unique)


def test_events() -> None:
    assert parse_event("begin\tid\tdigest\t7\n") == Begun("id", "digest", 7)
    assert parse_event("takeover\t7\tid") == TookOver(7, "id")
    assert parse_event("step\t3\tstart\ta title") == StepStarted(3, "a title")
    assert parse_event("step\t3\tdone\t0.50") == StepDone(3, 0.5)
    assert parse_event("step\t3\trefused\t1.00\tno") == StepFailed(3, 1.0, "no", refused=True)
    assert parse_event("undo\t3\tfailed\t1.00\tno") == UndoFailed(3, 1.0, "no")
    assert parse_event("confirm-wait\t60\t/x") == ConfirmWait(60)
    assert parse_event("confirm\tlate") == ConfirmAnswer("late")
    assert parse_event("end\tundone\twhy") == Ended("undone", "why")


@pytest.mark.parametrize(
    "line",
    ["", "\t", "step\tx\tdone\t1", "step\t3\tsta", "step\t3\tdone", "end\tfine\t", "confirm\tyes"],
)
def test_what_is_no_event_is_none(line: str) -> None:
    assert parse_event(line) is None


@given(line=st.text())
def test_parsing_takes_any_line(line: str) -> None:
    parse_event(line)
