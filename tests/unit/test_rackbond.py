"""The MAC policy of a pair, and its bond's keys: what they mean and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sriovctl.contradictions import contradictions
from sriovctl.rack import Rack

ONE, TWO = "52:54:00:aa:bb:01", "52:54:00:aa:bb:02"
POLICIES = ("shared", "active", "open")


def rack_of(pair: dict[str, Any], pfs: dict[str, Any] | None = None) -> Rack:
    hosts = {"server-2": {"pfs": pfs or {"em1": 3, "em2": 3}}}
    return Rack.model_validate({"hosts": hosts, "vms": {"VM-2": {"pairs": [pair]}, "VM-3": {}}})


def macs_of(rack: Rack) -> list[str]:
    (vm, _) = rack.want("server-2", Path()).vms
    return [nic.mac for nic in vm.nics]


def test_a_pair_without_a_policy_is_as_it_was_before_there_were_any() -> None:
    assert macs_of(rack_of({})) == macs_of(rack_of({"macs": "active"}))
    assert rack_of({}).policy_of("VM-2", 0) == "active"
    both = rack_of({"mac": {"em1": ONE, "em2": ONE}})
    assert both.policy_of("VM-2", 0) == "shared"
    assert macs_of(both) == [ONE, ONE]


def test_a_shared_address_is_the_first_legs() -> None:
    """So that a change of policy leaves the first leg's card alone."""
    own = macs_of(rack_of({"macs": "active"}))
    assert macs_of(rack_of({"macs": "shared"})) == [own[0], own[0]]
    assert macs_of(rack_of({"macs": "shared", "legs": ["em2", "em1"]})) == [own[1], own[1]]


@pytest.mark.parametrize("leg", ["em1", "em2"])
def test_a_shared_address_is_written_once(leg: str) -> None:
    rack = rack_of({"macs": "shared", "mac": {leg: ONE}})
    assert contradictions(rack) == []
    assert macs_of(rack) == [ONE, ONE]


def test_open_is_on_every_vf_of_its_legs_and_nowhere_else() -> None:
    ports = {"em1": {"vfs": 3, "vf": {"1": {"vlan": 7}}}, "em2": 3, "em3": 3}
    hosts = {"server-2": {"pfs": ports}}
    pair = {"legs": ["em1", "em2"], "macs": "open"}
    rack = Rack.model_validate({"hosts": hosts, "vms": {"VM-2": {"pairs": [pair]}}})
    assert contradictions(rack) == []
    em1, em2, em3 = rack.want("server-2", Path()).pfs
    for pf in (em1, em2):
        assert [(vf.index, vf.spoofchk, vf.trust) for vf in pf.vf] == [
            (index, "off", "on") for index in range(3)
        ]
    assert [vf.vlan for vf in em1.vf] == [None, 7, None]
    assert em3.vf == ()


@pytest.mark.parametrize("policy", POLICIES[:2])
def test_the_other_policies_keep_the_spoof_check_on_and_leave_trust(policy: str) -> None:
    for pf in rack_of({"macs": policy}).want("server-2", Path()).pfs:
        assert [(vf.spoofchk, vf.trust) for vf in pf.vf] == [("on", None)] * 3


def test_what_a_vf_is_given_by_name_wins() -> None:
    ports = {"em1": {"vfs": 2, "vf": {"0": {"spoofchk": "off"}}}, "em2": 2}
    em1, _ = rack_of({"macs": "shared"}, ports).want("server-2", Path()).pfs
    assert [vf.spoofchk for vf in em1.vf] == ["off", "on"]


def test_a_pair_without_a_policy_leaves_the_vfs_as_they_are() -> None:
    assert [pf.vf for pf in rack_of({}).want("server-2", Path()).pfs] == [(), ()]


SPOOFCHK_ON = {"em1": {"vfs": 3, "vf": {"2": {"spoofchk": "on"}}}, "em2": 3}
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "shared, two addresses": (
        {"macs": "shared", "mac": {"em1": ONE, "em2": TWO}},
        "macs",
        "shared is one address for both legs",
    ),
    "active, one address": (
        {"macs": "active", "mac": {"em1": ONE, "em2": ONE}},
        "macs",
        "active is an address for each leg",
    ),
    "slot of no leg": (
        {"slot": {"em1": "05:00.0", "em2": "06:00.0", "em3": "07:00.0"}},
        "slot.em3",
        "em3 is no leg of this pair",
    ),
    "one slot": ({"slot": {"em1": "05:00.0"}}, "slot", "a slot of its own for each leg"),
    "one slot for both": (
        {"slot": {"em1": "05:00.0", "em2": "05:00.0"}},
        "slot",
        "a slot of its own for each leg",
    ),
    "two monitors": (
        {"bond": {"miimon": 100, "arp_interval": 300, "arp_ip_targets": ["10.0.0.1"]}},
        "bond.arp_interval",
        "looks at the link (miimon) or asks by ARP",
    ),
    "nobody to ask": ({"bond": {"arp_interval": 300}}, "bond.arp_interval", "arp_ip_targets"),
    "nobody asks": ({"bond": {"arp_ip_targets": ["10.0.0.1"]}}, "bond.arp_ip_targets", "without"),
    "answers of nobody": (
        {"bond": {"arp_validate": "all"}},
        "bond.arp_validate",
        "nobody is asked",
    ),
    "delay of the other monitor": (
        {"bond": {"arp_interval": 300, "arp_ip_targets": ["10.0.0.1"], "updelay": 1}},
        "bond.updelay",
        "updelay is of miimon",
    ),
    "primary of no leg": ({"bond": {"primary": "em3"}}, "bond.primary", "em3 is no leg"),
    "primary of two that look the same": (
        {"macs": "shared", "bond": {"primary": "em1"}},
        "bond.primary",
        "give the pair's slot",
    ),
    "gateway with dhcp": ({"bond": {"gateway": "10.0.0.1"}}, "bond.gateway", "told by the DHCP"),
    "gateway elsewhere": (
        {"bond": {"gateway": "10.0.1.1", "address": "10.0.0.5/24"}},
        "bond.gateway",
        "in the network of no address",
    ),
}


@pytest.mark.parametrize(("pair", "key", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_together(pair: dict[str, Any], key: str, said: str) -> None:
    ((place, message),) = contradictions(rack_of(pair))
    assert ".".join(str(part) for part in place) == f"vms.VM-2.pairs.0.{key}"
    assert said in message


def test_open_against_a_spoof_check_that_is_to_be_on() -> None:
    ((place, message),) = contradictions(rack_of({"macs": "open"}, SPOOFCHK_ON))
    assert place[-1] == "macs"
    assert "VF 2 is to have it on" in message


def test_one_bond_name_for_two_pairs() -> None:
    hosts = {"server-2": {"pfs": {"em1": 3, "em2": 3}}}
    pairs = [{}, {"bond": {"name": "bond0"}}]
    rack = Rack.model_validate({"hosts": hosts, "vms": {"VM-2": {"pairs": pairs}}})
    ((place, message),) = contradictions(rack)
    assert place == ("vms", "VM-2", "pairs", 1, "bond", "name")
    assert "'bond0'" in message


@pytest.mark.parametrize(
    "bond",
    [
        {"name": "bond-0"},
        {"name": "../bond"},
        {"name": "lo"},
        {"name": "bond12345678"},
        {"name": "bond0\nx"},
        {"address": "10.0.0.5"},
        {"address": "10.0.0.5/33"},
        {"address": "none"},
        {"gateway": "10.0.0.1/24"},
        {"dns": ["dns.example.com"]},
        {"arp_ip_targets": ["fd00::1"]},
        {"miimon": 0},
        {"num_grat_arp": 256},
    ],
)
def test_values_that_no_guest_takes(bond: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each is refused in words of its own
        rack_of({"bond": bond})
