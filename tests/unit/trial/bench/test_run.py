"""The runs, with iperf3 and ping put in their place on this machine."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path as File

import pytest

from sriovctl.errors import HostError
from sriovctl.reach import LocalReach
from sriovctl.trial.bench.run import Bench, Path, Patience
from sriovctl.trial.setting import Sending

GUEST = Path("VM-2", "VFs", "10.8.0.12", "igb")
HOST = Path("server-2", "host", "10.8.0.2", "igb")
GOOD = """#!/bin/sh
case $* in
*-s*) exit 0 ;;
esac
echo "$*" >>'{folder}/calls'
echo '{{"end": {{"sum_received": {{"bits_per_second": 5120000}}}}}}'
"""
PING = """#!/bin/sh
echo 'time=2 ms'
echo 'time=4 ms'
"""


def bench(folder: File, monkeypatch: pytest.MonkeyPatch, tools: dict[str, str]) -> Bench:
    for name, text in tools.items():
        tool = folder / name
        tool.write_text(text.format(folder=folder) if name == "iperf3" else text)
        tool.chmod(0o755)
    sleep = folder / "sleep"
    sleep.write_text("#!/bin/sh\n")
    sleep.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    here = LocalReach("here", need_root=False)
    return Bench((GUEST, HOST), Sending(here), here, 1, 2, Patience(0.01, 5, 10), lambda _: None)


def test_paths_are_measured_in_turns(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    found = bench(tmp_path, monkeypatch, {"iperf3": GOOD, "ping": PING}).measure()
    assert found["VM-2"]["tcp_to"] == [5.12, 5.12]
    assert found["server-2"]["small_from"] == [10000, 10000]
    assert found["VM-2"]["latency_median"] == [3, 3]
    calls = (tmp_path / "calls").read_text().splitlines()
    asked = [address for address, _ in groupby(call.split()[1] for call in calls)]
    assert asked == ["10.8.0.12", "10.8.0.2"] * (len(asked) // 2)


# what arrives is what is offered up to 16 Mbit/s, and next to nothing of more than twice that
DROWNS = """#!/bin/sh
rate=0
for word in "$@"; do
    [ "$before" != -b ] || rate=$word
    before=$word
done
if [ "$rate" = 0 ]; then
    rate={own}
elif [ "$rate" -gt 32000000 ]; then
    rate=1000
elif [ "$rate" -gt 16000000 ]; then
    rate=16000000
fi
echo "{{\\"end\\": {{\\"sum_received\\": {{\\"bits_per_second\\": $rate}}}}}}"
"""


@pytest.mark.parametrize("own", [0, 2_000_000, 16_000_000, 30_000_000, 500_000_000])
def test_a_receiver_is_offered_more_or_less_until_it_takes_the_most(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch, own: int
) -> None:
    text = DROWNS.replace("{own}", str(own))
    one = bench(tmp_path, monkeypatch, {"iperf3": text, "ping": PING})
    one.paths, one.runs = (GUEST,), 1
    (most,) = one.measure()["VM-2"]["udp_to"]
    assert 8 <= most <= 16


def test_nothing_that_arrives_is_an_end_too(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero = DROWNS.replace("rate={own}", "rate=1000000").replace('echo "', 'rate=0; echo "')
    one = bench(tmp_path, monkeypatch, {"iperf3": zero, "ping": PING})
    one.paths, one.runs = (GUEST,), 1
    assert one.measure()["VM-2"]["small_to"] == [0]


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ({"ping": PING, "iperf3": '#!/bin/sh\necho \'{{"error": "refused"}}\'\n'}, "refused"),
        ({"ping": "#!/bin/sh\nexit 1\n", "iperf3": GOOD}, "does not answer"),
    ],
)
def test_who_does_not_answer_is_named(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch, tools: dict[str, str], said: str
) -> None:
    with pytest.raises(HostError, match=f"VM-2 at 10.8.0.12.*{said}"):
        bench(tmp_path, monkeypatch, tools).measure()


FAILS_BACKWARDS = """#!/bin/sh
case $* in
*-R*) echo '{{"error": "it hangs"}}' ;;
*) echo '{{"end": {{"sum_received": {{"bits_per_second": 5120000}}}}}}' ;;
esac
"""
HANGS_BACKWARDS = FAILS_BACKWARDS.replace(
    'echo \'{{"error": "it hangs"}}\'', "exec tail -f /dev/null"
)


@pytest.mark.parametrize(
    ("iperf3", "why"), [(FAILS_BACKWARDS, "it hangs"), (HANGS_BACKWARDS, "ended without a result")]
)
def test_what_fails_where_others_did_not_is_left_out(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch, iperf3: str, why: str
) -> None:
    one = bench(tmp_path, monkeypatch, {"iperf3": iperf3, "ping": PING})
    one.seconds, one.runs, one.patience = 0, 1, Patience(60, 0.1, 10)
    said: list[str] = []
    one.say = said.append
    found = one.measure()
    assert "tcp_to" in found["VM-2"]
    assert "tcp_from" not in found["VM-2"]
    (left_out,) = [words for words in one.skipped if words.startswith("VM-2, TCP from it, once: ")]
    assert left_out.endswith(why)
    assert f"left out: {left_out}" in said


BUSY_ONCE = """#!/bin/sh
case $* in
*-R*) mkdir '{folder}/asked' 2>/dev/null && echo '{{"error": "the server is busy"}}' && exit ;;
esac
echo '{{"end": {{"sum_received": {{"bits_per_second": 5120000}}}}}}'
"""


def test_a_server_that_is_at_work_is_asked_again(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = bench(tmp_path, monkeypatch, {"iperf3": BUSY_ONCE, "ping": PING})
    one.patience = Patience(60, 5, 10)
    assert len(one.measure()["VM-2"]["tcp_from"]) == 2
    assert (tmp_path / "asked").is_dir()
    assert not one.skipped


def test_a_host_too_busy_to_say_its_cpu_costs_only_that_figure(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = bench(tmp_path, monkeypatch, {"iperf3": GOOD, "ping": PING})
    (tmp_path / "sleep").write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    one.paths, one.seconds, one.runs, one.patience = (GUEST,), 0, 1, Patience(0.01, 5, 0.5)
    found = one.measure()
    assert found["VM-2"]["tcp_to"] == [5.12]
    assert "cpu_tcp_to" not in found["VM-2"]
    assert any(words.startswith("VM-2, host's CPU, TCP to it") for words in one.skipped)


def test_a_missing_tool_is_named(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    one = bench(tmp_path, monkeypatch, {"ping": PING})
    monkeypatch.setenv("PATH", str(tmp_path))
    one.sending = Sending(LocalReach("here", need_root=False, shell="/bin/sh"))
    with pytest.raises(HostError, match="there is no iperf3"):
        one.measure()
