"""PCIe Access Control Services of the ports above the PFs, from their configuration space.

Offsets and bits are the PCI Express Base Specification's: extended capabilities start at 100h,
ACS is capability 000Dh, its control register lies 6 bytes in; linux/pci_regs.h has the same.
"""

from __future__ import annotations

from sriovctl.probe.sections import Sections

CONFIG_SIZE = 4096
"""Bytes; a port above an SR-IOV card always has the extended space, as the card needs it."""
FIRST_EXTENDED = 0x100
ACS_CAPABILITY = 0x000D
ACS_CONTROL = 6
ISOLATING = 0b11101
"""Source Validation, P2P Request Redirect, P2P Completion Redirect and Upstream Forwarding:
what the kernel's REQ_ACS_FLAGS (drivers/iommu/iommu.c) asks of a port for groups of its own,
``PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF``."""


def isolating_ports(sections: Sections) -> dict[str, bool]:
    """By PF: does the port above it isolate; PFs of which that was not readable are left out."""
    pairs = [line.split("=", 1) for line in sections.lines("parents") if "=" in line]
    parents = list(dict.fromkeys(parent for _, parent in pairs))
    image = read_od(sections.lines("config"), CONFIG_SIZE * len(parents))
    if image is None:
        return {}
    isolates = {
        parent: acs_isolates(image[i * CONFIG_SIZE : (i + 1) * CONFIG_SIZE])
        for i, parent in enumerate(parents)
    }
    return {pf: isolates[parent] for pf, parent in pairs}


def read_od(lines: list[str], size: int) -> bytes | None:
    """The bytes that ``od -Ax -tx1`` printed, lines that it left out as repeats put back.

    :param size: how many there should be
    :returns: None where there are not so many, or what is there is nothing of od's
    """
    image = bytearray()
    repeat = b""
    for line in lines:
        words = line.split()
        if not words or words == ["*"]:
            continue
        try:
            offset, row = int(words[0], 16), bytes(int(word, 16) for word in words[1:])
        except ValueError:
            return None
        if offset > size:
            return None
        while repeat and len(image) < offset:
            image += repeat
        repeat = row
        image += row
    return bytes(image) if len(image) == size else None


def acs_isolates(config: bytes) -> bool:
    """Whether a port with this configuration space has ACS switched on as isolation needs it."""
    at = FIRST_EXTENDED
    seen: set[int] = set()
    while FIRST_EXTENDED <= at <= len(config) - 8 and at not in seen:
        seen.add(at)
        header = int.from_bytes(config[at : at + 4], "little")
        if header & 0xFFFF == ACS_CAPABILITY:
            control = int.from_bytes(config[at + ACS_CONTROL : at + ACS_CONTROL + 2], "little")
            return control & ISOLATING == ISOLATING
        at = header >> 20
    return False
