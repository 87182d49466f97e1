"""Redfish, request by request: what a client meets, both personalities."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sriovctl.lab.bmc.attributes import SRIOV, VIRTUALIZATION
from sriovctl.lab.bmc.clock import HandClock, Timing
from sriovctl.lab.bmc.personality import IDRAC8, IDRAC9, Personality
from tests.unit.lab.bmc.conftest import (
    BIOS,
    JOBS,
    PASSWORD,
    RESET,
    SETTINGS,
    SYSTEM,
    Peer,
    Start,
    until,
)

WANTED = {VIRTUALIZATION: "Enabled", SRIOV: "Enabled"}
ON_RESET = {"@Redfish.SettingsApplyTime": {"ApplyTime": "OnReset"}}
TARGET = {"TargetSettingsURI": SETTINGS}


def codes(answer: requests.Response) -> list[str]:
    """Message ids of an error, without their prefix."""
    infos = answer.json()["error"]["@Message.ExtendedInfo"]
    return [each["MessageId"].rpartition(".")[2] for each in infos]


def wait_applied(peer: Peer) -> None:
    """By the BMC's own word, asked again and again."""
    until(lambda: all(job["PercentComplete"] == 100 for job in peer.jobs()))


def test_every_link_leads_somewhere(start: Start, personality: Personality) -> None:
    peer = start(personality)
    seen: set[str] = set()
    ahead = ["/redfish/v1"]
    while ahead:
        path = ahead.pop()
        if path in seen or path.endswith("EEMIRegistry"):
            continue
        seen.add(path)
        answer = peer.http("GET", path)
        assert answer.status_code == 200, path
        assert answer.json()["@odata.id"] == path
        ahead += links(answer.json())
    assert {BIOS, SETTINGS, JOBS, SYSTEM} <= seen


def links(body: object) -> list[str]:
    if isinstance(body, list):
        return [path for each in body for path in links(each)]
    if not isinstance(body, dict):
        return []
    own = [body["@odata.id"]] if set(body) == {"@odata.id"} else []
    # a Dell service is known by its actions, not by a resource
    return own + [
        path for name, each in body.items() if name != "DellLCService" for path in links(each)
    ]


def test_idrac8_needs_a_job_of_its_own(start: Start) -> None:
    peer = start(IDRAC8)
    settings = peer.http("GET", BIOS).json()["@Redfish.Settings"]
    assert "SupportedApplyTimes" not in settings
    answer = peer.http("PATCH", SETTINGS, json={"Attributes": WANTED, **ON_RESET})
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert peer.jobs() == []
    assert peer.attributes(SETTINGS) == WANTED
    assert peer.attributes()[SRIOV] == "Disabled"
    made = peer.http("POST", JOBS, json=TARGET)
    assert made.status_code == 200
    job = made.headers["Location"].rpartition("/")[2]
    assert job.startswith("JID_")
    peer.http("POST", RESET, json={"ResetType": "GracefulRestart"})
    wait_applied(peer)
    last = peer.http("GET", f"{JOBS}/{job}").json()
    assert (last["JobState"], last["MessageId"]) == ("Completed", "PR19")
    assert peer.attributes()[SRIOV] == "Enabled"
    assert peer.attributes(SETTINGS) == {}


def test_idrac9_makes_the_job_with_the_settings(start: Start) -> None:
    peer = start(IDRAC9)
    settings = peer.http("GET", BIOS).json()["@Redfish.Settings"]
    assert settings["SupportedApplyTimes"] == ["OnReset"]
    answer = peer.http("PATCH", SETTINGS, json={"Attributes": WANTED, **ON_RESET})
    assert answer.status_code == 202
    job = answer.headers["Location"].rpartition("/")[2]
    assert [each["Id"] for each in peer.jobs()] == [job]
    second = peer.http("POST", JOBS, json=TARGET)
    assert second.status_code == 400
    assert codes(second) == ["SYS011"]
    third = peer.http("PATCH", SETTINGS, json={"Attributes": {SRIOV: "Disabled"}})
    assert (third.status_code, codes(third)) == (400, ["SYS011"])
    task = peer.http("GET", answer.headers["Location"])
    assert (task.status_code, task.json()["TaskState"]) == (202, "Starting")
    peer.http("POST", RESET, json={"ResetType": "ForceRestart"})
    wait_applied(peer)
    assert peer.http("GET", answer.headers["Location"]).json()["TaskState"] == "Completed"
    assert peer.attributes()[VIRTUALIZATION] == "Enabled"
    assert peer.chassis.boots[-1][VIRTUALIZATION] == "Enabled"


def test_idrac9_without_apply_time_only_stages(start: Start) -> None:
    peer = start(IDRAC9)
    assert peer.http("PATCH", SETTINGS, json={"Attributes": WANTED}).status_code == 200
    assert peer.jobs() == []
    assert peer.http("POST", JOBS, json=TARGET).status_code == 200


def test_settings_that_hold_already_make_no_job(start: Start) -> None:
    peer = start(IDRAC9)
    same = {"Attributes": {SRIOV: "Disabled"}, **ON_RESET}
    answer = peer.http("PATCH", SETTINGS, json=same)
    assert answer.status_code == 200
    assert "Location" not in answer.headers


def test_without_a_job_a_restart_leaves_them_pending(
    start: Start, personality: Personality
) -> None:
    peer = start(personality)
    peer.http("PATCH", SETTINGS, json={"Attributes": WANTED})
    peer.http("POST", RESET, json={"ResetType": "GracefulRestart"})
    until(lambda: peer.chassis.boots)
    assert peer.attributes()[SRIOV] == "Disabled"
    assert peer.attributes(SETTINGS) == WANTED


def test_values_show_before_the_job_is_completed(start: Start) -> None:
    clock = HandClock()
    timing = Timing(schedule=0, stay_off=0, apply=0, finish=60)
    peer = start(IDRAC9, clock=clock, timing=timing)
    peer.http("PATCH", SETTINGS, json={"Attributes": WANTED, **ON_RESET})
    peer.http("POST", RESET, json={"ResetType": "PowerCycle"})
    until(lambda: peer.attributes()[SRIOV] == "Enabled")
    assert peer.jobs()[0]["JobState"] == "Running"
    assert peer.http("PATCH", SETTINGS, json={"Attributes": WANTED}).status_code == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"Attributes": {SRIOV: "enabled"}}, "SYS426"),
        ({"Attributes": {"ProcCoreSpeed": "1"}}, "SYS428"),
        ({"Attributes": {"KernelDmaProtection": "Enabled"}}, "SYS428"),
        ({"Attributes": {"Nonsense": "1"}}, "SYS429"),
        ({"Attributes": "no"}, "SYS406"),
        ({}, "SYS406"),
        ({"Attributes": {}, "Nonsense": 1}, "SYS407"),
    ],
)
def test_settings_that_are_refused(start: Start, body: dict[str, Any], code: str) -> None:
    peer = start(IDRAC9)
    answer = peer.http("PATCH", SETTINGS, json=body)
    assert (answer.status_code, codes(answer)) == (400, [code])
    assert peer.attributes(SETTINGS) == {}


def test_apply_times_that_are_not_there(start: Start) -> None:
    peer = start(IDRAC9)
    body = {"Attributes": WANTED, "@Redfish.SettingsApplyTime": {"ApplyTime": "Immediate"}}
    answer = peer.http("PATCH", SETTINGS, json=body)
    assert (answer.status_code, codes(answer)) == (400, ["SYS409"])
    assert peer.attributes(SETTINGS) == {}


def test_registry_says_what_may_be_set(start: Start, personality: Personality) -> None:
    peer = start(personality)

    def entries() -> dict[str, dict[str, Any]]:
        registry = peer.http("GET", f"{BIOS}/BiosRegistry").json()
        assert registry["Id"] == peer.http("GET", BIOS).json()["AttributeRegistry"]
        return {each["AttributeName"]: each for each in registry["RegistryEntries"]["Attributes"]}

    before = entries()
    assert set(before) == set(peer.attributes())
    ours = before[VIRTUALIZATION]
    assert ours["DisplayName"] == "Virtualization Technology"
    assert ours["MenuPath"] == "./ProcSettingsRef"
    assert [each["ValueName"] for each in ours["Value"]] == ["Enabled", "Disabled"]
    assert not ours["ReadOnly"]
    assert before["ProcCoreSpeed"]["ReadOnly"]
    assert before["KernelDmaProtection"]["ReadOnly"]
    peer.http("PATCH", SETTINGS, json={"Attributes": {VIRTUALIZATION: "Enabled"}})
    assert not entries()["KernelDmaProtection"]["ReadOnly"]


def test_jobs_are_deleted_with_what_was_pending(start: Start, personality: Personality) -> None:
    peer = start(personality)
    empty = peer.http("POST", JOBS, json=TARGET)
    assert (empty.status_code, codes(empty)) == (400, ["RAC1035"])
    for path in ("", "JID_CLEARALL"):
        peer.http("PATCH", SETTINGS, json={"Attributes": WANTED})
        job = peer.http("POST", JOBS, json=TARGET).headers["Location"].rpartition("/")[2]
        assert peer.http("DELETE", f"{JOBS}/{path or job}").status_code == 200
        assert peer.jobs() == []
        assert peer.attributes(SETTINGS) == {}
    assert peer.http("DELETE", f"{JOBS}/{job}").status_code == 404


def test_pending_values_can_be_cleared(start: Start, personality: Personality) -> None:
    peer = start(personality)
    path = f"{SETTINGS}/Actions/Oem/DellManager.ClearPending"
    peer.http("PATCH", SETTINGS, json={"Attributes": WANTED})
    assert peer.http("POST", path, json={}).status_code == 200
    assert peer.attributes(SETTINGS) == {}
    assert codes(peer.http("POST", path, json={})) == ["RAC1035"]


def test_power(start: Start, personality: Personality) -> None:
    peer = start(personality)

    def power() -> str:
        state: str = peer.http("GET", SYSTEM).json()["PowerState"]
        return state

    reset = peer.http("GET", SYSTEM).json()["Actions"]["#ComputerSystem.Reset"]
    allowed = reset["ResetType@Redfish.AllowableValues"]
    assert ("PowerCycle" in allowed) == (personality.name == "idrac9")
    assert power() == "On"
    assert peer.http("POST", RESET, json={"ResetType": "On"}).status_code == 409
    assert peer.http("POST", RESET, json={"ResetType": "ForceOff"}).status_code == 204
    assert power() == "Off"
    assert peer.http("POST", RESET, json={"ResetType": "GracefulRestart"}).status_code == 409
    assert peer.http("POST", RESET, json={"ResetType": "On"}).status_code == 204
    assert power() == "On"
    wrong = peer.http("POST", RESET, json={"ResetType": "Sideways"})
    assert (wrong.status_code, codes(wrong)) == (400, ["SYS409"])


def test_sessions_by_token(start: Start, personality: Personality) -> None:
    peer = start(personality)
    path = personality.sessions_path
    login = {"UserName": "root", "Password": PASSWORD}
    tokens = []
    for _ in range(personality.redfish_sessions):
        answer = peer.http("POST", path, json=login, auth=None)
        assert answer.status_code == 201
        tokens.append((answer.headers["Location"], answer.headers["X-Auth-Token"]))
    full = peer.http("POST", path, json=login, auth=None)
    assert (full.status_code, codes(full)) == (400, ["RAC0218"])
    place, token = tokens[0]
    by_token = {"X-Auth-Token": token}
    assert peer.http("GET", BIOS, auth=None, headers=by_token).status_code == 200
    assert peer.http("DELETE", place, auth=None, headers=by_token).status_code == 200
    assert peer.http("GET", BIOS, auth=None, headers=by_token).status_code == 401
    assert peer.http("POST", path, json=login, auth=None).status_code == 201


def test_unused_sessions_are_forgotten(start: Start) -> None:
    clock = HandClock()
    peer = start(IDRAC9, clock=clock)
    path = IDRAC9.sessions_path
    login = {"UserName": "root", "Password": PASSWORD}
    token = peer.http("POST", path, json=login, auth=None).headers["X-Auth-Token"]
    clock.advance(1801)
    by_token = {"X-Auth-Token": token}
    assert peer.http("GET", BIOS, auth=None, headers=by_token).status_code == 401
    assert peer.http("GET", path).json()["Members@odata.count"] == 0


def test_who_may_what(start: Start, personality: Personality) -> None:
    peer = start(personality)
    assert peer.http("GET", "/redfish/v1", auth=None).status_code == 200
    assert peer.http("GET", "/redfish/v1/", auth=None).status_code == 200
    for path in (BIOS, "/redfish/v1/NoSuchThing"):
        answer = peer.http("GET", path, auth=None)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert peer.http("GET", BIOS, password="wrong").status_code == 401
    assert peer.http("GET", "/redfish/v1/NoSuchThing").status_code == 404
    other = peer.http("PUT", BIOS, json={})
    assert (other.status_code, codes(other)) == (405, ["SYS402"])
    reader = {"user": "reader", "password": "only"}
    assert peer.http("GET", BIOS, **reader).status_code == 200
    denied = peer.http("PATCH", SETTINGS, json={"Attributes": WANTED}, **reader)
    assert (denied.status_code, codes(denied)) == (403, ["SYS416"])


def test_bodies_that_are_no_json(start: Start) -> None:
    peer = start(IDRAC9)
    json_type = {"Content-Type": "application/json"}
    assert codes(peer.http("PATCH", SETTINGS, data="{", headers=json_type)) == ["SYS405"]
    assert codes(peer.http("PATCH", SETTINGS, data="[]", headers=json_type)) == ["SYS405"]
    plain = peer.http("PATCH", SETTINGS, data="x=1")
    assert plain.status_code == 415


def test_etags_where_the_firmware_has_them(start: Start, personality: Personality) -> None:
    peer = start(personality)
    old = peer.http("GET", SETTINGS).headers.get("ETag")
    assert (old is not None) == personality.etags
    peer.http("PATCH", SETTINGS, json={"Attributes": {SRIOV: "Enabled"}})
    changed = {"Attributes": {VIRTUALIZATION: "Enabled"}}
    late = peer.http("PATCH", SETTINGS, json=changed, headers={"If-Match": old or 'W/"0"'})
    assert late.status_code == (412 if personality.etags else 200)


def test_wrong_passwords_lock_an_account(start: Start) -> None:
    clock = HandClock()
    peer = start(IDRAC9, clock=clock)
    for _ in range(IDRAC9.failed_logins):
        assert peer.http("GET", BIOS, password="wrong").status_code == 401
    assert peer.http("GET", BIOS).status_code == 401
    clock.advance(61)
    assert peer.http("GET", BIOS).status_code == 200
