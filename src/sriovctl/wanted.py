"""What is wanted of one host, with every default filled in: what the chain works from."""

from __future__ import annotations

from typing import Literal

from sriovctl.netconf import File, Network, System
from sriovctl.plan import Frozen


class VFWant(Frozen):
    """Attributes wanted of one VF. None: whatever it is, it may stay."""

    index: int
    mac: str | None = None
    vlan: int | None = None
    """0 for none, 1 to 4094."""
    qos: int | None = None
    vlan_proto: Literal["802.1Q", "802.1ad"] | None = None
    spoofchk: Literal["on", "off"] | None = None
    trust: Literal["on", "off"] | None = None
    link_state: Literal["auto", "enable", "disable"] | None = None
    min_rate: int | None = None
    """Mbit/s, 0 for no limit."""
    max_rate: int | None = None
    """Mbit/s, 0 for no limit."""
    driver: Literal["network", "vfio-pci"] | None = None
    """``network``: its own network driver, so that the host has a network device for it."""


class PFWant(Frozen):
    """A leg's port: how it is recognised and what it should have."""

    name: str
    """As the rack file calls it; also the interface's name where ``by`` says so."""
    by: Literal["name", "pci", "mac"]
    """How ``name`` names the port."""
    pci: str | None = None
    """Where the rack file says in which slot it must be."""
    mac: str | None = None
    """Where the rack file says which permanent address it must have."""
    switch: str | None = None
    vfs: int
    pool: str | None
    """Name of the libvirt network over it; None for none."""
    autoprobe: bool
    """Whether the host's own network driver takes new VFs."""
    restored_by_host: bool = False
    """The host's own files make its VFs again at boot; sriovctl writes none."""
    vf: tuple[VFWant, ...] = ()
    """One for each index that has a wish, ascending."""


class NicWant(Frozen):
    """One VF of a VM's pair."""

    pair: int
    leg: str
    """``PFWant.name``."""
    pool: str
    mac: str
    macs: Literal["shared", "active", "open"] = "active"
    """How its pair's addresses are shared; ``open``: the guest may send from any."""
    vlan: int = 0


class InsideWant(Frozen):
    """What a VM should have inside: its bonds, and the files for them."""

    by: Literal["agent", "drive"]
    """Put there by its agent, or found by itself on its config drive."""
    system: System
    """Its network system, ``networkd``."""
    files: tuple[File, ...]
    networks: tuple[Network, ...]


class VMWant(Frozen):
    """A VM's SR-IOV cards, and the VM itself where the rack file defines it."""

    name: str
    domain: str | None = None
    """libvirt domain XML without SR-IOV cards; None: the VM is there already."""
    autostart: bool | None = None
    running: bool | None = None
    nics: tuple[NicWant, ...] = ()
    inside: InsideWant | None = None
    """None: nothing is put inside."""


class BMCWant(Frozen):
    """A host's BMC: the way to it, whom to believe there, and what its BIOS should have on."""

    address: str
    user: str
    password: str
    """Where it is, never what it is: ``env:NAME``, ``file:/path`` or ``keyring:SERVICE/USER``."""
    via: Literal["auto", "redfish", "racadm"] = "auto"
    https_port: int = 443
    ssh_port: int = 22
    fingerprint: str | None = None
    """SHA-256 of its TLS certificate, 64 hex digits."""
    authority: str | None = None
    """File with the certificates of the authorities that sign its own; an absolute path."""
    insecure: bool = False
    """Its TLS is not checked."""
    known_hosts: str | None = None
    """File with its ssh host key; an absolute path. None: never spoken to over ssh."""
    old_ciphers: bool = False
    """It is so old that its ssh needs SHA-1 and CBC."""
    intents: tuple[Literal["virtualization", "iommu", "sriov"], ...] = (
        "virtualization",
        "iommu",
        "sriov",
    )


class HostWant(Frozen):
    """All that a rack file says of one host."""

    rack: str
    name: str
    pfs: tuple[PFWant, ...]
    vms: tuple[VMWant, ...] = ()
    bonds: tuple[Network, ...] = ()
    """Of the host itself; the legs have their PFs' names in the rack file."""
    bmc: BMCWant | None = None
    """None: its firmware is not ours to look at."""
    reboot: bool = False
    """It may be restarted whenever that is needed, without being asked for."""

    def pf_of_pool(self, pool: str) -> PFWant | None:
        """The PF that a pool of this host hands out."""
        return next((pf for pf in self.pfs if pf.pool == pool), None)
