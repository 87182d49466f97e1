"""Link *bonds*: the host's bonds over its PFs, with VLAN, bridge and addresses on them.

What is there is changed in place, port by port, whoever made it; only what differs. See
:mod:`sriovctl.chain.bondfiles` for how it comes back at boot.
"""

from __future__ import annotations

from sriovctl.chain import pairs
from sriovctl.chain.bondchange import Change
from sriovctl.chain.bondfiles import choose_system, file_steps, kept_by_others
from sriovctl.chain.bondmtus import change_mtus
from sriovctl.chain.bondproblems import problems, remarks, taken_from
from sriovctl.chain.steps import LinkPlan
from sriovctl.host import PF, HostState
from sriovctl.hostnet import HostBond
from sriovctl.identity import identify
from sriovctl.netconf import Leg, Network
from sriovctl.plan import Finding, Impact, Severity, Step
from sriovctl.rackbond import DEFAULT_MIIMON_MS
from sriovctl.shell import command
from sriovctl.wanted import HostWant

WITHOUT_LEGS = ("mode", "fail_over_mac")
"""Options that the kernel changes only while a bond has no legs (bond_options.c)."""
DELAYS = ("updelay", "downdelay")


def plan(want: HostWant, have: HostState) -> LinkPlan:
    """What must change for the bonds of a host, and what stands in the way."""
    result = LinkPlan()
    _all_bonds(want, have, result)
    return result


def vms_to_ask(want: HostWant, have: HostState) -> tuple[str, ...]:
    """Running VMs that are to be looked into before :func:`plan`: those on ports that go down."""
    if not want.bonds or not any(vm.running and vm.live_nics for vm in have.vms):
        return ()
    return pairs.vms_to_ask(_all_bonds(want, have, LinkPlan()), have)


def without_other_leg(want: HostWant, have: HostState) -> dict[str, str]:
    """Why VMs on ports that go down would be silent, by what they are asked for; see
    :func:`sriovctl.chain.pairs.without_other_leg`.

    :param have: with a look into each of :func:`vms_to_ask`
    """
    if not want.bonds or not have.inside:
        return {}
    return pairs.without_other_leg(_all_bonds(want, have, LinkPlan()), have)


def _all_bonds(want: HostWant, have: HostState, result: LinkPlan) -> list[PF]:
    """
    :returns: the ports that are taken down and up
    """
    moved = []
    for wanted in want.bonds:
        found = [identify(pf, have) for pf in want.pfs]
        known = dict(zip((pf.name for pf in want.pfs), found, strict=True))
        ports = [known[leg.name] for leg in wanted.legs]
        pfs = [port for port in ports if isinstance(port, PF) and port.name is not None]
        if len(pfs) < len(ports):
            # link nics says why
            continue
        network = on_this_host(wanted, pfs)
        told = problems(network, pfs, have)
        result.findings += told
        if not any(f.severity in (Severity.ERROR, Severity.BLOCKED) for f in told):
            result.findings += remarks(network, want, have)
            moved += _one_bond(network, pfs, have, result)
    return moved


def on_this_host(wanted: Network, pfs: list[PF]) -> Network:
    """The bond with its legs' interface names, and with the first one's address for its own.

    So that peers know it by one address whichever leg comes first; not where the bond is to go by
    the address of the leg in use.
    """
    names = {
        leg.name: pf.name or "" for leg, pf in zip(wanted.legs, pfs, strict=True)
    }  # fmt: skip
    bond = wanted.bond
    primary = None if bond.primary is None else names[bond.primary]
    mac = None if bond.fail_over_mac == "active" else pfs[0].mac
    legs = tuple(Leg(name=name) for name in names.values())
    bond = bond.model_copy(update={"primary": primary, "mac": mac})
    return wanted.model_copy(update={"bond": bond, "legs": legs})


def _one_bond(network: Network, pfs: list[PF], have: HostState, result: LinkPlan) -> list[PF]:
    """
    :returns: the ports that are taken down and up
    """
    change = Change()
    bond = have.network.bond_named(network.bond.name)
    system = choose_system(network, have)
    _let_go(network, have, change)
    before = len(change.do)
    _bond_itself(network, bond, change)
    _levels(network, have, change)
    _addresses(network, have, change)
    change_mtus(network, bond, have, change)
    _legs(network, bond, pfs, have, change)
    _after_legs(network, bond, have, change)
    ports = list({pf.pci: pf for pf in change.moved}.values())
    if are_back := pairs.are_back(ports, have):
        change.add(are_back)
        # who comes next, after a change that was taken back, is to find them whole too
        change.undo.append(are_back)
    result.findings += pairs.findings(ports, have)
    changed = len(change.do) > before
    if changed:
        result.build.append(_step(network, bond, pfs, have, change))
    if not change.blips and kept_by_others(network, have):
        if changed:
            result.findings.append(_says_otherwise(network, have, change))
        return ports
    steps, findings = file_steps(
        network, system, have, read_now=change.blips, mtus_back=change.mtus_back
    )
    result.build += steps
    result.findings += findings
    return ports


def _let_go(network: Network, have: HostState, change: Change) -> None:
    for leg in network.legs:
        bond = have.network.bond_named(network.bond.name)
        held = "networkmanager" in have.network.managed.get(leg.name, ())
        if held and (bond is None or leg.name not in bond.legs):
            change.add(command("nm_lets_go", leg.name), command("nm_takes", leg.name))


def differing(network: Network, bond: HostBond) -> dict[str, str]:
    """The options that are not as wanted; one that this kernel does not show is left out."""
    miimon = int(network.bond.options.get("miimon") or bond.options.get("miimon") or 0) or 1
    wrong = {}
    for word, value in network.bond.options.items():
        present = bond.options.get(word)
        if present is None:
            continue
        if word in DELAYS:
            # the kernel makes them whole multiples
            same = present == str(int(value) // miimon * miimon)
        else:
            same = set(present.split(",")) == set(value.split(","))
        if not same:
            wrong[word] = value
    return wrong


def _settings(options: dict[str, str]) -> list[str]:
    """In the order in which the kernel takes them: a delay needs its miimon."""
    return [part for item in options.items() for part in item]


def _bond_itself(network: Network, bond: HostBond | None, change: Change) -> None:
    name = network.bond.name
    if bond is None:
        options = {"mode": "", "miimon": ""} | new_bond_options(network)
        options.pop("primary", None)
        wanted = {word: value for word, value in options.items() if value}
        change.words.append(f"over {' and '.join(leg.name for leg in network.legs)}")
        change.add(command("make_bond", name), command("remove_bond", name))
        change.add(command("set_bond", name, *_settings(wanted)))
        if network.bond.mac is not None:
            change.add(command("device_address", name, network.bond.mac))
        change.add(command("device_up", name), "", command("bond_is", name, *_settings(wanted)))
        change.blips = True
        return
    wrong = differing(network, bond)
    wrong.pop("primary", None)
    for word, value in wrong.items():
        change.words.append(f"{word} {bond.options[word] or 'none'} → {value}")
    if any(word in wrong for word in WITHOUT_LEGS):
        change.blips = True
    elif wrong:
        _set(bond, wrong, change)


def _set(bond: HostBond, wrong: dict[str, str], change: Change) -> None:
    # turning one of both monitors on turns the other off
    back = {
        word: value
        for word, value in bond.options.items()
        if word in ("miimon", "arp_interval") and value != "0"
    }
    back |= {word: bond.options[word] for word in wrong}
    change.add(
        command("set_bond", bond.name, *_settings(wrong)),
        command("set_bond", bond.name, *_settings(back)),
        command("bond_is", bond.name, *_settings(wrong)),
    )


def new_bond_options(network: Network) -> dict[str, str]:
    """All options of a bond that is made, where one that looks at nothing would be no bond."""
    bond = network.bond
    if bond.miimon_ms is None and bond.arp_interval_ms is None:
        bond = bond.model_copy(update={"miimon_ms": DEFAULT_MIIMON_MS})
    return bond.options


def _levels(network: Network, have: HostState, change: Change) -> None:
    host = have.network
    name, vlan, bridge = network.bond.name, network.vlan_name, network.bridge
    if vlan is not None and vlan not in host.mtus:
        change.words.append(f"VLAN {network.vlan}")
        change.add(
            command("make_vlan", name, vlan, network.vlan or 0),
            command("delete_device", vlan),
            command("device_there", vlan),
        )
        change.add(command("device_up", vlan))
        change.blips = True
    if bridge is None:
        return
    port = vlan or name
    there = host.bridge_named(bridge)
    if there is None:
        change.words.append(f"bridge {bridge}")
        change.add(command("make_bridge", bridge), command("delete_device", bridge))
        if network.bond.mac is not None:
            change.add(command("device_address", bridge, network.bond.mac))
    if there is None or port not in there.ports:
        if there is not None:
            change.words.append(f"in bridge {bridge}")
        change.add(
            command("bridge_port", bridge, port),
            command("no_bridge_port", bridge, port),
            command("is_bridge_port", bridge, port),
        )
        change.add(command("device_up", bridge))
        change.blips = True


def _addresses(network: Network, have: HostState, change: Change) -> None:
    """Before the legs: while a port that had them is moved, the host has them still."""
    top = network.levels[-1]
    present = have.network.addresses.get(top, ())
    for address in network.addresses:
        if address not in present:
            change.words.append(address)
            change.add(
                command("add_address", top, address),
                command("del_address", top, address),
                command("has_address", top, address),
            )
            change.blips = True
    for level in network.levels[:-1]:
        for address in have.network.addresses.get(level, ()):
            change.add(
                command("del_address", level, address), command("add_address", level, address)
            )
            change.blips = True


def _legs(
    network: Network, bond: HostBond | None, pfs: list[PF], have: HostState, change: Change
) -> None:
    name = network.bond.name
    present = () if bond is None else bond.legs
    wanted = [leg.name for leg in network.legs]
    by_name = {pf.name: pf for pf in have.pfs}
    fixed = {} if bond is None else {
        word: value for word, value in differing(network, bond).items() if word in WITHOUT_LEGS
    }  # fmt: skip
    out = [leg for leg in present if leg not in wanted or fixed]
    for leg in (leg for leg in out if leg in by_name):
        if leg not in wanted:
            change.words.append(f"without {leg}")
        pf = by_name[leg]
        undone = command("into_bond", name, pf.pci)
        change.move(pf, name, "out_of", have, command("out_of_bond", name, pf.pci, "up"), undone)
    if bond is not None and fixed:
        rest = {
            word: value for word, value in differing(network, bond).items() if word != "primary"
        }
        change.add(command("device_down", name), command("device_up", name))
        _set(bond, rest, change)
        change.add(command("device_up", name), command("device_down", name))
        for route in have.network.routes:
            if route.device == name:
                change.undo.append(command("default_route", name, route.gateway))
    # those that carry nothing first
    coming = [pf for pf in pfs if pf.name not in present or fixed]
    coming.sort(key=lambda pf: bool(have.network.addresses.get(pf.name or "")))
    for pf in coming:
        leg = pf.name or ""
        if bond is not None and leg not in present:
            change.words.append(f"with {leg}")
        back = [command("out_of_bond", name, pf.pci, "up" if pf.up else "down")]
        back += [command("add_address", leg, a) for a in have.network.addresses.get(leg, ())]
        back += [
            command("default_route", leg, route.gateway)
            for route in have.network.routes
            if route.device == leg
        ]
        change.move(pf, name, "into", have, command("into_bond", name, pf.pci), " && ".join(back))
    if change.blips:
        change.check.append(command("legs_are", name, *(pf.pci for pf in pfs)))


def _after_legs(network: Network, bond: HostBond | None, have: HostState, change: Change) -> None:
    name, top = network.bond.name, network.levels[-1]
    primary = network.bond.primary
    old = "" if bond is None else bond.options.get("primary", "")
    if primary is not None and primary != old:
        change.words.append(f"primary {primary}")
        change.add(
            command("set_bond", name, "primary", primary),
            "" if bond is None else command("set_bond", name, "primary", old),
            command("bond_is", name, "primary", primary),
        )
    gateway = network.gateway
    there = any(r.device == top and r.gateway == gateway for r in have.network.routes)
    if gateway is not None and (change.blips or not there):
        if not there:
            change.words.append(f"gateway {gateway}")
        change.add(
            command("default_route", top, gateway),
            "" if there else command("no_default_route", top, gateway),
            command("has_default_route", top, gateway),
        )
        change.blips = True


def _step(
    network: Network, bond: HostBond | None, pfs: list[PF], have: HostState, change: Change
) -> Step:
    held = {vf.pci for pf in pfs for vf in pf.vfs}
    felt = [vm.name for vm in have.vms if vm.running and any(n.pci in held for n in vm.live_nics)]
    interfaces = [name for name in (*network.levels, *(pf.name for pf in pfs)) if name]
    return Step(
        link="bonds",
        title=f"{network.bond.name}: {'bond ' if bond is None else ''}{', '.join(change.words)}",
        reason="the rack file wants it" if bond is None else "the present ones differ",
        do=" &&\n".join(change.do),
        check=" &&\n".join(change.check),
        undo=" &&\n".join(change.undo),
        impact=Impact.LINK_BLIP if change.blips else Impact.NONE,
        affects=tuple(dict.fromkeys([*interfaces, *felt])) if change.blips else (),
    )


def _says_otherwise(network: Network, have: HostState, change: Change) -> Finding:
    files = ", ".join(taken_from(network, have))
    return Finding(
        severity=Severity.WARNING,
        link="bonds",
        about=network.bond.name,
        found=f"{files} is not sriovctl's, and says otherwise than the rack file",
        means=f"{', '.join(change.words)}: so until the next boot only",
        mend=f"write it there too: {' '.join(f'{w}={v}' for w, v in network.bond.options.items())}",
    )
