"""Debian's ifupdown with ifenslave: a file in interfaces.d, with .link files that name the legs."""

from __future__ import annotations

from collections.abc import Iterator

from sriovctl.netconf import naming
from sriovctl.netconf.ini import Keys
from sriovctl.netconf.model import File, Network
from sriovctl.plan import Finding


def findings(networks: tuple[Network, ...]) -> list[Finding]:
    """Cards that only their slots could tell apart."""
    return naming.alike_findings(networks, "ifupdown")


def files(networks: tuple[Network, ...]) -> Iterator[File]:
    """All files of these bonds."""
    for network in networks:
        yield from naming.link_files(network)
        text = "\n".join(_stanzas(network))
        yield File(path=f"/etc/network/interfaces.d/{network.bond.name}", text=text)


def _stanzas(network: Network) -> Iterator[str]:
    bond = network.bond
    mtu = ("mtu", network.mtu)
    options = {
        f"bond-{word.replace('_', '-')}": value.replace(",", " ")
        for word, value in bond.options.items()
    }
    # can be set only when that leg is in the bond, and so is said at each
    primary = ("bond-primary", options.pop("bond-primary", None))
    for leg in network.legs:
        # so that a card that was unplugged comes back into the bond
        begun = f"allow-hotplug {leg.name}"
        yield _stanza(leg.name, begun, [("bond-master", bond.name), primary, mtu])
    own: dict[str, Keys] = {
        bond.name: [("hwaddress", bond.mac), ("bond-slaves", "none"), *options.items()],
        network.vlan_name or "": [("vlan-raw-device", bond.name)],
        network.bridge or "": [
            ("hwaddress", bond.mac),
            ("bridge-ports", network.vlan_name or bond.name),
            ("bridge-stp", "off"),
            ("bridge-fd", "0"),
        ],
    }
    for name in network.levels:
        keys = [*own[name], mtu]
        if name == network.levels[-1]:
            yield from _addressed(name, network, keys)
        else:
            yield _stanza(name, f"auto {name}", keys)


def _addressed(name: str, network: Network, keys: Keys) -> Iterator[str]:
    ways: list[tuple[str, str | None]] = [("inet static", address) for address in network.ipv4]
    if network.dhcp:
        ways.append(("inet dhcp", None))
    ways += [("inet6 static", address) for address in network.ipv6]
    gateway = network.gateway
    for place, (way, address) in enumerate(ways or [("inet manual", None)]):
        first = place == 0
        mine = gateway if gateway and (":" in gateway) == way.startswith("inet6") else None
        if mine:
            gateway = None
        yield _stanza(
            name,
            f"auto {name}" if first else "",
            [
                ("address", address),
                ("gateway", mine),
                ("dns-nameservers", " ".join(network.dns) or None if first else None),
                # what makes the interface is said once
                *(keys if first else []),
            ],
            way,
        )


def _stanza(name: str, begun: str, keys: Keys, way: str = "inet manual") -> str:
    head = f"{begun}\n" if begun else ""
    lines = [f"    {key} {value}\n" for key, value in keys if value is not None]
    return f"{head}iface {name} {way}\n" + "".join(lines)
