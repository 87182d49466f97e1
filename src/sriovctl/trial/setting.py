"""Where a trial takes place: the VM and its address, the lab, and where traffic is sent from."""

from __future__ import annotations

import ipaddress
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sriovctl import targets
from sriovctl.errors import HostError, SriovctlError, UsageError
from sriovctl.explain import nearest
from sriovctl.host import VM, HostState
from sriovctl.rack import Rack
from sriovctl.reach import LocalReach, Reach
from sriovctl.shell import command
from sriovctl.trial.ways import LabPlace
from sriovctl.view.harmless import harmless

T = TypeVar("T")


@dataclass(frozen=True)
class Sending:
    """Where traffic is sent from."""

    reach: Reach
    prefix: tuple[str, ...] = ()
    """What runs a command in the right network namespace there."""
    python: str = "python3"


def sent_from(
    sender: str | None,
    place: LabPlace | None,
    ssh_config: str | None,
    work: Callable[[Sending], T],
) -> T:
    """Do some work with traffic from a host, from a lab's switches, or from here.

    :param sender: ``[user@]name[:port]``, where it is to be another host
    :param place: None where there is no lab
    """
    if sender is not None:
        there = (targets.of_host(sender),)
        return only(
            targets.each(there, lambda reach, _: work(Sending(reach)), ssh_config=ssh_config)
        )
    if place is not None:
        from sriovctl.lab import switches

        reach = LocalReach(f"the switches of lab {place.lab}")
        return work(Sending(reach, tuple(switches.inside(place.namespace, [])), sys.executable))
    return work(Sending(LocalReach(socket.gethostname()), python=sys.executable))


def only(results: dict[str, T | SriovctlError]) -> T:
    """The one result that there is, or its error raised."""
    (result,) = results.values()
    if isinstance(result, SriovctlError):
        raise result
    return result


def check_named(rack: Rack, vm: str, path: Path) -> None:
    """
    :raises UsageError: the rack has no such VM
    """
    if vm not in rack.vms:
        raise UsageError(
            f"no VM {vm!r} in {path}",
            f"{nearest(vm, rack.vms)}it has: {', '.join(rack.vms) or 'none'}",
            "name one of these",
        )


def host_of_all(rack: Rack, vms: Sequence[str]) -> str:
    """The host that some VMs are on.

    :raises UsageError: they are on several
    """
    hosts = list(dict.fromkeys(rack.host_of(vm) for vm in vms))
    if len(hosts) > 1:
        raise UsageError(
            f"{', '.join(vms)} are on {', '.join(hosts)}",
            "only VMs of one host can be tried together",
            "name VMs of one host, and run it again for the next",
        )
    return hosts[0]


def given_addresses(words: Sequence[str], vms: Sequence[str]) -> dict[str, str]:
    """``--address``: ``VM=IP``, or ``IP`` alone where there is one VM. By VM.

    :raises UsageError: it is nothing like that
    """
    given = {}
    for word in words:
        vm, _, text = word.rpartition("=")
        if not vm and len(vms) == 1:
            vm = vms[0]
        try:
            given[vm] = str(ipaddress.ip_address(text))
        except ValueError:
            vm = ""
        if vm not in vms:
            raise UsageError(
                f"--address {word}: no address of {', '.join(vms)}",
                "",
                f"write it as {vms[0]}=10.0.0.1",
            )
    return given


def running(vm: str, state: HostState) -> VM:
    """A VM as its host has it.

    :raises HostError: it does not run
    """
    guest = state.vm_named(vm)
    if guest is None or not guest.running:
        raise HostError(f"VM {vm} does not run", "nobody would answer", f"virsh start {vm}")
    return guest


@dataclass
class AgentWait:
    """How long is waited for VMs' guest agents to say an address, in seconds."""

    answer_s: float
    """For libvirt to say what it has, or that there is no agent."""
    boot_s: float
    """For the agents to be there and to have an address, from the first question on and for all VMs
    together: they may have just been started, and each boots while another is waited for."""
    _until: float | None = None

    def begin(self) -> None:
        """The first question is asked now, if none was."""
        if self._until is None:
            self._until = time.monotonic() + self.boot_s

    @property
    def over(self) -> bool:
        """All of the time has passed."""
        return self._until is not None and time.monotonic() >= self._until


NO_CHANNEL = "not configured"
"""What libvirt says of a VM that can have no agent (qemu_domain.c)."""
POLL_S = 1.0


def address_by_agent(host: Reach, vm: str, wait: AgentWait, telling: Callable[[str], None]) -> str:
    """What the VM's guest agent says its address is, as soon as it says one.

    :param wait: the same for all VMs that are asked
    :param telling: told once what is waited for
    :raises UsageError: it can have no agent, or none says an address in time
    """
    words = command("virsh", "-q", "-c", "qemu:///system", "domifaddr", vm, "--source", "agent")
    wait.begin()
    told = False
    while True:
        done = host.run(f"{words}\n", timeout_s=wait.answer_s)
        found = first_address(done.stdout)
        if found is not None:
            return found
        why = done.stderr.strip() or "it has none yet"
        never = NO_CHANNEL in why
        if never or wait.over:
            waited = "" if never else f" within {wait.boot_s:g} s (--agent-boot-timeout)"
            raise UsageError(
                f"nobody says an address of {vm}{waited}",
                "traffic is sent to it; the rack file has none under its bond, and its guest agent "
                f"says none: {why}",
                "give it with --address",
            )
        if not told:
            telling(
                f"{vm}: waiting for its guest agent to say an address, {wait.boot_s:g} s at most"
            )
            told = True
        time.sleep(POLL_S)


def first_address(text: str) -> str | None:
    """The first address that others can reach, IPv4 before IPv6. Pure.

    :param text: what ``virsh domifaddr`` prints
    """
    fields = [line.split() for line in text.splitlines()]
    addresses = []
    for written in (words[3].partition("/")[0] for words in fields if len(words) == 4):
        try:
            address = ipaddress.ip_address(written)
        except ValueError:
            continue
        if not (address.is_loopback or address.is_link_local):
            addresses.append(address)
    return min(map(str, addresses), key=lambda text: ":" in text, default=None)


def lab_place(name: str, server: str) -> LabPlace:
    """Where in a lab a host is.

    :raises UsageError: there is no such lab, or it has no such server
    """
    from sriovctl.lab import layout, state

    lab = state.load(name)
    there = lab.server(server)
    return LabPlace(
        lab=name,
        namespace=lab.namespace,
        server=server,
        switches={port.name: port.switch for port in there.ports},
        taps={port.name: layout.tap_name(there, port) for port in there.ports},
    )


def say(text: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(f"{harmless(text)}\n")


def say_nothing(_text: str) -> None:
    """In its place where only a program listens."""
