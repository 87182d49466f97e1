"""A host's BMC: which ports are looked at, and a host that an earlier run left in the middle."""

from __future__ import annotations

import pytest

from sriovctl import chain
from sriovctl.bmc import host
from sriovctl.bmc.carry import carry
from sriovctl.bmc.door import Door
from sriovctl.errors import FirmwareError, UnreachableError
from sriovctl.host import NetworkPort
from sriovctl.lab.bmc.chassis import Ended
from sriovctl.wanted import BMCWant, HostWant, PFWant
from tests.unit.bmc.conftest import ON, WANT, Doors, Way, patience
from tests.unit.bmc.test_opening import rack
from tests.unit.chain.worlds import bare_host
from tests.unit.lab.bmc.conftest import until


def bmc(way: Way) -> BMCWant:
    pin = () if way.via == "racadm" else (f"fingerprint: {way.peer.bmc.certificate.fingerprint}",)
    return rack(way, *pin)


def staged(door: Door) -> None:
    assert carry(door, WANT, patience=patience()).awaits_restart


def off(way: Way) -> None:
    way.peer.chassis.stop(Ended.SHUTDOWN)


def rouse(way: Way) -> tuple[bool, list[str]]:
    told: list[str] = []
    return host.rouse("s", bmc(way), tell=told.append, patience=patience()), told


def test_left_off_with_all_staged_it_is_switched_on_and_has_it(either: Way, doors: Doors) -> None:
    staged(doors(either))
    off(either)
    assert host.power("s", bmc(either)) == "off"
    roused, told = rouse(either)
    assert roused
    assert "switch on" in told
    either.holds()


def test_off_with_nothing_staged_it_stays_off(either: Way) -> None:
    """Somebody has switched it off, and may have a hand in it."""
    off(either)
    assert rouse(either) == (False, [])
    assert not either.peer.chassis.on
    assert either.peer.bmc.controller.bios.pending == {}


def test_one_that_is_on_is_not_restarted(either: Way, doors: Doors) -> None:
    """Its way may be cut, and VMs at work."""
    staged(doors(either))
    roused, told = rouse(either)
    assert (roused, told) == (False, [])
    assert either.peer.chassis.on
    assert either.values() != ON


def test_killed_while_its_job_ran_the_next_run_waits_and_does_not_restart(
    either: Way, doors: Doors
) -> None:
    """The machine is up and the values show a while before the job is over."""
    either.peer.bmc.faults.slow_job = 4.0
    with pytest.raises(FirmwareError, match="not over"):
        carry(doors(either), WANT, restart=True, patience=patience(job=30))
    want = HostWant(rack="r", name="s", pfs=(), bmc=bmc(either))
    state = host.look(want, bare_host(), patience=patience())
    assert state is not None
    plan = chain.plan(want, bare_host(), state)
    # over racadm the queue is not asked where all holds
    waits = [["firmware"]] if either.via == "redfish" else [["firmware"], []]
    assert [stage.kind for stage in plan.stages] in waits
    host.make(
        "s", bmc(either), WANT, restart=False, force_after=None, tell=print, patience=patience()
    )
    until(lambda: either.peer.bmc.controller.jobs.jobs[0].state.terminal)
    either.holds()
    assert len(either.peer.chassis.boots) == 1
    again = host.look(want, bare_host(), patience=patience())
    assert chain.plan(want, bare_host(), again).stages == ()


def test_an_error_names_the_host_and_its_bmc(either: Way) -> None:
    nobody = bmc(either).model_copy(update={"https_port": 1, "ssh_port": 1})
    with pytest.raises(UnreachableError, match=r"^s: BMC 127\.0\.0\.1: "):
        host.power("s", nobody)


def test_a_port_without_sriov_is_looked_up_by_its_mac(either: Way, doors: Doors) -> None:
    mac, fqdd = next(iter(doors(either).ports().items()))
    port = NetworkPort(
        pci="0000:01:00.0", name="em1", mac=mac, driver="igb", vendor_id="8086", device_id="10c9"
    )
    have = bare_host().model_copy(update={"ports": (port,)})
    pf = PFWant(name="em1", by="name", vfs=7, pool=None, autoprobe=False)
    want = HostWant(rack="r", name="s", pfs=(pf,), bmc=bmc(either))
    state = host.look(want, have, patience=patience())
    assert state is not None
    assert fqdd in {s.device for s in state.settings}
    # one that shows SR-IOV costs no round trip
    state = host.look(want, bare_host(), patience=patience())
    assert state is not None
    assert {s.device for s in state.settings} == {"BIOS"}
