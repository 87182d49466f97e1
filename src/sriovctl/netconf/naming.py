"""How cards get their names, where a network system knows interfaces by name only."""

from __future__ import annotations

from collections.abc import Iterator

from sriovctl.netconf.ini import ini
from sriovctl.netconf.model import File, Leg, Network
from sriovctl.plan import Finding, Severity


def link_files(network: Network) -> Iterator[File]:
    """systemd-udevd's files that name the legs which are recognised by slot or address.

    ``Path=pci-*`` keeps the bond out, which has a leg's address too. ``PermanentMACAddress`` would
    as well, but systemd before 245 does not know it, and takes the file for every card.
    """
    for leg in network.legs:
        match = _match(leg)
        if match:
            text = ini(("Match", match), ("Link", [("Name", leg.name)]))
            yield File(path=f"/etc/systemd/network/05-{leg.name}.link", text=text)


def _match(leg: Leg) -> list[tuple[str, object]]:
    if leg.slot is not None:
        return [("Path", f"pci-{leg.slot}")]
    if leg.mac is not None:
        return [("MACAddress", leg.mac), ("Path", "pci-*")]
    return []


def alike_findings(networks: tuple[Network, ...], system: str) -> list[Finding]:
    """An error for each bond whose legs this system could only tell apart by their slots."""
    return [
        Finding(
            severity=Severity.ERROR,
            link="bonds",
            about=network.bond.name,
            found=f"both legs have the address {network.legs[0].mac}, and no slot is given",
            means=f"{system} knows cards by name, and a name needs an address or a slot of its own",
            mend="give the pair's slot: in the guest, ls -l /sys/class/net/*/device shows it; or "
            "choose macs: active",
        )
        for network in networks
        if network.alike
    ]
