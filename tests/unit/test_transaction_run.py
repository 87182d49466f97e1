"""The generated script, really run: under dash, bash and busybox, whatever happens to it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sriovctl.shell import command
from sriovctl.transaction import (
    Begun,
    ConfirmAnswer,
    ConfirmWait,
    Ended,
    Event,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    TookOver,
    UndoDone,
    UndoFailed,
    confirmation,
    follow_up,
    launcher,
    parse_event,
    transaction_id,
)
from tests.unit.namespaces import why_no_mounts
from tests.unit.shells import PATIENCE_S, Gate, Machine, Run, finish, stage_of, write

HOSTILE = "a b'c\"$(touch /tmp/no)`x`\\ \n; exit 3 # \t* é\x1b[2J"


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def read_until(process: subprocess.Popen[str], kind: type[Event]) -> list[Event]:
    """Events up to the first of a kind."""
    assert process.stdout is not None
    events: list[Event] = []
    for line in process.stdout:
        event = parse_event(line)
        assert event is not None, line
        events.append(event)
        if isinstance(event, kind):
            return events
    raise AssertionError(f"no {kind} in {events}")


def begun(events: list[Event]) -> Begun:
    return next(event for event in events if isinstance(event, Begun))


def gone(pid: int) -> None:
    """Wait until a process that is not our child has ended, by its own word."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        import select

        ready, _, _ = select.select([descriptor], [], [], PATIENCE_S)
        assert ready
    finally:
        os.close(descriptor)


# --- the straight way


def test_all_steps_are_done_in_order(machine: Machine, files: list[Path]) -> None:
    run = machine.run(machine.file(stage_of(*map(write, files))))
    assert run.status == 0
    assert kinds(run.events) == ["Begun", *["StepStarted", "StepDone"] * 5, "Ended"]
    assert run.events[-1] == Ended("changed", "")
    assert set(machine.before().values()) == {"new\n"}
    assert run.stderr == ""


def test_the_journal_is_what_was_printed(machine: Machine, files: list[Path]) -> None:
    run = machine.run(machine.file(stage_of(*map(write, files))))
    assert machine.journal() == run.events


def test_the_stored_script_is_the_script(machine: Machine, files: list[Path]) -> None:
    script = machine.file(stage_of(*map(write, files)))
    machine.run(script)
    [transaction] = machine.transactions
    assert (transaction / "script").read_bytes() == script.read_bytes()
    assert stat.S_IMODE(transaction.stat().st_mode) == 0o700
    assert not (transaction / "reserve").exists()


def test_no_lock_is_left(machine: Machine, files: list[Path]) -> None:
    machine.run(machine.file(stage_of(*map(write, files))))
    assert not (machine.state / "lock").is_symlink()


def test_an_empty_stage_changes_nothing(machine: Machine) -> None:
    assert machine.run(machine.file(stage_of())).status == 0


def test_hostile_titles_stay_text(machine: Machine, files: list[Path]) -> None:
    stage = stage_of(write(files[0], title=HOSTILE))
    run = machine.run(machine.file(stage))
    started = [e.title for e in run.events if isinstance(e, StepStarted)]
    assert run.status == 0
    assert len(started) == 1
    assert all(char.isprintable() for char in started[0])
    assert not Path("/tmp/no").exists()


def test_hostile_file_names_are_written_as_they_are(machine: Machine) -> None:
    path = machine.world / "x' \"$(exit 9)\n`y`*"
    path.write_text("old\n")
    assert machine.run(machine.file(stage_of(write(path)))).status == 0
    assert path.read_text() == "new\n"


# --- steps that fail

FAILURES = {
    "status": "exit 3",
    "return": "return 4",
    "an inner line": "false\ntrue",
    "killed": "sh -c 'kill -9 $PPID'",
    "unset": ": ${no_such_thing:?it is missing}",
    "special builtin": ". /no/such/file",
    "no such command": "no_such_command",
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("part", ["do", "check"])
def test_a_failing_step_leaves_the_state_before(
    machine: Machine, files: list[Path], failure: str, part: str
) -> None:
    before = machine.before()
    steps = [write(path) for path in files]
    steps[2] = write(files[2], **{part: FAILURES[failure]})
    run = machine.run(machine.file(stage_of(*steps)))
    assert run.status == 10
    assert machine.before() == before
    assert kinds(run.events)[-6:] == [
        "StepStarted",
        "StepFailed",
        "UndoDone",
        "UndoDone",
        "UndoDone",
        "Ended",
    ]
    assert [e.step for e in run.events if isinstance(e, UndoDone)] == [3, 2, 1]
    assert run.events[-1] == Ended("undone", "step 3 failed")
    assert machine.journal() == run.events


@pytest.mark.parametrize("how", ["exit 77", "return 77"])
def test_a_refusal_is_told_apart(machine: Machine, files: list[Path], how: str) -> None:
    before = machine.before()
    step = write(files[1], do=f"echo not me >&2; {how}")
    run = machine.run(machine.file(stage_of(write(files[0]), step)))
    [failed] = [e for e in run.events if isinstance(e, StepFailed)]
    assert failed.refused
    assert "not me" in failed.text
    assert run.status == 10
    assert machine.before() == before


def test_a_check_cannot_refuse(machine: Machine, files: list[Path]) -> None:
    run = machine.run(machine.file(stage_of(write(files[0], check="exit 77"))))
    [failed] = [e for e in run.events if isinstance(e, StepFailed)]
    assert not failed.refused
    assert "does not hold" in failed.text


def test_a_failing_undo_does_not_stop_the_others(machine: Machine, files: list[Path]) -> None:
    stuck = write(files[1]).model_copy(update={"undo": "echo cannot >&2\nfalse\ntrue"})
    last = write(files[2], do="false")
    run = machine.run(machine.file(stage_of(write(files[0]), stuck, last)))
    assert run.status == 11
    assert [e.step for e in run.events if isinstance(e, UndoFailed)] == [2]
    assert [e.step for e in run.events if isinstance(e, UndoDone)] == [3, 1]
    [undo] = [e for e in run.events if isinstance(e, UndoFailed)]
    assert undo.text == "cannot"
    assert run.events[-1] == Ended("undo-failed", "step 3 failed; failed undo of: 2")
    assert machine.before()["file2"] == "new\n"
    assert machine.before()["file1"] == "old\n"


def test_steps_cannot_forge_events(machine: Machine, files: list[Path]) -> None:
    forged = r"printf 'end\tchanged\t\nx\033[2J\ty\n'; printf 'end\tchanged\t\n' >&2"
    steps = (write(files[0], do=forged), write(files[1], do=f"{forged}; false"))
    run = machine.run(machine.file(stage_of(*steps)))
    assert [e for e in run.events if isinstance(e, Ended)] == [Ended("undone", "step 2 failed")]
    [said] = [e for e in run.events if isinstance(e, StepSaid)]
    assert "changed" in said.text


def test_what_a_step_says_is_bounded(machine: Machine, files: list[Path]) -> None:
    noise = "i=0; while [ $i -lt 1000 ]; do echo noise noise noise; i=$((i + 1)); done"
    run = machine.run(machine.file(stage_of(write(files[0], do=f"{noise}; echo why >&2; false"))))
    [failed] = [e for e in run.events if isinstance(e, StepFailed)]
    assert len(failed.text) <= 1500
    assert "why" in failed.text


@pytest.mark.parametrize("rest", ["3", "24", "no"])
def test_a_last_line_without_an_end_is_said_too(
    machine: Machine, files: list[Path], rest: str
) -> None:
    """Also one of digits, which could be taken for how much was read."""
    said = [("could not", rest), ("a", rest)]
    steps = [
        write(files[n], do=rf"printf '{first}\n{rest}'") for n, (first, rest) in enumerate(said)
    ]
    run = machine.run(machine.file(stage_of(*steps)))
    assert [e.text.split() for e in run.events if isinstance(e, StepSaid)] == [
        [*first.split(), rest] for first, rest in said
    ]


def test_steps_get_no_input_and_no_descriptors(machine: Machine, files: list[Path]) -> None:
    look = "\n".join(
        ["! read -r line", *(f"[ ! -e /proc/self/fd/{number} ]" for number in range(3, 9))]
    )
    assert machine.run(machine.file(stage_of(write(files[0], do=look)))).status == 0


def test_a_child_left_behind_by_a_step_keeps_nothing_open(
    machine: Machine, files: list[Path]
) -> None:
    gate = Gate(machine.folder)
    step = write(files[0], do=f"( {gate.text} ) &")
    run = machine.run(machine.file(stage_of(step)))  # ends: nobody holds its output open
    assert run.status == 0
    gate.open()


# --- what happens to the launcher


@pytest.fixture
def hup_heard() -> Iterator[None]:
    """Whoever starts the tests by nohup has all of their processes deaf to HUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hup_heard")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_killed_launcher_leaves_the_worker_to_finish(
    machine: Machine, files: list[Path], number: signal.Signals
) -> None:
    gate = Gate(machine.folder)
    script = machine.file(stage_of(write(files[0]), write(files[1], do=gate.text)))
    process = machine.start(script)
    events = read_until(process, StepDone)
    process.send_signal(number)
    process.wait(PATIENCE_S)
    gate.open()
    gone(begun(events).pid)
    assert machine.journal()[-1] == Ended("changed", "")
    assert machine.before()["file2"] == "new\n"
    process.communicate()


@pytest.mark.parametrize("fails", [False, True])
def test_lost_output_leaves_the_worker_to_finish(
    machine: Machine, files: list[Path], fails: bool
) -> None:
    before = machine.before()
    gate = Gate(machine.folder)
    step = write(files[1], do=gate.text + ("; false" if fails else ""))
    process = machine.start(machine.file(stage_of(write(files[0]), step)))
    events = read_until(process, StepDone)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    process.kill()
    gate.open()
    gone(begun(events).pid)
    process.wait()
    if fails:
        assert machine.journal()[-1] == Ended("undone", "step 2 failed")
        assert machine.before() == before
    else:
        assert machine.journal()[-1] == Ended("changed", "")


def test_closed_output_from_the_start(machine: Machine, files: list[Path]) -> None:
    script = machine.file(stage_of(write(files[0])))
    status = subprocess.run(
        [machine.shells / "sh", "-c", 'sh "$1" >&- 2>&-', "sh", script],
        env=machine.environment,
        check=False,
    ).returncode
    assert status == 0
    assert machine.journal()[-1] == Ended("changed", "")


def test_without_setsid(machine: Machine, files: list[Path]) -> None:
    tools = machine.folder / "tools"
    tools.mkdir()
    for tool in ("mkdir", "mkfifo", "cat", "ln", "readlink", "rm", "mv", "sleep", "tail"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    gate = Gate(machine.folder)
    script = machine.file(stage_of(write(files[0]), write(files[1], do=gate.text)))
    text = script.read_text()
    assert "/usr/sbin:/sbin" in text
    script.write_text(text.replace(":/usr/local/sbin:/usr/sbin:/sbin", ""))
    process = machine.start(script, PATH=f"{machine.shells}:{tools}")
    events = read_until(process, StepDone)
    process.kill()
    gate.open()
    gone(begun(events).pid)
    assert machine.journal()[-1] == Ended("changed", "")
    process.communicate()


# --- what happens to the worker


def test_term_to_the_worker_undoes_everything(machine: Machine, files: list[Path]) -> None:
    before = machine.before()
    gate = Gate(machine.folder)
    script = machine.file(stage_of(write(files[0]), write(files[1], do=gate.text), write(files[2])))
    process = machine.start(script)
    events = read_until(process, StepDone)
    gate.reached()
    os.kill(begun(events).pid, signal.SIGTERM)
    gate.open()
    run = finish(process)
    assert run.status == 10
    assert run.events[-1] == Ended("undone", "stopped by TERM")
    assert machine.before() == before


def test_a_lost_connections_signals_do_not_stop_the_worker(
    machine: Machine, files: list[Path]
) -> None:
    gate = Gate(machine.folder)
    process = machine.start(machine.file(stage_of(write(files[0]), write(files[1], do=gate.text))))
    events = read_until(process, StepDone)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGQUIT, signal.SIGTSTP):
        os.kill(begun(events).pid, number)
    gate.open()
    assert finish(process).status == 0


def killed(machine: Machine, files: list[Path]) -> Begun:
    """A worker that was killed in the middle of its second step."""
    gate = Gate(machine.folder)
    script = machine.file(stage_of(write(files[0]), write(files[1], do=gate.text)))
    process = machine.start(script)
    first = begun(read_until(process, StepDone))
    gate.reached()
    os.kill(first.pid, signal.SIGKILL)
    gate.open()
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 137
    return first


def test_a_killed_worker_leaves_a_journal_without_an_end(
    machine: Machine, files: list[Path]
) -> None:
    killed(machine, files)
    assert kinds([e for e in machine.journal() if e is not None]) == [
        "Begun",
        "StepStarted",
        "StepDone",
        "StepStarted",
    ]


def test_the_next_run_takes_over_a_dead_runs_lock(machine: Machine, files: list[Path]) -> None:
    first = killed(machine, files)
    run = machine.run(machine.file(stage_of(*map(write, files))))
    assert run.status == 0
    assert [e for e in run.events if isinstance(e, TookOver)] == [TookOver(first.pid, first.id)]
    assert set(machine.before().values()) == {"new\n"}
    assert not list(machine.state.glob("lock*"))


# --- the lock


@contextmanager
def held(machine: Machine, files: list[Path]) -> Iterator[Begun]:
    gate = Gate(machine.folder)
    process = machine.start(machine.file(stage_of(write(files[0], do=gate.text)), name="held.sh"))
    try:
        yield begun(read_until(process, Begun))
    finally:
        gate.open()
        assert finish(process).status == 0


def test_a_second_run_is_told_who_is_at_work(machine: Machine, files: list[Path]) -> None:
    script = machine.file(stage_of(write(files[1])))
    with held(machine, files) as first:
        run = machine.run(script)
    assert run.status == 12
    [end] = run.events
    assert isinstance(end, Ended)
    assert end.state == "busy"
    assert f"pid {first.pid}, transaction {first.id}, for " in end.text
    assert machine.before()["file2"] == "old\n"


def race(machine: Machine, files: list[Path], count: int) -> list[Run]:
    """Many at once; the one that has begun is held until all others have ended."""
    gate = Gate(machine.folder)
    script = machine.file(stage_of(write(files[0], do=gate.text)))
    processes = [machine.start(script) for _ in range(count)]
    ended = [process for process in processes if not _holds(process)]
    runs = [finish(process) for process in ended]
    for _ in range(count - len(ended)):
        gate.open()
    return runs + [finish(process) for process in processes if process not in ended]


def _holds(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    first = parse_event(process.stdout.readline())
    return isinstance(first, Begun)


BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
DEAD = f"999999999.1.{BOOT}.1.dead"


@pytest.mark.parametrize("stale", [(), (DEAD,), (DEAD, f"999999998.1.{BOOT}.1.taker")])
def test_of_many_at_once_one_runs(
    machine: Machine, files: list[Path], stale: tuple[str, ...]
) -> None:
    machine.state.mkdir()
    name = "lock"
    for who in stale:
        (machine.state / name).symlink_to(who)
        name = f"{name}.{who}"
    runs = race(machine, files, 10)
    assert sorted(run.status for run in runs) == [0] + [12] * 9
    assert not (machine.state / "lock").is_symlink()


@pytest.mark.parametrize("who", ["{me}.1.{boot}.1.x", "{me}.{start}.other-boot.1.x", "junk"])
def test_a_pid_alone_holds_no_lock(machine: Machine, files: list[Path], who: str) -> None:
    fields = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()
    machine.state.mkdir()
    (machine.state / "lock").symlink_to(who.format(me=os.getpid(), start=fields[19], boot=BOOT))
    assert machine.run(machine.file(stage_of(write(files[0])))).status == 0


# --- the disk


def on_small_disk(machine: Machine, script: Path, size: str) -> Run:
    """Run with a state folder on a file system of its own."""
    if why := why_no_mounts("-r"):
        pytest.skip(f"no mount namespaces here: {why}")
    machine.state.mkdir()
    keep = machine.folder / "kept"
    inside = (
        'mount -t tmpfs -o "size=$1" none "$2" && { sh "$3"; status=$?; '
        'cp -r "$2/transactions" "$4"; exit $status; }'
    )
    process = subprocess.Popen(
        ["unshare", "-rm", "sh", "-c", inside, "sh", size, machine.state, script, keep],
        env=machine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return finish(process)


@pytest.mark.parametrize("size", ["4k", "16k", "40k", "64k"])
def test_a_full_disk_stops_it_before_the_first_change(
    machine: Machine, files: list[Path], size: str
) -> None:
    run = on_small_disk(machine, machine.file(stage_of(*map(write, files))), size)
    assert run.status == 13
    [end] = run.events
    assert isinstance(end, Ended)
    assert end.state == "not-begun"
    assert "disk" in end.text
    assert set(machine.before().values()) == {"old\n"}


def test_a_disk_that_fills_up_does_not_stop_the_rollback(
    machine: Machine, files: list[Path]
) -> None:
    before = machine.before()
    fill = f"cat /dev/zero >{command(str(machine.state / 'fill'))} 2>/dev/null || :"
    steps = [write(files[0]), write(files[1], do=fill), write(files[2], do="false")]
    run = on_small_disk(machine, machine.file(stage_of(*steps)), "300k")
    assert run.status == 10
    assert run.events[-1] == Ended("undone", "step 3 failed")
    assert machine.before() == before
    [journal] = (machine.folder / "kept").glob("*/journal")
    assert parse_event(journal.read_text().splitlines()[-1]) == run.events[-1]


# --- the confirmation


def told(machine: Machine, text: str) -> Run:
    """Hand a small script to ``sh -s``, as a reach does."""
    process = subprocess.Popen(
        [machine.shells / "sh", "-s"],
        env=machine.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate(text, timeout=PATIENCE_S)
    return Run(process.returncode, out.splitlines(), err)


def test_confirmed_in_time(machine: Machine, files: list[Path]) -> None:
    process = machine.start(machine.file(stage_of(*map(write, files))), confirm_s=60)
    events = read_until(process, ConfirmWait)
    answer = told(machine, confirmation(begun(events).id))
    assert answer.events[0] == ConfirmAnswer("accepted")
    assert answer.events[-1] == Ended("changed", "")
    assert finish(process).status == 0
    again = told(machine, confirmation(begun(events).id))
    assert again.events[0] == ConfirmAnswer("accepted")


def test_not_confirmed(machine: Machine, files: list[Path]) -> None:
    before = machine.before()
    run = machine.run(machine.file(stage_of(*map(write, files))), confirm_s=1)
    assert run.status == 10
    assert run.events[-1] == Ended("undone", "not confirmed within 1 s")
    assert machine.before() == before
    late = told(machine, confirmation(begun(run.events).id))
    assert late.events[0] == ConfirmAnswer("late")
    assert late.events[1:] == run.events


def test_a_confirmation_before_its_time_does_not_count(machine: Machine, files: list[Path]) -> None:
    gate = Gate(machine.folder)
    process = machine.start(machine.file(stage_of(write(files[0], do=gate.text))), confirm_s=1)
    events = read_until(process, StepStarted)
    early = subprocess.Popen(
        [machine.shells / "sh", "-s"],
        env=machine.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert early.stdin is not None
    assert early.stdout is not None
    early.stdin.write(confirmation(begun(events).id))
    early.stdin.close()
    assert parse_event(early.stdout.readline()) == ConfirmAnswer("not-waiting")
    gate.open()
    assert finish(process).status == 10
    rest = early.stdout.read().splitlines()
    assert parse_event(rest[-1]) == Ended("undone", "not confirmed within 1 s")
    early.wait()
    early.stdout.close()


def test_term_while_waiting_for_a_confirmation(machine: Machine, files: list[Path]) -> None:
    before = machine.before()
    process = machine.start(machine.file(stage_of(*map(write, files))), confirm_s=600)
    events = read_until(process, ConfirmWait)
    os.kill(begun(events).pid, signal.SIGTERM)
    run = finish(process)
    assert run.events[-1] == Ended("undone", "stopped by TERM")
    assert machine.before() == before


def test_term_before_the_clock_of_the_confirmation_runs(
    machine: Machine, files: list[Path]
) -> None:
    before = machine.before()
    script = machine.file(stage_of(*map(write, files)))
    text = script.read_text()
    assert text.count("\ttx_timer=$!\n") == 1
    script.write_text(
        text.replace("\ttx_timer=$!\n", "\ttx_timer=$!\n\tsleep 1\n\tkill -TERM $$\n")
    )
    run = machine.run(script, confirm_s=600)
    assert run.events[-1] == Ended("undone", "stopped by TERM")
    assert machine.before() == before


def test_a_confirmation_for_a_dead_worker(machine: Machine, files: list[Path]) -> None:
    process = machine.start(machine.file(stage_of(*map(write, files))), confirm_s=600)
    events = read_until(process, ConfirmWait)
    os.kill(begun(events).pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    answer = told(machine, confirmation(begun(events).id))
    assert not any(isinstance(event, Ended) for event in answer.events)


def test_a_confirmation_for_nothing(machine: Machine) -> None:
    answer = told(machine, confirmation(transaction_id("0" * 64, "abc")))
    assert answer.events == [ConfirmAnswer("not-waiting")]


# --- handed over, followed, carried by hand


def test_launched_through_standard_input(machine: Machine, files: list[Path]) -> None:
    script = machine.file(stage_of(*map(write, files))).read_text()
    name = transaction_id("0" * 64, "abc")
    run = told(machine, launcher(script, name, confirm_s=0))
    assert run.status == 0
    assert begun(run.events).id == name
    assert told(machine, follow_up(name)).events == run.events
    again = told(machine, launcher(script, name))
    assert again.status == 13


def test_what_is_asked_for_on_the_command_line_comes_to_the_steps(
    machine: Machine, files: list[Path]
) -> None:
    step = write(files[0], do='echo "$SRIOVCTL_BOND_TIMEOUT_S"')
    script = machine.file(stage_of(step)).read_text()
    run = told(machine, launcher(script, transaction_id("0" * 64, "abc"), bond_s=75))
    assert StepSaid(1, "75") in run.events


def test_followed_to_its_end(machine: Machine, files: list[Path]) -> None:
    gate = Gate(machine.folder)
    process = machine.start(machine.file(stage_of(write(files[0], do=gate.text))))
    events = read_until(process, StepStarted)
    follower = subprocess.Popen(
        [machine.shells / "sh", "-c", follow_up(begun(events).id)],
        env=machine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    gate.open()
    assert finish(follower).events[-1] == Ended("changed", "")
    finish(process)


def test_followed_to_where_a_confirmation_is_waited_for(
    machine: Machine, files: list[Path]
) -> None:
    process = machine.start(machine.file(stage_of(write(files[0]))), confirm_s=600)
    events = read_until(process, StepStarted)
    followed = told(machine, follow_up(begun(events).id))
    assert isinstance(followed.events[-1], ConfirmWait)
    told(machine, confirmation(begun(events).id))
    assert finish(process).status == 0


def test_what_never_came_cannot_come_later(machine: Machine, files: list[Path]) -> None:
    name = transaction_id("0" * 64, "abc")
    for _ in range(2):
        [end] = told(machine, follow_up(name)).events
        assert end == Ended("not-begun", "it never came to the host")
    script = machine.file(stage_of(*map(write, files))).read_text()
    assert told(machine, launcher(script, name)).status == 13
    assert set(machine.before().values()) == {"old\n"}


def test_what_ended_before_its_first_word_did_nothing(machine: Machine, files: list[Path]) -> None:
    """Its launcher was killed, or the disk was full and nobody heard it say so."""
    name = transaction_id("0" * 64, "abc")
    handed = launcher(machine.file(stage_of(*map(write, files))).read_text(), name)
    told(machine, handed.replace('store && tx_launch "$dir"', "store"))
    [end] = told(machine, follow_up(name)).events
    assert isinstance(end, Ended)
    assert (end.state, "before its first step" in end.text) == ("not-begun", True)
    # nor can it begin any more
    assert not (machine.state / "transactions" / name / "script").exists()
    assert told(machine, follow_up(name)).events[0] == Ended(
        "not-begun", "it never came to the host"
    )
    assert set(machine.before().values()) == {"old\n"}


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_cut_short_on_the_way_it_does_nothing(
    machine: Machine, files: list[Path], kept: float
) -> None:
    script = machine.file(stage_of(*map(write, files))).read_text()
    handed = launcher(script, transaction_id("0" * 64, "abc"))
    told(machine, handed[: int(len(handed) * kept)])
    half = machine.folder / "half.sh"
    half.write_text(script[: int(len(script) * kept)])
    machine.run(half)
    assert set(machine.before().values()) == {"old\n"}


def test_a_script_from_standard_input_asks_for_a_file(machine: Machine, files: list[Path]) -> None:
    run = told(machine, machine.file(stage_of(*map(write, files))).read_text())
    assert run.status == 13
    assert set(machine.before().values()) == {"old\n"}


@pytest.mark.parametrize("seconds", ["-1", "soon", "1.5", "$(reboot)"])
def test_a_confirmation_time_that_is_none(
    machine: Machine, files: list[Path], seconds: str
) -> None:
    run = machine.run(machine.file(stage_of(*map(write, files))), SRIOVCTL_CONFIRM_S=seconds)
    assert run.status == 13
    assert set(machine.before().values()) == {"old\n"}


def test_old_transactions_go(machine: Machine, files: list[Path]) -> None:
    folder = machine.state / "transactions"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"old-{number}").mkdir()
        os.utime(folder / f"old-{number}", (number, number))
    assert machine.run(machine.file(stage_of(*map(write, files)))).status == 0
    left = {path.name for path in folder.glob("old-*")}
    assert left == {f"old-{number}" for number in range(11, 30)}
