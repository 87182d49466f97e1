"""The settings of the lab's servers: name, place on the BIOS screen, allowed values.

A part of what a PowerEdge has, enough for this project and for clients to find their way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sriovctl.lab.bmc.personality import Personality

Kind = Literal["Enumeration", "Integer", "String", "Password"]
Value = str | int

VIRTUALIZATION = "ProcVirtualization"
"""VT-x and VT-d: Dell has one switch for both."""
SRIOV = "SriovGlobalEnable"
NIC_MODE = "VirtualizationMode"
"""Of a network port: NONE or SRIOV."""

GROUPS = {
    "SysInformation": "System Information",
    "MemSettings": "Memory Settings",
    "ProcSettings": "Processor Settings",
    "BiosBootSettings": "Boot Settings",
    "IntegratedDevices": "Integrated Devices",
    "SysProfileSettings": "System Profile Settings",
    "SysSecurity": "System Security",
    "MiscSettings": "Miscellaneous Settings",
}
"""Group in racadm's names → title of the BIOS screen's page."""

NIC_GROUPS = {
    "DeviceLevelConfig": "Device Level Configuration",
    "NICConfig": "NIC Configuration",
}
"""The same for a network port."""

ON_OFF = ("Enabled", "Disabled")


@dataclass(frozen=True)
class Attribute:
    """One setting."""

    name: str
    group: str
    display: str
    """As the BIOS screen shows it."""
    value: Value
    """As the server comes from the factory."""
    kind: Kind = "Enumeration"
    allowed: tuple[str, ...] = ()
    """Values of an enumeration."""
    lower: int = 0
    """Least value of an integer, least length of a text."""
    upper: int = 0
    """Largest value of an integer, largest length of a text."""
    read_only: bool = False
    needs: tuple[str, str] | None = None
    """(attribute, value): greyed out while that attribute has another value."""


def bios_attributes(personality: Personality, tag: str, *, bare: bool) -> tuple[Attribute, ...]:
    """All settings of one server.

    :param tag: its service tag, seven letters and digits
    :param bare: virtualization and SR-IOV are off, as they come from the factory
    """
    ours = "Disabled" if bare else "Enabled"
    return (
        Attribute(
            "SystemModelName", "SysInformation", "System Model Name", personality.model,
            "String", upper=32, read_only=True,
        ),
        Attribute(
            "SystemBiosVersion", "SysInformation", "System BIOS Version",
            personality.bios_version, "String", upper=32, read_only=True,
        ),
        Attribute(
            "SystemServiceTag", "SysInformation", "System Service Tag", tag,
            "String", upper=8, read_only=True,
        ),
        Attribute(
            "SysMemSize", "MemSettings", "System Memory Size", "128 GB",
            "String", upper=16, read_only=True,
        ),
        Attribute(
            "MemTest", "MemSettings", "System Memory Testing", "Disabled", allowed=ON_OFF
        ),
        Attribute(
            "MemOpMode", "MemSettings", "Memory Operating Mode", "OptimizerMode",
            allowed=("OptimizerMode", "MirrorMode", "SpareMode"),
        ),
        Attribute(
            "LogicalProc", "ProcSettings", "Logical Processor", "Enabled", allowed=ON_OFF
        ),
        Attribute(
            VIRTUALIZATION, "ProcSettings", "Virtualization Technology", ours, allowed=ON_OFF
        ),
        Attribute(
            "KernelDmaProtection", "ProcSettings", "Kernel DMA Protection", "Disabled",
            allowed=ON_OFF, needs=(VIRTUALIZATION, "Enabled"),
        ),
        Attribute("ProcX2Apic", "ProcSettings", "X2 Apic Mode", "Disabled", allowed=ON_OFF),
        Attribute(
            "ProcCores", "ProcSettings", "Number of Cores per Processor", "All",
            allowed=("All", "1", "2", "4", "6", "8", "10"),
        ),
        Attribute(
            "ProcCoreSpeed", "ProcSettings", "Processor Core Speed", "2.60 GHz",
            "String", upper=16, read_only=True,
        ),
        Attribute(
            "BootMode", "BiosBootSettings", "Boot Mode", "Bios", allowed=("Bios", "Uefi")
        ),
        Attribute(
            "BootSeqRetry", "BiosBootSettings", "Boot Sequence Retry", "Enabled", allowed=ON_OFF
        ),
        Attribute(
            SRIOV, "IntegratedDevices", "SR-IOV Global Enable", ours, allowed=ON_OFF
        ),
        Attribute(
            "MmioAbove4Gb", "IntegratedDevices", "Memory Mapped I/O above 4GB", "Enabled",
            allowed=ON_OFF,
        ),
        Attribute(
            "IoatEngine", "IntegratedDevices", "I/OAT DMA Engine", "Disabled", allowed=ON_OFF
        ),
        Attribute(
            "IntegratedNetwork1", "IntegratedDevices", "Integrated Network Card 1", "Enabled",
            allowed=("Enabled", "DisabledOs"),
        ),
        Attribute(
            "SysProfile", "SysProfileSettings", "System Profile", "PerfPerWattOptimizedDapc",
            allowed=(
                "PerfPerWattOptimizedDapc", "PerfPerWattOptimizedOs", "PerfOptimized", "Custom"
            ),
        ),
        Attribute(
            "ProcCStates", "SysProfileSettings", "C States", "Enabled", allowed=ON_OFF,
            needs=("SysProfile", "Custom"),
        ),
        Attribute(
            "AcPwrRcvry", "SysSecurity", "AC Power Recovery", "Last",
            allowed=("Last", "On", "Off"),
        ),
        Attribute(
            "AcPwrRcvryDelay", "SysSecurity", "AC Power Recovery Delay", "Immediate",
            allowed=("Immediate", "Random", "User"),
        ),
        Attribute(
            "AcPwrRcvryUserDelay", "SysSecurity", "User Defined Delay (60s to 240s)", 60,
            "Integer", lower=60, upper=240, needs=("AcPwrRcvryDelay", "User"),
        ),
        Attribute(
            "SetupPassword", "SysSecurity", "Setup Password", "", "Password", upper=32
        ),
        Attribute("AssetTag", "MiscSettings", "Asset Tag", "", "String", upper=63),
    )  # fmt: skip


@dataclass(frozen=True)
class Nic:
    """A network port that has settings of its own.

    :param fqdd: ``NIC.Integrated.1-1-1``
    :param mode: its VirtualizationMode at first
    """

    fqdd: str
    mac: str
    mode: Literal["NONE", "SRIOV"] = "SRIOV"

    @property
    def adapter(self) -> str:
        """The card that the port is on: ``NIC.Integrated.1``."""
        return self.fqdd.partition("-")[0]


def nic_attributes(nic: Nic) -> tuple[Attribute, ...]:
    """All settings of one network port."""
    return (
        Attribute(
            "DeviceName", "DeviceLevelConfig", "Device Name",
            "Intel(R) Gigabit 2P 82576 Adapter", "String", upper=64, read_only=True,
        ),
        Attribute(
            "MacAddr", "DeviceLevelConfig", "MAC Address", nic.mac.upper(),
            "String", upper=17, read_only=True,
        ),
        Attribute(
            NIC_MODE, "DeviceLevelConfig", "Virtualization Mode", nic.mode,
            allowed=("NONE", "SRIOV"),
        ),
        Attribute(
            "NumberVFAdvertised", "DeviceLevelConfig", "Number of PCI Virtual Functions", 8,
            "Integer", lower=1, upper=8, needs=(NIC_MODE, "SRIOV"),
        ),
        Attribute(
            "LegacyBootProto", "NICConfig", "Legacy Boot Protocol", "NONE",
            allowed=("NONE", "PXE"),
        ),
        Attribute("WakeOnLan", "NICConfig", "Wake On LAN", "Disabled", allowed=ON_OFF),
    )  # fmt: skip
