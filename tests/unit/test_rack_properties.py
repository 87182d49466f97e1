"""Whatever is thrown at the loader, it answers with a rack or with a RackError."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sriovctl.contradictions import contradictions
from sriovctl.errors import RackError
from sriovctl.rack import Guest, Host, Pair, Rack
from sriovctl.rackbmc import BMC
from sriovctl.rackfile import load
from sriovctl.rackport import Port, VFAttributes

names = st.sampled_from(
    ["em1", "em2", "01:00.0", "52:54:00:12:34:56", "VM-2", "on", "x y", "", "7"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 70_000)
    | st.floats()
    | names
    | st.text(max_size=8)
    | st.sampled_from(["on", "off", "all", "0-3", "802.1Q", "network", "vfio-pci", "server-2"])
)
models = (Rack, Host, Port, VFAttributes, Guest, Pair, BMC)
keys = (
    st.sampled_from([field for model in models for field in model.model_fields])
    | names
    | st.integers(-1, 9)
    | st.text(max_size=4)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "vlan": st.integers(0, 4095),
        "qos": st.integers(0, 8),
        "mac": st.sampled_from(["02:00:00:00:00:01", "02:00:00:00:00:02"]),
        "spoofchk": st.sampled_from(["on", "off"]),
        "min_rate": st.integers(0, 3),
        "max_rate": st.integers(0, 3),
        "driver": st.sampled_from(["network", "vfio-pci"]),
    },
)
ports = st.integers(0, 9) | st.fixed_dictionaries(
    {"vfs": st.integers(0, 9)},
    optional={
        "pci": st.sampled_from(["01:00.0", "0000:02:00.0"]),
        "pool": st.sampled_from(["a", "b", False]),
        "vf": st.dictionaries(st.sampled_from(["all", "0", 1, "0-2", "5-8"]), attributes),
    },
)
bmcs = st.fixed_dictionaries(
    {
        "address": st.sampled_from(["10.8.0.2", "10.8.0.3", "[fe80::1]"]),
        "password": st.sampled_from(["env:P", "file:a b/c", "keyring:bmc/root", "calvin"]),
    },
    optional={
        "via": st.sampled_from(["auto", "redfish", "racadm"]),
        "fingerprint": st.sampled_from(["9F:" * 31 + "9F", "sha256:" + "0a" * 32]),
        "insecure": st.booleans(),
        "known_hosts": st.just("known_hosts"),
        "bios": st.lists(st.sampled_from(["virtualization", "iommu", "sriov"]), max_size=3),
    },
)
legs = st.sampled_from(["em1", "em2", "0000:01:00.0"])
pairs = st.fixed_dictionaries(
    {},
    optional={
        "legs": st.lists(legs, min_size=1, max_size=2),
        "macs": st.sampled_from(["shared", "active", "open"]),
    },
)
guests = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "host": st.sampled_from(["server-2", "server-3"]),
        "pairs": st.lists(pairs, max_size=2),
        "running": st.booleans(),
    },
)
racks = st.fixed_dictionaries(
    {
        "hosts": st.dictionaries(
            st.sampled_from(["server-2", "server-3"]),
            st.fixed_dictionaries(
                {"pfs": st.dictionaries(legs, ports, max_size=3)},
                optional={"bmc": bmcs, "reboot": st.just("allowed")},
            ),
            min_size=1,
        )
    },
    optional={
        "rack": st.sampled_from(["a", "机房"]),
        "vms": st.dictionaries(st.text("abc '\"$`é机", min_size=1, max_size=5), guests, max_size=4),
    },
)
"""Most of these are sound, the rest contradict themselves."""


def yaml_of(value: Any) -> bytes:
    file = io.BytesIO()
    YAML(typ="safe", pure=True).dump(value, file)
    return file.getvalue()


def read(data: bytes) -> Rack | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rack.yaml")
        path.write_bytes(data)
        try:
            return load(path)
        except RackError:
            return None


@given(anything)
def test_any_value(value: Any) -> None:
    read(yaml_of(value))


@given(st.dictionaries(st.sampled_from(["hosts", "vms", "rack", "switches"]), anything))
def test_any_value_under_the_right_keys(value: Any) -> None:
    read(yaml_of(value))


@given(st.text("ab:-[]{},&*!|>'\"%@`#? \n\t\\0<=~", max_size=40) | st.text(max_size=20))
@settings(max_examples=300)
def test_any_text(text: str) -> None:
    read(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=30))
def test_any_bytes(data: bytes) -> None:
    read(data)


@given(racks)
@settings(max_examples=200)
def test_dump_and_load_round_trip(written: Any) -> None:
    rack = read(yaml_of(written))
    if rack is not None:
        assert read(yaml_of(rack.model_dump(mode="json"))) == rack
        assert read(yaml_of(rack.model_dump(mode="json", exclude_defaults=True))) == rack


@given(racks)
@settings(max_examples=200)
def test_what_a_sound_rack_wants(written: Any) -> None:
    rack = read(yaml_of(written))
    if rack is None:
        return
    assert contradictions(rack) == []
    wants = [rack.want(host, Path()) for host in rack.hosts]
    assert wants == [rack.want(host, Path()) for host in rack.hosts]
    nics = [nic for want in wants for vm in want.vms for nic in vm.nics]
    owners = {(vm.name, nic.pair, nic.mac) for want in wants for vm in want.vms for nic in vm.nics}
    assert len({nic.mac for nic in nics}) == len(owners)
    own = [nic.mac for nic in nics if nic.macs != "shared"]
    assert len(set(own)) == len(own)
    for want in wants:
        pools = [pf.pool for pf in want.pfs if pf.pool is not None]
        assert len(set(pools)) == len(pools)
        for pf in want.pfs:
            indices = [vf.index for vf in pf.vf]
            assert indices == sorted(set(indices))
            assert all(index < pf.vfs for index in indices)
            taken = [nic for vm in want.vms for nic in vm.nics if nic.leg == pf.name]
            assert len(taken) <= pf.vfs
            assert all(nic.pool == pf.pool for nic in taken)
