"""One probe against the commands that a person would type, and the processes that it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sriovctl import probe
from sriovctl.lab.bench.figures import Comparison, Series
from sriovctl.lab.bench.onhost import Counts
from sriovctl.lab.bench.scene import MACHINES, POOLS, VFS, Scene
from sriovctl.shell import command

AIM = 1 / 3

_NETWORK = """<network><name>{name}</name>
<forward mode='hostdev' managed='yes'><pf dev='{pf}'/></forward></network>"""
_DOMAIN = """<domain type='kvm'><name>{name}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os><on_crash>destroy</on_crash>
<devices>{cards}</devices></domain>"""
_CARD = "<interface type='network'><source network='{pool}'/></interface>"


@dataclass(frozen=True)
class Looked:
    """What :func:`measure` gave."""

    comparison: Comparison
    parts: tuple[tuple[str, str], ...]
    """Each of the usual commands."""
    processes: tuple[tuple[str, Counts], ...]
    """Of one probe, by what was on the host."""


def measure(scene: Scene, rounds: int) -> Looked:
    """With 14 VFs, two pools and three VMs of which one runs on a pair of VFs.

    :raises SriovctlError: libvirt refuses a pool or a VM
    """
    processes = [("no VFs, no VMs", scene.host.count(probe.script()))]
    _make_vfs(scene, scene.pfs[:1])
    processes.append((f"{VFS} VFs, no VMs", scene.host.count(probe.script())))
    _make_vfs(scene, scene.pfs[1:])
    processes.append((f"{2 * VFS} VFs, no VMs", scene.host.count(probe.script())))
    with _machines(scene):
        several = f"{2 * VFS} VFs, {len(MACHINES)} VMs"
        processes.append((f"{several}, none running", scene.host.count(probe.script())))
        scene.host.do(command("virsh", "-q", "start", MACHINES[0]))
        processes.append((f"{several}, one running", scene.host.count(probe.script())))
        networks = [*scene.look().other_networks, *POOLS]
        parts = _usual(networks)
        probes: list[float] = []
        usual: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(rounds):
            probes.append(scene.host.timed(probe.script()).seconds)
            for name, script in parts.items():
                usual[name].append(scene.host.timed(script).seconds)
    together = Series(
        "the usual commands together", tuple(map(sum, zip(*usual.values(), strict=True)))
    )
    return Looked(
        Comparison(Series(f"one probe, {several}", tuple(probes)), together, "ms", AIM),
        tuple((name, Series("", tuple(taken)).text("ms")) for name, taken in usual.items()),
        tuple(processes),
    )


def _usual(networks: list[str]) -> dict[str, str]:
    return {
        "lspci -vv": "lspci -vv >/dev/null\n",
        "ip -d link": "ip -d link >/dev/null\n",
        f"virsh net-dumpxml, {len(networks)} networks": "".join(
            command("virsh", "net-dumpxml", name) + " >/dev/null\n" for name in networks
        ),
        f"virsh dumpxml, {len(MACHINES)} VMs": "".join(
            command("virsh", "dumpxml", name) + " >/dev/null\n" for name in MACHINES
        ),
    }


def _make_vfs(scene: Scene, pfs: tuple[object, ...]) -> None:
    lines = ["set -e"]
    for pf in scene.pfs:
        if pf in pfs:
            folder = f"/sys/bus/pci/devices/{pf.pci}"
            lines += [
                f"echo 0 >{folder}/sriov_drivers_autoprobe",
                f"echo {VFS} >{folder}/sriov_numvfs",
            ]
    scene.host.do("\n".join([*lines, "udevadm settle"]))


@contextmanager
def _machines(scene: Scene) -> Iterator[None]:
    """Pools over both PFs and VMs with a pair each, for a while; VFs are gone afterwards too."""
    define = ["set -e"]
    for name, pf in zip(POOLS, scene.pfs, strict=True):
        text = _NETWORK.format(name=name, pf=pf.name)
        define += [_piped(text, "virsh -q net-define /dev/stdin"), f"virsh -q net-start {name}"]
    cards = "".join(_CARD.format(pool=pool) for pool in POOLS)
    for name in MACHINES:
        text = _DOMAIN.format(name=name, cards=cards)
        define.append(_piped(text, "virsh -q define /dev/stdin"))
    remove = [f"virsh -q destroy {MACHINES[0]}"]
    remove += [f"virsh -q undefine {name}" for name in MACHINES]
    remove += [f"virsh -q net-{verb} {name}" for name in POOLS for verb in ("destroy", "undefine")]
    try:
        scene.host.do("\n".join(define))
        yield
    finally:
        scene.host.do("\n".join(f"{line} 2>/dev/null || :" for line in remove))
        scene.clear()


def _piped(text: str, words: str) -> str:
    return f"{command('printf', '%s', text)} | {words}"
