"""What a server's BIOS lets its system see, from the values that its BMC holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sriovctl.lab.bmc.attributes import NIC_MODE, SRIOV, VIRTUALIZATION
from sriovctl.lab.layout import Port, Server


@dataclass(frozen=True)
class Firmware:
    """The switches that decide how QEMU starts a server.

    :param virtualization: SVM or VT-x, and the IOMMU: Dell has one switch for both
    :param sriov: ports whose cards show their SR-IOV capability
    """

    virtualization: bool
    sriov: frozenset[str]


def everything(server: Server) -> Firmware:
    """Of a server that has no BMC: all that its cards can do."""
    return Firmware(True, frozenset(port.name for port in server.ports if port.sriov))


def from_bios(server: Server, bios: Mapping[str, str]) -> Firmware:
    """What the values say that a BMC starts the server with."""
    return Firmware(
        virtualization=bios[VIRTUALIZATION] == "Enabled",
        sriov=frozenset(
            port.name
            for port in server.ports
            if bios[SRIOV] == "Enabled" and bios[f"{fqdd(port)}#{NIC_MODE}"] == "SRIOV"
        ),
    )


def fqdd(port: Port) -> str:
    """The port's name on its BMC: em1 is ``NIC.Integrated.1-1-1``, em2 ``NIC.Integrated.1-2-1``."""
    return f"NIC.Integrated.1-{port.name.removeprefix('em')}-1"
