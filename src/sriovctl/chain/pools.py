"""Link *pools*: one libvirt network over each PF, defined, started, autostarted, never stale."""

from __future__ import annotations

import uuid
from xml.etree import ElementTree

from sriovctl.chain.steps import LinkPlan
from sriovctl.host import PF, HostState, Pool
from sriovctl.identity import identify
from sriovctl.plan import Finding, Severity, Step
from sriovctl.shell import command
from sriovctl.wanted import HostWant, PFWant

_NAMESPACE = uuid.UUID("6f6dd7ea-0b5a-5a5e-9d1c-2f3a8b1f7c11")
"""For uuid5: the same pool of the same rack has the same UUID wherever it is defined."""


def plan(want: HostWant, have: HostState) -> LinkPlan:
    """What must change for the pools of a host, and what stands in the way."""
    result = LinkPlan()
    for pf_want in want.pfs:
        pf = identify(pf_want, have)
        if isinstance(pf, Finding):
            continue
        result.findings += _strangers(pf_want, pf, have)
        if pf_want.pool is not None and pf.name is not None:
            _one_pool(want, pf_want, pf, pf_want.pool, have, result)
    if (result.build or result.release) and (problem := _no_libvirt(have)):
        result.findings.append(problem)
    return result


def pool_xml(rack: str, host: str, pool: str, pf_name: str, known_as: str | None = None) -> str:
    """A libvirt network that hands out the VFs of one PF.

    Matches libvirt's network.rng; ``managed`` lets libvirt bind vfio-pci and give back.

    :param known_as: the UUID of a running network of this name, which libvirt takes with no other
    """
    network = ElementTree.Element("network")
    ElementTree.SubElement(network, "name").text = pool
    identity = uuid.uuid5(_NAMESPACE, "\0".join((rack, host, pool)))
    ElementTree.SubElement(network, "uuid").text = known_as or str(identity)
    forward = ElementTree.SubElement(network, "forward", mode="hostdev", managed="yes")
    ElementTree.SubElement(forward, "pf", dev=pf_name)
    ElementTree.indent(network)
    return ElementTree.tostring(network, encoding="unicode") + "\n"


def _one_pool(
    want: HostWant, pf_want: PFWant, pf: PF, name: str, have: HostState, result: LinkPlan
) -> None:
    pool = have.pool_named(name)
    wrong_pf = pool is not None and pool.pf != pf.name
    known_as = None if pool is None or wrong_pf else pool.uuid
    xml = pool_xml(want.rack, want.name, name, pf.name or "", known_as)
    define = command("define_pool", xml)
    why_restart = _why_restart(pf_want, pf, pool, have)
    if name in have.other_networks:
        result.findings.append(
            Finding(
                severity=Severity.ERROR,
                link="pools",
                about=f"pool {name}",
                found=f"{name} is a libvirt network of another kind on this host",
                means="a pool of that name cannot be defined",
                mend=f"give the PF {pf_want.name} another pool name in the rack file",
            )
        )
        return
    if pool is not None and (wrong_pf or why_restart):
        users = _users(name, have)
        if users:
            result.findings.append(_in_use(pool, pf, users, why_restart))
            return
        if not pool.persistent:
            result.findings.append(_not_defined(pool, why_restart or f"it is over {pool.pf}"))
            return
        if pool.active:
            result.release.append(stop(pool, why_restart or f"it is over {pool.pf}", have))
        if wrong_pf:
            result.release.append(_undefine(name, pool, pf))
            pool = None
    _set_up(name, pf, pool, define, why_restart, result)


def _set_up(
    name: str, pf: PF, pool: Pool | None, define: str, why_restart: str, result: LinkPlan
) -> None:
    """One step for all that a pool lacks, so that a new one is one line of a plan."""
    lacks = [
        (f"define over {pf.name}", define, command("undefine_pool", name), "persistent")
        if pool is None or not pool.persistent
        else None,
        ("start", command("start_pool", name), command("stop_pool", name), "active")
        if pool is None or not pool.active or why_restart
        else None,
        (
            "start at boot",
            command("autostart_pool", name),
            command("no_autostart_pool", name),
            "autostart",
        )
        if pool is None or not pool.autostart
        else None,
    ]
    parts = [part for part in lacks if part is not None]
    if not parts:
        return
    checked = [word for *_, fact in parts for word in (fact, "yes")]
    result.build.append(
        Step(
            link="pools",
            title=f"pool {name}: {', '.join(title for title, *_ in parts)}",
            reason=why_restart or "VMs get their VFs from it",
            do=" && ".join(do for _, do, _, _ in parts),
            check=command("pool_is", name, *checked),
            undo=" && ".join(undo for _, _, undo, _ in reversed(parts)),
        )
    )


def _why_restart(pf_want: PFWant, pf: PF, pool: Pool | None, have: HostState) -> str:
    """Why a running pool must be started again; empty where it need not.

    libvirt lists a PF's VFs once, when the network starts.
    """
    if pool is None or not pool.active:
        return ""
    if pf_want.vfs != pf.numvfs:
        return f"{pf.name} gets another number of VFs, and a pool lists them only when it starts"
    return have.stale_pool(pool) or ""


def _users(pool: str, have: HostState) -> list[str]:
    return [
        vm.name for vm in have.vms if vm.running and any(nic.pool == pool for nic in vm.live_nics)
    ]


def stop(pool: Pool, reason: str, have: HostState) -> Step:
    """The step that stops a running pool that no VM uses."""
    pf = have.pf_named(pool.pf or "")
    return Step(
        link="pools",
        title=f"pool {pool.name}: stop",
        reason=reason,
        do=command("stop_pool", pool.name),
        check=command("pool_is", pool.name, "active", "no"),
        # libvirt does not start a network over a PF without VFs
        undo=command("start_pool", pool.name) if pf is not None and pf.numvfs else "",
    )


def _undefine(name: str, pool: Pool, pf: PF) -> Step:
    undo = [command("put_back_pool", name)]
    if pool.autostart:
        undo.append(command("autostart_pool", name))
    return Step(
        link="pools",
        title=f"pool {name}: take away its definition over {pool.pf}",
        reason=f"it is to be over {pf.name}",
        do=command("take_away_pool", name),
        check=command("no_pool", name),
        undo=" && ".join(undo),
    )


def _in_use(pool: Pool, pf: PF, users: list[str], why: str) -> Finding:
    return Finding(
        severity=Severity.BLOCKED,
        link="pools",
        about=f"pool {pool.name}",
        found=f"pool {pool.name} must be restarted ({why or f'it is over {pool.pf}'}), "
        f"and running VMs use it: {', '.join(users)}",
        means="stopping it would lose libvirt's book of who holds which VF",
        mend=" && ".join(command("virsh", "shutdown", user) for user in users)
        + ", then apply again; or, with their other leg up: apply --leg-by-leg",
    )


def _not_defined(pool: Pool, why: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        link="pools",
        about=f"pool {pool.name}",
        found=f"pool {pool.name} must be stopped ({why}), and it is not defined, only running",
        means="once stopped it is gone, and a run that fails could not give it back",
        mend=command("virsh", "net-destroy", pool.name) + ", then apply again",
    )


def _strangers(pf_want: PFWant, pf: PF, have: HostState) -> list[Finding]:
    return [
        Finding(
            severity=Severity.WARNING,
            link="pools",
            about=f"pool {pool.name}",
            found=f"pool {pool.name} is over {pf.name} too",
            means="pools of one PF do not know of each other and hand out the same VFs"
            if pf_want.pool
            else f"{pf.name} is to have no pool",
            mend=command("virsh", "net-destroy", pool.name)
            + " && "
            + command("virsh", "net-undefine", pool.name)
            + (f", or write pool: {pool.name} in the rack file" if pf_want.vfs else ""),
        )
        for pool in have.pools
        if pool.pf is not None and pool.pf == pf.name and pool.name != pf_want.pool
    ]


def _no_libvirt(have: HostState) -> Finding | None:
    if "virsh" not in have.system.tools:
        return Finding(
            severity=Severity.ERROR,
            link="pools",
            about=have.system.hostname,
            found="the host has no virsh command",
            means="pools and VMs cannot be managed without it",
            mend="apt-get install libvirt-clients libvirt-daemon-system, or dnf install libvirt",
        )
    if not have.system.libvirt:
        return Finding(
            severity=Severity.ERROR,
            link="pools",
            about=have.system.hostname,
            found="libvirt is not running",
            means="pools and VMs cannot be managed without it",
            mend="systemctl start libvirtd",
        )
    return None
