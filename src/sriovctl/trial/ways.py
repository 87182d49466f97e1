"""The ways to take a leg away, each a stage whose undo gives it back. Pure.

A way runs as a transaction that nobody confirms: it is undone when it is told to end, and by itself
after a bounded time, also if whoever started it was killed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sriovctl.chain import plugging
from sriovctl.drivers import driver
from sriovctl.host import PF, VF, VM, VMNic
from sriovctl.plan import Impact, Link, Stage, Step
from sriovctl.shell import command

WayName = Literal["pf-down", "vf-link", "unbind", "cable", "switch"]
WAYS: tuple[WayName, ...] = ("pf-down", "vf-link", "unbind", "cable", "switch")
UNASKED: tuple[WayName, ...] = ("pf-down", "vf-link", "cable", "switch")
"""Those after which every guest's bond is whole again by itself."""


@dataclass(frozen=True)
class Leg:
    """A running VM's VF and the PF that it is of."""

    vm: VM
    pf: PF
    vf: VF
    nic: VMNic
    """The VF as the VM's card."""

    @property
    def name(self) -> str:
        """The PF's interface name, or its slot."""
        return self.pf.name or self.pf.pci


@dataclass(frozen=True)
class Way:
    """A leg by its name, and how it is taken away."""

    name: WayName
    leg: str
    stage: Stage
    on_host: bool
    """Run on the VMs' host; if not, here, where the lab is."""


@dataclass(frozen=True)
class Skipped:
    """A way that cannot be gone here, and why."""

    name: WayName
    leg: str
    why: str
    silent: bool = False
    """A VM was silent with all its legs there: that is no failover that held."""


@dataclass(frozen=True)
class LabPlace:
    """Where in a lab the host is."""

    lab: str
    namespace: str
    server: str
    switches: dict[str, str]
    """By port, the switch that it is cabled to."""
    taps: dict[str, str]
    """By port, the network device that is the switch's end of its cable."""


def way(name: WayName, legs: Sequence[Leg], place: LabPlace | None) -> Way | Skipped:
    """How one leg is taken away in one way, or why it cannot be.

    :param legs: of each VM on trial its leg of one and the same PF
    :param place: None where the host is in no lab
    """
    pf, port = legs[0].pf, legs[0].name
    if name == "pf-down":
        step = _step(legs, f"{port} down", *_pf_down(port))
        return Way(name, port, _stage(step), on_host=True)
    if name == "vf-link":
        if "link_state" in driver(pf.driver).refuses:
            return Skipped(name, port, f"{pf.driver} cannot set a VF's link state")
        steps = [
            _step([leg], f"{port} VF {leg.vf.index} link disabled", *_vf_link(leg)) for leg in legs
        ]
        return Way(name, port, _stage(*steps), on_host=True)
    if name == "unbind":
        if not all(leg.nic.how == "pool" and leg.nic.managed for leg in legs):
            return Skipped(name, port, "only a pool's card can be plugged in again as it was")
        steps = [
            _step(
                [leg],
                f"{port} VF {leg.vf.index} unbound from {leg.vf.driver or 'its driver'}",
                *_unbind(leg),
                link="guests",
            )
            for leg in legs
        ]
        return Way(name, port, _stage(*steps), on_host=True)
    if place is None:
        return Skipped(name, port, "only a lab's cables and switches can be cut: --lab NAME")
    switch = place.switches.get(port)
    if switch is None:
        return Skipped(name, port, f"lab {place.lab} has no port {port}")
    words = (place.server, port) if name == "cable" else (switch,)
    cut, mend = (
        command(sys.executable, "-m", "sriovctl.cli", "lab", verb, "--name", place.lab, *words)
        for verb in ("cut", "mend")
    )
    step = _step(legs, f"{' '.join(words)} cut", cut, "", mend)
    return Way(name, port, _stage(step), on_host=False)


def _stage(*steps: Step) -> Stage:
    return Stage(title=f"trial: {', '.join(step.title for step in steps)}", steps=steps)


def _step(
    legs: Sequence[Leg], title: str, do: str, check: str, undo: str, link: Link = "bonds"
) -> Step:
    names = tuple(leg.vm.name for leg in legs)
    return Step(
        link=link,
        title=title,
        reason=f"a trial of the failover of {', '.join(names)}",
        do=do,
        check=check,
        undo=undo,
        impact=Impact.LINK_BLIP,
        affects=names,
    )


def _pf_down(port: str) -> tuple[str, str, str]:
    show = command("ip", "link", "show", "dev", port)
    return (
        command("ip", "link", "set", "dev", port, "down"),
        f'case $({show}) in *"<UP,"* | *",UP,"* | *",UP>"*) exit 1 ;; esac',
        command("ip", "link", "set", "dev", port, "up"),
    )


def _vf_link(leg: Leg) -> tuple[str, str, str]:
    def state(word: str) -> str:
        return command("ip", "link", "set", "dev", leg.name, "vf", leg.vf.index, "state", word)

    refused = f'"$tx_dir/refused-{leg.vf.index}"'
    return (
        f"{state('disable')} || {{ true >{refused}; exit 77; }}",
        "",
        # who refuses one state refuses the other
        f"[ -e {refused} ] || {state(leg.vf.link_state or 'auto')}",
    )


def _unbind(leg: Leg) -> tuple[str, str, str]:
    """By libvirt, which has the VM let go of the card first; a bare unbind waits for that in the
    kernel, with the device's lock held."""
    nic = leg.nic
    pool = nic.pool or ""
    card = (
        leg.vm.key,
        nic.mac or "",
        plugging.xml_text(pool),
        leg.pf.pci,
        "--live",
    )
    plugged = plugging.nic_xml(pool, nic.mac or "", nic.vlan)
    return (
        command("detach_nic", *card),
        command("vm_lacks_nic", *card),
        command("attach_nic_if_missing", *card, plugged),
    )
