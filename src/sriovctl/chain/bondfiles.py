"""A bond's files: written for the network system that the host runs, so that it is back at boot.

The kernel has the bond already when they are written; the system reads them and finds all as they
say. networkd takes ours before anybody's (``05-``). The others would take two descriptions of one
port for one, or for two: there, files of others that name our interfaces only are set aside, under
/var/lib/sriovctl/aside, and one that names more is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast, get_args

from sriovctl import netconf
from sriovctl.host import HostState
from sriovctl.netconf import File, NetplanRenderer, Network, System
from sriovctl.plan import Finding, Severity, Step
from sriovctl.rackbond import DEFAULT_MIIMON_MS
from sriovctl.shell import command

FIRST_LINE = "# Written by sriovctl.\n"
"""By which the probe knows a file for ours."""
_FOLDERS: dict[System, tuple[str, ...]] = {
    "netplan": ("/etc/netplan/",),
    "networkd": ("/etc/systemd/network/",),
    "networkmanager": ("/etc/NetworkManager/", "/etc/sysconfig/network-scripts/"),
    "ifcfg": ("/etc/sysconfig/network-scripts/",),
    "ifupdown": ("/etc/network/",),
}
"""Where each has its files, in the order in which one is taken for what the host is run by."""


def choose_system(network: Network, have: HostState) -> System | None:
    """The network system that is to have the bond's files; None where none is known.

    netplan writes for another one; of two daemons it is the one that has the legs, or else the one
    that has files of ours for it, or else the one that has files of somebody's for a leg.
    """
    there = [system for system in _FOLDERS if system in have.network.systems]
    if "netplan" in there and "netplan" in have.system.tools:
        return "netplan"
    there = [system for system in there if system != "netplan"]
    if "ifcfg" in there:
        # with NetworkManager beside it, that reads them too
        return "ifcfg"
    for leg in (leg.name for leg in network.legs):
        for holder in have.network.managed.get(leg, ()):
            return "networkd" if holder == "networkd" else "networkmanager"
    # NetworkManager holds no port that it was told to leave to us, until the next boot
    written = [s for s in there if any(f.path in have.files for f in _files(network, s))]
    legs = {leg.name for leg in network.legs}
    # a daemon may run for other ports only, beside ifupdown
    written += [
        system
        for system in there
        for path, names in have.network.named.items()
        if path.startswith(_FOLDERS[system])
        # those are udev's, whoever has the port
        and not path.endswith(".link")
        and legs & set(names)
    ]
    return next(iter([*written, *there]), None)


def kept_by_others(network: Network, have: HostState) -> bool:
    """Whether files that are not ours have the bond, and all that is to stand on it."""
    if any(file.path in have.files for file in _files(network, choose_system(network, have))):
        return False
    named = {
        name
        for path, names in have.network.named.items()
        if path not in have.files
        for name in names
    }
    return set(network.levels) <= named


def _files(network: Network, system: System | None) -> tuple[File, ...]:
    if system is None:
        return ()
    bond = network.bond
    if bond.miimon_ms is None and bond.arp_interval_ms is None:
        bond = bond.model_copy(update={"miimon_ms": DEFAULT_MIIMON_MS})
    files, _ = netconf.render([network.model_copy(update={"bond": bond})], system)
    return tuple(f.model_copy(update={"text": FIRST_LINE + f.text}) for f in files)


def file_steps(
    network: Network,
    system: System | None,
    have: HostState,
    *,
    read_now: bool,
    mtus_back: Sequence[str] = (),
) -> tuple[list[Step], list[Finding]]:
    """The step that writes what is not there yet.

    :param read_now: the system is told to read them at once, as it would set things back else
    :param mtus_back: commands of an undo before that: the system would reset all legs at once
    """
    if system is None:
        return [], [_no_system(network)]
    aside, mixed = _in_the_way(network, system, have)
    if system == "netplan":
        network = network.model_copy(update={"renderer": _renderer(network, have, aside)})
    wrong = [f for f in _files(network, system) if have.files.get(f.path) != f.text]
    lacking = _lacking(network, have) if system == "ifupdown" else []
    if not wrong:
        return [], [_not_made(network, lacking, Severity.WARNING)] if lacking else []
    if lacking:
        return [], [_not_made(network, lacking, Severity.ERROR)]
    if mixed:
        return [], [_mixed(network, path, names) for path, names in mixed.items()]
    readers = _readers(network, system, have) if read_now else ()
    return [_step(network, system, have, wrong, aside, readers, mtus_back)], [
        _set_aside(network, path) for path in aside
    ]


def _readers(network: Network, system: System, have: HostState) -> tuple[System, ...]:
    """Who is told that there are new files; netplan writes for another one."""
    written_for = have.network.systems if system == "netplan" else ()
    if network.renderer is not None:
        written_for = (cast(System, network.renderer.lower()),)
    return tuple(dict.fromkeys([system, *cast("tuple[System, ...]", written_for)]))


def _renderer(network: Network, have: HostState, aside: list[str]) -> NetplanRenderer | None:
    """Netplan's back end, where it is named for the whole host by a file that is set aside.

    The last file that names one names it for all (netplan-yaml(5)): without it networkd would get
    our ports, and those of every other file too. What ours says already it goes on saying.
    """
    for file in _files(network, "netplan"):
        for renderer in get_args(NetplanRenderer):
            if f"\n  renderer: {renderer}\n" in have.files.get(file.path, ""):
                return cast(NetplanRenderer, renderer)
    said = [path for path in have.network.renderers if path not in have.files]
    last = max(said, default="")
    named = have.network.renderers[last] if last in aside else ""
    return cast(NetplanRenderer, named) if named in get_args(NetplanRenderer) else None


def _in_the_way(
    network: Network, system: System, have: HostState
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Files of others that name our interfaces only, and those that name more of the host's."""
    ours = {*network.levels, *(leg.name for leg in network.legs)}
    aside = []
    mixed = {}
    for path, names in have.network.named.items():
        if path in have.files or not path.startswith(_FOLDERS[system]) or not ours & set(names):
            continue
        more = tuple(n for n in names if n not in ours and (n in have.network.mtus or n == "lo"))
        if system == "networkd":
            continue
        if more:
            mixed[path] = more
        else:
            aside.append(path)
    return aside, mixed


def _step(
    network: Network,
    system: System,
    have: HostState,
    files: list[File],
    aside: list[str],
    readers: Sequence[System],
    mtus_back: Sequence[str],
) -> Step:
    do = [command("set_aside", path) for path in aside]
    undo = [command("give_back", path) for path in aside]
    sums: list[str] = []
    for file in files:
        mode = f"{file.mode:o}"
        before = have.files.get(file.path)
        do.append(command("put_file", mode, file.path, file.text))
        undo.insert(
            0,
            command("remove_file", file.path)
            if before is None
            else command("put_file", mode, file.path, before),
        )
        sums += [hashlib.sha256(file.text.encode()).hexdigest(), file.path]
    check = [command("files_have_sha256", *sums)]
    if readers:
        do.append(command("take_up", *readers))
        undo += [*mtus_back, command("take_up", *readers)]
        top = network.levels[-1]
        if "networkd" in readers:
            do.append(command("networkd_takes", *network.levels))
        if network.gateway is not None:
            do.append(command("keep_default_route", top, network.gateway))
            check.append(command("has_default_route", top, network.gateway))
        if network.dhcp:
            do.append(command("bring_up", system, top))
            do.append(command("await_ipv4", top))
            check.append(command("has_ipv4", top))
    return Step(
        link="bonds",
        title=f"{network.bond.name}: its files for {system}",
        reason="so that it is there after a reboot",
        do=" &&\n".join(do),
        check=" &&\n".join(check),
        undo=" &&\n".join(undo),
    )


def _no_system(network: Network) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        link="bonds",
        about=network.bond.name,
        found="none of netplan, systemd-networkd, NetworkManager, ifcfg and ifupdown is here",
        means="nobody makes the bond after a reboot",
        mend="apply again after each boot, for example from rc.local",
    )


def _lacking(network: Network, have: HostState) -> list[str]:
    """Packages without which ifupdown makes nothing of the bond's files."""
    needed = ("ifenslave", *(["bridge-utils"] if network.bridge else []))
    return [package for package in needed if package in have.network.lacking]


def _not_made(network: Network, lacking: list[str], severity: Severity) -> Finding:
    made = {"ifenslave": network.bond.name, "bridge-utils": network.bridge}
    return Finding(
        severity=severity,
        link="bonds",
        about=network.bond.name,
        found=f"ifupdown is here without {' and '.join(lacking)}",
        means=f"after a reboot nobody makes {' and '.join(str(made[one]) for one in lacking)}",
        mend=f"there: apt-get install {' '.join(lacking)}",
    )


def _mixed(network: Network, path: str, names: tuple[str, ...]) -> Finding:
    ours = [*network.levels, *(leg.name for leg in network.legs)]
    return Finding(
        severity=Severity.ERROR,
        link="bonds",
        about=network.bond.name,
        found=f"{path} speaks of our interfaces, and of {', '.join(names)} too",
        means="two descriptions of one interface would be taken for one; that file is not ours",
        mend=f"there, move what it says of {', '.join(ours)} to a file of its own, or take it out",
    )


def _set_aside(network: Network, path: str) -> Finding:
    return Finding(
        severity=Severity.INFO,
        link="bonds",
        about=network.bond.name,
        found=f"{path} speaks of our interfaces",
        means="it is moved to /var/lib/sriovctl/aside, as two descriptions would be one too many",
    )
