"""The libvirt XML with which a rack file defines a VM: what may not be in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

LARGEST_DOMAIN_FILE = 1 << 20
"""Bytes. libvirt's own limit on a domain's XML is larger; a VM's is some kilobytes."""


def faults_of_domain(path: Path, vm: str, pools: set[str]) -> Iterator[str]:
    """What is wrong with a VM's domain file, a sentence each; nothing for a sound one.

    :param vm: the name that the rack file has for the VM
    :param pools: names of the libvirt networks that hand out VFs on the VM's host
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_DOMAIN_FILE + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield f"{path}: not UTF-8 at byte {error.start}"
        return
    except (OSError, ValueError) as error:
        yield f"{path}: {getattr(error, 'strerror', None) or error}"
        return
    if len(data) > LARGEST_DOMAIN_FILE:
        yield f"{path}: larger than {LARGEST_DOMAIN_FILE} bytes"
        return
    if "<!DOCTYPE" in text:
        yield f"{path}: a document type, which libvirt's XML does not have"
        return
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        yield f"{path}: no XML: {error}"
        return
    if root.tag != "domain":
        yield f"{path}: <{root.tag}> where libvirt wants <domain>"
        return
    name = root.findtext("name")
    if name != vm:
        yield f"{path}: <name> is {name!r}, the rack file calls the VM {vm!r}"
    for interface in root.iterfind("devices/interface"):
        source = interface.find("source")
        network = None if source is None else source.get("network")
        if interface.get("type") == "hostdev" or network in pools:
            yield f"{path}: an SR-IOV card of its own; VFs come from the VM's pairs"
