"""libvirt's own files: pools, VMs and the VFs they hold, with no daemon asked.

Definitions stand in /etc/libvirt/qemu, what runs in /run/libvirt: one ``<domstatus>`` a running
machine, written anew by libvirt at each change, and one ``<networkstatus>`` a running network
(libvirt's src/conf/domain_conf.c and virnetworkobj.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from sriovctl.errors import ProbeError
from sriovctl.host import CONFIG_DRIVES, VM, Pool, VMNic
from sriovctl.probe.cards import Facts, is_network
from sriovctl.probe.sections import Sections

DEFINITIONS = "/etc/libvirt/qemu"
NETWORK_DEFINITIONS = "/etc/libvirt/qemu/networks"
Element = ElementTree.Element


@dataclass
class Libvirt:
    """What libvirt's files say."""

    pools: tuple[Pool, ...] = ()
    other_networks: tuple[str, ...] = ()
    vms: tuple[VM, ...] = ()
    unread: tuple[str, ...] = ()
    """Definitions that are no XML; libvirt itself passes over them too."""
    pids: frozenset[int] = frozenset()
    """Processes of the running VMs."""


@dataclass
class _Documents:
    domains: list[Element] = field(default_factory=list)
    running: list[tuple[int, Element]] = field(default_factory=list)
    networks: list[Element] = field(default_factory=list)
    active: list[Element] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def read_libvirt(sections: Sections, devices: dict[str, Facts]) -> Libvirt:
    """Pools, VMs with their SR-IOV cards, and the processes of those that run.

    :param devices: the host's PCI devices, so that a graphics card given to a VM is not taken
        for a network card
    :raises ProbeError: the status of a running VM or network is no XML
    """
    documents = _documents(sections)
    pools = _pools(documents, set(sections.lines("autostart")))
    vms = _vms(documents, pools, set(sections.lines("autostart")), devices)
    return Libvirt(
        pools=tuple(pools[name] for name in sorted(pools)),
        other_networks=tuple(
            sorted(
                {_text(network, "name") for network in documents.networks + documents.active}
                - pools.keys()
            )
        ),
        vms=tuple(sorted(vms, key=lambda vm: vm.name)),
        unread=tuple(documents.unread),
        pids=frozenset(pid for pid, _ in documents.running),
    )


def _documents(sections: Sections) -> _Documents:
    documents = _Documents()
    alive = {int(pid) for line in sections.lines("alive") for pid in line.split() if pid.isdigit()}
    texts = [
        (path.rpartition("/")[0], path, lines)
        for path, lines in sections.by_file("files").items()
        if path.endswith(".xml")
    ]
    texts += [
        (folder, f"a file in {folder}", lines) for folder, lines in sections.named_with("xml")
    ]
    for folder, path, lines in texts:
        if not any(line.strip() for line in lines):
            # it went away between being listed and being read, or may not be read
            continue
        definition = folder in (DEFINITIONS, NETWORK_DEFINITIONS)
        try:
            root = _parse(lines)
        except ElementTree.ParseError as error:
            if not definition:
                raise ProbeError(
                    f"libvirt's status file {path} cannot be read: {error}",
                    "nobody can say which VFs that machine or network holds",
                    "restart the libvirt daemon, which writes these files anew, and look again",
                ) from error
            documents.unread.append(f"{path}: {error}")
            continue
        # an old libvirt writes a running network as such, without a status around it
        inner = root.find("domain" if root.tag == "domstatus" else "network")
        inner = root if definition or root.tag == "network" else inner
        if inner is None:
            continue
        if inner.tag == "domain":
            _slim(inner)
        if inner.tag == "network":
            (documents.networks if definition else documents.active).append(inner)
        elif inner.tag == "domain" and definition:
            documents.domains.append(inner)
        elif inner.tag == "domain":
            pid = _number(root.get("pid"), -1)
            # the file of a machine that died while no daemon was there to see it stays behind
            if pid in alive or pid < 0:
                documents.running.append((pid, inner))
    return documents


def _parse(lines: list[str]) -> Element:
    text = "\n".join(lines)
    # libvirt writes none, and an entity could grow without end
    if "<!DOCTYPE" in text:
        raise ElementTree.ParseError("it has a document type")
    return ElementTree.fromstring(text)


def _slim(domain: Element) -> None:
    """Leave of a domain what is read here.

    All of 200 machines' definitions kept until the end doubles the time: each object more is one
    more that Python's garbage collector goes through, again and again.
    """
    _keep(domain, "name", "uuid", "devices")
    for devices in domain.iterfind("devices"):
        _keep(devices, "interface", "hostdev", "disk")


def _keep(element: Element, *tags: str) -> None:
    element[:] = [child for child in element if child.tag in tags]


def _pools(documents: _Documents, autostart: set[str]) -> dict[str, Pool]:
    active = {_text(network, "name"): network for network in documents.active}
    defined = {_text(network, "name"): network for network in documents.networks}
    pools = {}
    for name in {**defined, **active}:
        network = active.get(name, defined.get(name))
        forward = None if network is None else network.find("forward")
        if network is None or forward is None or forward.get("mode") != "hostdev":
            continue
        pf = forward.find("pf")
        pools[name] = Pool(
            name=name,
            uuid=_text(network, "uuid") or None,
            pf=None if pf is None else pf.get("dev"),
            persistent=name in defined,
            active=name in active,
            autostart=f"{NETWORK_DEFINITIONS}/autostart/{name}.xml" in autostart,
            managed=forward.get("managed") == "yes",
            addresses=tuple(_addresses(forward.findall("address"))),
        )
    return pools


def _vms(
    documents: _Documents, pools: dict[str, Pool], autostart: set[str], devices: dict[str, Facts]
) -> list[VM]:
    defined = {_text(domain, "name"): domain for domain in documents.domains}
    running = {_text(domain, "name"): domain for _, domain in documents.running}
    vms = []
    for name in {**defined, **running}:
        live = running.get(name)
        definition = defined.get(name)
        either = live if definition is None else definition
        vms.append(
            VM(
                name=name,
                uuid=None if either is None else _text(either, "uuid") or None,
                persistent=definition is not None,
                running=live is not None,
                autostart=f"{DEFINITIONS}/autostart/{name}.xml" in autostart,
                nics=() if definition is None else _nics(definition, pools, devices),
                live_nics=() if live is None else _nics(live, pools, devices),
                networks=() if either is None else tuple(on for on, _ in _others(either, pools)),
                taps={}
                if live is None
                else {tap: on for on, tap in _others(live, pools) if tap is not None},
                drives=() if definition is None else _drives(definition),
                live_drives=() if live is None else _drives(live),
            )
        )
    return vms


def _nics(domain: Element, pools: dict[str, Pool], devices: dict[str, Facts]) -> tuple[VMNic, ...]:
    nics = [
        nic
        for interface in domain.iterfind("devices/interface")
        if (nic := _interface(interface, pools)) is not None
    ]
    for hostdev in domain.iterfind("devices/hostdev"):
        if hostdev.get("type") != "pci":
            continue
        pci = next(_addresses(hostdev.findall("source/address")), None)
        # one that is not there now may be a VF that was, or is to come
        if pci is not None and (pci not in devices or is_network(devices[pci])):
            managed = hostdev.get("managed") == "yes"
            nics.append(VMNic(how="hostdev", mac=None, pci=pci, managed=managed))
    return tuple(nics)


def _interface(interface: Element, pools: dict[str, Pool]) -> VMNic | None:
    mac = interface.find("mac")
    address = None if mac is None else (mac.get("address") or "").lower() or None
    tag = interface.find("vlan/tag")
    vlan = 0 if tag is None else _number(tag.get("id"), 0)
    kind = interface.get("type")
    if kind == "hostdev":
        return VMNic(
            how="interface",
            mac=address,
            pci=next(_addresses(interface.findall("source/address")), None),
            vlan=vlan,
            managed=interface.get("managed") == "yes",
        )
    source = interface.find("source")
    network = None if source is None else source.get("network")
    actual = interface.find("actual[@type='hostdev']")
    if kind != "network" or (actual is None and network not in pools):
        return None
    if actual is not None:
        managed = actual.get("managed") == "yes"
        tag = actual.find("vlan/tag")
        vlan = vlan if tag is None else _number(tag.get("id"), 0)
    else:
        managed = pools[network or ""].managed
    found = [] if actual is None else actual.findall("source/address")
    return VMNic(
        how="pool",
        mac=address,
        pool=network,
        pci=next(_addresses(found), None),
        vlan=vlan,
        managed=managed,
    )


def _others(domain: Element, pools: dict[str, Pool]) -> Iterator[tuple[str, str | None]]:
    """Its cards on no VF: what each is on, and its device on the host."""
    for interface in domain.iterfind("devices/interface"):
        source = interface.find("source")
        if source is None or _interface(interface, pools) is not None:
            continue
        on = source.get("network") or source.get("bridge") or source.get("dev")
        target = interface.find("target")
        if on:
            yield on, None if target is None else target.get("dev") or None


def _drives(domain: Element) -> tuple[str, ...]:
    files = (source.get("file", "") for source in domain.iterfind("devices/disk/source"))
    return tuple(file for file in files if file.startswith(CONFIG_DRIVES))


def _addresses(elements: Iterable[Element]) -> Iterator[str]:
    """PCI addresses of ``<address type='pci'>``, as sysfs writes them."""
    for element in elements:
        if element.get("type", "pci") != "pci":
            continue
        parts = [_number(element.get(p, "0"), -1) for p in ("domain", "bus", "slot", "function")]
        if min(parts) >= 0:
            domain, bus, slot, function = parts
            yield f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _number(text: str | None, default: int) -> int:
    """A number as libvirt writes it, decimal or with 0x; the default for none, or for nonsense."""
    try:
        return default if text is None else int(text, 0)
    except ValueError:
        return default


def _text(element: Element, tag: str) -> str:
    return element.findtext(tag) or ""
