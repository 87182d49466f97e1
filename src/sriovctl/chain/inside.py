"""What is inside VMs: the files of their bonds, put there by their guest agents, and the bonds."""

from __future__ import annotations

from collections.abc import Iterator

from sriovctl.agent import order
from sriovctl.chain.steps import LinkPlan
from sriovctl.host import HostState
from sriovctl.insidefacts import Inside, InsideBond, InsideFile
from sriovctl.netconf import File, Network
from sriovctl.plan import Finding, Severity, Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant, InsideWant

RELOAD = {
    "networkd": "ip link delete of the bond, then networkctl reload",
    "netplan": "netplan apply",
    "networkmanager": "nmcli connection reload, then nmcli connection up of the bond",
}
"""What makes a network system read its files anew, networkd for a bond that is not there only; with
the others, and where cards get new names, the VM is restarted."""


def plan(want: HostWant, have: HostState) -> LinkPlan:
    """The files that must be put into a host's running VMs, and the VMs that cannot be asked."""
    result = LinkPlan()
    for name, key, wanted in _running(want, have):
        if wanted.by != "agent":
            continue
        inside = have.inside.get(key)
        if inside is None or inside.why_not:
            why = "nobody asked it" if inside is None else inside.why_not
            result.findings.append(_unknown(name, why))
        elif (step := _put(name, key, wanted, inside)) is not None:
            result.build.append(step)
    return result


def findings(want: HostWant, have: HostState) -> list[Finding]:
    """Bonds that are not as wanted. No part of a plan: a guest changes them by itself."""
    found = []
    for name, key, wanted in _running(want, have):
        inside = have.inside.get(key)
        if inside is None or inside.why_not:
            continue
        for network in wanted.networks:
            differs = "; ".join(_differences(network, inside))
            if differs:
                found.append(_differs(name, network.bond.name, differs, wanted))
    return found


def vms_with_drives(want: HostWant, have: HostState) -> tuple[str, ...]:
    """Running VMs that take the files from a drive: an agent, if they have one, shows the bond."""
    return tuple(key for _, key, wanted in _running(want, have) if wanted.by == "drive")


def _running(want: HostWant, have: HostState) -> Iterator[tuple[str, str, InsideWant]]:
    """Running VMs for whose inside the rack file wants something: name, key, what."""
    for vm_want in want.vms:
        vm = have.vm_named(vm_want.name)
        if vm_want.inside is not None and vm is not None and vm.running:
            yield vm_want.name, vm.key, vm_want.inside


def _put(name: str, key: str, wanted: InsideWant, inside: Inside) -> Step | None:
    new = [file for file in wanted.files if not _is(inside.files.get(file.path), file)]
    if not new:
        return None
    old = {path: inside.files.get(path) for path in (file.path for file in new)}
    count = f"{len(new)} file{'s' if len(new) > 1 else ''}"
    missing = [path for path, file in old.items() if file is None]
    return Step(
        link="guests",
        title=f"VM {name}: put {count} of its bond inside ({wanted.system}, by its agent)",
        reason=f"{', '.join(old)}: {'not there' if missing else 'not as wanted'}",
        do=command("run_inside", key, order(_PUT + "".join(map(_put_line, new)))),
        check=command("run_inside", key, order(_IS + "".join(map(_is_line, new)))),
        undo=command(
            "run_inside",
            key,
            order(
                _PUT
                + "".join(
                    command("rm", "-f", path) + "\n"
                    if was is None
                    else _put_line(File(path=path, text=was.text, mode=was.mode))
                    for path, was in old.items()
                )
            ),
        ),
    )


_PUT = """set -e
umask 077
put() {
    mkdir -p -m 755 "${1%/*}"
    printf %s "$3" >"$1.sriovctl"
    chmod "$2" "$1.sriovctl"
    mv "$1.sriovctl" "$1"
}
"""
_IS = """is() {
    [ "$(stat -c %a "$1")" = "$2" ] && [ "$(cat "$1"; echo .)" = "$3." ] && return
    echo "$1 is not as it was written" >&2
    exit 1
}
"""
"""Run in the guest, by whatever its ``/bin/sh`` is."""


def _put_line(file: File) -> str:
    return command("put", file.path, f"{file.mode:o}", file.text) + "\n"


def _is_line(file: File) -> str:
    return command("is", file.path, f"{file.mode:o}", file.text) + "\n"


def _is(have: InsideFile | None, file: File) -> bool:
    return have is not None and (have.mode, have.text) == (file.mode, file.text)


def _differences(network: Network, inside: Inside) -> Iterator[str]:
    wanted = network.bond
    bond = next((bond for bond in inside.bonds if bond.name == wanted.name), None)
    if bond is None:
        known = ", ".join(bond.name for bond in inside.bonds) or "none"
        yield f"it has no bond {wanted.name}; its bonds: {known}"
        return
    for word, is_now, should in (
        ("mode", bond.mode, wanted.mode),
        ("fail_over_mac", bond.fail_over_mac, wanted.fail_over_mac or "none"),
        ("miimon", bond.miimon_ms, wanted.miimon_ms or 0),
        ("updelay", bond.updelay_ms, wanted.updelay_ms or 0),
        ("downdelay", bond.downdelay_ms, wanted.downdelay_ms or 0),
        ("arp_interval", bond.arp_interval_ms, wanted.arp_interval_ms or 0),
        ("arp_ip_target", sorted(bond.arp_ip_targets), sorted(wanted.arp_ip_targets)),
        ("arp_validate", bond.arp_validate, wanted.arp_validate),
        ("num_grat_arp", bond.num_grat_arp, wanted.num_grat_arp),
    ):
        if should is not None and is_now != should:
            yield f"{word} is {_said(is_now)}, wanted {_said(should)}"
    yield from _different_legs(network, bond)


def _different_legs(network: Network, bond: InsideBond) -> Iterator[str]:
    own = {leg.name: leg.permanent_mac for leg in bond.legs}
    wanted = {leg.name: leg.mac for leg in network.legs if leg.mac is not None}
    are, should = sorted(own.values()), sorted(wanted.values())
    if are != should:
        yield f"its cards are {_said(are)}, wanted {_said(should)}"
        return
    primary = network.bond.primary
    if primary is not None and own.get(bond.primary or "") != wanted.get(primary):
        yield f"primary is {bond.primary or 'none'}, wanted the card {wanted.get(primary)}"


def _said(value: object) -> str:
    return (" ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def _unknown(name: str, why: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        link="guests",
        about=name,
        found=why,
        means="the files of its bond cannot be put inside, and nobody sees its bond",
        mend="give it a channel org.qemu.guest_agent.0 and start qemu-guest-agent in it; "
        "docs/guest-config.md says what guests need",
    )


def _differs(name: str, bond: str, differs: str, wanted: InsideWant) -> Finding:
    if wanted.by == "drive":
        mend = f"shut {name} down and start it, so that it takes its config drive"
    else:
        reload = RELOAD.get(wanted.system)
        mend = f"with the files in place, restart {name}" + (
            f", or in it: {reload}" if reload else ""
        )
    return Finding(
        severity=Severity.WARNING,
        link="guests",
        about=f"{name}, {bond}",
        found=differs,
        means="the bond inside is not as the rack file wants it",
        mend=mend,
    )
