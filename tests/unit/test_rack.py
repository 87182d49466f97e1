"""What a rack file means: defaults, derived addresses, what one host is to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sriovctl.contradictions import contradictions
from sriovctl.names import vf_indices
from sriovctl.rack import Rack
from sriovctl.wanted import BMCWant, VFWant

HERE = Path()


def rack_of(pfs: dict[str, Any], vms: dict[str, Any] | None = None, **more: Any) -> Rack:
    return Rack.model_validate({"hosts": {"server-2": {"pfs": pfs}}, "vms": vms, **more})


def test_derived_mac_addresses_never_change() -> None:
    """Pinned: another derivation would give every VM of every user new addresses."""
    rack = rack_of({"em1": 7, "em2": 7}, {"VM-2": {}, "机房": {}}, rack="machine-room")
    macs = [rack.mac_of(vm, 0, leg) for vm in rack.vms for leg in ("em1", "em2")]
    assert macs == [
        "02:07:01:1b:31:c7",
        "02:06:1e:c6:dc:29",
        "02:f1:7d:8a:fb:ff",
        "02:01:8e:2a:2a:e5",
    ]


def test_derived_mac_addresses_differ_by_rack_vm_pair_and_leg() -> None:
    macs = {
        rack.mac_of(vm, pair, leg)
        for name in ("a", "b")
        for rack in [
            rack_of(
                {"em1": 7, "em2": 7}, {vm: {"pairs": [{}, {}]} for vm in ("x", "y", "z")}, rack=name
            )
        ]
        for vm in rack.vms
        for pair in (0, 1)
        for leg in ("em1", "em2")
    }
    assert len(macs) == 24
    # unicast, locally administered, and never the address that libvirt falls back to
    assert all(int(mac[:2], 16) & 3 == 2 and mac != "02:00:00:00:00:00" for mac in macs)


def test_written_mac_address_wins() -> None:
    rack = rack_of({"em1": 7}, {"a": {"pairs": [{"mac": {"em1": "52-54-00-AA-BB-CC"}}]}})
    (want,) = rack.want("server-2", HERE).vms
    assert [nic.mac for nic in want.nics] == ["52:54:00:aa:bb:cc"]


def test_one_mac_address_for_both_legs() -> None:
    """The policy ``shared``: both VFs of one pair, one on each PF."""
    mac = "52:54:00:aa:bb:cc"
    rack = rack_of({"em1": 7, "em2": 7}, {"a": {"pairs": [{"mac": {"em1": mac, "em2": mac}}]}})
    assert contradictions(rack) == []


def test_attributes_the_narrower_wins() -> None:
    vf = {
        "3": {"vlan": 3},
        "all": {"vlan": 1, "spoofchk": "on"},
        "2-4": {"vlan": 2, "trust": "on"},
    }
    pf = rack_of({"em1": {"vfs": 5, "vf": vf}}).want("server-2", HERE).pfs[0]
    assert pf.vf == (
        VFWant(index=0, vlan=1, spoofchk="on"),
        VFWant(index=1, vlan=1, spoofchk="on"),
        VFWant(index=2, vlan=2, spoofchk="on", trust="on"),
        VFWant(index=3, vlan=3, spoofchk="on", trust="on"),
        VFWant(index=4, vlan=2, spoofchk="on", trust="on"),
    )


@pytest.mark.parametrize(
    ("port", "autoprobe"),
    [
        ({"vfs": 7}, False),
        ({"vfs": 7, "vf": {"0": {"driver": "vfio-pci"}}}, False),
        ({"vfs": 7, "vf": {"0": {"driver": "network"}}}, True),
        ({"vfs": 7, "autoprobe": "on"}, True),
        ({"vfs": 7, "autoprobe": "off", "vf": {"0": {"driver": "network"}}}, False),
    ],
)
def test_autoprobe_is_off_where_no_vf_is_wanted_on_the_host(
    port: dict[str, Any], autoprobe: bool
) -> None:
    assert rack_of({"em1": port}).want("server-2", HERE).pfs[0].autoprobe is autoprobe


@pytest.mark.parametrize(
    ("name", "port", "pool"),
    [
        ("em1", 7, "passthrough_em1"),
        ("em1", 0, None),
        ("em1", {"vfs": 7, "pool": "left"}, "left"),
        ("em1", {"vfs": 7, "pool": False}, None),
        ("01:00.0", 7, "passthrough_0000-01-00-0"),
        ("52:54:00:12:34:56", 7, "passthrough_52-54-00-12-34-56"),
    ],
)
def test_pool(name: str, port: Any, pool: str | None) -> None:
    assert rack_of({name: port}).want("server-2", HERE).pfs[0].pool == pool


@pytest.mark.parametrize(
    ("name", "by", "pci", "mac"),
    [
        ("em1", "name", None, None),
        ("01:00.0", "pci", "0000:01:00.0", None),
        ("52:54:00:AA:34:56", "mac", None, "52:54:00:aa:34:56"),
    ],
)
def test_how_a_port_is_named(name: str, by: str, pci: str | None, mac: str | None) -> None:
    pf = rack_of({name: 7}).want("server-2", HERE).pfs[0]
    assert (pf.by, pf.pci, pf.mac) == (by, pci, mac)


def test_a_vm_is_wanted_on_its_host_only() -> None:
    hosts = {"a": {"pfs": {"em1": 1}}, "b": {"pfs": {"em1": 1}}}
    rack = Rack.model_validate({"hosts": hosts, "vms": {"v": {"host": "b"}, "w": {"host": "a"}}})
    assert [[vm.name for vm in rack.want(host, HERE).vms] for host in hosts] == [["w"], ["v"]]


def test_a_vm_without_vfs() -> None:
    (vm,) = rack_of({"em1": 7}, {"VM-1": {"pairs": []}}).want("server-2", HERE).vms
    assert vm.nics == ()


def bmc_of(**written: Any) -> BMCWant:
    host = {"pfs": {}, "bmc": {"address": "10.8.0.2", "password": "env:P", **written}}
    want = Rack.model_validate({"hosts": {"s": host}}).want("s", Path("/racks")).bmc
    assert want is not None
    return want


def test_a_bmc_by_its_defaults() -> None:
    assert bmc_of() == BMCWant(address="10.8.0.2", user="root", password="env:P")


def test_a_bmc_with_every_key() -> None:
    digits = "9f" * 32
    written = {
        "address": "[fe80::1]",
        "user": "admin",
        "password": "file:secret",
        "via": "racadm",
        "https_port": 8443,
        "ssh_port": 2222,
        "fingerprint": "SHA256:" + ":".join(["9F"] * 32),
        "known_hosts": "known",
        "old_ciphers": True,
        "bios": ["sriov"],
    }
    assert bmc_of(**written) == BMCWant(
        address="fe80::1",
        user="admin",
        password="file:/racks/secret",
        via="racadm",
        https_port=8443,
        ssh_port=2222,
        fingerprint=digits,
        known_hosts="/racks/known",
        old_ciphers=True,
        intents=("sriov",),
    )
    assert bmc_of(authority="ca.pem").authority == "/racks/ca.pem"
    assert bmc_of(insecure=True).insecure


def test_nothing_is_restarted_unless_it_is_said() -> None:
    hosts = {"a": {"pfs": {}}, "b": {"pfs": {}, "reboot": "allowed"}}
    rack = Rack.model_validate({"hosts": hosts})
    assert [(rack.want(h, HERE).reboot, rack.want(h, HERE).bmc) for h in hosts] == [
        (False, None),
        (True, None),
    ]


@pytest.mark.parametrize("second", [{"https_port": 8443}, {"via": "racadm", "known_hosts": "k"}])
def test_two_bmcs_behind_one_address(second: dict[str, Any]) -> None:
    bmc = {"address": "10.8.0.2", "password": "env:P"}
    hosts = {"a": {"pfs": {}, "bmc": bmc}, "b": {"pfs": {}, "bmc": bmc | second}}
    assert contradictions(Rack.model_validate({"hosts": hosts})) == []


@pytest.mark.parametrize(
    ("text", "indices"), [("all", [0, 1, 2]), ("1", [1]), ("1-2", [1, 2]), ("7-9", [7, 8, 9])]
)
def test_vf_indices(text: str, indices: list[int]) -> None:
    assert list(vf_indices(text, 3)) == indices
