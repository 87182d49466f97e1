"""Link *nics*: PFs up, VFs in number, their attributes and drivers, and that they come back."""

from __future__ import annotations

from sriovctl.chain import bindings, persistence
from sriovctl.chain.steps import LinkPlan
from sriovctl.chain.vfs import attributes_of, difference, runs_of, wish_line
from sriovctl.drivers import driver
from sriovctl.host import PF, Holder, HostState
from sriovctl.identity import identify
from sriovctl.plan import Finding, Impact, Severity, Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant, PFWant


def plan(want: HostWant, have: HostState, *, only: str | None = None) -> LinkPlan:
    """What must change for the PFs and VFs of a host, and what stands in the way.

    :param only: this PF, and for the others no more than what brings them back at boot
    """
    result = LinkPlan()
    ports: list[persistence.Port] = []
    named: dict[str, str] = {}
    holders = have.holders()
    making: list[Step] = []
    setting: list[Step] = []
    blipped: list[PF] = []
    all_there = True
    for pf_want in want.pfs:
        pf = identify(pf_want, have)
        another = only not in (None, pf_want.name)
        if isinstance(pf, Finding):
            all_there = False
            result.findings += [] if another else [pf]
            continue
        if pf_want.vfs and another:
            ports.append(_port(pf_want, pf))
        if another:
            continue
        problems = _problems(pf_want, pf, have, holders)
        if (first := named.setdefault(pf.pci, pf_want.name)) != pf_want.name:
            problems.append(
                _error(
                    _name(pf_want, pf),
                    f"{first} and {pf_want.name} are one port, the one in {pf.pci}",
                    "one port cannot be as two entries of the rack file want",
                    f"take one of them out of the rack file: {first} or {pf_want.name}",
                )
            )
        result.findings += problems
        result.findings += _remarks(pf_want, pf, have)
        if any(f.severity in (Severity.ERROR, Severity.BLOCKED) for f in problems):
            continue
        making += _making_steps(pf_want, pf, have)
        setting += _attribute_steps(pf_want, pf, holders)
        setting += bindings.steps(pf_want, pf, holders)
        if pf_want.vfs != pf.numvfs:
            blipped.append(pf)
        if pf_want.vfs and not pf_want.restored_by_host:
            ports.append(_port(pf_want, pf))
    # new VFs cost a port its link for a moment: what needs no link is done while it comes back
    result.build += making[:1]
    if all_there and not any(f.severity is Severity.ERROR for f in result.findings):
        result.build += _persistence(want, have, ports, result)
    result.build += making[1:] + setting
    # of one leg alone the VMs' bonds want the link too, before the other leg's turn comes
    waited = [pf for pf in blipped if _has_link_in_bond(pf) or (only is not None and pf.carrier)]
    result.build += _link_steps(waited)
    return result


def _name(want: PFWant, pf: PF) -> str:
    return pf.name or want.name


def _problems(want: PFWant, pf: PF, have: HostState, holders: dict[str, Holder]) -> list[Finding]:
    name = _name(want, pf)
    known = driver(pf.driver)
    problems = []
    if want.vfs > pf.totalvfs:
        means = f"the card offers sriov_totalvfs={pf.totalvfs}"
        if known.too_many:
            means += f": {known.too_many}"
        problems.append(
            _error(
                name,
                f"{want.vfs} VFs wanted; {name} ({pf.driver}) can have {pf.totalvfs}",
                means,
                f"write vfs: {pf.totalvfs} or less for {want.name}",
            )
        )
    if want.vfs != pf.numvfs:
        for vf in pf.vfs:
            holder = holders.get(vf.pci)
            if holder is None:
                continue
            who = {"vm": "the running VM ", "process": "the process ", "host": "the host as "}
            mend = {
                "vm": f"shut it down (virsh shutdown {command(holder.name)}) or keep "
                f"vfs: {pf.numvfs}, then apply again; or, with its other leg up: "
                "apply --leg-by-leg",
                "process": "end that process, then apply again",
                "host": "take the device out of use, then apply again",
            }
            problems.append(
                Finding(
                    severity=Severity.BLOCKED,
                    link="nics",
                    about=f"{name} VF {vf.index}",
                    found=f"{name} VF {vf.index} ({vf.pci}) is held by "
                    f"{who[holder.kind]}{holder.name} ({holder.how})",
                    means=f"{pf.numvfs} VFs can become {want.vfs} only by taking away all of "
                    "them first",
                    mend=mend[holder.kind],
                )
            )
    refused = [(wish.index, text) for wish in want.vf for text in known.refused_of(wish)]
    if refused:
        words = ", ".join(dict.fromkeys(text for _, text in refused))
        problems.append(
            _error(
                name,
                f"{words} wanted of {name}'s VFs",
                f"the driver {pf.driver} refuses that, whatever the value ({known.source})",
                "take it out of the rack file",
            )
        )
    if unknown := bindings.without_known_driver(want, pf, holders):
        problems.append(
            _error(
                name,
                f"driver: network wanted of {name}'s VFs {runs_of(unknown)}; which network driver "
                f"VFs of {pf.driver or 'this port'} have is not known",
                "they cannot be bound to it by name",
                f"bind them by hand, or take driver: network out; {name}'s own driver takes new "
                "VFs with autoprobe: on",
            )
        )
    if want.vfs and pf.name is None:
        problems.append(
            _error(
                name,
                f"{name} has no network device: {pf.driver or 'no driver'} holds the port",
                "VFs are made by the port's network driver",
                f"load it, or give the port back to it; what holds it: lspci -k -s {pf.pci}",
            )
        )
    if want.vfs and "ip" not in have.system.tools:
        problems.append(
            _error(
                name,
                "the host has no ip command",
                "links and VFs cannot be set without it",
                "apt-get install iproute2, or dnf install iproute",
            )
        )
    return problems


def _error(about: str, found: str, means: str, mend: str) -> Finding:
    return Finding(
        severity=Severity.ERROR, link="nics", about=about, found=found, means=means, mend=mend
    )


def _warning(about: str, found: str, means: str, mend: str) -> Finding:
    return Finding(
        severity=Severity.WARNING, link="nics", about=about, found=found, means=means, mend=mend
    )


def _remarks(want: PFWant, pf: PF, have: HostState) -> list[Finding]:
    remarks = []
    groups = [vf.iommu_group for vf in pf.vfs if vf.iommu_group is not None]
    if len(set(groups)) < len(groups):
        remarks.append(
            _warning(
                _name(want, pf),
                f"several VFs of {_name(want, pf)} share an IOMMU group",
                "VFs of one group can only go to one VM together; the slot has no ACS",
                "put the card into a slot at the processor, or switch ACS on in firmware",
            )
        )
    others = [m for m in have.system.managers if m.makes_vfs_of(pf.name)]
    for manager in () if want.restored_by_host else others:
        does = "sets" if manager.pfs else f"by {manager.setting!r} may set"
        remarks.append(
            _warning(
                _name(want, pf),
                f"{manager.system} {manager.file} {does} VFs of {pf.name} too",
                "two managers of one PF fight; that one does not look who uses a VF",
                f"take the SR-IOV lines out of {manager.file}, or leave its VFs at boot "
                f"to it: restored_by: host for {want.name} in the rack file",
            )
        )
    if want.vfs and want.restored_by_host and not others:
        remarks.append(
            _warning(
                _name(want, pf),
                f"no file that is known to make VFs makes those of {_name(want, pf)} at boot",
                "the kernel forgets VFs at each boot",
                f"take restored_by: host of {want.name} out of the rack file, and sriovctl "
                "brings them back",
            )
        )
    return remarks


def _making_steps(want: PFWant, pf: PF, have: HostState) -> list[Step]:
    name = _name(want, pf)
    steps = []
    if want.vfs and not pf.up:
        steps.append(
            Step(
                link="nics",
                title=f"{name}: bring the port up",
                reason="VFs of a port that is down get no link, and libvirt refuses them",
                do=command("pf_up", pf.pci),
                check=command("pf_is_up", pf.pci),
                undo=command("pf_down", pf.pci),
            )
        )
    if want.vfs != pf.numvfs:
        steps.append(_count_step(want, pf, have))
    elif _autoprobe_differs(want, pf):
        steps.append(
            Step(
                link="nics",
                title=f"{name}: driver autoprobe {_on_or_off(want)}",
                reason="VFs are wanted on the host" if want.autoprobe else "VFs go to VMs only",
                do=command("set_autoprobe", pf.pci, int(want.autoprobe)),
                check=command("autoprobe_is", pf.pci, int(want.autoprobe)),
                undo=command("set_autoprobe", pf.pci, int(bool(pf.autoprobe))),
            )
        )
    return steps


def _autoprobe_differs(want: PFWant, pf: PF) -> bool:
    return bool(want.vfs) and pf.autoprobe is not None and pf.autoprobe != want.autoprobe


def _on_or_off(want: PFWant) -> str:
    return "on" if want.autoprobe else "off"


def _has_link_in_bond(pf: PF) -> bool:
    return pf.master is not None and bool(pf.carrier)


def _count_step(want: PFWant, pf: PF, have: HostState) -> Step:
    do: list[str] = []
    undo: list[str] = []
    check = [command("numvfs_is", pf.pci, want.vfs)]
    reason = f"the rack file wants {want.vfs}"
    if _autoprobe_differs(want, pf):
        reason += f", with driver autoprobe {_on_or_off(want)}"
        do.append(command("set_autoprobe", pf.pci, int(want.autoprobe)))
        check.append(command("autoprobe_is", pf.pci, int(want.autoprobe)))
        undo.append(command("set_autoprobe", pf.pci, int(bool(pf.autoprobe))))
    undo.append(command("set_numvfs", pf.pci, pf.numvfs))
    before = [line for vf in pf.vfs if (line := wish_line(vf.index, attributes_of(vf)))]
    if before:
        undo.append(command("set_vfs", pf.pci, *before))
    for bound_to in dict.fromkeys(vf.driver for vf in pf.vfs):
        # new VFs have no driver by themselves, unless autoprobe is on
        if bound_to is not None or pf.autoprobe is not False:
            indices = [vf.index for vf in pf.vfs if vf.driver == bound_to]
            undo.append(bindings.bind(pf, bound_to, indices))
    if _has_link_in_bond(pf):
        legs = [leg.pci for leg in have.pfs if leg.master == pf.master and _has_link_in_bond(leg)]
        do += [command("await_carrier", leg) for leg in legs if leg != pf.pci]
        undo.append(command("await_carrier", pf.pci))
    do.append(command("set_numvfs", pf.pci, want.vfs))
    return Step(
        link="nics",
        title=f"{_name(want, pf)}: {pf.numvfs} → {want.vfs} VFs",
        reason=reason,
        do=" && ".join(do),
        check=" && ".join(check),
        undo=" && ".join(undo),
        impact=Impact.VF_RESET if pf.numvfs else Impact.LINK_BLIP,
    )


def _link_steps(legs: list[PF]) -> list[Step]:
    if not legs:
        return []
    names = ", ".join(pf.name or pf.pci for pf in legs)
    return [
        Step(
            link="nics",
            title=f"{names}: link back",
            reason="a bond stands on it",
            do=" && ".join(command("await_carrier", pf.pci) for pf in legs),
            check=" && ".join(command("pf_has_carrier", pf.pci) for pf in legs),
            undo="",
        )
    ]


def _attribute_steps(want: PFWant, pf: PF, holders: dict[str, Holder]) -> list[Step]:
    name = _name(want, pf)
    fresh = want.vfs != pf.numvfs
    do: list[str] = []
    undo: list[str] = []
    indices: list[int] = []
    keys: list[str] = []
    felt: list[str] = []
    present = {} if fresh else {vf.index: vf for vf in pf.vfs}
    for wish in want.vf:
        vf = present.get(wish.index)
        holder = None if vf is None else holders.get(vf.pci)
        # what the host itself uses is nobody else's to set
        held = holder is not None and holder.kind != "host"
        change, back = difference(wish, vf, held)
        if line := wish_line(wish.index, change):
            do.append(line)
            indices.append(wish.index)
            keys += list(change)
            if holder is not None and "trust" in change:
                felt.append(holder.name)
        if line := wish_line(wish.index, back):
            undo.append(line)
    if not do:
        return []
    what = ", ".join(dict.fromkeys(keys))
    return [
        Step(
            link="nics",
            title=f"{name}: {what} of VF{'s' if len(do) > 1 else ''} {runs_of(indices)}",
            reason="as the rack file wants" if fresh else "the present values differ",
            do=command("set_vfs", pf.pci, *do),
            check=command("vfs_are", pf.pci, *do),
            undo=command("set_vfs", pf.pci, *undo) if undo else "",
            # a change of trust resets the VF (i40e_virtchnl_pf.c, i40e_ndo_set_vf_trust)
            impact=Impact.LINK_BLIP if felt else Impact.NONE,
            affects=tuple(dict.fromkeys(felt)),
        )
    ]


def _port(want: PFWant, pf: PF) -> persistence.Port:
    wishes = [
        line
        for wish in want.vf
        if (line := wish_line(wish.index, difference(wish, None, held=False)[0]))
    ]
    autoprobe = None if pf.autoprobe is None else want.autoprobe
    binds = bindings.of_new_vfs(want, pf)
    return persistence.Port(pf.pci, pf.mac, want.vfs, autoprobe, tuple(wishes), binds)


def _persistence(
    want: HostWant, have: HostState, ports: list[persistence.Port], result: LinkPlan
) -> list[Step]:
    if have.system.init != "systemd":
        if ports:
            result.findings.append(
                Finding(
                    severity=Severity.WARNING,
                    link="nics",
                    about=want.name,
                    found="this host's init is not systemd",
                    means="its VFs will not come back by themselves after a reboot",
                    mend="apply again after each boot, for example from rc.local",
                )
            )
        return []
    if any(f.severity is Severity.BLOCKED for f in result.findings):
        return []
    return persistence.steps(want, have, ports)
