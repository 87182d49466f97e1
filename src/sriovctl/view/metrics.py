"""What Prometheus is told of a room: VFs, links, drift, trials. Pure.

Names and units follow Prometheus' rules: base units, no state in a name. docs/metrics.md lists
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from sriovctl.counted import COUNTERS, ENDS, UNFINISHED, Counted
from sriovctl.host import PF, HostState
from sriovctl.identity import identify
from sriovctl.look import Look
from sriovctl.plan import Link, Severity
from sriovctl.view.harmless import harmless
from sriovctl.view.room.host import standing
from sriovctl.view.room.model import Standing
from sriovctl.wanted import PFWant

Document = dict[str, Any]

VF = ("pf", "vf", "vm")
_FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "up": ("1 if the host could be looked at.", ()),
    "standing": ("1 at how the host stands against the rack file.", ("standing",)),
    "steps": ("Steps that apply would do, by link of the chain.", ("link",)),
    "findings": ("What check found, by severity.", ("severity",)),
    "vfs_wanted": ("VFs that the rack file wants of a port.", ("pf", "pool")),
    "vfs_present": ("VFs that the port has.", ("pf", "pool")),
    "vfs_held": ("VFs in use, by who holds them.", ("pf", "pool", "holder")),
    "vfs_free": ("VFs that nobody holds.", ("pf", "pool")),
    "link_up": ("1 if the port is up and has a carrier.", ("pf", "switch")),
    "link_speed_bytes_per_second": ("Speed of the port's link.", ("pf", "switch")),
    "leg_in_bond": ("1 for a port that a bond or bridge of the host holds.", ("pf", "master")),
    **{
        f"vf_{name}_total": (f"What the VF has counted, as its port tells it: {name}.", VF)
        for name in COUNTERS.values()
    },
    "apply_timestamp_seconds": ("When the host was last changed, or that was tried.", ()),
    "apply_end": ("1 at how that ended, 0 at the others.", ("end",)),
    "vm_running": ("1 if the VM runs.", ("vm",)),
    "trial_timestamp_seconds": ("When the VM's last failover trial was.", ("vm",)),
    "trial_held": ("1 if every outage of it was over and within the budget.", ("vm",)),
    "trial_outage_seconds": ("Outages of it.", ("vm", "leg", "way", "phase")),
}
HOST = ("rack", "host")


@dataclass(frozen=True)
class Sample:
    """One number of a host."""

    name: str
    """A key of the families, without the program's own prefix."""
    labels: tuple[str, ...]
    """The family's own, after rack and host."""
    value: float


def samples(
    look: Look, trials: Mapping[str, Document | None], counted: Counted
) -> tuple[Sample, ...]:
    """All numbers of one host.

    :param trials: the last failover trial of each of its VMs
    :param counted: what else the host says
    """
    stands = standing(look)
    found = [Sample("up", (), look.have is not None)]
    found += [Sample("standing", (one.value,), one is stands) for one in Standing]
    if look.plan is not None:
        steps = Counter(step.link for step in look.plan.steps)
        found += [Sample("steps", (link,), steps[link]) for link in get_args(Link)]
        told = Counter(one.severity for one in (*look.plan.findings, *look.unmended))
        found += [Sample("findings", (one.value,), told[one]) for one in Severity]
    found += _ports(look)
    if look.have is not None:
        found += _counters(look.have, counted)
        found += [Sample("vm_running", (vm.name,), vm.running) for vm in look.have.vms]
    if counted.applied is not None:
        end = counted.applied.end
        found.append(Sample("apply_timestamp_seconds", (), counted.applied.moment))
        found += [Sample("apply_end", (one,), one == end) for one in (*ENDS, UNFINISHED)]
    for vm, document in trials.items():
        found += _trial(vm, document)
    return tuple(found)


def _ports(look: Look) -> Iterator[Sample]:
    for want in look.want.pfs:
        pf = identify(want, look.have) if look.have is not None else None
        name = pf.name or pf.pci if isinstance(pf, PF) else want.name
        labels = (name, want.pool or "")
        yield Sample("vfs_wanted", labels, want.vfs)
        if isinstance(pf, PF) and look.have is not None:
            yield from _port(want, pf, look.have, labels)


def _port(want: PFWant, pf: PF, have: HostState, labels: tuple[str, str]) -> Iterator[Sample]:
    holders = have.holders()
    held = Counter(holders[vf.pci].kind for vf in pf.vfs if vf.pci in holders)
    yield Sample("vfs_present", labels, len(pf.vfs))
    if have.system.root:  # nobody else sees who holds one
        yield Sample("vfs_free", labels, len(pf.vfs) - held.total())
        for kind in ("vm", "process", "host"):
            yield Sample("vfs_held", (*labels, kind), held[kind])
    cable = (labels[0], want.switch or "")
    yield Sample("link_up", cable, pf.up and bool(pf.carrier))
    if pf.speed is not None and pf.speed > 0:
        yield Sample("link_speed_bytes_per_second", cable, pf.speed * 1e6 / 8)
    if pf.master is not None:
        yield Sample("leg_in_bond", (labels[0], pf.master), 1)


def _counters(have: HostState, counted: Counted) -> Iterator[Sample]:
    holders = have.holders()
    for pf in have.pfs:
        vfs = counted.vfs.get(pf.name or "", {})
        for vf in pf.vfs:
            holder = holders.get(vf.pci)
            vm = holder.name if holder is not None and holder.kind == "vm" else ""
            for name, value in vfs.get(vf.index, {}).items():
                yield Sample(f"vf_{name}_total", (pf.name or "", str(vf.index), vm), value)


def _trial(vm: str, document: Document | None) -> Iterable[Sample]:
    """Nothing of a document that is of another version."""
    if document is None:
        return ()
    try:
        rounds = [
            Sample(
                "trial_outage_seconds", (vm, one["leg"], one["way"], phase), one[phase]["ms"] / 1e3
            )
            for one in document["rounds"]
            for phase in ("failover", "failback")
        ]
        when = datetime.fromisoformat(document["date"]).timestamp()
        held = Sample("trial_held", (vm,), document["held"])
    except (KeyError, TypeError, ValueError):
        return ()
    return (Sample("trial_timestamp_seconds", (vm,), when), held, *rounds)


@dataclass(frozen=True)
class Told:
    """The numbers of one look at a room, as a registry of Prometheus' library collects them."""

    rack: str
    hosts: tuple[tuple[str, tuple[Sample, ...]], ...]
    """Their names and numbers."""
    seen: datetime

    def collect(self) -> Iterator[Metric]:
        """Every number, by family."""
        families = {
            name: (CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily)(
                f"sriovctl_{name}", said, labels=(*HOST, *labels)
            )
            for name, (said, labels) in _FAMILIES.items()
        }
        # a series that is there twice makes Prometheus refuse all of them
        told: dict[tuple[str, ...], float] = {}
        for host, numbers in self.hosts:
            for one in numbers:
                told[one.name, *map(harmless, (self.rack, host, *one.labels))] = one.value
        for (name, *labels), value in told.items():
            families[name].add_metric(labels, value)
        yield from (family for family in families.values() if family.samples)
        looked = GaugeMetricFamily(
            "sriovctl_look_timestamp_seconds", "When the hosts were looked at.", labels=("rack",)
        )
        looked.add_metric([harmless(self.rack)], self.seen.timestamp())
        yield looked
