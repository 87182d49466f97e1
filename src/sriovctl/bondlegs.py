"""The host's own bonds that are on fewer legs than they have, which no plan mends."""

from __future__ import annotations

from sriovctl.host import HostState
from sriovctl.identity import identify
from sriovctl.plan import Finding, Severity
from sriovctl.wanted import HostWant


def findings(want: HostWant, have: HostState) -> list[Finding]:
    """A warning for each port of the rack file that is in a bond and has no link."""
    found = []
    for pf_want in want.pfs:
        pf = identify(pf_want, have)
        if isinstance(pf, Finding) or (pf.up and pf.carrier):
            continue
        bond = have.network.bond_named(pf.master or "")
        if bond is None:
            continue
        others = [other for other in have.pfs if other.name in bond.legs and other != pf]
        left = [other.name or other.pci for other in others if other.up and other.carrier]
        said = f"is on {' and '.join(left)} alone" if left else "is without a link"
        there = f" and that port of {pf_want.switch}" if pf_want.switch else ""
        found.append(
            Finding(
                severity=Severity.WARNING,
                link="bonds",
                about=bond.name,
                found=f"its leg {pf.name} has no link",
                means=f"{bond.name} {said}, and so is all that is on it; so are pairs of VFs",
                mend=f"look at the cable of {pf.name}{there}",
            )
        )
    return found
