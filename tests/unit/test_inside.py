"""A look into VMs through a virsh of our own: agents that answer, hang, refuse, lie."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.inside import Answer, ask, look, read, read_answer
from sriovctl.reach import LocalReach
from tests.unit.shells import SHELLS, shell_folder

VIRSH = f"""#!{sys.executable} -SE
import base64, json, subprocess, sys, time
words = sys.argv[1:]
vm = words[words.index("--domain") + 1]
if "event" in words:
    sys.exit(1)
said = {{
    "off": "error: Requested operation is not valid: domain is not running",
    "bare": "error: argument unsupported: QEMU guest agent is not configured",
    "absent": "error: Guest agent is not responding: QEMU guest agent is not connected",
    "forbids": "error: internal error: unable to execute QEMU agent command 'guest-exec': "
    "Command guest-exec has been disabled",
    "odd": "error: \\x1b[2J\\n" + "x" * 1000,
}}
if vm in said:
    sys.exit(said[vm])
order = json.loads(words[words.index("--cmd") + 1])
if vm == "hangs":
    time.sleep(60)
if vm == "huge":
    print("x" * 10**7)
if vm == "deep":
    print('{{"exited":true' + "[" * 100000)
if vm == "never" and order["execute"] == "guest-exec-status":
    print('{{"return":{{"exited":false}}}}')
elif order["execute"] == "guest-exec":
    words = [order["arguments"]["path"], *order["arguments"]["arg"]]
    done = subprocess.run(words, capture_output=True)
    with open(f"{{sys.argv[0]}}.{{vm}}", "w") as file:
        json.dump([done.returncode, base64.b64encode(done.stdout).decode()], file)
    print('{{"return":{{"pid":812}}}}')
else:
    code, data = json.load(open(f"{{sys.argv[0]}}.{{vm}}"))
    answer = {{"exitcode": code, "out-data": data, "exited": True}}
    print(json.dumps({{"return": answer}}, separators=(",", ":")))
"""

BOND = """bond bond0
set mode active-backup 1
set fail_over_mac active 1
set active_slave eth1
set primary 
set miimon 0
set updelay 0
set downdelay 0
set arp_interval 300
set arp_ip_target 10.8.0.254 10.8.0.1
set arp_validate active 1
set num_grat_arp 3
Ethernet Channel Bonding Driver: v6.12.57+deb13-amd64

Bonding Mode: fault-tolerance (active-backup) (fail_over_mac active)
Primary Slave: None
Currently Active Slave: eth1
MII Status: up
MII Polling Interval (ms): 0

Slave Interface: eth0
MII Status: down
Speed: 1000 Mbps
Permanent HW addr: 02:07:01:1b:31:c7
Slave queue ID: 0

Slave Interface: eth1
MII Status: up
Permanent HW addr: 02:0B:2e:4f:00:11
mac bond0 02:0b:2e:4f:00:11
mac eth0 02:07:01:1b:31:c7
mac eth1 02:0b:2e:4f:00:11
"""  # noqa: W291
END = "end\n"


@pytest.fixture(params=SHELLS)
def host(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LocalReach:
    shells = shell_folder(request.param, tmp_path / "bin")
    if shells is None:
        pytest.skip(f"no {request.param} here")
    virsh = shells / "virsh"
    virsh.write_text(VIRSH)
    virsh.chmod(0o755)
    monkeypatch.setenv("PATH", str(shells), prepend=":")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return LocalReach("server-2", need_root=False, shell=str(shells / "sh"))


def test_each_vm_has_its_answer_whatever_the_others_say(host: LocalReach, tmp_path: Path) -> None:
    vms = ["well", "absent", "bare", "off", "forbids", "huge", "deep", "odd"]
    found = look(host, vms, timeout_s=60)
    assert list(found) == vms
    assert {vm for vm, inside in found.items() if not inside.why_not} == {"well"}
    assert len({found[vm].why_not for vm in ("absent", "bare", "off", "forbids")}) == 4
    assert found["odd"].why_not.isprintable()
    assert len(found["odd"].why_not) < 400
    assert not list(tmp_path.glob("tmp.*"))


def test_a_vm_that_hangs_or_never_ends_is_silent(host: LocalReach) -> None:
    found = look(host, ["hangs", "never"], timeout_s=1)
    assert {inside.why_not for inside in found.values()} == {
        "its guest agent does not answer within 1 s"
    }


def test_a_command_that_fails_and_words_that_need_quoting(host: LocalReach) -> None:
    answer = ask(host, {"a b'$(c)": "printf '%s\\n' 'it'\\''s é'; exit 7"})["a b'$(c)"]
    assert answer == Answer(text="it's é\n", status=7)


def test_nobody_asked_costs_nothing() -> None:
    assert look(LocalReach("server-2", shell="/no/shell"), []) == {}


def test_a_bond_as_the_guest_has_it() -> None:
    inside = read("VM-2", Answer(text=BOND + END))
    (bond,) = inside.bonds
    assert (bond.name, bond.mode, bond.fail_over_mac, bond.active, bond.primary) == (
        "bond0", "active-backup", "active", "eth1", None,
    )  # fmt: skip
    assert (bond.arp_interval_ms, bond.miimon_ms, bond.num_grat_arp) == (300, 0, 3)
    assert bond.arp_ip_targets == ("10.8.0.254", "10.8.0.1")
    assert bond.arp_validate == "active"
    assert [(leg.name, leg.up, leg.permanent_mac) for leg in bond.legs] == [
        ("eth0", False, "02:07:01:1b:31:c7"),
        ("eth1", True, "02:0b:2e:4f:00:11"),
    ]
    two = read("VM", Answer(text=BOND + BOND.replace("bond0", "bond1") + END))
    assert [bond.name for bond in two.bonds] == ["bond0", "bond1"]
    assert read("VM", Answer(text=BOND)).why_not


@pytest.mark.parametrize(("said", "known"), [("filter_active 5", "filter_active"), ("", None)])
def test_a_kernel_may_validate_in_other_ways_or_not_know_it(said: str, known: str | None) -> None:
    (bond,) = read(
        "VM", Answer(text=BOND.replace("active 1\nset num", f"{said}\nset num") + END)
    ).bonds
    assert bond.arp_validate == known


def test_files_come_back_as_they_are(host: LocalReach, tmp_path: Path) -> None:
    texts = {"a": "", "b": "one\n\n|two\nend\nfile 1 644", "c": "é\x0c\x85\n"}
    paths = {name: str(tmp_path / f"{name} '$(x)") for name in texts}
    for name, text in texts.items():
        Path(paths[name]).write_text(text)
        Path(paths[name]).chmod(0o600)
    gone = str(tmp_path / "gone")
    inside = look(host, ["well"], paths={"well": [gone, *paths.values()]}, timeout_s=60)["well"]
    assert {path: file.text for path, file in inside.files.items()} == {
        paths[name]: text for name, text in texts.items()
    }
    assert {file.mode for file in inside.files.values()} == {0o600}
    Path(paths["a"]).write_bytes(b"x" * 100_000)
    assert look(host, ["well"], paths={"well": [paths["a"]]}, timeout_s=60)["well"].why_not


@given(st.data())
def test_a_lying_guest_gives_facts_or_nothing(data: st.DataObject) -> None:
    lines = BOND.splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(st.text() | st.just("") | st.just(lines[at] + "\x1b[2J" * 9))
    inside = read("VM", Answer(text="\n".join(lines) + "\n" + END))
    for bond in inside.bonds:
        words = [bond.name, bond.mode, bond.active or "", bond.primary or "", bond.mac]
        words += [word for leg in bond.legs for word in (leg.name, leg.mac, leg.permanent_mac)]
        assert all(word.isprintable() and len(word) < 24 for word in words)


@given(st.integers(0, 255), st.text() | st.binary().map(lambda b: base64.b64encode(b).decode()))
def test_an_answer_is_text_or_a_reason(status: int, text: str) -> None:
    for said in (text, json.dumps({"return": text}), json.dumps({"return": {"out-data": text}})):
        answer = read_answer(status, said, 5)
        assert status == 0 or (answer.why_not and not answer.text)
