"""A Redfish attribute registry: what a machine's settings are called and allow. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sriovctl.plan import Frozen


class Entry(Frozen):
    """What the registry says of one attribute."""

    display: str
    """As the BIOS screen shows it, with the pages that lead there where they are known."""
    read_only: bool
    allowed: tuple[str, ...] | None
    """None where it is no enumeration."""
    depends: tuple[str, ...] = ()
    """Display names of the attributes that may grey it out."""


def entries(document: Mapping[str, Any], names: set[str]) -> dict[str, Entry]:
    """The entries of some attributes; one that the registry does not have is left out.

    Firmware leaves out properties, or writes null for them, so nothing is taken for granted.

    :param document: an AttributeRegistry (DMTF DSP0268)
    """
    parts = document.get("RegistryEntries") or {}
    attributes = {each.get("AttributeName"): each for each in parts.get("Attributes") or ()}
    menus = {
        menu.get("MenuPath"): menu.get("DisplayName") or "" for menu in parts.get("Menus") or ()
    }
    return {
        name: Entry(
            display=_display(attributes[name], menus),
            read_only=bool(attributes[name].get("ReadOnly"))
            or bool(attributes[name].get("GrayOut")),
            allowed=_allowed(attributes[name]),
            depends=_depends(parts, name, attributes),
        )
        for name in sorted(names)
        if name in attributes
    }


def _display(attribute: Mapping[str, Any], menus: Mapping[str, str]) -> str:
    own = str(attribute.get("DisplayName") or attribute["AttributeName"])
    page = menus.get(attribute.get("MenuPath") or "")
    return f"{page} > {own}" if page else own


def _allowed(attribute: Mapping[str, Any]) -> tuple[str, ...] | None:
    values = attribute.get("Value")
    if not values:
        return None
    return tuple(str(each.get("ValueName")) for each in values)


def _depends(
    parts: Mapping[str, Any], name: str, attributes: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    greying = ("ReadOnly", "GrayOut")
    sources = [
        source.get("MapFromAttribute")
        for each in parts.get("Dependencies") or ()
        if (each.get("Dependency") or {}).get("MapToAttribute") == name
        and (each.get("Dependency") or {}).get("MapToProperty") in greying
        for source in (each.get("Dependency") or {}).get("MapFrom") or ()
    ]
    return tuple(
        dict.fromkeys(
            str(attributes.get(source, {}).get("DisplayName") or source)
            for source in sources
            if source
        )
    )
