"""The same job by netplan, systemd-networkd and NetworkManager, on the same host, in turns.

Each gets as much of the job as it can express. What it then reached is looked at by a probe, as
success that is reported says little.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sriovctl.errors import SriovctlError
from sriovctl.lab.bench import applying
from sriovctl.lab.bench.figures import Comparison, Series
from sriovctl.lab.bench.scene import MAX_RATE, VFS, VLAN, Scene, reached, want
from sriovctl.shell import command

ROUNDS = 3
"""One round of one neighbour takes half a minute under emulation."""

_LINK = """[Match]
PermanentMACAddress={mac}
Driver=igb

[Link]
NamePolicy=keep
SR-IOVVirtualFunctions={vfs}
"""
_VIRTUAL_FUNCTION = """
[SR-IOV]
VirtualFunction={index}
MACAddress={vf_mac}
VLANId={vlan}
MACSpoofCheck=no
Trust=yes
"""
_NETWORK_MANAGER = """[main]
no-auto-default=*
[keyfile]
unmanaged-devices=*,except:interface-name:{first},except:interface-name:{second}
"""


@dataclass(frozen=True)
class Neighbour:
    """Another program for the job, as scripts for the host."""

    name: str
    program: str
    """Without it the neighbour is left out."""
    begin: str
    """Everything but the job: files, a daemon. Not measured."""
    job: str
    """What an operator would type then."""
    end: str
    """The host as before, but for the VFs."""


@dataclass(frozen=True)
class Neighbours:
    """What :func:`measure` gave."""

    comparisons: tuple[Comparison, ...]
    left_out: tuple[tuple[str, str], ...]
    """Who could not be measured, and why."""


def measure(scene: Scene, rounds: int = ROUNDS) -> Neighbours:
    """Ours and each neighbour in turns: from nothing, and again with nothing to do.

    :param rounds: of each
    """
    comparisons: list[Comparison] = []
    left_out: list[tuple[str, str]] = []
    for neighbour in neighbours(scene):
        there = scene.host.do(f"command -v {neighbour.program} || :").strip()
        if not there:
            left_out.append((neighbour.name, f"no {neighbour.program} on the host"))
            continue
        try:
            comparisons += _one(scene, neighbour, rounds)
        except SriovctlError as error:
            left_out.append((neighbour.name, f"failed: {error.found}"))
    return Neighbours(tuple(comparisons), tuple(left_out))


def _one(scene: Scene, neighbour: Neighbour, rounds: int) -> list[Comparison]:
    ours: list[float] = []
    ours_again: list[float] = []
    first: list[float] = []
    again: list[float] = []
    made: list[tuple[int, int]] = []
    for _ in range(rounds):
        scene.clear(boot_files=True)
        runs, _ = applying.apply(scene)
        ours.append(sum(run.seconds for run in runs))
        ours_again.append(applying.apply_nothing(scene))
        scene.clear(boot_files=True)
        try:
            scene.host.do(neighbour.begin)
            first.append(scene.host.timed(neighbour.job).seconds)
            scene.host.do("udevadm settle")
            made.append(reached(want(scene.pfs), scene.look()))
            again.append(scene.host.timed(neighbour.job).seconds)
        finally:
            scene.host.do(neighbour.end)
            scene.clear()
    return [
        Comparison(
            Series("first apply", tuple(ours)),
            Series(neighbour.name, tuple(first)),
            "s",
            note=_made(made),
        ),
        Comparison(
            Series("again, no change", tuple(ours_again)),
            Series(f"{neighbour.name} again", tuple(again)),
            "s",
        ),
    ]


def _made(made: Iterable[tuple[int, int]]) -> str:
    """``14 of 14 VFs, 56 of 70 attributes``, each round's outcome that is another once."""
    return "; ".join(
        f"it made {vfs} of {2 * VFS} VFs, {attributes} of {2 * VFS * 5} attributes"
        for vfs, attributes in dict.fromkeys(made)
    )


def neighbours(scene: Scene) -> tuple[Neighbour, ...]:
    """The three, as they are on Debian 13."""
    return (_networkd(scene), _netplan(scene), _network_manager(scene))


def _vf_mac(leg: int, index: int) -> str:
    return f"02:be:00:00:0{leg}:0{index}"


def _write(path: str, text: str) -> str:
    return f"{command('printf', '%s', text)} >{command(path)}"


def _networkd(scene: Scene) -> Neighbour:
    files = []
    for leg, pf in enumerate(scene.pfs, start=1):
        text = _LINK.format(mac=pf.mac, vfs=VFS) + "".join(
            _VIRTUAL_FUNCTION.format(index=index, vf_mac=_vf_mac(leg, index), vlan=VLAN)
            for index in range(VFS)
        )
        files.append((f"/etc/systemd/network/05-sriovctl-bench-{leg}.link", text))
    devices = " ".join(f"/sys/class/net/{pf.name}" for pf in scene.pfs)
    return Neighbour(
        name="systemd-networkd (.link)",
        program="networkctl",
        begin="set -e\n" + "\n".join(_write(path, text) for path, text in files),
        job=f"set -e\nudevadm control --reload\nudevadm trigger --settle --action=add {devices}\n",
        end="rm -f /etc/systemd/network/05-sriovctl-bench-*.link\nudevadm control --reload\n"
        + scene.back(),
    )


def _netplan(scene: Scene) -> Neighbour:
    """Of the attributes it has the VLAN only, one for each VF's own network device."""
    ethernets = "".join(
        f"    {pf.name}: {{virtual-function-count: {VFS}, dhcp4: false, link-local: []}}\n"
        for pf in scene.pfs
    )
    vlans = ""
    for pf in scene.pfs:
        bus = int(pf.pci[5:7], 16)
        for index in range(VFS):
            # the kernel's names of igb's VFs on this rack: by slot, and v with the VF's index
            netdev = f"enp{bus}s0v{index}"
            ethernets += f"    {netdev}: {{link: {pf.name}, link-local: []}}\n"
            vlans += f"    {pf.name}v{index}: {{id: {VLAN}, link: {netdev}, renderer: sriov}}\n"
    text = f"network:\n  version: 2\n  ethernets:\n{ethernets}  vlans:\n{vlans}"
    path = "/etc/netplan/90-sriovctl-bench.yaml"
    return Neighbour(
        name="netplan apply",
        program="netplan",
        begin=f"set -e\numask 077\nmkdir -p /etc/netplan\n{_write(path, text)}",
        job="netplan apply\n",
        end=f"rm -f {path}\nnetplan generate\n{scene.back()}",
    )


def _network_manager(scene: Scene) -> Neighbour:
    first, second = (pf.name or "" for pf in scene.pfs)
    path = "/etc/NetworkManager/conf.d/90-sriovctl-bench.conf"
    begin = [
        "set -e",
        "mkdir -p /etc/NetworkManager/conf.d",
        _write(path, _NETWORK_MANAGER.format(first=first, second=second)),
        # seen: it waits 90 s in vain for a port that is in a bond of others, and igb refuses a
        # rate while the port is down
        scene.out_of_bond(),
        "systemctl unmask NetworkManager.service",
        "systemctl start NetworkManager.service",
    ]
    for leg, pf in enumerate(scene.pfs, start=1):
        vfs = ", ".join(
            f"{index} mac={_vf_mac(leg, index)} spoof-check=false trust=true "
            f"max-tx-rate={MAX_RATE} vlans={VLAN}"
            for index in range(VFS)
        )
        begin.append(
            command(
                *("nmcli", "connection", "add", "type", "ethernet", "autoconnect", "no"),
                *("ifname", pf.name or "", "con-name", f"sriovctl-bench-{leg}"),
                *("ipv4.method", "disabled", "ipv6.method", "disabled"),
                *("sriov.total-vfs", VFS, "sriov.autoprobe-drivers", "false", "sriov.vfs", vfs),
            )
        )
    profiles = [f"sriovctl-bench-{leg}" for leg in (1, 2)]
    end = [f"nmcli connection delete {' '.join(profiles)} || :"]
    end += ["systemctl stop NetworkManager.service", f"rm -f {path}"]
    end += ["systemctl mask NetworkManager.service", scene.back()]
    return Neighbour(
        name="NetworkManager (nmcli up)",
        program="nmcli",
        begin="\n".join(begin),
        job="set -e\n" + "".join(f"nmcli connection up {profile}\n" for profile in profiles),
        end="\n".join(end),
    )
