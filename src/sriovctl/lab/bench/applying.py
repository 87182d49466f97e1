"""An apply against the bare kernel floor, and one with nothing to do against one probe."""

from __future__ import annotations

from dataclasses import dataclass, field

from sriovctl import probe, reconcile
from sriovctl.errors import SriovctlError
from sriovctl.lab.bench.figures import Comparison, Series
from sriovctl.lab.bench.onhost import Run
from sriovctl.lab.bench.scene import MAX_RATE, VFS, VLAN, Scene, reached, want
from sriovctl.observer import Silent
from sriovctl.plan import Stage
from sriovctl.transaction import Event, StepDone

AIM_APPLY = 1.15
AIM_NOTHING = 1.2
_ATTRIBUTES = 5


def floor(scene: Scene) -> str:
    """The best script by hand for the same writes: each count, then one ip for all attributes.

    Of a bond's legs it touches one after the other: the second when the first has its link back.
    """
    counts: list[str] = []
    batch: list[str] = []
    links: list[str] = []
    for leg, pf in enumerate(scene.pfs, start=1):
        folder = f"/sys/bus/pci/devices/{pf.pci}"
        counts += [f"echo 0 >{folder}/sriov_drivers_autoprobe"]
        counts += links if pf.master else []
        counts += [f"echo {VFS} >{folder}/sriov_numvfs"]
        batch += [
            f"link set {pf.name} vf {index} mac 02:be:00:00:0{leg}:0{index} vlan {VLAN} "
            f"max_tx_rate {MAX_RATE} spoofchk off trust on"
            for index in range(VFS)
        ]
        # new VFs cost a port its link for a moment, and igb takes no rate without a link
        links.append(
            f'until [ "$(cat /sys/class/net/{pf.name}/carrier)" = 1 ]; do sleep 0.02; done'
        )
    return "\n".join(["set -e", *counts, *links, "ip -batch - <<END", *batch, "END\n"])


class _Steps(Silent):
    """Adds up how long the steps of the stages took, by their own journal."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.titles: dict[str, float] = {}

    def event(self, host: str, stage: Stage, event: Event) -> None:
        """Counts a step that is done."""
        if isinstance(event, StepDone):
            self.seconds += event.seconds
            self.titles[stage.steps[event.step - 1].title] = event.seconds


@dataclass
class Applies:
    """Host seconds of some applies, by part; one entry a round."""

    whole: list[float] = field(default_factory=list)
    probe_before: list[float] = field(default_factory=list)
    transaction: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    probe_after: list[float] = field(default_factory=list)
    titles: dict[str, list[float]] = field(default_factory=dict)

    def add(self, runs: list[Run], steps: _Steps) -> None:
        """One apply: a probe, one transaction, a probe.

        :raises SriovctlError: it took another number of scripts
        """
        if len(runs) != 3:
            raise SriovctlError(f"the apply ran {len(runs)} scripts on the host, not 3")
        self.whole.append(sum(run.seconds for run in runs))
        self.probe_before.append(runs[0].seconds)
        self.transaction.append(runs[1].seconds)
        self.steps.append(steps.seconds)
        self.probe_after.append(runs[2].seconds)
        for title, seconds in steps.titles.items():
            self.titles.setdefault(title, []).append(seconds)

    def parts(self, bare: Series) -> list[tuple[str, str]]:
        """Where the time went, each part with its median and spread."""
        around = [whole - steps for whole, steps in zip(self.transaction, self.steps, strict=True)]
        rows = [
            ("probe before", Series("", tuple(self.probe_before)).text("ms")),
            ("transaction", Series("", tuple(self.transaction)).text("ms")),
            ("… its steps together", Series("", tuple(self.steps)).text("ms")),
        ]
        rows += [
            (f"… … {title}", Series("", tuple(seconds)).text("ms"))
            for title, seconds in self.titles.items()
        ]
        rows += [
            ("… all around them (journal, lock, launch)", Series("", tuple(around)).text("ms")),
            ("probe after", Series("", tuple(self.probe_after)).text("ms")),
            ("all of it", Series("", tuple(self.whole)).text("ms")),
            ("bare floor", bare.text("ms")),
        ]
        return rows


@dataclass(frozen=True)
class Applied:
    """What :func:`measure` gave."""

    comparisons: tuple[Comparison, ...]
    parts: tuple[tuple[str, str], ...]


@dataclass
class _Rounds:
    """Host seconds, one entry a round."""

    same: Applies = field(default_factory=Applies)
    first: Applies = field(default_factory=Applies)
    bare: list[float] = field(default_factory=list)
    nothing: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)


def measure(scene: Scene, rounds: int) -> Applied:
    """On ports that are in no bond, then on the two legs of one.

    :raises SriovctlError: the host did not become as wanted, by either way
    """
    with scene.without_bond() as apart:
        free = _in_turns(apart, rounds)
    bonded = _in_turns(scene, rounds)
    what = f"2 × {VFS} VFs × {_ATTRIBUTES} attributes"
    floor_series = Series("bare floor", tuple(free.bare))
    legs_floor = Series("bare floor, one leg at a time", tuple(bonded.bare))
    more = "the floor writes no boot files"
    return Applied(
        (
            Comparison(
                Series(f"apply, {what}", tuple(free.same.whole)), floor_series, "s", AIM_APPLY
            ),
            Comparison(
                Series("first apply, boot files too", tuple(free.first.whole)),
                floor_series,
                "s",
                AIM_APPLY,
                more,
            ),
            Comparison(
                Series("apply, both legs of a bond", tuple(bonded.same.whole)),
                legs_floor,
                "s",
                AIM_APPLY,
            ),
            Comparison(
                Series("first apply, both legs of a bond", tuple(bonded.first.whole)),
                legs_floor,
                "s",
                AIM_APPLY,
                more,
            ),
            Comparison(
                Series("apply with nothing to do", tuple(free.nothing + bonded.nothing)),
                Series("one probe", tuple(free.probes + bonded.probes)),
                "ms",
                AIM_NOTHING,
            ),
        ),
        tuple(free.same.parts(floor_series)),
    )


def _in_turns(scene: Scene, rounds: int) -> _Rounds:
    """The floor, an apply that writes the same, a first apply that writes more.

    A first apply also writes the files that bring the VFs back at boot, which no script by hand
    does; the apply that writes the same finds them there.
    """
    taken = _Rounds()
    scene.clear(boot_files=True)
    for _ in range(rounds):
        taken.first.add(*apply(scene))
        for _ in range(2):
            taken.probes.append(scene.host.timed(probe.script()).seconds)
            taken.nothing.append(apply_nothing(scene))
        scene.clear()
        taken.bare.append(scene.host.timed(floor(scene)).seconds)
        check_reached(scene, "the floor's script")
        scene.clear()
        taken.same.add(*apply(scene))
        scene.clear(boot_files=True)
    return taken


def apply(scene: Scene) -> tuple[list[Run], _Steps]:
    """One apply as ``sriovctl apply`` makes it, by the same loop; its runs on the host."""
    done = len(scene.host.runs)
    steps = _Steps()
    reconcile.apply(scene.host, want(scene.pfs), observer=steps)
    return scene.host.runs[done:], steps


def apply_nothing(scene: Scene) -> float:
    """An apply where all is as wanted; host seconds.

    :raises SriovctlError: it did more than look once
    """
    runs, steps = apply(scene)
    if steps.titles or [run.script for run in runs] != [probe.script()]:
        raise SriovctlError(f"an apply with nothing to do ran {len(runs)} scripts")
    return runs[0].seconds


def check_reached(scene: Scene, who: str) -> None:
    """
    :raises SriovctlError: VFs or attributes are missing
    """
    vfs, attributes = reached(want(scene.pfs), scene.look())
    if (vfs, attributes) != (2 * VFS, 2 * VFS * _ATTRIBUTES):
        raise SriovctlError(f"{who} made {vfs} VFs with {attributes} attributes as wanted")
