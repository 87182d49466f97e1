"""The registries: BIOS attributes as this server has them, and iDRAC's messages."""

from __future__ import annotations

from sriovctl.lab.bmc.attributes import GROUPS, Attribute
from sriovctl.lab.bmc.bios import Bios
from sriovctl.lab.bmc.messages import MESSAGES
from sriovctl.lab.bmc.personality import Personality
from sriovctl.lab.bmc.redfish.answers import Json, resource

BIOS_REGISTRY = "BiosAttributeRegistry.v1_0_0"
BIOS_REGISTRY_PATH = "/redfish/v1/Systems/System.Embedded.1/Bios/BiosRegistry"
MESSAGES_PATH = "/redfish/v1/Registries/Messages/EEMIRegistry"


def bios_registry(bios: Bios, personality: Personality) -> Json:
    """The attribute registry. ReadOnly is what holds now, dependencies taken in."""
    entries = [
        _entry(attribute, order, bios.read_only(attribute.name))
        for order, attribute in enumerate(bios.attributes.values(), start=1)
    ]
    dependencies = [
        _dependency(attribute.name, *attribute.needs)
        for attribute in bios.attributes.values()
        if attribute.needs is not None
    ]
    menus = [
        {
            "DisplayName": title,
            "DisplayOrder": order,
            "MenuName": f"{group}Ref",
            "MenuPath": f"./{group}Ref",
        }
        for order, (group, title) in enumerate(GROUPS.items(), start=1)
    ]
    body = resource(
        BIOS_REGISTRY_PATH,
        "#AttributeRegistry.v1_1_0.AttributeRegistry",
        "AttributeRegistry.AttributeRegistry",
        "BIOS Attribute Registry",
        Description="This registry defines a representation of BIOS Attribute instances",
        Language="en",
        OwningEntity="Dell",
        RegistryVersion="v1_0_0",
        RegistryEntries={"Attributes": entries, "Dependencies": dependencies, "Menus": menus},
        SupportedSystems=[
            {
                "FirmwareVersion": personality.bios_version,
                "ProductName": personality.model,
                "SystemId": "",
            }
        ],
    )
    body["Id"] = BIOS_REGISTRY
    return body


def _entry(attribute: Attribute, order: int, read_only: bool) -> Json:
    entry: Json = {
        "AttributeName": attribute.name,
        "CurrentValue": None,
        "DisplayName": attribute.display,
        "DisplayOrder": order,
        "HelpText": f"{attribute.display}, on the page {GROUPS[attribute.group]}.",
        "Hidden": False,
        "Immutable": attribute.read_only,
        "MenuPath": f"./{attribute.group}Ref",
        "ReadOnly": read_only,
        "ResetRequired": True,
        "Type": attribute.kind,
        "WarningText": None,
        "WriteOnly": attribute.kind == "Password",
    }
    if attribute.kind == "Enumeration":
        entry["Value"] = [
            {"ValueDisplayName": value, "ValueName": value} for value in attribute.allowed
        ]
    elif attribute.kind == "Integer":
        entry |= {
            "LowerBound": attribute.lower,
            "UpperBound": attribute.upper,
            "ScalarIncrement": 1,
        }
    else:
        entry |= {"MinLength": attribute.lower, "MaxLength": attribute.upper}
    return entry


def _dependency(name: str, other: str, value: str) -> Json:
    return {
        "Dependency": {
            "MapFrom": [
                {
                    "MapFromAttribute": other,
                    "MapFromCondition": "NEQ",
                    "MapFromProperty": "CurrentValue",
                    "MapFromValue": value,
                }
            ],
            "MapToAttribute": name,
            "MapToProperty": "ReadOnly",
            "MapToValue": True,
        },
        "DependencyFor": name,
        "Type": "Map",
    }


def message_registry(personality: Personality) -> Json:
    """iDRAC's own messages."""
    prefix, _, version = personality.messages.partition(".")
    body = resource(
        MESSAGES_PATH,
        "#MessageRegistry.v1_0_0.MessageRegistry",
        "MessageRegistry.MessageRegistry",
        "EEMI Message Registry",
        Description="Messages of this lab's iDRAC",
        Language="en",
        OwningEntity="Dell",
        RegistryPrefix=prefix,
        RegistryVersion=version,
        Messages={
            code: {
                "Description": message.text,
                "Message": message.text,
                "NumberOfArgs": message.text.count("%"),
                "Resolution": message.resolution,
                "Severity": "OK" if message.severity == "Informational" else message.severity,
            }
            for code, message in MESSAGES.items()
        },
    )
    body["Id"] = personality.messages
    return body


def registry_file(name: str, registry: str, location: str) -> Json:
    """The entry that leads to a registry."""
    return resource(
        f"/redfish/v1/Registries/{name}",
        "#MessageRegistryFile.v1_0_2.MessageRegistryFile",
        "MessageRegistryFile.MessageRegistryFile",
        f"{name} Registry File",
        Languages=["en"],
        Location=[{"Language": "en", "Uri": location}],
        Registry=registry,
    )
