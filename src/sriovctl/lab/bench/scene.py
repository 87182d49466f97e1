"""What the bench works on: server-2 with two PFs and no VFs, and how it is put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sriovctl import reconcile
from sriovctl.chain import persistence
from sriovctl.errors import BlockedError, SriovctlError
from sriovctl.host import PF, HostState
from sriovctl.lab.bench.onhost import FOLDER, TimedReach
from sriovctl.rack import Rack
from sriovctl.shell import command
from sriovctl.wanted import HostWant

SERVER = "server-2"
VFS = 7
MACHINES = ("bench-1", "bench-2", "bench-3")
POOLS = ("bench-em1", "bench-em2")
VLAN = 100
MAX_RATE = 100
"""Mbit/s."""
BACK_S = 60
"""Seconds in which ports get their link, or their bond, back."""


@dataclass(frozen=True)
class Scene:
    """The host and its two PFs."""

    host: TimedReach
    pfs: tuple[PF, ...]

    def look(self) -> HostState:
        """One probe, not measured."""
        return reconcile.look(self.host)

    def clear(self, boot_files: bool = False) -> None:
        """Take VFs away and autoprobe back, so that the next thing measured finds nothing done.

        :param boot_files: those too that bring VFs back at boot
        """
        lines = ["set -e"]
        if boot_files:
            lines.append(command("rm", "-f", *persistence.PATHS))
        for pf in self.pfs:
            folder = f"/sys/bus/pci/devices/{pf.pci}"
            lines.append(f"echo 0 >{folder}/sriov_numvfs")
            lines.append(f"echo {int(bool(pf.autoprobe))} >{folder}/sriov_drivers_autoprobe")
        lines.append("udevadm settle")
        # taken away, too, VFs cost a port its link for a moment
        lines += [_until(_has_link(pf)) for pf in self.pfs]
        self.host.do("\n".join(lines))

    def out_of_bond(self) -> str:
        """A script after which the ports are up and in no bond."""
        names = [command(pf.name or "") for pf in self.pfs]
        # a bond that lets go of a port takes it down
        lines = [f"ip link set {name} nomaster\nip link set {name} up" for name in names]
        return "\n".join([*lines, *(_until(_has_link(pf)) for pf in self.pfs)])

    def back(self) -> str:
        """A script after which systemd-networkd has the ports as the rack has them."""
        names = " ".join(command(pf.name or "") for pf in self.pfs)
        # a link that was down takes seconds to come back
        ready = [
            _until(f"[ -e /sys/class/net/{pf.name}/master ] && {_has_link(pf)}")
            for pf in self.pfs
            if pf.master
        ]
        return "\n".join(
            ["networkctl reload", f"networkctl reconfigure {names}", *ready, "udevadm settle\n"]
        )

    @contextmanager
    def without_bond(self) -> Iterator[Scene]:
        """The scene with its ports in no bond; then they are as they were.

        :raises SriovctlError: somebody put one back meanwhile
        """
        try:
            self.host.do(f"set -e\n{self.out_of_bond()}")
            yield Scene(self.host, self.look().pfs)
            if masters := [pf.master for pf in self.look().pfs if pf.master]:
                raise SriovctlError(
                    f"{SERVER}: ports went back to {', '.join(masters)} by themselves"
                )
        finally:
            self.host.do(self.back())


def want(pfs: tuple[PF, ...]) -> HostWant:
    """Seven VFs on each PF, five attributes on each VF, no pools."""
    ports: dict[str, Any] = {}
    for leg, pf in enumerate(pfs, start=1):
        vf: dict[str, Any] = {
            "all": {"vlan": VLAN, "spoofchk": "off", "trust": "on", "max_rate": MAX_RATE}
        }
        vf |= {str(index): {"mac": f"02:be:00:00:0{leg}:0{index}"} for index in range(VFS)}
        ports[pf.name or pf.pci] = {"vfs": VFS, "pool": False, "vf": vf}
    rack = Rack.model_validate({"rack": "bench", "hosts": {SERVER: {"pfs": ports}}})
    return rack.want(SERVER, Path())


def reached(wanted: HostWant, have: HostState) -> tuple[int, int]:
    """How many of the wanted VFs are there, and how many of their attributes are as wanted."""
    vfs = attributes = 0
    for pf_want in wanted.pfs:
        pf = have.pf_named(pf_want.name)
        there = {vf.index: vf for vf in (pf.vfs if pf else ())}
        vfs += len(there)
        for wish in pf_want.vf:
            fields = wish.model_dump(exclude_none=True, exclude={"index"})
            vf = there.get(wish.index)
            attributes += sum(vf is not None and getattr(vf, k) == v for k, v in fields.items())
    return vfs, attributes


@contextmanager
def borrowed(host: TimedReach) -> Iterator[Scene]:
    """The scene, for as long as the bench works on it; then the host is as it was.

    :raises BlockedError: the host has VFs, running VMs, or what an earlier bench left
    :raises SriovctlError: it could not be put back
    """
    before = reconcile.look(host)
    _refuse(before)
    runs = host.do("ls /var/lib/sriovctl/transactions 2>/dev/null || :").split()
    scene = Scene(host, before.pfs)
    try:
        yield scene
    finally:
        scene.clear(boot_files=not before.files)
        if before.files:
            # there before, and overwritten by those of the bench
            host.do("\n".join(_write(path, text) for path, text in before.files.items()))
        keep = " ".join(command(run) for run in runs)
        host.do(
            f"rm -rf {FOLDER}\n[ -d /var/lib/sriovctl/transactions ] || exit 0\n"
            "cd /var/lib/sriovctl/transactions\n"
            f'for run in *; do case \' {keep} \' in *" $run "*) ;; *) rm -rf "$run" ;; esac; done\n'
            f"{'' if runs else 'rmdir /var/lib/sriovctl/transactions /var/lib/sriovctl'}"
        )
        _check_same(before, reconcile.look(host))


def _refuse(state: HostState) -> None:
    in_use = [f"{pf.name} has {pf.numvfs} VFs" for pf in state.pfs if pf.numvfs]
    in_use += [f"{vm.name} runs" for vm in state.vms if vm.running]
    in_use += [f"there is a VM {vm.name}" for vm in state.vms if vm.name in MACHINES]
    in_use += [f"there is a network {pool.name}" for pool in state.pools if pool.name in POOLS]
    if in_use:
        raise BlockedError(
            f"{SERVER}: {', '.join(in_use)}",
            "the bench makes VFs and takes them away; nothing was changed",
            "run it on a lab without VFs and VMs, best on its own: make bench",
        )
    if len(state.pfs) != 2 or any(pf.totalvfs < VFS or not pf.up for pf in state.pfs):
        ports = ", ".join(f"{pf.name} ({'up' if pf.up else 'down'})" for pf in state.pfs)
        raise SriovctlError(
            f"{SERVER} has the PFs {ports or 'none'}",
            f"the bench works on two that are up and have {VFS} VFs each",
        )


def _has_link(pf: PF) -> str:
    return f'[ "$(cat /sys/class/net/{pf.name}/carrier 2>/dev/null)" = 1 ]'


def _until(test: str) -> str:
    return (
        f"waited=0; until {test}; do "
        f'[ "$waited" -lt {10 * BACK_S} ] || exit 1; sleep 0.1; waited=$((waited + 1)); done'
    )


def _write(path: str, text: str) -> str:
    return f"{command('printf', '%s', text)} >{command(path)}"


def _check_same(before: HostState, after: HostState) -> None:
    """
    :raises SriovctlError: names what is other than it was
    """
    # not among them: modules that were loaded on the way, which nobody unloads
    fields = {"pfs", "ports", "pools", "other_networks", "vms", "files"}
    then, now = before.model_dump(include=fields), after.model_dump(include=fields)
    for pf in (*then["pfs"], *now["pfs"]):
        # after its VFs are gone a port negotiates its link for a while
        del pf["carrier"], pf["speed"]
    other = [key for key in then if then[key] != now[key]]
    if other:
        raise SriovctlError(
            f"{SERVER} is not as it was before the bench: {', '.join(other)}",
            "; ".join(f"{key} was {then[key]!r}, is {now[key]!r}" for key in other)[:2000],
            "take the lab down and make it anew",
        )
