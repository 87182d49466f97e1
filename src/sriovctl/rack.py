"""What is wanted: the rack file, read into frozen models.

The models here are the file as it is written, and give its JSON schema; :mod:`sriovctl.wanted`
is what one host should be, with every default filled in, and :func:`Rack.want` gets from one to
the other. :mod:`sriovctl.rackfile` reads a file and refuses what cannot be.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WrapValidator

from sriovctl.names import (
    LARGEST_VF_COUNT,
    MAC_ADDRESS,
    PCI_ADDRESS,
    Address,
    HostName,
    Label,
    LibvirtName,
    Mac,
    Pci,
    PortName,
    UserName,
    VFRange,
    VMName,
    vf_indices,
)
from sriovctl.rackbmc import BMC
from sriovctl.rackbond import GuestBond, MacPolicy
from sriovctl.wanted import HostWant, NicWant, PFWant, VFWant, VMWant
from sriovctl.written import Written


def _no_twins(value: Any, read: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Refuse two keys that are written differently and name one thing, such as 3 and '3'."""
    known = read(value)
    first: dict[str, Any] = {}
    for key in value:
        (name,) = read({key: value[key]})
        if name in first:
            raise ValueError(f"{first[name]!r} and {key!r} are the same thing, {name!r}")
        first[name] = key
    return known


def _port_of_count(value: Any) -> Any:
    return {"vfs": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _empty_mapping(value: Any) -> Any:
    return {} if value is None else value


Count = Annotated[int, Field(ge=0, le=LARGEST_VF_COUNT)]
Vlan = Annotated[int, Field(ge=0, le=4094, description="0 for none")]
Rate = Annotated[int, Field(ge=0, le=2**32 - 1, description="Mbit/s, 0 for no limit")]
"""The kernel takes 32 bits (linux/if_link.h, struct ifla_vf_rate)."""


class VFAttributes(Written):
    """What VFs should be. What is left out is left as it is."""

    mac: Mac | None = Field(None, description="the VF's address, set from the PF")
    vlan: Vlan | None = Field(None, description="port VLAN that the card puts on every frame")
    qos: Annotated[int, Field(ge=0, le=7)] | None = Field(
        None, description="priority in the VLAN tag; needs a vlan"
    )
    vlan_proto: Literal["802.1Q", "802.1ad"] | None = Field(
        None, description="kind of VLAN tag; needs a vlan"
    )
    spoofchk: Literal["on", "off"] | None = Field(
        None, description="on: the card drops frames with a MAC address that is not the VF's"
    )
    trust: Literal["on", "off"] | None = Field(
        None, description="on: the guest may change its MAC address and hear all frames"
    )
    link_state: Literal["auto", "enable", "disable"] | None = Field(
        None, description="auto: the VF's link follows the cable"
    )
    min_rate: Rate | None = Field(None, description="Mbit/s that the VF is sure to get, 0 for none")
    max_rate: Rate | None = Field(None, description="Mbit/s at most, 0 for no limit")
    driver: Literal["network", "vfio-pci"] | None = Field(
        None, description="network: the host gets a network device; vfio-pci: bound for VMs"
    )


class Port(Written):
    """A PF: one leg's port."""

    vfs: Count = Field(description="how many VFs", examples=[7])
    pci: Pci | None = Field(None, description="the slot in which the port must be")
    mac: Mac | None = Field(None, description="the port's permanent address, checked")
    switch: Label | None = Field(None, description="the switch at the cable's other end")
    pool: LibvirtName | Literal[False] | None = Field(
        None, description="name of the libvirt network; passthrough_<name> if left out; false: none"
    )
    autoprobe: Literal["on", "off"] | None = Field(
        None, description="does the host's network driver take new VFs; off unless a VF wants it"
    )
    vf: Annotated[dict[VFRange, VFAttributes], WrapValidator(_no_twins)] = Field(
        default_factory=dict,
        description="attributes for all, an index (3) or a range (0-3); the narrower wins",
        examples=[{"all": {"spoofchk": "on"}}],
    )


PortOrCount = Annotated[Port, BeforeValidator(_port_of_count, json_schema_input_type=Count | Port)]
"""``em1: 7`` says the same as ``em1: {vfs: 7}``."""


class Host(Written):
    """A KVM server."""

    address: Address | None = Field(
        None, description="for ssh; the host's name if left out; local: this machine"
    )
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(None, description="for ssh")
    user: UserName | None = Field(None, description="for ssh; sudo is used where it is not root")
    pfs: Annotated[dict[PortName, PortOrCount], WrapValidator(_no_twins)] = Field(
        description="by interface name, PCI address or MAC address; a number is a count of VFs",
        examples=[{"em1": 7, "em2": 7}],
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
    mac: Annotated[dict[PortName, Mac], WrapValidator(_no_twins)] = Field(
        default_factory=dict, description="by leg; derived from rack, VM and leg if left out"
    )
    macs: MacPolicy | None = Field(
        None,
        description="shared: one address for both legs; active: one each, the guest's bond with "
        "fail_over_mac=active; open: one each, and the guest may send from any address. shared "
        "where mac says so, else active, if left out",
    )
    vlan: Vlan = Field(0, description="VLAN of both VFs, 0 for none")
    slot: Annotated[dict[PortName, Pci], WrapValidator(_no_twins)] = Field(
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
                _pf_want(name, port, of_policies.get(name, {}))
                for name, port in written.pfs.items()
            ),
            vms=tuple(
                self._vm_want(vm, host, folder) for vm in self.vms if self.host_of(vm) == host
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
        for vm in (vm for vm in self.vms if self.host_of(vm) == host):
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
        )


def pool_name(name: str, port: Port) -> str | None:
    """Name of the libvirt network over a port, None where there is to be none.

    A PF named by an address gets a pool name without colons and dots.
    """
    if port.pool is False or port.vfs == 0:
        return None
    return port.pool or "passthrough_" + re.sub(r"[:.]", "-", name)


def wishes(port: Port) -> dict[int, dict[str, Any]]:
    """What each VF of a port should be, by index, the narrower of two wishes winning.

    Of two as wide, the later in the file wins. A VF without any wish is left out.
    """
    merged: dict[int, dict[str, Any]] = {}
    for text, attributes in sorted(port.vf.items(), key=lambda item: -_breadth(item[0])):
        wish = attributes.model_dump(exclude_none=True)
        for index in vf_indices(text, port.vfs) if wish else ():
            merged.setdefault(index, {}).update(wish)
    return dict(sorted(merged.items()))


def _breadth(text: str) -> int:
    return LARGEST_VF_COUNT + 1 if text == "all" else len(vf_indices(text, 0))


def port_identity(
    name: str, port: Port
) -> tuple[Literal["name", "pci", "mac"], str | None, str | None]:
    """How a port is named, and the PCI and MAC address that it must have (None: any will do)."""
    if MAC_ADDRESS.match(name):
        return "mac", port.pci, name
    if PCI_ADDRESS.match(name):
        return "pci", name, port.mac
    return "name", port.pci, port.mac


_OPEN_VF: dict[str, Any] = {"spoofchk": "off", "trust": "on"}
"""What lets a guest send from another address than its VF's. Most drivers need both: without trust
they refuse the change of an address that was set from the PF (igb_set_vf_mac_addr and its like)."""
_CHECKED_VF: dict[str, Any] = {"spoofchk": "on"}


def _pf_want(name: str, port: Port, of_policies: dict[str, Any]) -> PFWant:
    by, pci, mac = port_identity(name, port)
    wanted = wishes(port)
    if of_policies:
        wanted = {index: of_policies | wanted.get(index, {}) for index in range(port.vfs)}
    vf = tuple(VFWant(index=index, **wish) for index, wish in wanted.items())
    on_host = any(wish.driver == "network" for wish in vf)
    return PFWant(
        name=name,
        by=by,
        pci=pci,
        mac=mac,
        switch=port.switch,
        vfs=port.vfs,
        pool=pool_name(name, port),
        autoprobe=on_host if port.autoprobe is None else port.autoprobe == "on",
        vf=vf,
    )
