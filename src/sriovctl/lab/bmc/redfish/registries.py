"""The registries: attributes as this server's devices have them, and iDRAC's messages."""

from __future__ import annotations

from collections.abc import Mapping

from sriovctl.lab.bmc.attributes import GROUPS, NIC_GROUPS, Attribute
from sriovctl.lab.bmc.messages import MESSAGES
from sriovctl.lab.bmc.personality import Personality
from sriovctl.lab.bmc.redfish.answers import Json, resource
from sriovctl.lab.bmc.settings import Settings

BIOS_REGISTRY = "BiosAttributeRegistry.v1_0_0"
BIOS_REGISTRY_PATH = "/redfish/v1/Systems/System.Embedded.1/Bios/BiosRegistry"
MESSAGES_PATH = "/redfish/v1/Registries/Messages/EEMIRegistry"


def bios_registry(bios: Settings, personality: Personality) -> Json:
    """The registry of BIOS attributes. ReadOnly is what holds now, dependencies taken in."""
    body = _registry(bios, personality, BIOS_REGISTRY_PATH, "BIOS Attribute Registry", GROUPS)
    return body | {"Id": BIOS_REGISTRY}


def nic_registry_id(fqdd: str) -> str:
    """Of the registry of a network port."""
    return f"NetworkAttributesRegistry_{fqdd}"


def nic_registry(fqdd: str, nic: Settings, personality: Personality) -> Json:
    """The registry of a network port's attributes."""
    name = nic_registry_id(fqdd)
    path = f"/redfish/v1/Registries/{name}/{name}.json"
    body = _registry(nic, personality, path, "Network Attribute Registry", NIC_GROUPS)
    return body | {"Id": name}


def _registry(
    device: Settings, personality: Personality, path: str, title: str, groups: Mapping[str, str]
) -> Json:
    attributes = device.attributes.values()
    entries = [
        _entry(attribute, groups[attribute.group], order, device.read_only(attribute.name))
        for order, attribute in enumerate(attributes, start=1)
    ]
    dependencies = [
        _dependency(attribute.name, *attribute.needs)
        for attribute in attributes
        if attribute.needs is not None
    ]
    menus = [
        {
            "DisplayName": page,
            "DisplayOrder": order,
            "MenuName": f"{group}Ref",
            "MenuPath": f"./{group}Ref",
        }
        for order, (group, page) in enumerate(groups.items(), start=1)
    ]
    return resource(
        path,
        "#AttributeRegistry.v1_1_0.AttributeRegistry",
        "AttributeRegistry.AttributeRegistry",
        title,
        Description="This registry defines a representation of attribute instances",
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


def _entry(attribute: Attribute, page: str, order: int, read_only: bool) -> Json:
    entry: Json = {
        "AttributeName": attribute.name,
        "CurrentValue": None,
        "DisplayName": attribute.display,
        "DisplayOrder": order,
        "HelpText": f"{attribute.display}, on the page {page}.",
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
