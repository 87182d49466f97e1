"""What is wanted: the rack file, read into frozen models.

The models here are the file as it is written, and give its JSON schema; :mod:`sriovctl.wanted`
is what one host should be, with every default filled in, and :func:`Rack.want` gets from one to
the other. :mod:`sriovctl.rackfile` reads a file and refuses what cannot be.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WrapValidator

from sriovctl.guestbond import networks_of
from sriovctl.names import (
    Address,
    HostName,
    Label,
    Mac,
    Pci,
    PortName,
    UserName,
    VMName,
)
from sriovctl.rackbmc import BMC
from sriovctl.rackbond import BondName, GuestBond, MacPolicy
from sriovctl.rackhostbond import HostBond
from sriovctl.rackinside import Inside, want_of
from sriovctl.rackport import PortOrCount, Vlan, pf_want, pool_name
from sriovctl.racktemplate import LARGEST
from sriovctl.wanted import HostWant, NicWant, VMWant
from sriovctl.written import Written, no_twins


def _empty_mapping(value: Any) -> Any:
    return {} if value is None else value


class Host(Written):
    """A KVM server."""

    address: Address | None = Field(
        None, description="for ssh; the host's name if left out; local: this machine"
    )
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(None, description="for ssh")
    user: UserName | None = Field(None, description="for ssh; sudo is used where it is not root")
    groups: list[Label] = Field(default_factory=list, description="names for --limit")
    pfs: Annotated[dict[PortName, PortOrCount], WrapValidator(no_twins)] = Field(
        description="by interface name, PCI address or MAC address; a number is a count of VFs",
        examples=[{"em1": 7, "em2": 7}],
    )
    bonds: dict[BondName, HostBond] = Field(
        default_factory=dict,
        description="the host's own bonds over these PFs, by interface name",
        examples=[{"bond0": {"legs": ["em1", "em2"], "miimon": 100, "bridge": "br0"}}],
    )
    bmc: BMC | None = Field(
        None, description="its management controller; without one its firmware is not looked at"
    )
    reboot: Literal["allowed"] | None = Field(
        None, description="allowed: it may be restarted where that is needed, without --reboot"
    )


class Pair(Written):
    """Two VFs, one of each leg, for one VM (or one VF, where the host has a single leg)."""

    legs: Annotated[list[PortName], Field(min_length=1, max_length=2)] | None = Field(
        None, description="PFs as named under the host; all of the host's if it has one or two"
    )
    mac: Annotated[dict[PortName, Mac], WrapValidator(no_twins)] = Field(
        default_factory=dict, description="by leg; derived from rack, VM and leg if left out"
    )
    macs: MacPolicy | None = Field(
        None,
        description="shared: one address for both legs; active: one each, the guest's bond with "
        "fail_over_mac=active; open: one each, and the guest may send from any address. shared "
        "where mac says so, else active, if left out",
    )
    vlan: Vlan = Field(0, description="VLAN of both VFs, 0 for none")
    slot: Annotated[dict[PortName, Pci], WrapValidator(no_twins)] = Field(
        default_factory=dict,
        description="the card's PCI address as the guest sees it, by leg; for guest-config where "
        "both legs share one address",
    )
    bond: GuestBond = Field(
        default_factory=GuestBond, description="the bond inside the guest, for guest-config"
    )


class Guest(Written):
    """A VM and its pairs."""

    host: HostName | None = Field(None, description="may be left out where there is one host")
    pairs: list[Pair] = Field(
        default_factory=lambda: [Pair()],
        description="one pair of both legs if left out; [] for a VM without VFs",
        examples=[[{"legs": ["em1", "em2"], "vlan": 100}]],
    )
    domain: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="file with the VM's libvirt XML, if this file is to define the VM; "
        "relative to the rack file, without SR-IOV cards",
    )
    autostart: bool | None = Field(None, description="started with the host; left as it is if not")
    running: bool | None = Field(None, description="true: started if it does not run")
    inside: Inside | None = Field(
        None, description="how the bond's files come into the VM; left to you if left out"
    )


GuestOrNothing = Annotated[
    Guest, BeforeValidator(_empty_mapping, json_schema_input_type=Guest | None)
]
"""``VM-2:`` says the same as ``VM-2: {}``: a VM with one pair."""
Guests = dict[VMName, GuestOrNothing]


class Rack(Written):
    """Hosts with their PFs, and the VMs that get pairs of VFs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"hosts": {"server-2": {"pfs": {"em1": 7, "em2": 7}}}, "vms": {"VM-2": {}}}
            ]
        }
    )

    rack: Label = Field(
        "rack", description="name of the rack; VMs' derived MAC addresses follow from it"
    )
    switches: list[Label] = Field(
        default_factory=list, description="names of the switches that PFs are cabled to"
    )
    hosts: Annotated[dict[HostName, Host], Field(min_length=1)] = Field(
        description="the KVM servers"
    )
    vms: Annotated[
        Guests, BeforeValidator(_empty_mapping, json_schema_input_type=Guests | None)
    ] = Field(
        default_factory=dict, description="the VMs that get VFs, by their libvirt domain name"
    )
    largest_template: Annotated[int, Field(ge=1)] = Field(
        LARGEST, description="hosts or VMs that one entry with a range may make"
    )

    def host_of(self, vm: str) -> str:
        """The host that a VM is on.

        :raises ValueError: where the VM names none and the rack has several
        """
        named = self.vms[vm].host
        if named is not None:
            return named
        if len(self.hosts) != 1:
            raise ValueError(f"the rack has {len(self.hosts)} hosts: say which one {vm} is on")
        return next(iter(self.hosts))

    @cached_property
    def _vms_by_host(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {host: [] for host in self.hosts}
        for vm in self.vms:
            found[self.host_of(vm)].append(vm)
        return found

    def legs_of(self, vm: str, pair: int) -> list[str]:
        """Names of the PFs that a VM's pair takes its VFs from.

        :raises ValueError: where the pair names none and the host has not one or two PFs
        """
        legs = self.vms[vm].pairs[pair].legs
        ports = self.hosts[self.host_of(vm)].pfs
        if legs is None:
            if not 1 <= len(ports) <= 2:
                raise ValueError(
                    f"{self.host_of(vm)} has {len(ports)} PFs: say which two are this pair's legs"
                )
            return list(ports)
        return list(legs)

    def policy_of(self, vm: str, pair: int) -> MacPolicy:
        """The MAC policy of a VM's pair: as written, or as its written addresses have it."""
        written = self.vms[vm].pairs[pair]
        if written.macs is not None:
            return written.macs
        one = len(written.mac) == 2 and len(set(written.mac.values())) == 1
        return "shared" if one else "active"

    def mac_of(self, vm: str, pair: int, leg: str) -> str:
        """The MAC address of a VM's VF: as written, or derived and so the same each time.

        Derived: ``02`` (locally administered, unicast) and the first five bytes of
        SHA-256(rack, VM, pair, leg). One in 2^40 for two to fall together; that is refused.
        Where both legs share one, it is that of the first, so that a change of policy leaves the
        card of the first leg alone.

        :raises ValueError: as :meth:`legs_of`, for a shared address
        """
        known = self.vms[vm].pairs[pair].mac
        if leg in known:
            return known[leg]
        if self.policy_of(vm, pair) == "shared":
            if known:
                return next(iter(known.values()))
            leg = self.legs_of(vm, pair)[0]
        digest = hashlib.sha256("\0".join((self.rack, vm, str(pair), leg)).encode()).hexdigest()
        return ":".join(["02", *(digest[i : i + 2] for i in range(0, 10, 2))])

    def want(self, host: str, folder: Path) -> HostWant:
        """Everything wanted of one host, defaults filled in.

        :param host: a key of ``hosts``
        :param folder: what the file's paths are relative to
        :raises OSError: a ``domain`` file cannot be read
        :raises ValueError: as :meth:`host_of` and :meth:`legs_of`
        """
        written = self.hosts[host]
        of_policies = self._of_policies(host)
        return HostWant(
            rack=self.rack,
            name=host,
            pfs=tuple(
                pf_want(name, port, of_policies.get(name, {})) for name, port in written.pfs.items()
            ),
            vms=tuple(self._vm_want(vm, host, folder) for vm in self._vms_by_host[host]),
            bonds=tuple(
                bond.network(name, list(written.pfs)) for name, bond in written.bonds.items()
            ),
            bmc=None if written.bmc is None else written.bmc.want(folder),
            reboot=written.reboot == "allowed",
        )

    def _of_policies(self, host: str) -> dict[str, dict[str, Any]]:
        """What the written MAC policies of pairs want of all VFs of a PF, by PF.

        All, since which VF a VM gets is libvirt's choice; so one pair that is ``open`` opens them
        for every VM there.
        """
        wanted: dict[str, dict[str, Any]] = {}
        for vm in self._vms_by_host[host]:
            for index, pair in enumerate(self.vms[vm].pairs):
                for leg in self.legs_of(vm, index) if pair.macs else ():
                    if pair.macs == "open":
                        wanted[leg] = _OPEN_VF
                    else:
                        wanted.setdefault(leg, _CHECKED_VF)
        return wanted

    def _vm_want(self, vm: str, host: str, folder: Path) -> VMWant:
        guest = self.vms[vm]
        nics = [
            NicWant(
                pair=index,
                leg=leg,
                pool=pool_name(leg, self.hosts[host].pfs[leg]) or "",
                mac=self.mac_of(vm, index, leg),
                macs=self.policy_of(vm, index),
                vlan=pair.vlan,
            )
            for index, pair in enumerate(guest.pairs)
            for leg in self.legs_of(vm, index)
        ]
        domain = None if guest.domain is None else (folder / guest.domain).read_text("utf-8")
        return VMWant(
            name=vm,
            domain=domain,
            autostart=guest.autostart,
            running=guest.running,
            nics=tuple(nics),
            inside=guest.inside and want_of(guest.inside, networks_of(self, vm)),
        )


_OPEN_VF: dict[str, Any] = {"spoofchk": "off", "trust": "on"}
"""What lets a guest send from another address than its VF's. Most drivers need both: without trust
they refuse the change of an address that was set from the PF (igb_set_vf_mac_addr and its like)."""
_CHECKED_VF: dict[str, Any] = {"spoofchk": "on"}
