"""This machine as a host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sriovctl.errors import UnreachableError, UsageError
from sriovctl.reach import LineSplitter, LocalReach, OverdueError

HERE = LocalReach("here", need_root=False)


def test_output_and_status() -> None:
    output = HERE.run("echo out; echo err >&2; exit 3", timeout_s=10)
    assert (output.status, output.stdout, output.stderr) == (3, "out\n", "err\n")
    assert output.seconds > 0


@pytest.mark.parametrize("word", ["", "a b", "$(exit 9)", "-x", "'", "\n", "é", "\udcff"])
def test_arguments_come_as_they_are(word: str) -> None:
    assert HERE.run('printf %s "$2"', ["first", word], timeout_s=10).stdout == word


def test_lines_come_as_they_are_printed() -> None:
    # the script does not go on until its first line has come
    folder = Path(f"/proc/{os.getpid()}/fd")
    assert folder.is_dir()
    read, write = os.pipe()
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        if line == "one":
            os.write(write, b"go\n")

    script = f"echo one; read -r go <{folder}/{read}; echo $go; printf end"
    output = HERE.run(script, timeout_s=10, on_line=on_line)
    assert lines == ["one", "go"]
    assert output.stdout == "one\ngo\nend"


def test_much_output_on_both_ways() -> None:
    noise = "i=0; while [ $i -lt 5000 ]; do echo 1234567890; echo 1234567890 >&2; i=$((i+1)); done"
    output = HERE.run(noise + "\n#" * 100_000, timeout_s=30)
    assert len(output.stdout) == len(output.stderr) == 55_000


def test_a_script_that_ends_before_it_was_read() -> None:
    output = HERE.run("exit 4\n" + "# more\n" * 100_000, timeout_s=10)
    assert output.status == 4


def test_no_end_in_time() -> None:
    with pytest.raises(OverdueError, match=r"no end after 0\.2 s"):
        HERE.run("sleep 60", timeout_s=0.2)


@pytest.mark.parametrize(
    "script", ["while :; do echo; done", "exec >/dev/null 2>/dev/null; sleep 60"]
)
def test_no_end_in_time_of_what_goes_on_talking_or_shuts_its_mouth(script: str) -> None:
    with pytest.raises(OverdueError, match=r"no end after 0\.2 s"):
        HERE.run(script, timeout_s=0.2)


def test_an_error_of_the_listener_comes_through() -> None:
    def on_line(line: str) -> None:
        raise KeyError(line)

    with pytest.raises(KeyError):
        HERE.run("echo x; sleep 60", timeout_s=10, on_line=on_line)


def test_no_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UsageError) as caught:
        LocalReach("here").run("true", timeout_s=10)
    assert "sudo sriovctl" in caught.value.mend
    assert HERE.run("true", timeout_s=10).status == 0


def test_no_shell() -> None:
    with pytest.raises(UnreachableError, match="cannot start"):
        LocalReach("here", need_root=False, shell="/no/such/sh").run("true", timeout_s=10)


def test_it_works_beside_remote_hosts_too() -> None:
    """gevent has by then made the standard library's pipes and processes its own."""
    program = (
        "import sriovctl.fleet\n"
        "from sriovctl.reach import LocalReach\n"
        "lines = []\n"
        "run = LocalReach('h', need_root=False).run\n"
        "output = run('echo a; echo b >&2; exit 3', timeout_s=10, on_line=lines.append)\n"
        "assert (output.status, output.stdout, output.stderr) == (3, 'a\\n', 'b\\n'), output\n"
        "assert lines == ['a'], lines\n"
        "assert run('exit 4\\n' + '# more\\n' * 100_000, timeout_s=10).status == 4\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_lines_may_come_in_pieces() -> None:
    lines: list[str] = []
    splitter = LineSplitter(lines.append)
    for piece in (b"a", b"b\nc\xc3", b"\xa9\n\n", b"rest"):
        splitter.feed(piece)
    assert lines == ["ab", "cé", ""]
    assert splitter.text == "ab\ncé\n\nrest"
