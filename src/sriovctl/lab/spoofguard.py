"""The spoof check that the emulated cards lack, done one hop later, at the switches' ports.

A real card whose VF has spoofchk on drops what that VF sends from any other address than its own.
QEMU's igb takes the setting and reports it, and lets everything through. Here the switch port that
the card is cabled to drops it instead: every frame whose source address is none of the port's VFs'
and none of the host's own, which the card does not check either.

Whether a VF is checked is what the card's own register says, not what `ip link` shows: they differ
after a port was reset, when the igb driver switches all checks on again.

A switch sees the port, not the VF: what one VF sends from the address of another VF of the same
port gets through, and a port with a VF without spoof check cannot be guarded.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from sriovctl import probe
from sriovctl.errors import SriovctlError, UsageError
from sriovctl.host import PF
from sriovctl.lab import access, machine, switches
from sriovctl.lab.layout import Server, tap_name
from sriovctl.lab.state import Lab
from sriovctl.names import UNSET_MAC

_ADDRESSES = "cat /sys/class/net/*/address"
_RUNNING_VMS = 'for vm in $(virsh -q list --uuid); do virsh dumpxml "$vm"; done'
_DTXSWC = 0x3500
"""Offset of the 82576's register whose bit N says that the address is checked that VF N sends from
(Linux e1000_82575.h, E1000_DTXSWC_MAC_SPOOF_MASK)."""


@dataclass(frozen=True)
class Guard:
    """What one port's switch lets through."""

    port: str
    vfs: frozenset[str]
    """Addresses of its VFs, as the PF has them."""
    host: frozenset[str]
    """Addresses of the host itself and of its VMs on bridges."""
    open_vfs: tuple[int, ...]
    """VFs without spoof check, for whose sake the port is not guarded."""

    @property
    def allowed(self) -> frozenset[str]:
        """All source addresses that get through."""
        return self.vfs | self.host

    @property
    def told(self) -> str:
        """What it does, in words."""
        if self.open_vfs:
            indices = ", ".join(map(str, self.open_vfs))
            return f"not guarded: the card does not check what VF {indices} sends"
        return (
            f"what does not come from one of {len(self.vfs)} addresses of its VFs or "
            f"{len(self.host)} of the host's own is dropped"
        )


def look(lab: Lab, server: Server) -> tuple[Guard, ...]:
    """What guards a server's ports need by what is set on its cards now; nothing is changed.

    :raises UsageError: the server is off, or has no SR-IOV cards
    :raises SriovctlError: it does not answer
    """
    _check(lab, server)
    pfs = probe.parse(_ask(lab, server, probe.script())).pfs
    registers = {pf.pci: _register(lab, server, pf.pci) for pf in pfs}
    return guards(pfs, registers, _host_addresses(lab, server))


def set_on(lab: Lab, server: Server) -> tuple[Guard, ...]:
    """Guard a server's ports by the addresses that its VFs have now, in place of an earlier guard.

    :returns: a guard for each port, those that cannot be guarded too
    :raises UsageError: the server is off, or has no SR-IOV cards
    :raises SriovctlError: it does not answer, or `nft` refuses
    """
    found = look(lab, server)
    chains = {tap_name(server, server.port(g.port)): g.allowed for g in found if not g.open_vfs}
    _nft(lab, "-f", "-", text=ruleset(_table(server), chains))
    return found


def set_off(lab: Lab, server: Server) -> None:
    """Let everything through again; nothing to do where nothing is guarded."""
    _nft(lab, "-f", "-", text=_without(_table(server)))


def dropped(lab: Lab, server: Server) -> dict[str, int]:
    """Frames dropped since the guard was set, by port; ports without a guard are left out."""
    try:
        said = json.loads(_nft(lab, "-j", "list", "ruleset"))
    except ValueError as error:
        raise SriovctlError(f"the answer of nft cannot be read: {error}") from None
    return counted(said, {tap_name(server, port): port.name for port in server.ports})


def guards(
    pfs: tuple[PF, ...], registers: Mapping[str, int], host: frozenset[str]
) -> tuple[Guard, ...]:
    """A guard for each port of a server. Pure.

    :param registers: the card's DTXSWC by the PF's PCI address
    :param host: addresses seen on the host; those that belong to VFs do not count
    """
    addresses = {
        pf.pci: frozenset(vf.mac for vf in pf.vfs if vf.mac and vf.mac != UNSET_MAC) for pf in pfs
    }
    own = host - frozenset[str]().union(*addresses.values()) - {UNSET_MAC}
    return tuple(
        Guard(
            port=pf.name,
            vfs=addresses[pf.pci],
            host=own | ({pf.mac} if pf.mac else frozenset()),
            open_vfs=tuple(vf.index for vf in pf.vfs if not registers[pf.pci] >> vf.index & 1),
        )
        for pf in pfs
        if pf.name is not None
    )


def ruleset(table: str, chains: Mapping[str, frozenset[str]]) -> str:
    """What `nft -f` takes, in place of what the table had before. Pure.

    :param chains: by tap, the source addresses that it lets through
    """
    lines = [_without(table), f"table netdev {table} {{"]
    for tap, allowed in chains.items():
        lines += [
            f'  chain {tap} {{ type filter hook ingress device "{tap}" priority 0; policy accept;',
            f"    ether saddr != {{ {', '.join(sorted(allowed))} }} counter drop",
            "  }",
        ]
    return "\n".join([*lines, "}\n"])


def counted(said: dict[str, Any], taps: Mapping[str, str]) -> dict[str, int]:
    """Packets counted by the drop rule of each tap's chain, by port. Pure.

    :param said: what `nft -j list ruleset` printed
    :param taps: tap to port
    """
    rules = [entry["rule"] for entry in said["nftables"] if "rule" in entry]
    return {
        taps[rule["chain"]]: one["counter"]["packets"]
        for rule in rules
        for one in rule["expr"]
        if "counter" in one and rule["chain"] in taps
    }


def _table(server: Server) -> str:
    return f"spoofguard_{server.number}"


def _without(table: str) -> str:
    # a table that is not there cannot be deleted (nft before 1.0.7 knows no `destroy`)
    return f"table netdev {table} {{ }}\ndelete table netdev {table}\n"


def _check(lab: Lab, server: Server) -> None:
    if not server.kvm_host:
        raise UsageError(f"{server.name} has no SR-IOV cards", mend="name a KVM host: server-2")
    if machine.running(lab.server_folder(server)) is None:
        raise UsageError(
            f"{server.name} is off",
            "its cables lead nowhere",
            f"sriovctl lab power --name {lab.name} {server.name} on",
        )


def _register(lab: Lab, server: Server, pci: str) -> int:
    start = _ask(lab, server, f"cat /sys/bus/pci/devices/{pci}/resource").split()[0]
    with machine.Monitor(lab.server_folder(server)) as monitor:
        return monitor.word(int(start, 16) + _DTXSWC)


def _host_addresses(lab: Lab, server: Server) -> frozenset[str]:
    own = _ask(lab, server, _ADDRESSES).split()
    vms = ElementTree.fromstring(f"<vms>{_ask(lab, server, _RUNNING_VMS)}</vms>")
    cards = vms.iterfind(".//devices/interface")
    # a running VM's VF is a hostdev there, also where it came from a pool
    bridged = (card.find("mac") for card in cards if card.get("type") != "hostdev")
    return frozenset([*own, *(mac.get("address", UNSET_MAC) for mac in bridged if mac is not None)])


def _ask(lab: Lab, server: Server, script: str) -> str:
    done = access.run(lab, server, ["sh"], script)
    if done.returncode:
        raise SriovctlError(f"{server.name} does not say its addresses: {done.stderr.strip()}")
    return done.stdout


def _nft(lab: Lab, *words: str, text: str | None = None) -> str:
    command = switches.inside(lab.namespace, ["nft", *words])
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SriovctlError(
            f"nft: {done.stderr.strip()}",
            "the lab's switches take no filter",
            "apt-get install nftables; does this machine's kernel have nf_tables?",
        )
    return done.stdout
