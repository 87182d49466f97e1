"""How the files of a VM's bonds come into it, as the rack file has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from sriovctl import netconf
from sriovctl.netconf import Network, System
from sriovctl.plan import Severity
from sriovctl.wanted import InsideWant
from sriovctl.written import Written


class Inside(Written):
    """What is put inside a VM: the files that ``sriovctl guest-config`` prints."""

    by: Literal["agent", "drive"] = Field(
        description="agent: written into the running VM by its QEMU guest agent; drive: on a "
        "CD-ROM that the VM has from its next start on"
    )
    system: System = Field(description="the VM's network system")


def want_of(written: Inside, networks: tuple[Network, ...]) -> InsideWant:
    """What a VM should have inside.

    :param networks: the bonds over its pairs
    """
    files, _ = netconf.render(networks, written.system)
    return InsideWant(by=written.by, system=written.system, files=files, networks=networks)


def faults_of_inside(written: Inside, networks: tuple[Network, ...]) -> Iterator[tuple[str, str]]:
    """What cannot be put inside.

    :returns: ``(key, message)`` each
    """
    if not networks:
        yield "by", "pairs: [] is a VM without VFs: there is no bond to put into it"
    if (written.by, written.system) == ("agent", "cloud-init"):
        yield "system", "cloud-init reads a drive: by: drive; or name the VM's own network system"
    for finding in netconf.render(networks, written.system)[1]:
        if finding.severity is Severity.ERROR:
            yield "system", f"{written.system}: {finding.about}: {finding.found}; {finding.mend}"
