"""Bonds as they are wanted, one for each way in which they differ."""

from __future__ import annotations

from sriovctl.netconf import Bond, Leg, Network

# digits only: YAML 1.1 would read the second as a number to the base 60
OWN = ("02:07:01:1b:31:c7", "52:54:00:12:34:56")
SLOTS = ("0000:05:00.0", "0000:06:00.0")
NAMES = ("bond0_em1", "bond0_em2")


def legs(macs: tuple[str, str] | None = None, slots: tuple[str, str] | None = None) -> list[Leg]:
    return [
        Leg(
            name=name,
            mac=None if macs is None else macs[place],
            slot=None if slots is None else slots[place],
        )
        for place, name in enumerate(NAMES)
    ]


GUIDE = Bond(name="bond0", miimon_ms=80, updelay_ms=30000, primary="bond0_em1")
"""The guide's BONDING_OPTS: ``miimon=80 mode=1 primary=eth0 updelay=30000``."""
ACTIVE = GUIDE.model_copy(update={"fail_over_mac": "active", "num_grat_arp": 3})
BY_ARP = Bond(
    name="bond0",
    arp_interval_ms=300,
    arp_ip_targets=("10.8.0.254", "10.8.0.253"),
    arp_validate="active",
    num_grat_arp=5,
    fail_over_mac="active",
)
SHARED = Bond(name="bond0", miimon_ms=100, downdelay_ms=200, num_grat_arp=3, mac=OWN[0])

NETWORKS: dict[str, Network] = {
    "own addresses, dhcp": Network(bond=ACTIVE, legs=tuple(legs(OWN)), dhcp=True),
    "asks by ARP, static": Network(
        bond=BY_ARP,
        legs=tuple(legs(OWN)),
        addresses=("10.8.0.12/24",),
        gateway="10.8.0.1",
        dns=("10.8.0.1",),
        mtu=9000,
    ),
    "one address, by slot": Network(
        bond=SHARED.model_copy(update={"primary": "bond0_em2"}),
        legs=tuple(legs((OWN[0], OWN[0]), SLOTS)),
        dhcp=True,
    ),
    "one address, no slots": Network(
        bond=SHARED, legs=tuple(legs((OWN[0], OWN[0]))), addresses=("10.8.0.12/24",), mtu=1400
    ),
    "both families": Network(
        bond=ACTIVE,
        legs=tuple(legs(OWN)),
        addresses=("10.8.0.12/24", "10.9.0.12/24", "fd00::12/64", "fd00::13/64"),
        gateway="fd00::1",
        dns=("10.8.0.1", "fd00::1"),
    ),
    "a host's: VLAN and bridge": Network(
        bond=GUIDE,
        legs=tuple(legs()),
        vlan=100,
        bridge="br0",
        addresses=("10.8.0.2/24",),
        gateway="10.8.0.1",
    ),
    "a host's: bridge": Network(
        bond=GUIDE.model_copy(update={"mac": "52:54:00:00:02:01"}),
        legs=tuple(legs()),
        bridge="br0",
        dhcp=True,
    ),
    "a host's: VLAN, both families": Network(
        bond=BY_ARP.model_copy(update={"fail_over_mac": None, "mac": "52:54:00:00:02:01"}),
        legs=tuple(legs()),
        vlan=4094,
        addresses=("10.8.0.2/24", "fd00::2/64"),
        gateway="fd00::1",
        dns=("10.8.0.1",),
        mtu=9000,
    ),
    "a host's: LACP, no address": Network(
        bond=Bond(name="bond0", mode="802.3ad", miimon_ms=100), legs=tuple(legs()), bridge="br-lan"
    ),
    "one leg": Network(
        bond=ACTIVE.model_copy(update={"primary": None}), legs=tuple(legs(OWN)[:1]), dhcp=True
    ),
}
