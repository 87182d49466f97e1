"""Leg by leg: running VMs let go of one PF and go on over their other leg meanwhile.

Between the links, as :mod:`~sriovctl.chain.restart` is: it asks *nics*, *pools* and *guests* what a
leg needs by itself, with its cards out of the VMs. A leg that is out is known by what is: a VM's
definition has the card, and the running VM has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sriovctl.chain import guests, nics, pools
from sriovctl.chain.cards import Leg, as_if_own, is_card, leg_of, nics_of, without
from sriovctl.chain.otherleg import Seen, blocking, moves
from sriovctl.chain.plugging import unplug_live
from sriovctl.chain.steps import LinkPlan
from sriovctl.host import HostState
from sriovctl.identity import identify
from sriovctl.plan import Finding, Impact, Plan, Severity, Stage, Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant, PFWant, VMWant


def due(want: HostWant, have: HostState) -> tuple[Leg, ...]:
    """Legs that can be as wanted only if running VMs let go of their cards meanwhile; empty: none.

    With them, legs that are out and only need to be plugged in.
    """
    found: list[Leg] = []
    for pf_want in want.pfs:
        leg = leg_of(want, have, pf_want)
        if isinstance(leg, Finding):
            continue
        is_out = bool(_lacking(want, have, pf_want))
        freed = _freed(want, have, leg)
        if freed is not None and (freed.cards or is_out):
            found.append(replace(freed, is_out=is_out))
    return tuple(found) if any(leg.cards for leg in found) else ()


def now(due: Sequence[Leg]) -> Sequence[Leg]:
    """The legs whose turn it is: until one that is out is in again, no VM lets go of another."""
    return [leg for leg in due if leg.is_out] or due


def _freed(want: HostWant, have: HostState, leg: Leg) -> Leg | None:
    """The leg with the fewest cards that VMs must let go of for it to be as wanted.

    None: also with all of those out that come back, something stands in the way.
    """
    back = tuple(card for card in leg.cards if card.wish is not None)
    for cards in ((), tuple(card for card in back if not card.as_wanted), back):
        if not _stuck(_alone(want, without(have, cards), leg.want)):
            return replace(leg, cards=cards)
    return None


def by_leg(
    want: HostWant, have: HostState, whole: Plan, due: Sequence[Leg], seen: Seen, *, blind: bool
) -> Plan:
    """A stage a leg, each with all that the leg needs; the rest is planned when they are done.

    :param whole: the plan without legs
    :param due: from :func:`due`
    :param seen: a look into every VM that is to let go of a card :func:`now`
    :param blind: VMs that nobody can look into let go all the same
    """
    stages = []
    solved = [f for leg in due for f in _findings(_alone(want, have, leg.want))]
    found: list[Finding] = []
    for leg in now(due):
        parts = _alone(want, without(have, leg.cards), leg.want)
        found += _findings(parts) + blocking(want, have, leg, seen, blind=blind)
        steps = _let_go(leg, have, seen, "the leg is changed under the running VM")
        stages.append(Stage(title=f"leg {leg.name}", steps=(*steps, *_steps(parts))))
    left = [finding for finding in whole.findings if finding not in solved]
    return Plan(host=want.name, stages=tuple(stages), findings=tuple(dict.fromkeys(left + found)))


def take_out(want: HostWant, have: HostState, leg: Leg, seen: Seen, *, blind: bool) -> Plan:
    """Free a leg: its cards out of the running VMs, whose definitions keep them; its pool stopped.

    :param leg: with all its cards
    :param seen: see :func:`by_leg`
    :param blind: see :func:`by_leg`
    """
    back = replace(leg, cards=tuple(card for card in leg.cards if card.wish is not None))
    holders = without(have, back.cards).holders()
    found = [
        Finding(
            severity=Severity.BLOCKED,
            link="nics",
            about=f"{leg.name} VF {vf.index}",
            found=f"{leg.name} VF {vf.index} is held by {holders[vf.pci].name}, not through a pair "
            "of the rack file",
            means="nobody would give it back",
            mend="have it let go of the VF, or write the pair into the rack file",
        )
        for vf in leg.pf.vfs
        if vf.pci in holders
    ]
    found += blocking(want, have, back, seen, blind=blind)
    reason = f"{leg.name} is to be free"
    steps = _let_go(back, have, seen, reason)
    pool = have.pool_named(leg.want.pool or "")
    if pool is not None and pool.active and pool.persistent:
        steps.append(pools.stop(pool, reason, have))
    stages = (Stage(title=f"leg {leg.name} out", steps=tuple(steps)),) if steps else ()
    return Plan(host=want.name, stages=stages, findings=tuple(dict.fromkeys(found)))


def bring_in(want: HostWant, have: HostState, leg: PFWant) -> Plan:
    """All that one leg needs, and nothing else: VFs, pool, and its cards in the running VMs."""
    pf = identify(leg, have)
    # a card that a VM has, whatever address its VF has, is no business of a leg that comes in
    parts = _alone(want, have if isinstance(pf, Finding) else as_if_own(have, pf), leg)
    steps = _steps(parts)
    stages = (Stage(title=f"leg {leg.name} in", steps=tuple(steps)),) if steps else ()
    return Plan(host=want.name, stages=stages, findings=tuple(_findings(parts)))


def findings(want: HostWant, have: HostState) -> list[Finding]:
    """A warning for each leg that is out."""
    return [
        Finding(
            severity=Severity.WARNING,
            link="guests",
            about=leg.name,
            found=f"{leg.name} is out: {', '.join(names)} "
            f"{'has' if len(names) == 1 else 'have'} a card of it defined, but not plugged in",
            means="a VM is on one leg",
            mend=f"sriovctl leg in RACK {command(want.name, leg.name)}, or sriovctl apply RACK",
        )
        for leg in want.pfs
        if (names := _lacking(want, have, leg))
    ]


def plugged(want: HostWant, have: HostState, leg: Leg) -> frozenset[str]:
    """Running VMs that are given a card of a leg, once they have let go of what they must."""
    return frozenset(
        vm.name
        for vm in without(have, leg.cards).vms
        for wish in nics_of(want, vm.name, leg.want)
        if vm.running and not any(is_card(nic, wish) for nic in vm.live_nics)
    )


def _lacking(want: HostWant, have: HostState, leg: PFWant) -> list[str]:
    """Running VMs whose definition has a card of this leg that is not plugged in."""
    return [
        vm.name
        for vm in have.vms
        if vm.running
        and any(
            any(is_card(nic, wish) for nic in vm.nics)
            and not any(is_card(nic, wish) for nic in vm.live_nics)
            for wish in nics_of(want, vm.name, leg)
        )
    ]


def _let_go(leg: Leg, have: HostState, seen: Seen, reason: str) -> list[Step]:
    """Traffic over to the other leg, then the cards out."""
    unplug = [unplug_live(card.vm, card.nic, have, reason) for card in leg.cards]
    return [*moves(leg, seen), *unplug]


def _alone(want: HostWant, have: HostState, leg: PFWant) -> tuple[LinkPlan, ...]:
    """What one leg needs by itself, in VMs that are there."""
    vms = tuple(_on_leg(vm, leg) for vm in want.vms if have.vm_named(vm.name) is not None)
    narrow = want.model_copy(update={"pfs": (leg,), "vms": vms})
    return (
        nics.plan(want, have, only=leg.name),
        pools.plan(narrow, have),
        guests.plan(narrow, have),
    )


def _on_leg(vm: VMWant, leg: PFWant) -> VMWant:
    cards = tuple(nic for nic in vm.nics if nic.leg == leg.name)
    return vm.model_copy(update={"nics": cards, "running": None, "autostart": None})


def _steps(parts: Sequence[LinkPlan]) -> list[Step]:
    """Down in reverse order, up in order."""
    down = [step for part in reversed(parts) for step in part.release]
    return down + [step for part in parts for step in part.build]


def _findings(parts: Sequence[LinkPlan]) -> list[Finding]:
    return [finding for part in parts for finding in part.findings]


def _stuck(parts: Sequence[LinkPlan]) -> bool:
    """Something is held, or would be taken from somebody."""
    return any(f.severity is Severity.BLOCKED for f in _findings(parts)) or any(
        step.affects and step.impact.rank > Impact.LINK_BLIP.rank for step in _steps(parts)
    )
