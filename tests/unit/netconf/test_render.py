"""Every system's files say all that is wanted of a bond, or a finding names what they do not."""

from __future__ import annotations

import json
import re

import pytest
from ruamel.yaml import YAML

from sriovctl.netconf import SYSTEMS, Network, System, render
from sriovctl.plan import Severity
from tests.unit.netconf.cases import NETWORKS, OWN, SLOTS
from tests.unit.netconf.reading import file_of, options_of, sections_of, variables_of

REFUSED = {
    ("ifcfg", "one address, no slots"),
    ("ifupdown", "one address, no slots"),
    ("cloud-init", "one address, no slots"),
    ("cloud-init", "one address, by slot"),
}
"""What these systems cannot do."""
DONE = [
    pytest.param(system, NETWORKS[case], id=f"{system}: {case}")
    for system in SYSTEMS
    for case in NETWORKS
    if (system, case) not in REFUSED
]
done = pytest.mark.parametrize(("system", "network"), DONE)


@done
def test_every_setting_of_the_bond_arrives(system: System, network: Network) -> None:
    files, _ = render([network], system)
    assert options_of(system, files) == network.bond.options


@done
def test_every_address_arrives(system: System, network: Network) -> None:
    files, findings = render([network], system)
    text = "\n".join(file.text for file in files)
    for address in network.addresses:
        assert address in text or all(part in text for part in address.split("/"))
    wanted = (network.gateway, *network.dns, *(leg.slot or leg.mac for leg in network.legs))
    for word in (word for word in wanted if word is not None):
        assert word in text
    if network.bond.mac is not None:
        assert network.bond.mac in text
    if network.mtu is not None:
        assert str(network.mtu) in text
    assert not any(finding.severity is Severity.ERROR for finding in findings)


@done
def test_paths_are_a_guests_own_and_names_are_whole(system: System, network: Network) -> None:
    files, _ = render([network], system)
    assert len({file.path for file in files}) == len(files) > 0
    for file in files:
        assert file.path.startswith("/etc/") or file.path == "network-config"
        assert re.fullmatch(r"[A-Za-z0-9/_.-]+", file.path)
        assert file.text.endswith("\n")
        assert not any(line != line.rstrip() for line in file.text.splitlines())


@pytest.mark.parametrize(("system", "case"), sorted(REFUSED))
def test_what_cannot_be_said_is_an_error_and_gives_no_files(system: System, case: str) -> None:
    files, findings = render([NETWORKS[case]], system)
    assert files == ()
    (error,) = (finding for finding in findings if finding.severity is Severity.ERROR)
    assert error.about == "bond0"
    assert error.means
    assert "macs: active" in error.mend


@pytest.mark.parametrize(
    ("case", "lost"),
    [
        ("own addresses, dhcp", ["fail_over_mac=active"]),
        ("asks by ARP, static", ["arp_ip_targets", "fail_over_mac=active"]),
        ("a host's: bridge", ["the bond's own address 52:54:00:00:02:01"]),
        ("a host's: VLAN and bridge", []),
    ],
)
def test_cloud_init_says_what_not_every_guest_gets(case: str, lost: list[str]) -> None:
    _, findings = render([NETWORKS[case]], "cloud-init")
    assert [finding.found for finding in findings] == lost
    assert all(finding.severity is Severity.WARNING for finding in findings)


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_bonds_of_one_machine(system: System) -> None:
    first = NETWORKS["own addresses, dhcp"]
    text = first.model_dump_json().replace("bond0", "bond1").replace("02:07:01", "02:07:02")
    second = Network.model_validate_json(text.replace("52:54:00", "52:54:01"))
    files, _ = render([first, second], system)
    assert len({file.path for file in files}) == len(files)
    everything = "\n".join(file.text for file in files)
    for leg in (*first.legs, *second.legs):
        assert leg.mac is not None
        assert leg.mac in everything


def test_networkmanager_keeps_its_profiles_to_root() -> None:
    for network in NETWORKS.values():
        files, _ = render([network], "networkmanager")
        assert all(f.mode == 0o600 for f in files if f.path.endswith(".nmconnection"))


def test_networkd_takes_two_cards_with_one_address_by_one_match() -> None:
    files, _ = render([NETWORKS["one address, no slots"]], "networkd")
    matches = [sections_of(f.text)["Match"] for f in files if f.path.endswith(".network")]
    assert matches == [[("PermanentMACAddress", OWN[0])], [("Name", "bond0")]]


def test_networkd_gives_the_shared_address_to_the_bond() -> None:
    """It would make one up else, and the cards' spoof check would drop all that is sent with it."""
    files, _ = render([NETWORKS["one address, by slot"]], "networkd")
    netdev = sections_of(file_of(files, "05-bond0.netdev").text)["NetDev"]
    assert ("MACAddress", OWN[0]) in netdev


def test_a_card_that_is_named_by_its_address_is_no_bond_with_that_address() -> None:
    files, _ = render([NETWORKS["own addresses, dhcp"]], "ifupdown")
    match = sections_of(file_of(files, "bond0_em1.link").text)["Match"]
    assert match == [("MACAddress", OWN[0]), ("Path", "pci-*")]


@pytest.mark.parametrize("system", ["netplan", "cloud-init"])
def test_an_address_of_digits_is_text_in_every_yaml(system: System) -> None:
    files, _ = render([NETWORKS["own addresses, dhcp"]], system)
    yaml = YAML(typ="safe")
    yaml.version = (1, 1)
    ends = "60-bond0.yaml" if system == "netplan" else "network-config"
    read = yaml.load("%YAML 1.1\n---\n" + file_of(files, ends).text)
    legs = read["network"]["ethernets"].values()
    assert [leg["match"]["macaddress"] for leg in legs] == list(OWN)


def test_the_guides_bonding_options_as_ifcfg() -> None:
    """``miimon=80 mode=1 primary=eth0 updelay=30000``, and what the guide's exception adds."""
    files, _ = render([NETWORKS["own addresses, dhcp"]], "ifcfg")
    assert variables_of(file_of(files, "/ifcfg-bond0").text) == {
        "DEVICE": "bond0",
        "ONBOOT": "yes",
        "TYPE": "Bond",
        "BONDING_MASTER": "yes",
        "BONDING_OPTS": "mode=active-backup miimon=80 updelay=30000 fail_over_mac=active "
        "primary=bond0_em1 num_grat_arp=3",
        "BOOTPROTO": "dhcp",
    }
    assert variables_of(file_of(files, "/ifcfg-bond0_em2").text) == {
        "DEVICE": "bond0_em2",
        "ONBOOT": "yes",
        "HWADDR": OWN[1],
        "TYPE": "Ethernet",
        "BOOTPROTO": "none",
        "MASTER": "bond0",
        "SLAVE": "yes",
    }


def test_ifcfg_by_slot_is_udevs() -> None:
    files, _ = render([NETWORKS["one address, by slot"]], "ifcfg")
    rules = file_of(files, "70-bond0.rules").text.splitlines()
    assert [re.findall(r'KERNELS=="([^"]*)"', rule) for rule in rules] == [[s] for s in SLOTS]
    legs = [f for f in files if "/ifcfg-bond0_" in f.path]
    assert legs
    assert all("HWADDR" not in leg.text for leg in legs)


def test_a_hosts_bridge_has_the_address_and_the_bond_has_none() -> None:
    network = NETWORKS["a host's: VLAN and bridge"]
    for system in SYSTEMS:
        files, _ = render([network], system)
        (holder,) = (f for f in files if "10.8.0.2" in f.text)
        assert "br0" in holder.text, json.dumps(holder.model_dump())
