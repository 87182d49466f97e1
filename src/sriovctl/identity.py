"""Which of the host's ports a rack file means: by name, slot or address, checked by the others."""

from __future__ import annotations

from sriovctl.host import PF, HostState, NetworkPort
from sriovctl.plan import Finding, Severity
from sriovctl.wanted import PFWant


def identify(want: PFWant, have: HostState) -> PF | Finding:
    """The PF that is meant, or why none can be.

    A card's identity is its slot together with its permanent address: cards move, and names
    follow slots. What the rack file pins of the two must hold.
    """
    pf = next((pf for pf in have.pfs if _means(want, pf)), None)
    if pf is None:
        return _why_none(want, have)
    if want.pci is not None and pf.pci != want.pci:
        return _error(
            want,
            f"{want.name} sits in {pf.pci}; the rack file says {want.pci}",
            "the card was moved, or another one has its name",
            f"put the card back, or write pci: {pf.pci} into the rack file",
        )
    if want.mac is not None and pf.mac is not None and pf.mac != want.mac:
        return _error(
            want,
            f"the port in {pf.pci} has the address {pf.mac}; the rack file says {want.mac}",
            "another card sits in that slot",
            f"put the right card in, or write mac: {pf.mac} into the rack file",
        )
    return pf


def _means(want: PFWant, port: PF | NetworkPort) -> bool:
    return bool(getattr(port, want.by) == want.name)


def _why_none(want: PFWant, have: HostState) -> Finding:
    port = next((port for port in have.ports if _means(want, port)), None)
    vf = next((v for pf in have.pfs for v in pf.vfs if want.name in (v.netdev, v.pci)), None)
    owner = next((pf for pf in have.pfs if vf is not None and vf in pf.vfs), None)
    known = ", ".join(pf.name or pf.pci for pf in have.pfs) or "none"
    if owner is not None:
        return _error(
            want,
            f"{want.name} is itself a VF, of {owner.name or owner.pci}",
            "a virtual function cannot have virtual functions",
            f"name its PF {owner.name or owner.pci} instead",
        )
    if port is not None and port.physfn is not None:
        return _error(
            want,
            f"{want.name} is itself a VF, of the PF in {port.physfn}",
            "a virtual function cannot have virtual functions",
            "name its PF instead",
        )
    if port is not None:
        return _error(
            want,
            f"{want.name} ({port.driver or 'no driver'}, {port.vendor_id}:{port.device_id}) "
            "is no PF: it shows no sriov_totalvfs",
            "the card cannot do SR-IOV, its driver cannot, or firmware has it switched off",
            f"switch SR-IOV on in firmware, or name one of the host's PFs: {known}",
            may_pass=True,
        )
    pinned = next((pf for pf in have.pfs if want.pci == pf.pci or want.mac == pf.mac), None)
    if pinned is not None and (want.pci or want.mac):
        return _error(
            want,
            f"no port {want.name}; in {pinned.pci} sits {pinned.name} with {pinned.mac}",
            "the interface was renamed",
            f"name it {pinned.name} in the rack file",
        )
    return _error(
        want,
        f"no port {want.name} on this host",
        f"its PFs are: {known}",
        "name one of them, by interface name, PCI address or MAC address; sriovctl show lists them",
    )


def _error(want: PFWant, found: str, means: str, mend: str, *, may_pass: bool = False) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        link="nics",
        about=want.name,
        found=found,
        means=means,
        mend=mend,
        may_pass=may_pass,
    )
