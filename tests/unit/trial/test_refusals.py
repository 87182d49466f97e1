"""Who would be cut off."""

from __future__ import annotations

from sriovctl.host import PF, VF, VM, HostState, VMNic
from sriovctl.trial.refusals import cut_off, lost_addresses, parse
from sriovctl.trial.ways import Leg
from tests.unit.chain.worlds import bare_pf, kernel, system

BONDED = """\
upper em1 bond0
upper em2 bond0
upper bond0 br0
member bond0 em1 1
member bond0 em2 {}
address lo 127.0.0.1/8
address br0 10.8.0.2/24
address br0 fe80::1/64
"""


def test_a_whole_bond_carries_on() -> None:
    assert lost_addresses(parse(BONDED.format(1)), "em1") == []


def test_a_bond_with_one_leg_up_takes_what_is_above_with_it() -> None:
    above = parse(BONDED.format(0))
    assert lost_addresses(above, "em1") == ["10.8.0.2/24 on br0"]
    assert lost_addresses(above, "em2") == [], "em1 carries on"


def test_a_port_of_its_own_takes_its_address_with_it() -> None:
    assert lost_addresses(parse("address em1 10.8.0.2/24\n"), "em1") == ["10.8.0.2/24 on em1"]
    assert lost_addresses(parse("address em1 fe80::1/64\n"), "em1") == []


def test_vlans_and_bridges_are_found_above() -> None:
    above = parse("upper em1 em1.7\nupper em1.7 br7\naddress br7 fd00::2/64\n")
    assert lost_addresses(above, "em1") == ["fd00::2/64 on br7"]


def leg(number: int, up: bool = True) -> Leg:
    vfs = tuple(VF(index=index, pci=f"0000:0{number}:10.{index}") for index in range(3))
    pf: PF = bare_pf(number, up=up).model_copy(update={"vfs": vfs})
    return Leg(guest("VM-2"), pf, vfs[0], VMNic(how="pool", mac=None, pci=vfs[0].pci))


def guest(name: str, *pcis: str) -> VM:
    nics = tuple(VMNic(how="pool", mac=None, pci=pci) for pci in pcis)
    return VM(name=name, uuid=None, persistent=True, running=True, autostart=False, live_nics=nics)


def reasons(first: Leg, other: Leg, *guests: VM, above: str = "") -> list[str]:
    state = HostState(system=system(), kernel=kernel(), pfs=(first.pf, other.pf), vms=guests)
    return list(cut_off(first, other, state, parse(above)))


def test_nobody_is_cut_off_where_everyone_has_two_legs() -> None:
    both = [guest(n, f"0000:01:10.{i}", f"0000:02:10.{i}") for i, n in enumerate(["VM-2", "VM-3"])]
    assert reasons(leg(1), leg(2), *both, above=BONDED.format(1)) == []


def test_a_vm_without_a_second_leg_is_named() -> None:
    (reason,) = reasons(leg(1), leg(2), guest("VM-9", "0000:01:10.2"))
    assert "VM-9" in reason
    assert reasons(leg(2), leg(1), guest("VM-9", "0000:01:10.2")) == []


def test_the_other_leg_must_have_a_link() -> None:
    (reason,) = reasons(leg(1), leg(2, up=False))
    assert reason.startswith("em2 has no link")


def test_the_hosts_own_address_is_named() -> None:
    (reason,) = reasons(leg(1), leg(2), above="address em1 192.0.2.7/24")
    assert "192.0.2.7/24 on em1" in reason
