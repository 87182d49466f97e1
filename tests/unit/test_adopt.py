"""A rack file from a host as it is: it loads, and wants nothing that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sriovctl import chain, rackfile
from sriovctl.adopt import Found, rack_from
from sriovctl.host import PF, VF, VM, HostState, OtherManager, Pool, VMNic
from sriovctl.plan import Severity
from tests.unit.probe.test_captures import CAPTURES, state_of


def steps_left(state: HostState, folder: Path) -> list[str]:
    """Titles of what a plan from the adopted file would still do."""
    file = folder / "rack.yaml"
    file.write_text(rack_from([Found(state)], "room"))
    titles = []
    for want in rackfile.wants(file):
        plan = chain.plan(want, state)
        assert plan.of(Severity.ERROR) == ()
        assert plan.of(Severity.BLOCKED) == ()
        titles += [step.title for step in plan.steps]
    return titles


@pytest.mark.parametrize("name", CAPTURES)
def test_every_capture_gives_a_file_that_loads(name: str, tmp_path: Path) -> None:
    file = tmp_path / "rack.yaml"
    file.write_text(rack_from([Found(state_of(name))], "room"))
    rackfile.load(file)


def test_the_guides_server_as_it_is(tmp_path: Path) -> None:
    """All that is left is what a host set up by hand lacks: that all is back after a boot."""
    assert steps_left(state_of("server-2-guests"), tmp_path) == [
        "vfio-pci and vfio_iommu_type1 loaded, now and at boot",
        "VFs come back at boot and with their driver",
        "pool em1-vfs: start at boot",
        "pool em2-vfs: start at boot",
    ]


def by_hand(file: str = "/etc/rc.local", *pfs: str) -> OtherManager:
    return OtherManager(system="rc.local", file=file, pfs=pfs, setting="echo 7 >sriov_numvfs")


def test_what_the_hosts_own_files_bring_back_is_left_to_them(tmp_path: Path) -> None:
    state = state_of("server-2-guests")
    system = state.system.model_copy(update={"managers": (by_hand("/etc/rc.local", "em1", "em2"),)})
    state = state.model_copy(update={"system": system})
    assert steps_left(state, tmp_path) == [
        "pool em1-vfs: start at boot",
        "pool em2-vfs: start at boot",
    ]
    assert "restored_by: host  # by /etc/rc.local" in (tmp_path / "rack.yaml").read_text()


def test_one_port_of_two_is_brought_back_by_somebody_else(tmp_path: Path) -> None:
    state = state_of("server-2-guests")
    system = state.system.model_copy(update={"managers": (by_hand("/etc/rc.local", "em1"),)})
    state = state.model_copy(update={"system": system})
    assert "VFs come back at boot and with their driver" in steps_left(state, tmp_path)
    (want,) = rackfile.wants(tmp_path / "rack.yaml")
    files = [step.do for step in chain.plan(want, state).steps if "come back at boot" in step.title]
    addresses = {pf.name: pf.pci for pf in state.pfs}
    assert addresses["em2"] in files[0]
    assert f"Wants=sriovctl-pf@{addresses['em1']}" not in files[0]


def test_nobody_who_brings_vfs_back_is_said_by_check(tmp_path: Path) -> None:
    state = state_of("server-2-guests")
    system = state.system.model_copy(update={"managers": (by_hand("/etc/rc.local", "em1", "em2"),)})
    file = tmp_path / "rack.yaml"
    file.write_text(rack_from([Found(state.model_copy(update={"system": system}))], "room"))
    (want,) = rackfile.wants(file)
    found = [f.found for f in chain.plan(want, state).findings if f.severity is Severity.WARNING]
    assert sum("makes those of em1 at boot" in text for text in found) == 1
    assert sum("makes those of em2 at boot" in text for text in found) == 1


def test_several_hosts_make_one_file(tmp_path: Path) -> None:
    state = state_of("server-2-guests")
    ports = tuple(pf.model_copy(update={"mac": None}) for pf in state.pfs)
    same_name = state.model_copy(update={"pfs": ports})
    system = state.system.model_copy(update={"hostname": "server-3"})
    file = tmp_path / "rack.yaml"
    for second, names in (
        (same_name.model_copy(update={"system": system, "vms": ()}), {"server-2", "server-3"}),
        (same_name, {"server-2", "server-2-2"}),
    ):
        text = rack_from([Found(state), Found(second, address="10.0.0.3")], "room")
        file.write_text(text)
        rack = rackfile.load(file)
        assert set(rack.hosts) == names
        assert {rack.host_of(vm) for vm in rack.vms} == {"server-2"}
    assert "a VM of another host has its name" in text


def test_a_host_without_vfs_has_nothing_to_do(tmp_path: Path) -> None:
    assert steps_left(state_of("server-2-before"), tmp_path) == []


def test_what_has_no_words_is_said(tmp_path: Path) -> None:
    text = rack_from([Found(state_of("server-2-guests"))], "room")
    assert "# VM plain has em2 VF 6 as <hostdev>: that stays as it is." in text
    assert "has em1 VF 5 as <interface type='hostdev'>" in text
    assert "    - mac:\n        em1: 52:54:00:08:02:02\n        em2: 52:54:00:08:02:03\n" in text


def test_a_pair_with_one_address_is_one_pair(tmp_path: Path) -> None:
    state = state_of("server-2-guests")
    ours = next(vm for vm in state.vms if {n.how for n in vm.nics} == {"pool"})
    shared = tuple(nic.model_copy(update={"mac": "02:00:00:00:00:07"}) for nic in ours.nics)
    vm = ours.model_copy(update={"nics": shared, "running": False, "live_nics": ()})
    file = tmp_path / "rack.yaml"
    file.write_text(rack_from([Found(state.model_copy(update={"vms": (vm,)}))], "room"))
    rack = rackfile.load(file)
    assert rack.policy_of(vm.name, 0) == "shared"
    (want,) = rackfile.wants(file)
    assert [nic.mac for nic in want.vms[0].nics] == ["02:00:00:00:00:07"] * 2


NAMES = st.one_of(
    st.sampled_from(["VM-2", "two words", "it's $(x)", "-n", "1", "größe", "a: b # c", "~", "yes"]),
    st.text(max_size=12),
)
SWITCH = st.sampled_from(["on", "off"])


@st.composite
def hosts(draw: st.DrawFn) -> HostState:
    """Hosts with up to three PFs, pools that start at boot, and VMs on them."""
    base = state_of("server-2-guests")
    pfs, pools = [], []
    for number in range(draw(st.integers(0, 3))):
        count = draw(st.integers(0, 4))
        vfs = tuple(
            VF(
                index=index,
                pci=f"0000:0{number + 1}:10.{index * 2}",
                driver=draw(st.sampled_from(["igbvf", None])),
                mac=f"02:00:00:00:0{number}:0{index}",
                vlan=draw(st.sampled_from([0, 0, 7])),
                spoofchk=draw(SWITCH),
                trust=draw(SWITCH),
                max_rate=draw(st.sampled_from([0, 0, 100])),
            )
            for index in range(count)
        )
        pf = PF(
            pci=f"0000:0{number + 1}:00.0",
            name=f"em{number + 1}",
            mac=f"52:54:00:00:00:0{number}",
            driver="igb",
            vendor_id="8086",
            device_id="10c9",
            up=True,
            carrier=True,
            speed=1000,
            mtu=1500,
            numa_node=None,
            iommu_group=None,
            acs=None,
            master=None,
            totalvfs=7,
            numvfs=count,
            autoprobe=draw(st.booleans()),
            vfs=vfs,
        )
        pfs.append(pf)
        if count and draw(st.booleans()):
            pools.append(
                Pool(
                    name=draw(st.sampled_from([f"p{number}", f"passthrough_em{number + 1}"])),
                    uuid=None,
                    pf=pf.name,
                    persistent=True,
                    active=True,
                    autostart=True,
                    addresses=tuple(vf.pci for vf in vfs),
                )
            )
    vms = []
    for place, name in enumerate(draw(st.lists(NAMES, max_size=3, unique=True))):
        alike = draw(st.booleans())
        nics = tuple(
            VMNic(
                how="pool",
                mac=f"52:54:00:{place % 2:02x}:{0 if alike else card:02x}:"
                f"{draw(st.integers(0, 1)):02x}",
                pool=pool.name,
                vlan=draw(st.sampled_from([0, 5])),
            )
            for card, pool in enumerate(pools)
            if draw(st.booleans())
        )
        vms.append(
            VM(
                name=name,
                uuid=f"00000000-0000-0000-0000-00000000000{place}",
                persistent=True,
                running=False,
                autostart=draw(st.booleans()),
                nics=nics,
            )
        )
    return base.model_copy(
        update={"pfs": tuple(pfs), "pools": tuple(pools), "vms": tuple(vms), "ports": ()}
    )


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(hosts())
def test_an_adopted_host_has_nothing_to_do(tmp_path: Path, state: HostState) -> None:
    at_boot = {
        "vfio-pci and vfio_iommu_type1 loaded, now and at boot",
        "VFs come back at boot and with their driver",
    }
    assert set(steps_left(state, tmp_path)) <= at_boot
