"""A VF's card of a VM: how libvirt writes it, and the steps that plug it in and out."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape

from sriovctl.host import PF, VM, HostState, VMNic
from sriovctl.plan import Impact, Step
from sriovctl.shell import command
from sriovctl.wanted import NicWant


def nic_xml(pool: str, mac: str, vlan: int) -> str:
    """One ``<interface>`` that takes a VF from a pool. ``vlan`` 0 for none."""
    card = interface(pool, mac, vlan)
    ElementTree.indent(card)
    return ElementTree.tostring(card, encoding="unicode") + "\n"


def interface(pool: str, mac: str, vlan: int) -> ElementTree.Element:
    """The same, to be put into a domain."""
    card = ElementTree.Element("interface", type="network")
    ElementTree.SubElement(card, "mac", address=mac)
    ElementTree.SubElement(card, "source", network=pool)
    if vlan:
        tag = ElementTree.SubElement(card, "vlan")
        ElementTree.SubElement(tag, "tag", id=str(vlan))
    return card


def xml_text(pool: str) -> str:
    """As libvirt writes an attribute (virbuffer.c, virBufferEscapeString)."""
    return escape(pool, {"'": "&apos;", '"': "&quot;"})


def attach(vm: VM, nic: NicWant, flags: list[str], pf: PF | None) -> Step:
    """The step that plugs a card in: into the definition, the running VM, or both.

    :param flags: ``--config``, ``--live``
    :param pf: of the card's leg; None where nobody knows it
    """
    key = vm.key
    card = (key, nic.mac, xml_text(nic.pool), "" if pf is None else pf.pci)
    xml = nic_xml(nic.pool, nic.mac, nic.vlan)
    as_defined = command("plug_in_as_defined", *card, xml)
    return Step(
        link="guests",
        title=f"VM {vm.name}: plug in a VF of {nic.pool} ({nic.mac}){_where(flags)}",
        reason=f"its pair {nic.pair + 1} has a leg on {nic.leg}",
        do=as_defined if flags == ["--live"] else command("attach_nic", key, xml, *flags),
        check=command("vm_has_nic", *card, *flags),
        undo=" && ".join(command("detach_nic_if_there", *card, flag) for flag in reversed(flags)),
    )


def detach(vm: VM, nic: VMNic, flags: list[str], have: HostState, reason: str) -> Step:
    """The step that unplugs a pool's card; felt by a VM that runs.

    :param flags: as of :func:`attach`
    """
    key, pool, mac = vm.key, nic.pool or "", nic.mac or ""
    card = (key, mac, xml_text(pool), _pf_of_pool(pool, have))
    xml = nic_xml(pool, mac, nic.vlan)
    live = "--live" in flags
    return Step(
        link="guests",
        title=f"VM {vm.name}: unplug the VF of {pool} ({mac}){_where(flags)}",
        reason=reason,
        do=command("detach_nic", *card, *flags),
        check=command("vm_lacks_nic", *card, *flags),
        undo=" && ".join(command("attach_nic_if_missing", *card, flag, xml) for flag in flags),
        impact=Impact.VF_RESET if live else Impact.NONE,
        affects=(vm.name,) if live else (),
    )


def unplug_live(vm: VM, nic: VMNic, have: HostState, reason: str) -> Step:
    """The step that takes a pool's card out of a running VM that goes on over another one."""
    step = detach(vm, nic, ["--live"], have, reason)
    return step.model_copy(update={"impact": Impact.LINK_BLIP})


def _pf_of_pool(pool: str, have: HostState) -> str:
    """PCI address of the PF that a pool of this host is over; empty where there is none."""
    there = have.pool_named(pool)
    pf = None if there is None or there.pf is None else have.pf_named(there.pf)
    return "" if pf is None else pf.pci


def _where(flags: list[str]) -> str:
    if flags == ["--live"]:
        return ", live only"
    return ", live too" if "--live" in flags else ""
