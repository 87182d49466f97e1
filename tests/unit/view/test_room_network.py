"""The host's own network in the drawing: bonds, VLANs, bridges and the VMs on them."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from sriovctl import bondlegs
from sriovctl.host import VM, HostState
from sriovctl.hostnet import Bridge, HostBond, HostNetwork, Vlan
from sriovctl.netconf import Bond, Leg
from sriovctl.netconf import Network as WantedNetwork
from sriovctl.plan import Finding, Plan, Severity, Stage, Step
from sriovctl.view.room.bay import MOST_NETWORKS
from sriovctl.view.room.drawing import host
from sriovctl.view.room.host import server
from sriovctl.view.room.model import Network, Standing
from sriovctl.view.room.svg import room_svg
from tests.unit.view.rooms import content, dead, guests, look, room_of, unplugged

WANTED = WantedNetwork(
    bond=Bond(name="bond1"),
    legs=(Leg(name="em1"), Leg(name="em2")),
    vlan=7,
    bridge="br7",
)


def vm(name: str, taps: dict[str, str], networks: tuple[str, ...] = ()) -> VM:
    return VM(
        name=name,
        uuid=None,
        persistent=True,
        running=bool(taps),
        autostart=False,
        networks=networks,
        taps=taps,
    )


def having(network: HostNetwork, *vms: VM) -> HostState:
    pfs = tuple(pf.model_copy(update={"master": None}) for pf in guests().pfs)
    return guests().model_copy(update={"network": network, "vms": vms, "pfs": pfs})


def drawn(state: HostState) -> dict[str, Network]:
    return {one.name: one for bay in server(look(state=state)).bays for one in bay.networks}


def test_a_tap_is_drawn_to_the_bridge_that_it_is_in() -> None:
    network = HostNetwork(bridges=(Bridge(name="virbr0", ports=("vnet1",)), Bridge(name="br0")))
    state = having(network, vm("a", {"vnet1": "default"}), vm("b", {}, ("default",)))
    (bay,) = server(look(state=state)).bays
    taps = {machine.name: machine.taps for machine in bay.machines}
    assert [(tap.network, tap.device) for tap in taps["a"]] == [("virbr0", "vnet1")]
    assert [(tap.network, tap.device) for tap in taps["b"]] == [("default", None)]


def test_what_stands_on_no_port_and_has_no_vm_is_not_drawn() -> None:
    assert "virbr0" not in drawn(guests())


def test_levels_and_a_port_without_a_bond() -> None:
    network = HostNetwork(
        bonds=(HostBond(name="bond0", options={"mode": "802.3ad"}, legs=("em2",)),),
        vlans=(
            Vlan(name="bond0.7", tag=7, below="bond0"),
            Vlan(name="em1.8", tag=8, below="em1"),
        ),
        bridges=(Bridge(name="br7", ports=("bond0.7", "veth0")),),
    )
    found = drawn(having(network))
    assert {name: (one.depth, one.over) for name, one in found.items()} == {
        "bond0": (0, ("em2",)),
        "bond0.7": (1, ("bond0",)),
        "br7": (2, ("bond0.7",)),
        "em1.8": (0, ("em1",)),
    }


def test_a_bond_with_a_leg_down_and_the_leg_are_marked() -> None:
    one = unplugged()
    assert one.have is not None
    (finding,) = bondlegs.findings(one.want, one.have)
    assert (finding.about, finding.severity) == ("bond0", Severity.WARNING)
    assert "em2" in finding.found
    assert "on em1 alone" in finding.means
    assert "switch-2" in finding.mend
    standings = {n.name: n.standing for bay in server(one).bays for n in bay.networks}
    assert standings == {"bond0": Standing.DIFFERS, "br0": Standing.WANTED}
    assert server(one).standing is Standing.DIFFERS
    classes = [part.get("class") for part in ElementTree.fromstring(room_svg(room_of(one))).iter()]
    assert classes.count("wire leg-1 dead") == 2


def test_nothing_is_said_of_a_bond_that_has_its_legs() -> None:
    assert bondlegs.findings(content().want, guests()) == []


def test_a_bond_that_is_not_as_wanted_is_marked() -> None:
    step = Step(link="bonds", title="bond0: miimon 0 → 100", reason="", do=":", check=":", undo=":")
    error = Finding(severity=Severity.ERROR, link="bonds", about="bond0", found="")
    for plan, standing in (
        (Plan(host="h", stages=(Stage(title="", steps=(step,)),)), Standing.DIFFERS),
        (Plan(host="h", findings=(error,)), Standing.IMPOSSIBLE),
    ):
        (bay,) = server(dataclasses.replace(content(), plan=plan)).bays
        assert bay.networks[0].standing is standing


def test_what_is_wanted_and_not_there_is_drawn_as_such() -> None:
    want = content().want.model_copy(update={"bonds": (WANTED,)})
    levels = [("bond1", ("em1", "em2")), ("bond1.7", ("bond1",)), ("br7", ("bond1.7",))]
    unseen = dataclasses.replace(dead(), want=want)
    lacking = dataclasses.replace(content(), want=want, have=having(HostNetwork()))
    for one, there, standing in (
        (unseen, None, Standing.WANTED),
        (lacking, False, Standing.DIFFERS),
    ):
        (bay,) = server(one).bays
        assert [(n.name, n.over) for n in bay.networks] == levels
        assert {(n.there, n.standing) for n in bay.networks} == {(there, standing)}


def test_a_wanted_bond_that_lost_its_legs_is_drawn() -> None:
    want = content().want.model_copy(update={"bonds": (WANTED,)})
    network = HostNetwork(bonds=(HostBond(name="bond1", options={}),))
    (bay,) = server(dataclasses.replace(content(), want=want, have=having(network))).bays
    assert [(n.name, n.over, n.there) for n in bay.networks][:1] == [("bond1", (), True)]


def test_hundreds_of_bridges_have_room() -> None:
    network = HostNetwork(
        vlans=tuple(Vlan(name=f"em1.{tag}", tag=tag, below="em1") for tag in range(300)),
        bridges=tuple(Bridge(name=f"br{tag}", ports=(f"em1.{tag}",)) for tag in range(300)),
    )
    vms = [vm(f"VM-{tag}", {f"vnet{tag}": f"br{tag}"}) for tag in range(300)]
    drawing = host(server(look(state=having(network, *vms))), ())
    said = {text.text for text in drawing.iter("text")}
    assert f"and {600 - MOST_NETWORKS} more networks" in said
    assert float(drawing.get("height", "0")) < 2000


NAMES = st.sampled_from(["em1", "em2", "eno1", "vnet0", "a", "b", "c", "<b>", "\u202e\ufffe"])
SOME = st.lists(NAMES, max_size=3).map(tuple)
NETWORKS = st.builds(
    HostNetwork,
    bonds=st.lists(
        st.builds(HostBond, name=NAMES, options=st.just({"mode": "<i>"}), legs=SOME), max_size=3
    ).map(tuple),
    bridges=st.lists(st.builds(Bridge, name=NAMES, ports=SOME), max_size=3).map(tuple),
    vlans=st.lists(st.builds(Vlan, name=NAMES, tag=st.just(7), below=NAMES), max_size=3).map(tuple),
)


@given(NETWORKS, st.dictionaries(NAMES, NAMES, max_size=3))
def test_any_network_is_drawn_each_of_it_once_and_after_what_it_stands_on(
    network: HostNetwork, taps: dict[str, str]
) -> None:
    one = look(state=having(network, vm("VM", taps)))
    made = server(one)
    found = [network for bay in made.bays for network in bay.networks]
    names = [one.name for one in found]
    assert len(names) == len(set(names))
    for place, part in enumerate(found):
        parents = [other.depth for other in found[:place] if other.name in part.over]
        assert part.depth == 0 or part.depth - 1 in parents
    assert [machine.name for machine in made.machines].count("VM") == 1
    drawing = ElementTree.fromstring(room_svg(room_of(one)))
    assert not {"b", "i"} & {element.tag.rpartition("}")[2] for element in drawing.iter()}
    for rect in host(made, ()).iter("rect"):
        assert float(rect.get("x", "0")) + float(rect.get("width", "0")) <= 360
