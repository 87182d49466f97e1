"""One look at a host: a sh script that prints facts, and the parser that types them.

The script runs anywhere a shell and grep do; what it prints is read here and nowhere else::

    state = parse(run_somehow(script()))
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from sriovctl.host import HostState
from sriovctl.probe.boot import read_boot
from sriovctl.probe.cards import read_cards, read_sysfs
from sriovctl.probe.libvirt import read_libvirt
from sriovctl.probe.machine import read_kernel, read_system, read_vfio_users
from sriovctl.probe.network import read_network
from sriovctl.probe.sections import Sections, drives_of, files_of

AGAIN = "again"
"""The script's argument for a shorter answer, where no more than VFs, pools and VMs has changed."""


@cache
def script() -> str:
    """The probe, one POSIX sh script that reads and never writes."""
    return resources.files(__name__).joinpath("probe.sh").read_text("utf-8")


@dataclass(frozen=True)
class Answer:
    """A host's answer."""

    state: HostState
    sections: Sections

    def again(self, text: str) -> Answer:
        """The state by a later answer of the script with the argument :data:`AGAIN`.

        :raises ProbeError: as :func:`parse`; or the host was started anew since then
        """
        return _answer(_sections(text).filled_from(self.sections))


def parse(text: str) -> HostState:
    """The typed facts of what the probe printed.

    :param text: its whole standard output; what a login shell said before it is passed over
    :raises ProbeError: where the answer is no probe's, was cut short, or a running VM's libvirt
        status file cannot be read, so that nobody can say which VFs it holds
    """
    return read(text).state


def read(text: str) -> Answer:
    """As :func:`parse`, for who will look again.

    :raises ProbeError: as :func:`parse`
    """
    return _answer(_sections(text))


def _sections(text: str) -> Sections:
    # bytes that are no UTF-8 can be shown so, and neither XML nor JSON takes them as they are
    return Sections.cut(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _answer(sections: Sections) -> Answer:
    devices = read_sysfs(sections)
    pfs, ports = read_cards(sections, devices)
    libvirt = read_libvirt(sections, devices)
    state = HostState(
        system=read_system(sections, pfs),
        kernel=read_kernel(sections),
        pfs=pfs,
        ports=ports,
        pools=libvirt.pools,
        other_networks=libvirt.other_networks,
        vms=libvirt.vms,
        vfio_users=tuple(
            user for user in read_vfio_users(sections) if user.process.pid not in libvirt.pids
        ),
        boot=read_boot(sections),
        network=read_network(sections, pfs),
        files=files_of(sections),
        drives=drives_of(sections),
        unread=libvirt.unread,
    )
    return Answer(state, sections)
