"""Link bonds: from whatever a host has to what is wanted, in place, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sriovctl.chain import bonds
from sriovctl.chain.steps import LinkPlan
from sriovctl.host import HostState
from sriovctl.hostnet import Bridge, HostBond, HostNetwork, Route
from sriovctl.plan import Impact, Severity
from sriovctl.rack import Rack
from sriovctl.wanted import HostWant
from tests.unit.chain.bondmodel import LEASE, NEW_BOND, BondModel
from tests.unit.chain.worlds import bare_host, bare_pf

SYSTEMS = ("networkd", "netplan", "networkmanager", "ifcfg", "ifupdown")
GUIDE = {"legs": ["em1", "em2"], "miimon": 80, "updelay": 30000, "primary": "em1",
         "bridge": "br0", "address": "10.8.0.2/24"}  # fmt: skip
BY_HAND = "/etc/systemd/network/30-bond0.netdev"


def want(**bond: Any) -> HostWant:
    """Host server-2 with a bond0."""
    host = {"pfs": {"em1": 0, "em2": 0}, "bonds": {"bond0": bond}}
    return Rack.model_validate({"hosts": {"server-2": host}}).want("server-2", Path())


def bare(system: str = "networkd", **network: Any) -> HostState:
    """Two ports that nobody uses."""
    host = bare_host(*(bare_pf(n).model_copy(update={"master": None}) for n in (1, 2)))
    tools = (*host.system.tools, "netplan", "nmcli")
    values = {"systems": (system,), "mtus": {"lo": 65536, "em1": 1500, "em2": 1500}} | network
    return host.model_copy(
        update={
            "network": HostNetwork(**values),
            "system": host.system.model_copy(update={"tools": tools}),
        }
    )


def by_hand(named: bool = True, **options: str) -> HostState:
    """The guide's bond, made by somebody."""
    known = NEW_BOND | {"mode": "active-backup", "miimon": "80", "updelay": "30000",
                        "primary": "em1"} | options  # fmt: skip
    state = bare(
        bonds=(HostBond(name="bond0", options=known, legs=("em1", "em2")),),
        bridges=(Bridge(name="br0", ports=("bond0", "vnet0")),),
        addresses={"br0": ("10.8.0.2/24", "10.8.0.99/32")},
        mtus={"lo": 65536, "em1": 1500, "em2": 1500, "bond0": 1500, "br0": 1500},
        named={BY_HAND: ("bond0", "br0", "em1", "em2")} if named else {},
    )
    pfs = tuple(pf.model_copy(update={"master": "bond0"}) for pf in state.pfs)
    return state.model_copy(update={"pfs": pfs})


def found(result: LinkPlan, severity: Severity) -> list[str]:
    return [finding.found for finding in result.findings if finding.severity is severity]


@st.composite
def wants(draw: st.DrawFn) -> HostWant:
    bond: dict[str, Any] = {"mode": draw(st.sampled_from(["active-backup", "balance-alb"]))}
    if bond["mode"] == "active-backup" and draw(st.booleans()):
        bond |= {"arp_interval": 300, "arp_ip_targets": ["10.8.0.254", "10.8.0.253"]}
    elif draw(st.booleans()):
        bond |= {"miimon": draw(st.sampled_from([80, 100])), "updelay": 250}
    if bond["mode"] == "active-backup" and draw(st.booleans()):
        bond["fail_over_mac"] = draw(st.sampled_from(["none", "active"]))
    for key, values in (
        ("legs", [["em1", "em2"], ["em2"], ["em2", "em1"]]),
        ("vlan", [100]),
        ("bridge", ["br0", "br-lan"]),
        ("mtu", [1500, 9000]),
        ("num_grat_arp", [1, 5]),
    ):
        if draw(st.booleans()):
            bond[key] = draw(st.sampled_from(values))
    if draw(st.booleans()):
        bond["primary"] = bond.get("legs", ["em1"])[0]
    address = draw(st.sampled_from([None, "dhcp", "10.8.0.2/24", ["10.8.0.2/24", "fd00::2/64"]]))
    if address is not None:
        bond["address"] = address
        if address != "dhcp" and draw(st.booleans()):
            bond["gateway"] = "10.8.0.1"
    return want(**bond)


@st.composite
def hosts(draw: st.DrawFn) -> HostState:
    """A bare host, one with addresses on its ports, or one that another rack file has made."""
    system = draw(st.sampled_from(SYSTEMS))
    state = bare(system)
    kind = draw(st.sampled_from(["bare", "addressed", "made", "by hand"]))
    if kind == "by hand":
        return by_hand(named=draw(st.booleans()))
    if kind == "addressed":
        managed = {"em1": (system,)} if system in ("networkd", "networkmanager") else {}
        paths = {"networkmanager": "/etc/NetworkManager/system-connections/em1.nmconnection",
                 "ifcfg": "/etc/sysconfig/network-scripts/ifcfg-em1"}  # fmt: skip
        return bare(
            system,
            addresses={"em1": ("10.8.0.2/24",)},
            routes=(Route(device="em1", gateway="10.8.0.1"),),
            managed=managed,
            named={paths[system]: ("em1",)} if system in paths else {},
        )
    if kind == "made":
        model = BondModel(state)
        model.apply(bonds.plan(draw(wants()), state).build)
        return model.state
    return state


ample = settings(max_examples=60, deadline=None)


@ample
@given(wanted=wants(), have=hosts())
def test_a_plan_that_is_carried_out_leaves_nothing_to_plan(
    wanted: HostWant, have: HostState
) -> None:
    result = bonds.plan(wanted, have)
    if found(result, Severity.ERROR):
        return
    model = BondModel(have)
    model.apply(result.build)
    again = bonds.plan(wanted, model.state)
    assert [step.title for step in again.build] == []
    assert found(again, Severity.ERROR) == []


@ample
@given(wanted=wants(), have=hosts())
def test_undo_in_reverse_gives_back_the_host(wanted: HostWant, have: HostState) -> None:
    steps = bonds.plan(wanted, have).build
    for count in range(1, len(steps) + 1):
        model = BondModel(have)
        model.apply(steps[:count])
        model.undo(steps[:count])
        assert _seen(model.state) == _seen(have)
        assert model.unmanaged == set()
        assert model.aside == {}


def _seen(state: HostState) -> object:
    """A host without the order in which things came; a lease is for its network system to end."""
    network = state.network
    return (
        state.files,
        [(pf.name, pf.master, pf.up) for pf in state.pfs],
        [(bond.name, bond.options, set(bond.legs)) for bond in network.bonds],
        [(bridge.name, set(bridge.ports)) for bridge in network.bridges],
        network.vlans,
        {(name, a) for name, known in network.addresses.items() for a in known if a != LEASE},
        network.mtus,
        set(network.routes),
        network.named,
    )


@ample
@given(wanted=wants(), have=hosts())
def test_what_moves_a_port_can_cut_the_operator_off(wanted: HostWant, have: HostState) -> None:
    """So that apply waits to be confirmed."""
    for step in bonds.plan(wanted, have).build:
        if any(word in step.do for word in ("into_bond", "out_of_bond", "set_leg_mtu")):
            assert step.impact is Impact.LINK_BLIP
            assert {"em1", "em2"} & set(step.affects)


def test_a_bond_made_by_hand_is_left_alone() -> None:
    result = bonds.plan(want(**GUIDE), by_hand())
    assert result.build == []
    assert result.findings == []


def test_a_bond_that_nobody_keeps_gets_its_files_and_nothing_else() -> None:
    (step,) = bonds.plan(want(**GUIDE), by_hand(named=False)).build
    assert step.title == "bond0: its files for networkd"
    assert step.impact is Impact.NONE
    assert "take_up" not in step.do


def test_an_option_is_changed_alone() -> None:
    result = bonds.plan(want(**GUIDE), by_hand(miimon="100", num_grat_arp="2"))
    (step,) = result.build
    assert step.do == "set_bond bond0 miimon 80"
    assert step.impact is Impact.NONE
    (warning,) = found(result, Severity.WARNING)
    assert BY_HAND in warning


@pytest.mark.parametrize(
    ("before", "wanted", "order"),
    [
        (1500, 9000, ["bond0", "bond0.100", "br0"]),
        (9000, 1500, ["br0", "bond0.100", "bond0"]),
    ],
)
def test_no_vlan_has_more_than_its_bond(before: int, wanted: int, order: list[str]) -> None:
    model = BondModel(bare())
    model.apply(bonds.plan(want(**GUIDE, vlan=100, mtu=before), model.state).build)
    made = model.state
    steps = bonds.plan(want(**GUIDE, vlan=100, mtu=wanted), made).build
    words = [line.split() for line in steps[0].do.split(" &&\n")]
    assert [line[1] for line in words if line[0] == "set_mtu"] == order
    model.apply(steps)
    assert {model.net.mtus[name] for name in ("em1", "em2", *order)} == {wanted}
    model.undo(steps)
    assert model.net.mtus == made.network.mtus


@pytest.mark.parametrize(
    ("bond", "said"),
    [
        ({}, "em1 is in the bond bond7"),
        ({"bridge": "br0"}, "em1 is in the bond bond7"),
    ],
)
def test_a_port_of_another_bond(bond: dict[str, Any], said: str) -> None:
    state = bare(bonds=(HostBond(name="bond7", options=NEW_BOND, legs=("em1",)),))
    em1, em2 = state.pfs
    state = state.model_copy(update={"pfs": (em1.model_copy(update={"master": "bond7"}), em2)})
    result = bonds.plan(want(**bond), state)
    assert found(result, Severity.ERROR) == [said]
    assert result.build == []


def test_a_bridge_with_another_way_out() -> None:
    state = bare(
        bridges=(Bridge(name="br0", ports=("bond9", "vnet3")),),
        bonds=(HostBond(name="bond9", options=NEW_BOND),),
        mtus={"em1": 1500, "em2": 1500, "br0": 1500, "bond9": 1500},
    )
    (said,) = found(bonds.plan(want(bridge="br0"), state), Severity.ERROR)
    assert said == "the bridge br0 has another way out: bond9"


def test_an_address_that_nobody_takes_over() -> None:
    state = bare(addresses={"em1": ("10.8.0.2/24",)})
    result = bonds.plan(want(bridge="br0"), state)
    assert found(result, Severity.ERROR) == ["em1 has the address 10.8.0.2/24"]
    assert "address:" in result.findings[0].mend
    assert found(bonds.plan(want(address="10.8.0.2/24"), state), Severity.ERROR) == []


def test_a_file_that_speaks_of_more_is_not_touched() -> None:
    state = bare("netplan", named={"/etc/netplan/50.yaml": ("network", "em1", "lo")})
    result = bonds.plan(want(), state)
    assert "/etc/netplan/50.yaml" in found(result, Severity.ERROR)[0]
    alone = bare("netplan", named={"/etc/netplan/50.yaml": ("network", "ethernets", "em1")})
    *_, step = bonds.plan(want(), alone).build
    assert step.do.startswith("set_aside /etc/netplan/50.yaml")


def test_the_leg_with_the_address_is_moved_last() -> None:
    state = bare(addresses={"em1": ("10.8.0.2/24",)})
    step, _ = bonds.plan(want(address="10.8.0.2/24"), state).build
    order = [line for line in step.do.split(" &&\n") if "into_bond" in line or "address" in line]
    assert order[-2:] == ["into_bond bond0 0000:02:00.0", "into_bond bond0 0000:01:00.0"]
    assert order.index("add_address bond0 10.8.0.2/24") < 2


@pytest.mark.parametrize("mode", ["802.3ad", "balance-rr", "balance-xor"])
def test_a_mode_that_needs_one_switch_over_two(mode: str) -> None:
    host = {
        "pfs": {"em1": {"vfs": 0, "switch": "a"}, "em2": {"vfs": 0, "switch": "b"}},
        "bonds": {"bond0": {"mode": mode}},
    }
    wanted = Rack.model_validate({"hosts": {"server-2": host}}).want("server-2", Path())
    (said,) = found(bonds.plan(wanted, bare()), Severity.WARNING)
    assert mode in said


def test_two_managers_of_a_port() -> None:
    state = bare(managed={"em1": ("networkd", "networkmanager")})
    assert "em1 is set by networkd and by networkmanager" in found(
        bonds.plan(want(), state), Severity.WARNING
    )


def test_a_bond_stays_with_the_system_that_has_our_files_for_it() -> None:
    """NetworkManager holds no port that it was told to leave to us; seen on the rack."""
    both = bare(systems=("networkd", "networkmanager"), managed={"em1": ("networkmanager",)})
    [step] = [s for s in bonds.plan(want(**GUIDE), both).build if "files" in s.title]
    assert step.title == "bond0: its files for networkmanager"
    written = both.model_copy(
        update={
            "files": {"/etc/NetworkManager/system-connections/bond0.nmconnection": "ours"},
            "network": both.network.model_copy(update={"managed": {}}),
        }
    )
    [step] = [s for s in bonds.plan(want(**GUIDE), written).build if "files" in s.title]
    assert step.title == "bond0: its files for networkmanager"


@pytest.mark.parametrize(
    ("system", "restarts"), [("networkd", True), ("netplan", False), ("ifupdown", False)]
)
def test_the_way_out_is_looked_after_when_files_are_read(system: str, restarts: bool) -> None:
    """networkd makes nothing of a bond that it finds, unless it begins anew."""
    wanted = want(**GUIDE, gateway="10.8.0.1")
    _, step = bonds.plan(wanted, bare(system)).build
    assert ("networkd_takes bond0 br0" in step.do) == restarts
    assert "keep_default_route br0 10.8.0.1" in step.do
    assert "has_default_route br0 10.8.0.1" in step.check
    behind_netplan = bare("netplan")
    network = behind_netplan.network.model_copy(update={"systems": ("netplan", "networkd")})
    _, step = bonds.plan(wanted, behind_netplan.model_copy(update={"network": network})).build
    assert "take_up netplan networkd &&\nnetworkd_takes bond0 br0" in step.do


def test_a_daemon_for_other_ports_does_not_get_the_bond() -> None:
    ports: dict[str, tuple[str, ...]] = {"/etc/network/interfaces.d/ports": ("em1", "em2")}
    have = bare(systems=("networkd", "ifupdown"), named=ports, managed={"mgmt0": ("networkd",)})
    result = bonds.plan(want(**GUIDE), have)
    assert result.build[-1].title == "bond0: its files for ifupdown"
    # udev's, which gives the port its name
    ports |= {"/etc/systemd/network/10-em1.link": ("em1",)}
    result = bonds.plan(
        want(**GUIDE),
        have.model_copy(update={"network": have.network.model_copy(update={"named": ports})}),
    )
    assert result.build[-1].title == "bond0: its files for ifupdown"
    without = bare(systems=("networkd", "ifupdown"), managed={"mgmt0": ("networkd",)})
    assert bonds.plan(want(**GUIDE), without).build[-1].title == "bond0: its files for networkd"


@pytest.mark.parametrize(
    ("renderers", "ours"),
    [
        ({"50-a.yaml": "NetworkManager"}, "NetworkManager"),
        ({"40-c.yaml": "networkd", "50-a.yaml": "NetworkManager"}, "NetworkManager"),
        # the last file that says one says it for all, and stays
        ({"50-a.yaml": "NetworkManager", "90-b.yaml": "networkd"}, None),
        ({"90-b.yaml": "NetworkManager"}, None),
        ({"50-a.yaml": "$(reboot)"}, None),
        ({}, None),
    ],
)
def test_netplans_renderer_is_not_lost_with_a_file_that_is_set_aside(
    renderers: dict[str, str], ours: str | None
) -> None:
    have = bare(
        systems=("netplan", "networkd", "networkmanager"),
        named={"/etc/netplan/50-a.yaml": ("network", "em1"), "/etc/netplan/40-c.yaml": ("em9",)},
        renderers={f"/etc/netplan/{name}": value for name, value in renderers.items()},
    )
    model = BondModel(have)
    steps = bonds.plan(want(**GUIDE), have).build
    model.apply(steps)
    text = model.state.files["/etc/netplan/60-bond0.yaml"]
    assert [line for line in text.splitlines() if "renderer" in line] == (
        [f"  renderer: {ours}"] if ours else []
    )
    assert ("networkd_takes" in steps[-1].do) == (ours is None)
    assert bonds.plan(want(**GUIDE), model.state).build == [], "it goes on saying so"


@pytest.mark.parametrize(
    ("bond", "lacking", "needed"),
    [
        (GUIDE, ("ifenslave", "bridge-utils"), "ifenslave bridge-utils"),
        (GUIDE, ("bridge-utils",), "bridge-utils"),
        ({"vlan": 100}, ("ifenslave", "bridge-utils"), "ifenslave"),
        ({}, ("bridge-utils",), None),
    ],
)
def test_ifupdown_without_what_it_needs_gets_no_bond(
    bond: dict[str, Any], lacking: tuple[str, ...], needed: str | None
) -> None:
    """The bond would be there until the next boot, and what was there before it is set aside."""
    errors = [
        finding
        for finding in bonds.plan(want(**bond), bare("ifupdown", lacking=lacking)).findings
        if finding.severity is Severity.ERROR
    ]
    assert [one.mend for one in errors] == ([f"there: apt-get install {needed}"] if needed else [])
    # another system does without
    assert found(bonds.plan(want(**bond), bare(lacking=lacking)), Severity.ERROR) == []


def test_a_bond_that_is_there_already_is_only_warned_about() -> None:
    model = BondModel(bare("ifupdown"))
    model.apply(bonds.plan(want(**GUIDE), model.state).build)
    network = model.state.network.model_copy(update={"lacking": ("ifenslave",)})
    result = bonds.plan(want(**GUIDE), model.state.model_copy(update={"network": network}))
    assert result.build == []
    (warning,) = result.findings
    assert warning.severity is Severity.WARNING
    assert "reboot nobody makes bond0" in warning.means


def test_no_network_system() -> None:
    state = bare()
    state = state.model_copy(update={"network": state.network.model_copy(update={"systems": ()})})
    result = bonds.plan(want(), state)
    assert len(result.build) == 1
    assert "none of netplan" in found(result, Severity.WARNING)[0]
