"""The ways to take a leg away, each a stage whose undo gives it back. Pure.

A way runs as a transaction that nobody confirms: it is undone when it is told to end, and by itself
after a bounded time, also if whoever started it was killed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

from sriovctl.drivers import driver
from sriovctl.host import PF, VF
from sriovctl.plan import Impact, Stage, Step
from sriovctl.shell import command

WayName = Literal["pf-down", "vf-link", "cable", "switch"]
WAYS: tuple[WayName, ...] = ("pf-down", "vf-link", "cable", "switch")


@dataclass(frozen=True)
class Leg:
    """A VM's VF and the PF that it is of."""

    pf: PF
    vf: VF

    @property
    def name(self) -> str:
        """The PF's interface name, or its slot."""
        return self.pf.name or self.pf.pci


@dataclass(frozen=True)
class Way:
    """A leg, and how it is taken away."""

    name: WayName
    leg: Leg
    stage: Stage
    on_host: bool
    """Run on the VM's host; if not, here, where the lab is."""


@dataclass(frozen=True)
class Skipped:
    """A way that cannot be gone here, and why."""

    name: WayName
    leg: str
    why: str


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


def way(name: WayName, leg: Leg, vm: str, place: LabPlace | None) -> Way | Skipped:
    """How one leg is taken away in one way, or why it cannot be.

    :param place: None where the host is in no lab
    """
    if name == "pf-down":
        return Way(name, leg, _stage(vm, f"{leg.name} down", *_pf_down(leg)), on_host=True)
    if name == "vf-link":
        if "link_state" in driver(leg.pf.driver).refuses:
            return Skipped(name, leg.name, f"{leg.pf.driver} cannot set a VF's link state")
        title = f"{leg.name} VF {leg.vf.index} link disabled"
        return Way(name, leg, _stage(vm, title, *_vf_link(leg)), on_host=True)
    if place is None:
        return Skipped(name, leg.name, "only a lab's cables and switches can be cut: --lab NAME")
    switch = place.switches.get(leg.name)
    if switch is None:
        return Skipped(name, leg.name, f"lab {place.lab} has no port {leg.name}")
    words = (place.server, leg.name) if name == "cable" else (switch,)
    cut, mend = (
        command(sys.executable, "-m", "sriovctl.cli", "lab", verb, "--name", place.lab, *words)
        for verb in ("cut", "mend")
    )
    return Way(name, leg, _stage(vm, f"{' '.join(words)} cut", cut, "", mend), on_host=False)


def _stage(vm: str, title: str, do: str, check: str, undo: str) -> Stage:
    step = Step(
        link="bonds",
        title=title,
        reason=f"a trial: does {vm} fail over",
        do=do,
        check=check,
        undo=undo,
        impact=Impact.LINK_BLIP,
        affects=(vm,),
    )
    return Stage(title=f"trial: {title}", steps=(step,))


def _pf_down(leg: Leg) -> tuple[str, str, str]:
    show = command("ip", "link", "show", "dev", leg.name)
    return (
        command("ip", "link", "set", "dev", leg.name, "down"),
        f'case $({show}) in *"<UP,"* | *",UP,"* | *",UP>"*) exit 1 ;; esac',
        command("ip", "link", "set", "dev", leg.name, "up"),
    )


def _vf_link(leg: Leg) -> tuple[str, str, str]:
    def state(word: str) -> str:
        return command("ip", "link", "set", "dev", leg.name, "vf", leg.vf.index, "state", word)

    refused = '"$tx_dir/refused"'
    return (
        f"{state('disable')} || {{ true >{refused}; exit 77; }}",
        "",
        # who refuses one state refuses the other
        f"[ -e {refused} ] || {state(leg.vf.link_state or 'auto')}",
    )
