"""What is wanted: the rack file, read into frozen models.

The models here are the file as it is written, and give its JSON schema; :mod:`sriovctl.wanted`
is what one host should be, with every default filled in, and :func:`Rack.want` gets from one to
the other.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from sriovctl.plan import Frozen
from sriovctl.wanted import HostWant, NicWant, PFWant, VFWant, VMWant

PCI_ADDRESS = re.compile(r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$")
MAC_ADDRESS = re.compile(r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")
LARGEST_VF_COUNT = 65535
"""NumVFs is a 16-bit register (PCI Express SR-IOV capability, offset 10h)."""


def _mac(text: str) -> str:
    text = text.lower().replace("-", ":")
    if not MAC_ADDRESS.match(text):
        raise ValueError("a MAC address is six pairs of hex digits, 52:54:00:12:34:56")
    if int(text[:2], 16) & 1:
        raise ValueError("this is a multicast address; a card's own has an even first byte")
    if text == "00:00:00:00:00:00":
        raise ValueError("the zero address cannot be set on a VF")
    return text


def _pci(text: str) -> str:
    text = text.lower()
    if re.match(r"^[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$", text):
        text = f"0000:{text}"
    if not PCI_ADDRESS.match(text):
        raise ValueError("a PCI address looks like 0000:01:00.0")
    return text


def _interface_or_address(text: str) -> str:
    lowered = text.lower()
    if MAC_ADDRESS.match(lowered) or PCI_ADDRESS.match(lowered):
        return lowered
    if re.match(r"^[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$", lowered):
        return f"0000:{lowered}"
    return _interface(text)


def _interface(text: str) -> str:
    # Linux net/core/dev.c, dev_valid_name(): 15 bytes, no slash, no colon, no white space
    if not 0 < len(text.encode()) <= 15 or re.search(r"[/:\s]", text) or text in (".", ".."):
        raise ValueError(
            "a port is named by interface name (at most 15 bytes, no blank, slash or colon), "
            "PCI address or MAC address"
        )
    return text


def _libvirt_name(text: str) -> str:
    # libvirt refuses '/' and newlines in names of domains and networks (virXMLCheckIllegalChars)
    if not text or "/" in text or "\n" in text or text.isspace():
        raise ValueError("libvirt takes no empty name, no slash and no newline in a name")
    if any(ord(char) < 32 for char in text):
        raise ValueError("XML carries no control characters, so libvirt takes none in a name")
    return text


def _vf_range(text: str) -> str:
    if text != "all":
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise ValueError("VFs are named all, by index (3) or by range (0-3)")
    return text


def _text_of_index(key: Any) -> Any:
    return str(key) if isinstance(key, int) and not isinstance(key, bool) else key


Mac = Annotated[str, AfterValidator(_mac)]
Pci = Annotated[str, AfterValidator(_pci)]
PortName = Annotated[str, AfterValidator(_interface_or_address)]
LibvirtName = Annotated[str, AfterValidator(_libvirt_name)]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
VFRange = Annotated[str, BeforeValidator(_text_of_index), AfterValidator(_vf_range)]
Rate = Annotated[int, Field(ge=0, description="Mbit/s, 0 for no limit")]


class VFAttributes(Frozen):
    """What VFs should be. What is left out is left as it is."""

    mac: Mac | None = None
    vlan: Annotated[int, Field(ge=0, le=4094)] | None = None
    qos: Annotated[int, Field(ge=0, le=7)] | None = None
    vlan_proto: Literal["802.1Q", "802.1ad"] | None = None
    spoofchk: Literal["on", "off"] | None = None
    trust: Literal["on", "off"] | None = None
    link_state: Literal["auto", "enable", "disable"] | None = None
    min_rate: Rate | None = None
    max_rate: Rate | None = None
    driver: Literal["network", "vfio-pci"] | None = Field(
        None, description="network: the host gets a network device; vfio-pci: bound for VMs"
    )

    @model_validator(mode="after")
    def _rates_in_order(self) -> Self:
        if self.min_rate and self.max_rate and self.min_rate > self.max_rate:
            raise ValueError(f"min_rate {self.min_rate} is above max_rate {self.max_rate} Mbit/s")
        if (self.qos or self.vlan_proto) and not self.vlan:
            raise ValueError("qos and vlan_proto are of a VLAN: give a vlan too")
        return self


class Port(Frozen):
    """A PF: one leg's port."""

    vfs: Annotated[int, Field(ge=0, le=LARGEST_VF_COUNT, description="how many VFs")]
    pci: Pci | None = Field(None, description="the slot in which the port must be")
    mac: Mac | None = Field(None, description="the port's permanent address, checked")
    switch: str | None = Field(None, description="the switch at the cable's other end")
    pool: LibvirtName | Literal[False] | None = Field(
        None, description="name of the libvirt network; passthrough_<name> if left out; false: none"
    )
    autoprobe: Literal["on", "off"] | None = Field(
        None, description="does the host's network driver take new VFs; off unless a VF wants it"
    )
    vf: dict[VFRange, VFAttributes] = Field(
        default_factory=dict, description="attributes for all, an index (3) or a range (0-3)"
    )


def _port_of_count(value: Any) -> Any:
    return {"vfs": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Host(Frozen):
    """A KVM server."""

    address: str | None = Field(None, description="for ssh; the host's name if left out")
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    user: str | None = Field(None, description="for ssh; sudo is used where it is not root")
    pfs: dict[PortName, Annotated[Port, BeforeValidator(_port_of_count)]]


class Pair(Frozen):
    """Two VFs, one of each leg, for one VM (or one VF, where the host has a single leg)."""

    legs: Annotated[list[PortName], Field(min_length=1, max_length=2)] | None = Field(
        None, description="PFs as named under the host; all of the host's if it has one or two"
    )
    mac: dict[PortName, Mac] = Field(
        default_factory=dict, description="by leg; derived from rack, VM and leg if left out"
    )
    vlan: Annotated[int, Field(ge=0, le=4094)] = 0


class Guest(Frozen):
    """A VM and its pairs."""

    host: HostName | None = Field(None, description="may be left out where there is one host")
    pairs: list[Pair] = Field(default_factory=lambda: [Pair()])
    domain: str | None = Field(
        None, description="file with the VM's libvirt XML, if this file is to define the VM"
    )
    autostart: bool | None = None
    running: bool | None = None


def _empty_mapping(value: Any) -> Any:
    return {} if value is None else value


class Rack(Frozen):
    """Hosts with their PFs, and the VMs that get pairs of VFs."""

    rack: Annotated[str, StringConstraints(min_length=1)] = Field(
        "rack", description="name of the rack; VMs' derived MAC addresses follow from it"
    )
    switches: list[str] = Field(default_factory=list)
    hosts: dict[HostName, Host]
    vms: Annotated[
        dict[LibvirtName, Annotated[Guest, BeforeValidator(_empty_mapping)]],
        BeforeValidator(_empty_mapping),
    ] = Field(default_factory=dict)

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

    def mac_of(self, vm: str, pair: int, leg: str) -> str:
        """The MAC address of a VM's VF: as written, or derived and so the same each time.

        Derived: ``02`` (locally administered, unicast) and the first five bytes of
        SHA-256(rack, VM, pair, leg). One in 2^40 for two to fall together; that is refused.
        """
        written = self.vms[vm].pairs[pair].mac.get(leg)
        if written is not None:
            return written
        digest = hashlib.sha256("\0".join((self.rack, vm, str(pair), leg)).encode()).hexdigest()
        return ":".join(["02", *(digest[i : i + 2] for i in range(0, 10, 2))])

    def want(self, host: str, folder: Path) -> HostWant:
        """Everything wanted of one host, defaults filled in.

        :param host: a key of ``hosts``
        :param folder: what the VMs' ``domain`` files are relative to
        :raises OSError: a ``domain`` file cannot be read
        :raises ValueError: as :meth:`host_of` and :meth:`legs_of`
        """
        return HostWant(
            rack=self.rack,
            name=host,
            pfs=tuple(_pf_want(name, port) for name, port in self.hosts[host].pfs.items()),
            vms=tuple(
                self._vm_want(vm, host, folder) for vm in self.vms if self.host_of(vm) == host
            ),
        )

    def _vm_want(self, vm: str, host: str, folder: Path) -> VMWant:
        guest = self.vms[vm]
        nics = [
            NicWant(
                pair=index,
                leg=leg,
                pool=pool_name(leg, self.hosts[host].pfs[leg]) or "",
                mac=self.mac_of(vm, index, leg),
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


def _pf_want(name: str, port: Port) -> PFWant:
    by: Literal["name", "pci", "mac"] = "name"
    if MAC_ADDRESS.match(name):
        by = "mac"
    elif PCI_ADDRESS.match(name):
        by = "pci"
    wishes: dict[int, dict[str, Any]] = {}
    order = sorted(port.vf.items(), key=lambda item: _breadth(item[0]), reverse=True)
    for text, attributes in order:
        for index in vf_indices(text, port.vfs):
            wishes.setdefault(index, {}).update(attributes.model_dump(exclude_none=True))
    vf = tuple(VFWant(index=i, **wish) for i, wish in sorted(wishes.items()) if wish)
    on_host = any(wish.driver == "network" for wish in vf)
    return PFWant(
        name=name,
        by=by,
        pci=port.pci or (name if by == "pci" else None),
        mac=port.mac or (name if by == "mac" else None),
        switch=port.switch,
        vfs=port.vfs,
        pool=pool_name(name, port),
        autoprobe=on_host if port.autoprobe is None else port.autoprobe == "on",
        vf=vf,
    )


def vf_indices(text: str, vfs: int) -> range:
    """The VFs that ``all``, ``3`` or ``0-3`` means on a PF with so many VFs."""
    if text == "all":
        return range(vfs)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _breadth(text: str) -> int:
    """``all`` before ranges before single VFs, so that the narrower wish wins."""
    return LARGEST_VF_COUNT + 1 if text == "all" else len(vf_indices(text, 0))


def contradictions(rack: Rack) -> list[tuple[tuple[str | int, ...], str]]:
    """What no single key shows to be wrong: a path into the file, and what is wrong there.

    :returns: ``((key, key, …), message)`` each; empty for a sound rack
    """
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    for name, host in rack.hosts.items():
        wrong += _port_contradictions(name, host)
    macs: dict[str, str] = {}
    taken: Counter[tuple[str, str]] = Counter()
    for vm, guest in rack.vms.items():
        try:
            host_name = rack.host_of(vm)
        except ValueError as error:
            wrong.append((("vms", vm), str(error)))
            continue
        if host_name not in rack.hosts:
            known = ", ".join(rack.hosts)
            wrong.append((("vms", vm, "host"), f"no host {host_name!r} here; there are: {known}"))
            continue
        for index in range(len(guest.pairs)):
            where = ("vms", vm, "pairs", index) if "pairs" in guest.model_fields_set else ("vms", vm)
            wrong += _pair_contradictions(rack, vm, index, where, macs, taken)
    return wrong


def _port_contradictions(
    name: str, host: Host
) -> list[tuple[tuple[str | int, ...], str]]:
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    pools: dict[str, str] = {}
    macs: dict[str, str] = {}
    for port_name, port in host.pfs.items():
        where = ("hosts", name, "pfs", port_name)
        pool = pool_name(port_name, port)
        if pool is not None and pool in pools:
            wrong.append(((*where, "pool"), f"pool {pool!r} is already over {pools[pool]}"))
        elif pool is not None:
            pools[pool] = port_name
        if port.pool and port.vfs == 0:
            wrong.append(((*where, "pool"), f"a pool over {port_name}, which is to have 0 VFs"))
        for text, attributes in port.vf.items():
            indices = vf_indices(text, port.vfs)
            if text != "all" and indices and indices[-1] >= port.vfs:
                last = port.vfs - 1
                allowed = f"0 to {last}" if port.vfs else "none, as vfs is 0"
                wrong.append(
                    ((*where, "vf", text), f"no VF {indices[-1]} on {port_name}; allowed: {allowed}")
                )
            if attributes.mac is None:
                continue
            if len(indices) > 1:
                wrong.append(((*where, "vf", text, "mac"), "one MAC address for several VFs"))
            first = macs.setdefault(attributes.mac, f"{port_name} VF {text}")
            if first != f"{port_name} VF {text}":
                wrong.append(
                    ((*where, "vf", text, "mac"), f"{attributes.mac} is already that of {first}")
                )
    return wrong


def _pair_contradictions(
    rack: Rack,
    vm: str,
    index: int,
    where: tuple[str | int, ...],
    macs: dict[str, str],
    taken: Counter[tuple[str, str]],
) -> list[tuple[tuple[str | int, ...], str]]:
    host_name = rack.host_of(vm)
    ports = rack.hosts[host_name].pfs
    try:
        legs = rack.legs_of(vm, index)
    except ValueError as error:
        return [(where, str(error))]
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    if len(set(legs)) != len(legs):
        wrong.append(((*where, "legs"), f"both legs are {legs[0]}: a pair is of two PFs"))
    for leg in rack.vms[vm].pairs[index].mac:
        if leg not in legs:
            wrong.append(((*where, "mac", leg), f"{leg} is no leg of this pair: {', '.join(legs)}"))
    for leg in legs:
        if leg not in ports:
            known = ", ".join(ports)
            wrong.append(((*where, "legs"), f"{host_name} has no PF {leg!r} here; it has: {known}"))
            continue
        port = ports[leg]
        if pool_name(leg, port) is None:
            why = "is to have 0 VFs" if port.vfs == 0 else "has no pool (pool: false)"
            wrong.append((where, f"{vm} takes a VF of {leg}, which {why}"))
            continue
        taken[host_name, leg] += 1
        if taken[host_name, leg] == port.vfs + 1:
            wrong.append((where, f"more VMs want a VF of {leg} than the {port.vfs} it is to have"))
        mac = rack.mac_of(vm, index, leg)
        owner = f"{vm} pair {index} leg {leg}"
        first = macs.setdefault(mac, owner)
        # both VFs of one pair may share an address: that is the MAC policy "shared"
        if first != owner and not first.startswith(f"{vm} pair {index} "):
            wrong.append((where, f"MAC address {mac} of {owner} is already that of {first}"))
    return wrong
