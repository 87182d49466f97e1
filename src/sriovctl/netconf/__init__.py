"""Network configuration: one description of a bond, one small renderer for each network system.

Text out, no I/O. What a system cannot express is a finding that names it, never left out quietly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, get_args

from sriovctl.netconf import cloudinit, ifcfg, ifupdown, netplan, networkd, networkmanager
from sriovctl.netconf.model import Bond, File, Leg, NetplanRenderer, Network
from sriovctl.plan import Finding, Severity

__all__ = ["SYSTEMS", "Bond", "File", "Leg", "NetplanRenderer", "Network", "System", "render"]

System = Literal["networkd", "netplan", "networkmanager", "ifcfg", "ifupdown", "cloud-init"]
SYSTEMS: tuple[System, ...] = get_args(System)


class _Renderer(NamedTuple):
    files: Callable[[tuple[Network, ...]], Iterable[File]]
    findings: Callable[[tuple[Network, ...]], list[Finding]]


_RENDERERS: dict[System, _Renderer] = {
    "networkd": _Renderer(networkd.files, networkd.findings),
    "netplan": _Renderer(netplan.files, netplan.findings),
    "networkmanager": _Renderer(networkmanager.files, networkmanager.findings),
    "ifcfg": _Renderer(ifcfg.files, ifcfg.findings),
    "ifupdown": _Renderer(ifupdown.files, ifupdown.findings),
    "cloud-init": _Renderer(cloudinit.files, cloudinit.findings),
}


def render(
    networks: Iterable[Network], system: System
) -> tuple[tuple[File, ...], tuple[Finding, ...]]:
    """The files of one machine's bonds, and what this network system makes of them differently.

    :returns: no files where a finding is an error
    """
    wanted = tuple(networks)
    renderer = _RENDERERS[system]
    findings = tuple(renderer.findings(wanted))
    if any(finding.severity is Severity.ERROR for finding in findings):
        return (), findings
    return tuple(renderer.files(wanted)), findings
