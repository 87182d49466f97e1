"""The runs, with iperf3 and ping put in their place on this machine."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from sriovctl.errors import HostError
from sriovctl.reach import LocalReach
from sriovctl.trial.bench.run import Bench, Path
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
    return Bench((GUEST, HOST), Sending(here), here, 1, 2, 0.01, lambda _: None)


def test_paths_are_measured_in_turns(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    found = bench(tmp_path, monkeypatch, {"iperf3": GOOD, "ping": PING}).measure()
    assert found["VM-2"]["tcp_to"] == [5.12, 5.12]
    assert found["server-2"]["small_from"] == [10000, 10000]
    assert found["VM-2"]["latency_median"] == [3, 3]
    calls = (tmp_path / "calls").read_text().splitlines()
    asked = [call.split()[1] for call in calls]
    assert asked == ["10.8.0.12", "10.8.0.2"] * (len(calls) // 2)


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


def test_what_fails_where_others_did_not_is_left_out(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = bench(tmp_path, monkeypatch, {"iperf3": FAILS_BACKWARDS, "ping": PING})
    found = one.measure()
    assert {"tcp_to", "udp_to", "small_to"} <= set(found["VM-2"])
    assert "tcp_from" not in found["VM-2"]
    assert "VM-2, TCP from it, once: it hangs" in one.skipped


def test_a_missing_tool_is_named(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    one = bench(tmp_path, monkeypatch, {"ping": PING})
    monkeypatch.setenv("PATH", str(tmp_path))
    one.sending = Sending(LocalReach("here", need_root=False, shell="/bin/sh"))
    with pytest.raises(HostError, match="there is no iperf3"):
        one.measure()
