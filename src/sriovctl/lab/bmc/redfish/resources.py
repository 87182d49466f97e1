"""Redfish resources of a BMC as it is now: state in, JSON out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sriovctl.lab.bmc.attributes import Value
from sriovctl.lab.bmc.chassis import PowerState
from sriovctl.lab.bmc.jobs import BIOS_TARGET, Job, JobState
from sriovctl.lab.bmc.logins import Session
from sriovctl.lab.bmc.personality import Personality
from sriovctl.lab.bmc.redfish.answers import Json, link, resource
from sriovctl.lab.bmc.redfish.registries import BIOS_REGISTRY
from sriovctl.lab.bmc.settings import Settings

ROOT = "/redfish/v1"
SYSTEM = f"{ROOT}/Systems/System.Embedded.1"
MANAGER = f"{ROOT}/Managers/iDRAC.Embedded.1"
CHASSIS = f"{ROOT}/Chassis/System.Embedded.1"
JOBS = f"{MANAGER}/Jobs"
TASKS = f"{ROOT}/TaskService/Tasks"
BIOS = f"{SYSTEM}/Bios"
BIOS_SETTINGS = f"{BIOS}/Settings"
DELL_MANAGER = f"{ROOT}/Dell/Managers/iDRAC.Embedded.1"

BOOT_TARGETS = ("None", "Pxe", "Cd", "Floppy", "Hdd", "BiosSetup", "Utilities")
BOOT_ENABLED = ("Disabled", "Once", "Continuous")

_TASK_STATES = {
    JobState.NEW: "New",
    JobState.SCHEDULED: "Starting",
    JobState.RUNNING: "Running",
    JobState.FAILED: "Exception",
    JobState.REBOOT_FAILED: "Exception",
}

_HEALTH = {"Health": "OK", "HealthRollup": "OK", "State": "Enabled"}


def service_root(personality: Personality, tag: str) -> Json:
    """What is told to everybody, password or not."""
    body = resource(
        ROOT,
        "#ServiceRoot.v1_3_0.ServiceRoot",
        "ServiceRoot.ServiceRoot",
        "Root Service",
        Chassis=link(f"{ROOT}/Chassis"),
        Description="Root Service",
        Links={"Sessions": link(personality.sessions_path)},
        Managers=link(f"{ROOT}/Managers"),
        Oem={"Dell": {"ServiceTag": tag, "ManagerMACAddress": "52:54:00:1d:ac:00"}},
        Product="Integrated Dell Remote Access Controller",
        RedfishVersion=personality.redfish_version,
        Registries=link(f"{ROOT}/Registries"),
        SessionService=link(f"{ROOT}/SessionService"),
        Systems=link(f"{ROOT}/Systems"),
        Tasks=link(f"{ROOT}/TaskService"),
    )
    body["Id"] = "RootService"
    return body


def system(personality: Personality, tag: str, power: PowerState, boot: Mapping[str, str]) -> Json:
    """The server."""
    return resource(
        SYSTEM,
        "#ComputerSystem.v1_5_0.ComputerSystem",
        "ComputerSystem.ComputerSystem",
        "System",
        Actions={
            "#ComputerSystem.Reset": {
                "ResetType@Redfish.AllowableValues": list(personality.reset_types),
                "target": f"{SYSTEM}/Actions/ComputerSystem.Reset",
            }
        },
        Bios=link(BIOS),
        BiosVersion=personality.bios_version,
        Boot={
            **boot,
            "BootSourceOverrideTarget@Redfish.AllowableValues": list(BOOT_TARGETS),
            "BootSourceOverrideEnabled@Redfish.AllowableValues": list(BOOT_ENABLED),
        },
        HostName="",
        Links={"Chassis": [link(CHASSIS)], "ManagedBy": [link(MANAGER)]},
        Manufacturer="Dell Inc.",
        Model=personality.model,
        PartNumber="0LAB00A00",
        PowerState=power.capitalize(),
        SKU=tag,
        SerialNumber=f"CNLAB{tag}",
        Status=_HEALTH,
        SystemType="Physical",
    )


def bios(state: Settings, personality: Personality) -> Json:
    """BIOS values that hold now (or that a running job has just written)."""
    return _bios(
        BIOS, "BIOS Configuration Current Settings", shown_values(state, state.current)
    ) | {"@Redfish.Settings": settings_annotation(BIOS_SETTINGS, personality)}


def bios_settings(state: Settings) -> Json:
    """BIOS values that are pending, those alone."""
    clear = f"{BIOS_SETTINGS}/Actions/Oem/DellManager.ClearPending"
    attributes = shown_values(state, state.pending)
    return _bios(BIOS_SETTINGS, "BIOS Configuration Pending Settings", attributes) | {
        "Actions": {"Oem": {"#DellManager.ClearPending": {"target": clear}}},
    }


def _bios(path: str, name: str, attributes: Mapping[str, Value | None]) -> Json:
    return resource(
        path,
        "#Bios.v1_0_0.Bios",
        "Bios.Bios",
        name,
        AttributeRegistry=BIOS_REGISTRY,
        Attributes=dict(attributes),
        Description=name,
    )


def settings_annotation(path: str, personality: Personality) -> Json:
    """Where a device is set, and when what was set may apply."""
    annotation: Json = {
        "@odata.context": "/redfish/v1/$metadata#Settings.Settings",
        "@odata.type": "#Settings.v1_1_0.Settings",
        "SettingsObject": link(path),
    }
    if personality.apply_times:
        annotation["SupportedApplyTimes"] = list(personality.apply_times)
    return annotation


def shown_values(device: Settings, values: Mapping[str, Value]) -> dict[str, Value | None]:
    """Values as they may be seen: no password."""
    return {
        name: None if device.attributes[name].kind == "Password" else value
        for name, value in values.items()
    }


def nic_path(fqdd: str) -> str:
    """Of a network port's attributes."""
    card = f"{CHASSIS}/NetworkAdapters/{fqdd.partition('-')[0]}"
    return f"{card}/NetworkDeviceFunctions/{fqdd}/Oem/Dell/DellNetworkAttributes/{fqdd}"


def settings_path(target: str) -> str:
    """Where a device is set."""
    return BIOS_SETTINGS if target == BIOS_TARGET else f"{nic_path(target)}/Settings"


def manager(personality: Personality, now: datetime) -> Json:
    """The iDRAC."""
    body = resource(
        MANAGER,
        "#Manager.v1_3_3.Manager",
        "Manager.Manager",
        "Manager",
        Actions={
            "#Manager.Reset": {
                "ResetType@Redfish.AllowableValues": ["GracefulRestart"],
                "target": f"{MANAGER}/Actions/Manager.Reset",
            }
        },
        DateTime=now.isoformat(timespec="seconds"),
        FirmwareVersion=personality.firmware,
        Links={
            "ManagerForChassis": [link(CHASSIS)],
            "ManagerForServers": [link(SYSTEM)],
            "Oem": {"Dell": {"Jobs": link(JOBS)}},
        },
        ManagerType="BMC",
        Model=personality.manager_model,
        PowerState="On",
        Status={"Health": "OK", "State": "Enabled"},
    )
    if personality.apply_times:
        body["Links"]["Oem"]["Dell"] |= {
            "DellJobService": link(f"{DELL_MANAGER}/DellJobService"),
            "DellLCService": link(f"{DELL_MANAGER}/DellLCService"),
        }
    return body


def chassis(personality: Personality, tag: str, power: PowerState) -> Json:
    """The box."""
    cards = {"NetworkAdapters": link(f"{CHASSIS}/NetworkAdapters")}
    return resource(
        CHASSIS,
        "#Chassis.v1_6_0.Chassis",
        "Chassis.Chassis",
        "Computer System Chassis",
        **(cards if personality.apply_times else {}),
        ChassisType="RackMount",
        Links={"ComputerSystems": [link(SYSTEM)], "ManagedBy": [link(MANAGER)]},
        Manufacturer="Dell Inc.",
        Model=personality.model,
        PowerState=power.capitalize(),
        SKU=tag,
        Status=_HEALTH,
    )


def job(each: Job, personality: Personality) -> Json:
    """A job as Dell shows it."""
    newer = bool(personality.apply_times)
    body = resource(
        f"{JOBS}/{each.id}",
        "#DellJob.v1_4_0.DellJob" if newer else "#DellJob.v1_0_1.DellJob",
        "DellJob.DellJob",
        each.name,
        CompletionTime=_time(each.ended),
        Description="Job Instance",
        EndTime="TIME_NA",
        JobState=str(each.state),
        JobType=each.kind,
        Message=each.message,
        MessageArgs=[],
        MessageId=f"{personality.messages}.{each.message_id}" if newer else each.message_id,
        PercentComplete=each.percent,
        StartTime="TIME_NOW",
        TargetSettingsURI=None if each.target is None else settings_path(each.target),
    )
    if newer:
        body |= {
            "ActualRunningStartTime": _time(each.started),
            "ActualRunningStopTime": _time(each.ended),
        }
    return body


def task(each: Job, personality: Personality) -> Json:
    """The same job as the standard shows it."""
    return resource(
        f"{TASKS}/{each.id}",
        "#Task.v1_0_2.Task",
        "Task.Task",
        each.name,
        Description="Server Configuration and other Tasks running on iDRAC are listed here",
        EndTime=_time(each.ended) or "TIME_NA",
        Messages=[
            {
                "Message": each.message,
                "MessageArgs": [],
                "MessageArgs@odata.count": 0,
                "MessageId": f"{personality.messages}.{each.message_id}",
            }
        ],
        StartTime=_time(each.started) or "TIME_NOW",
        TaskState=_TASK_STATES.get(each.state, "Completed"),
        TaskStatus="Critical" if each.state in _FAILED else "OK",
    )


_FAILED = (JobState.FAILED, JobState.REBOOT_FAILED)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S")


def session(each: Session, path: str) -> Json:
    """Somebody's session."""
    return resource(
        f"{path}/{each.id}",
        "#Session.v1_0_0.Session",
        "Session.Session",
        "User Session",
        Description="User Session",
        UserName=each.account.name,
    )


def session_service(personality: Personality, timeout: float) -> Json:
    """How sessions are kept."""
    return resource(
        f"{ROOT}/SessionService",
        "#SessionService.v1_1_3.SessionService",
        "SessionService.SessionService",
        "Session Service",
        Description="Session Service",
        ServiceEnabled=True,
        SessionTimeout=int(timeout),
        Sessions=link(personality.sessions_path),
        Status={"Health": "OK", "State": "Enabled"},
    )


def task_service(now: datetime) -> Json:
    """Where tasks are."""
    return resource(
        f"{ROOT}/TaskService",
        "#TaskService.v1_1_0.TaskService",
        "TaskService.TaskService",
        "Task Service",
        DateTime=now.isoformat(timespec="seconds"),
        ServiceEnabled=True,
        Status={"Health": "OK", "State": "Enabled"},
        Tasks=link(TASKS),
    )
