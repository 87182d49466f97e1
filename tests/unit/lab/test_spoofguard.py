"""The spoof check that the lab does for its cards: who may send, and what nft is told."""

from __future__ import annotations

from sriovctl.host import PF, VF
from sriovctl.lab import spoofguard
from tests.unit.chain.worlds import bare_pf

OWN, BRIDGED = "52:54:00:00:02:aa", "52:54:00:08:00:0b"
FIRST, SECOND, UNSET = "02:00:00:00:01:00", "02:00:00:00:02:00", "00:00:00:00:00:00"


def port(number: int, *macs: str) -> PF:
    vfs = tuple(
        VF(index=index, pci=f"0000:0{number}:10.{index}", mac=mac, spoofchk="on")
        for index, mac in enumerate(macs)
    )
    return bare_pf(number).model_copy(update={"numvfs": len(vfs), "vfs": vfs})


PFS = (port(1, FIRST, UNSET), port(2, SECOND, UNSET))
CHECKED = {pf.pci: 0x80007F7F for pf in PFS}


def test_a_vfs_address_is_its_own_ports_alone() -> None:
    # a host knows its VFs' addresses too: as devices, and in its VMs' definitions
    host = frozenset({OWN, BRIDGED, FIRST, SECOND, UNSET})
    em1, em2 = spoofguard.guards(PFS, CHECKED, host)
    assert {OWN, BRIDGED} <= em1.allowed & em2.allowed
    assert (FIRST in em1.allowed, SECOND in em1.allowed) == (True, False)
    assert (FIRST in em2.allowed, SECOND in em2.allowed) == (False, True)
    assert UNSET not in em1.allowed | em2.allowed
    assert all(pf.mac in guard.allowed for pf, guard in zip(PFS, (em1, em2), strict=True))


def test_the_cards_register_says_what_is_checked() -> None:
    registers = CHECKED | {PFS[1].pci: 0x80007F7E}
    em1, em2 = spoofguard.guards(PFS, registers, frozenset())
    assert (em1.open_vfs, em2.open_vfs) == ((), (0,))
    assert "not guarded" in em2.told


def test_rules_take_the_place_of_what_was_there() -> None:
    text = spoofguard.ruleset("t", {"s2-em1": frozenset({SECOND, FIRST})})
    assert text.index("delete table netdev t") < text.index("chain s2-em1")
    assert f"ether saddr != {{ {FIRST}, {SECOND} }} counter drop" in text


def test_drops_are_counted_by_port() -> None:
    rule = {"chain": "s2-em1", "expr": [{"match": {}}, {"counter": {"packets": 7}}]}
    others = {"chain": "s3-em1", "expr": [{"counter": {"packets": 9}}]}
    said = {"nftables": [{"metainfo": {}}, {"rule": rule}, {"rule": others}]}
    assert spoofguard.counted(said, {"s2-em1": "em1", "s2-em2": "em2"}) == {"em1": 7}
