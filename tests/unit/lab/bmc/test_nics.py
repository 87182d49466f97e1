"""Network ports: settings of their own, a job of their own, one restart for all."""

from __future__ import annotations

import pytest

from sriovctl.lab.bmc.attributes import NIC_MODE, SRIOV
from sriovctl.lab.bmc.personality import IDRAC8, IDRAC9, Personality
from sriovctl.lab.bmc.redfish.resources import nic_path
from tests.unit.lab.bmc.conftest import JOBS, NICS, RESET, SETTINGS, Start, until
from tests.unit.lab.bmc.test_clients import with_badfish
from tests.unit.lab.bmc.test_racadm import SET_SRIOV, run
from tests.unit.lab.bmc.test_redfish import ON_RESET, codes

PORT = NICS[0].fqdd
PATH = nic_path(PORT)
FUNCTIONS = "/redfish/v1/Chassis/System.Embedded.1/NetworkAdapters/NIC.Integrated.1"


def test_racadm_lists_ports_and_their_addresses(start: Start) -> None:
    printed = run(start(IDRAC8), "racadm get NIC.DeviceLevelConfig", "racadm getsysinfo -s")
    assert printed.startswith(
        "NIC.DeviceLevelConfig.1 [Key=NIC.Integrated.1-1-1#DeviceLevelConfig]\r\n"
        "NIC.DeviceLevelConfig.2 [Key=NIC.Integrated.1-2-1#DeviceLevelConfig]\r\n"
    )
    assert "\r\nNIC.Integrated.1-2-1    Ethernet                = 52:54:00:00:02:02\r\n" in printed


def test_one_restart_serves_bios_and_ports(start: Start, personality: Personality) -> None:
    peer = start(personality)
    printed = run(
        peer,
        "racadm set nic.DeviceLevelConfig.1.VirtualizationMode SRIOV",
        "racadm get NIC.DeviceLevelConfig.1.VirtualizationMode",
        "racadm get NIC.DeviceLevelConfig.2.VirtualizationMode",
        f"racadm jobqueue create {PORT}",
        SET_SRIOV,
        "racadm jobqueue create BIOS.Setup.1-1 -r pwrcycle",
    )
    assert "[Key=NIC.Integrated.1-1-1#DeviceLevelConfig]\r\n" in printed
    assert "\r\nVirtualizationMode=NONE (Pending Value=SRIOV)\r\n" in printed
    assert "\r\nVirtualizationMode=NONE\r\n" in printed
    until(lambda: all(job["PercentComplete"] == 100 for job in peer.jobs()))
    assert [job["JobType"] for job in peer.jobs()] == [
        "NICConfiguration",
        "BIOSConfiguration",
        "RebootPowerCycle",
    ]
    (boot,) = peer.chassis.boots
    assert boot[f"{PORT}#{NIC_MODE}"] == "SRIOV"
    assert boot[f"{NICS[1].fqdd}#{NIC_MODE}"] == "NONE"
    assert boot[SRIOV] == "Enabled"


def test_redfish_finds_a_port_by_its_address(start: Start) -> None:
    peer = start(IDRAC9)
    members = peer.http("GET", f"{FUNCTIONS}/NetworkDeviceFunctions").json()["Members"]
    found = [peer.http("GET", member["@odata.id"]).json() for member in members]
    (port,) = [each for each in found if each["Ethernet"]["MACAddress"] == "52:54:00:00:02:01"]
    path = port["Links"]["Oem"]["Dell"]["DellNetworkAttributes"]["@odata.id"]
    assert (port["Id"], path) == (PORT, PATH)
    attributes = peer.http("GET", path).json()
    assert attributes["Attributes"][NIC_MODE] == "NONE"
    name = attributes["AttributeRegistry"]
    registry = peer.http("GET", f"/redfish/v1/Registries/{name}/{name}.json").json()
    assert registry["Id"] == name


def test_redfish_sets_a_port_beside_the_bios(start: Start) -> None:
    peer = start(IDRAC9)
    wanted = {"Attributes": {NIC_MODE: "SRIOV"}}
    assert peer.http("PATCH", f"{PATH}/Settings", json=wanted | ON_RESET).status_code == 202
    again = peer.http("PATCH", f"{PATH}/Settings", json=wanted)
    assert (again.status_code, codes(again)) == (400, ["SYS011"])
    bios = {"Attributes": {SRIOV: "Enabled"}} | ON_RESET
    assert peer.http("PATCH", SETTINGS, json=bios).status_code == 202
    peer.http("POST", RESET, json={"ResetType": "GracefulRestart"})
    until(lambda: [job["JobState"] for job in peer.jobs()] == ["Completed"] * 2)
    assert peer.attributes(PATH)[NIC_MODE] == "SRIOV"
    assert peer.jobs()[0]["TargetSettingsURI"] == f"{PATH}/Settings"


def test_redfish_of_idrac8_has_no_ports(start: Start) -> None:
    peer = start(IDRAC8)
    assert peer.http("GET", PATH).status_code == 404
    job = peer.http("POST", JOBS, json={"TargetSettingsURI": f"{PATH}/Settings"})
    assert (job.status_code, codes(job)) == (400, ["SYS409"])


def test_a_port_that_is_not_there(start: Start) -> None:
    peer = start(IDRAC9)
    other = PATH.replace(PORT, "NIC.Slot.9-1-1")
    assert peer.http("GET", other).status_code == 404
    assert peer.http("GET", PATH.replace("NIC.Integrated.1/", "NIC.Slot.9/")).status_code == 404
    assert "RAC917" in run(peer, "racadm get NIC.DeviceLevelConfig.3", "racadm get NIC.Nonsense")
    assert "RAC917" in run(peer, "racadm jobqueue create NIC.Slot.9-1-1")


@pytest.mark.usefixtures("fast_badfish")
def test_badfish_sets_a_port(start: Start) -> None:
    peer = start(IDRAC9)
    (info,) = with_badfish(peer, ("get_nic_attribute_info", PORT, NIC_MODE, False))
    assert info["CurrentValue"] == "NONE"
    with_badfish(peer, ("set_nic_attribute", PORT, NIC_MODE, "SRIOV"))
    until(lambda: [job["JobState"] for job in peer.jobs()] == ["Completed"])
    assert peer.attributes(PATH)[NIC_MODE] == "SRIOV"
