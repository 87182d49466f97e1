"""A host of a room: from what is wanted, what is, and what check found, to what is drawn. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sriovctl.host import PF, Holder, HostState
from sriovctl.hostnet import HostNetwork
from sriovctl.identity import identify
from sriovctl.look import Look
from sriovctl.plan import Finding, Plan, Severity
from sriovctl.view.harmless import harmless
from sriovctl.view.ports import link
from sriovctl.view.room.model import Bay, End, Holding, Machine, Network, Port, Server, Standing
from sriovctl.view.room.network import networks, taps
from sriovctl.view.text import count
from sriovctl.wanted import HostWant, PFWant

_OF_SEVERITY = {Severity.BLOCKED: Standing.BLOCKED, Severity.ERROR: Standing.IMPOSSIBLE}


def server(look: Look) -> Server:
    """One host as it is drawn, its names harmless."""
    marks = _marks(look)
    findings = tuple(_harmless(finding) for finding in _findings(look))
    return Server(
        name=harmless(look.want.name),
        standing=standing(look),
        summary=_summary(look),
        steps=len(look.plan.steps) if look.plan is not None else 0,
        bays=tuple(_bays(look, marks)),
        findings=findings,
    )


def standing(look: Look) -> Standing:
    """How a host stands; a plan that cannot be made is one that cannot be."""
    if look.have is None:
        return Standing.UNREACHED
    if look.plan is None:
        return Standing.IMPOSSIBLE
    return of_link(look, None)


def of_link(look: Look, name: str | None) -> Standing:
    """How one link of the chain stands; None: all of them."""
    plan = look.plan or Plan(host=look.want.name)
    found = [
        _OF_SEVERITY[finding.severity]
        for finding in plan.findings
        if finding.severity in _OF_SEVERITY and name in (None, finding.link)
    ]
    if any(name in (None, step.link) for step in plan.steps):
        found.append(Standing.DIFFERS)
    if any(name in (None, finding.link) for finding in _warnings(look)):
        found.append(Standing.DIFFERS)
    return worst(found)


def _warnings(look: Look) -> Iterator[Finding]:
    """What is not as wanted, and no step mends."""
    return (finding for finding in look.unmended if finding.severity is Severity.WARNING)


def worst(standings: list[Standing]) -> Standing:
    """The worst of some; of none: as wanted."""
    return min(standings, key=list(Standing).index, default=Standing.WANTED)


def _findings(look: Look) -> tuple[Finding, ...]:
    if look.error is not None:
        said = Finding(
            severity=Severity.ERROR,
            link="firmware" if look.have is not None else "kernel",
            about=look.want.name,
            found=look.error.found,
            means=look.error.means,
            mend=look.error.mend,
        )
        return (said,)
    return (*(look.plan.findings if look.plan is not None else ()), *look.unmended)


def _harmless(finding: Finding) -> Finding:
    fields = ("about", "found", "means", "mend")
    return finding.model_copy(update={key: harmless(getattr(finding, key)) for key in fields})


def _summary(look: Look) -> str:
    if look.plan is None:
        return harmless(look.error.found) if look.error is not None else ""
    steps = len(look.plan.steps)
    said = [f"{count(steps, 'step', 'steps')} to do"] if steps else []
    for severity, word in ((Severity.BLOCKED, "blocked"), (Severity.ERROR, "cannot be")):
        if number := len(look.plan.of(severity)):
            said.append(f"{number} {word}")
    told = (*look.plan.findings, *look.unmended)
    if number := sum(finding.severity is Severity.WARNING for finding in told):
        said.append(count(number, "warning", "warnings"))
    return ", ".join(said) or "nothing to do"


def _marks(look: Look) -> dict[str, list[Standing]]:
    """What check said of each thing: by the names that findings and titles of steps begin with."""
    marks: dict[str, list[Standing]] = {}
    for finding in look.plan.findings if look.plan is not None else ():
        if finding.severity in _OF_SEVERITY:
            marks.setdefault(finding.about, []).append(_OF_SEVERITY[finding.severity])
    for finding in _warnings(look):
        marks.setdefault(finding.about, []).append(Standing.DIFFERS)
    for step in look.plan.steps if look.plan is not None else ():
        for thing in step.title.partition(": ")[0].split(", "):
            marks.setdefault(thing, []).append(Standing.DIFFERS)
    return marks


def _mark(marks: Mapping[str, list[Standing]], *names: str | None) -> Standing:
    return worst([one for name in names if name for one in marks.get(name, [])])


def _bays(look: Look, marks: Mapping[str, list[Standing]]) -> Iterator[Bay]:
    legs = _legs_by_name(look)
    ports = dict(_ports(look, legs, marks))
    machines = tuple(_machines(look, legs, marks))
    names = {name: _drawn_name(name, legs) for name in legs}
    found = networks(look, names, machines, lambda name: _mark(marks, name))
    bonded = [tuple(name for name in one.over if name in ports) for one in found]
    groups = _by_two(list(ports), [*_wanted_pairs(look.want, legs), *bonded]) or [()]
    placed = _places_of(found, groups)
    for group in groups:
        here = tuple(one for one in found if placed[one.name] == group)
        yield Bay(
            ports=tuple(ports[name] for name in group),
            networks=here,
            machines=tuple(one for one in machines if group in _groups(one, placed, groups[0])),
        )


def _groups(
    machine: Machine, placed: Mapping[str, tuple[str, ...]], first: tuple[str, ...]
) -> set[tuple[str, ...]]:
    """The ports that a VM is on; the first ones where it is on none."""
    on = [end.port for end in machine.ends] + [tap.network for tap in machine.taps]
    return {placed[name] for name in on if name in placed} or {first}


def _places_of(
    found: Iterable[Network], groups: list[tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """The ports that each network stands on; the first ones where it stands on none of them."""
    placed = {name: group for group in groups for name in group}
    for network in found:
        below = [placed[name] for name in network.over if name in placed]
        placed[network.name] = next(iter(below), groups[0])
    return placed


def _legs_by_name(look: Look) -> dict[str, PF | None]:
    """The ports that the rack file means, by its names for them; None: it is not there."""
    legs: dict[str, PF | None] = {}
    for want in look.want.pfs:
        found = identify(want, look.have) if look.have is not None else None
        legs[want.name] = found if isinstance(found, PF) else None
    return legs


def _drawn_name(name: str, legs: Mapping[str, PF | None]) -> str:
    pf = legs.get(name)
    return harmless(name) if pf is None else name_of(pf)


def _wanted_pairs(want: HostWant, legs: Mapping[str, PF | None]) -> Iterator[tuple[str, ...]]:
    for vm in want.vms:
        for pair in dict.fromkeys(nic.pair for nic in vm.nics):
            yield tuple(_drawn_name(nic.leg, legs) for nic in vm.nics if nic.pair == pair)


def _by_two(names: list[str], pairs: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Ports by two: those that are known to be a pair, then the others as they come."""
    alone = list(names)
    groups: list[tuple[str, ...]] = []
    for pair in pairs:
        if len(set(pair)) == len(pair) == 2 and set(pair) <= set(alone):
            groups.append(tuple(name for name in names if name in pair))
            alone = [name for name in alone if name not in pair]
    groups += [tuple(alone[at : at + 2]) for at in range(0, len(alone), 2)]
    return sorted(groups, key=lambda group: names.index(group[0]))


def name_of(pf: PF) -> str:
    """What a port is called in a drawing."""
    return harmless(pf.name or pf.pci)


def _ports(
    look: Look, legs: Mapping[str, PF | None], marks: Mapping[str, list[Standing]]
) -> Iterator[tuple[str, Port]]:
    """Those of the rack file, then others that have VFs."""
    holders = look.have.holders() if look.have is not None else {}
    for want in look.want.pfs:
        name = _drawn_name(want.name, legs)
        yield name, _port(name, want, legs[want.name], look, holders, marks)
    named = {pf.pci for pf in legs.values() if pf is not None}
    for pf in look.have.pfs if look.have is not None else ():
        if pf.vfs and pf.pci not in named:
            yield name_of(pf), _port(name_of(pf), None, pf, look, holders, marks)


def _port(
    name: str,
    want: PFWant | None,
    pf: PF | None,
    look: Look,
    holders: Mapping[str, Holder],
    marks: Mapping[str, list[Standing]],
) -> Port:
    vfs: list[Holding] = []
    free: Holding = "free" if look.have is not None and look.have.system.root else "unknown"
    for vf in pf.vfs if pf is not None else ():
        vfs.append(holders[vf.pci].kind if vf.pci in holders else free)
    if want is not None:
        vfs += ["missing"] * (want.vfs - len(vfs))
    names = [name, *(["pool " + want.pool, want.name] if want is not None and want.pool else [])]
    names += [f"{name} VF {vf.index}" for vf in pf.vfs] if pf is not None else []
    said = link(pf).plain if pf is not None else "not there" if look.have else "not seen"
    return Port(
        name=name,
        switch=harmless(want.switch) if want is not None and want.switch else None,
        link=said,
        alive=None if look.have is None else pf is not None and pf.up and bool(pf.carrier),
        vfs=tuple(vfs),
        standing=_mark(marks, *names),
    )


def _machines(
    look: Look, legs: Mapping[str, PF | None], marks: Mapping[str, list[Standing]]
) -> Iterator[Machine]:
    """The host's VMs, then those that the rack file wants and the host does not have."""
    vms = look.have.vms if look.have is not None else ()
    own = look.have.network if look.have is not None else HostNetwork()
    places = _places(look.have)
    for vm in vms:
        nics = vm.live_nics if vm.running else vm.nics
        ends = [places.get(nic.pci or "") or places.get(nic.pool or "") for nic in nics]
        yield Machine(
            name=harmless(vm.name),
            running=vm.running,
            standing=_mark(marks, vm.name, f"VM {vm.name}"),
            ends=tuple(end for end in ends if end is not None),
            taps=taps(vm, own),
        )
    there = {vm.name for vm in vms}
    for want in look.want.vms:
        if want.name not in there:
            yield Machine(
                name=harmless(want.name),
                running=None if look.have is None else False,
                standing=_mark(marks, want.name, f"VM {want.name}"),
                ends=tuple(End(_drawn_name(nic.leg, legs), None) for nic in want.nics),
                taps=(),
            )


def _places(have: HostState | None) -> dict[str, End]:
    """Where a card is plugged in, by the VF's PCI address and by the pool's name."""
    if have is None:
        return {}
    ports = {pf.name: name_of(pf) for pf in have.pfs}
    places = {pool.name: End(ports[pool.pf], None) for pool in have.pools if pool.pf in ports}
    return places | {vf.pci: End(name_of(pf), vf.index) for pf in have.pfs for vf in pf.vfs}
