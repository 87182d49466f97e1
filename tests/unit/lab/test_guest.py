"""Orders to the guest agent and its answers."""

from __future__ import annotations

import json

from sriovctl.lab.guest import order, outcome


def test_one_word_is_a_line_of_shell() -> None:
    arguments = json.loads(order(["ip a; id"]))["arguments"]
    assert (arguments["path"], arguments["arg"]) == ("/bin/sh", ["-c", "ip a; id"])


def test_words_stay_words() -> None:
    arguments = json.loads(order(["cat", "a b", "$(x)"]))["arguments"]
    assert arguments["arg"][-3:] == ["cat", "a b", "$(x)"]
    assert json.loads(order(["/bin/cat", "x"]))["arguments"]["path"] == "/bin/cat"


def test_outcome_of_success() -> None:
    done = outcome(["x"], '{"return":{"exitcode":3,"exited":true,"out-data":"aMOkCg=="}}')
    assert (done.returncode, done.stdout, done.stderr) == (3, "hä\n", "")


def test_outcome_of_a_signal() -> None:
    assert outcome(["x"], '{"return":{"signal":9,"exited":true}}').returncode == 137
