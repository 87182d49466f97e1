"""Hosts as they might be, and what might be wanted of them, for hypothesis."""

from __future__ import annotations

from typing import Any, Literal
from xml.etree import ElementTree

from hypothesis import strategies as st

from sriovctl import chain
from sriovctl.host import PF, VM, HostState, Kernel, Pool, Process, System, VfioUser, VMNic
from sriovctl.wanted import HostWant, NicWant, PFWant, VFWant, VMWant
from tests.unit.chain.hostmodel import HostModel, RefusedError

TOTALVFS = 7
NAMINGS: list[tuple[Literal["name", "pci", "mac"], str]] = [
    ("name", "em{}"),
    ("pci", "0000:0{}:00.0"),
    ("mac", "52:54:00:00:02:0{}"),
]
NAMES = st.sampled_from(["other", "VM-2", "a b", "it's"])
HOSTILE = st.sampled_from(
    ["VM-2", "a b", "$(reboot)", "it's", 'say "x"', "-rf", "&&", "虚机", "7", "*", "a;b", "<&>"]
)


def system() -> System:
    return System(
        hostname="server-2",
        os="Debian GNU/Linux 13 (trixie)",
        init="systemd",
        root=True,
        tools=("ip", "virsh", "udevadm", "systemctl"),
        libvirt=True,
    )


def kernel() -> Kernel:
    return Kernel(
        release="6.12.0",
        boot_id="b",
        cpu_vendor="GenuineIntel",
        virtualization="vmx",
        kvm=True,
        arguments=(),
        iommu_groups=20,
    )


def bare_pf(number: int, up: bool = True, autoprobe: bool = True) -> PF:
    return PF(
        pci=f"0000:0{number}:00.0",
        name=f"em{number}",
        mac=f"52:54:00:00:02:0{number}",
        driver="igb",
        vendor_id="8086",
        device_id="10c9",
        up=up,
        carrier=up,
        speed=1000,
        mtu=1500,
        numa_node=None,
        iommu_group=number,
        acs=True,
        master="bond0",
        totalvfs=TOTALVFS,
        numvfs=0,
        autoprobe=autoprobe,
    )


def bare_host(*pfs: PF) -> HostState:
    return HostState(system=system(), kernel=kernel(), pfs=pfs or (bare_pf(1), bare_pf(2)))


@st.composite
def vf_wishes(draw: st.DrawFn, index: int) -> VFWant:
    values: dict[str, Any] = {}
    if draw(st.booleans()):
        values["mac"] = f"02:00:00:00:{draw(st.integers(0, 255)):02x}:{index:02x}"
    if draw(st.booleans()):
        values["vlan"] = draw(st.integers(0, 4094))
        if values["vlan"] and draw(st.booleans()):
            values["qos"] = draw(st.integers(0, 7))
    for key, choices in (
        ("spoofchk", ["on", "off"]),
        ("trust", ["on", "off"]),
        ("max_rate", [0, 100, 500]),
        ("driver", ["vfio-pci", "network"]),
    ):
        if draw(st.booleans()):
            values[key] = draw(st.sampled_from(choices))
    return VFWant(index=index, **values)


def _mac(leg: int, position: int) -> str:
    return f"02:11:00:00:0{leg}:{position:02x}"


@st.composite
def wants(draw: st.DrawFn) -> HostWant:
    """What a rack file may want of :func:`bare_host`, VMs defined by it."""
    pfs = []
    for number in draw(st.sampled_from([(1, 2), (1, 2), (2, 3), (1, 2, 3)])):
        vfs = draw(st.integers(0, TOTALVFS))
        indices = draw(st.sets(st.integers(0, max(vfs - 1, 0)), max_size=vfs))
        vf = tuple(draw(vf_wishes(index)) for index in sorted(indices)) if vfs else ()
        by, name = draw(st.sampled_from(NAMINGS))
        name = name.format(number)
        pfs.append(
            PFWant(
                name=name,
                by=by,
                vfs=vfs,
                pool=f"passthrough_em{number}" if vfs else None,
                autoprobe=any(wish.driver == "network" for wish in vf),
                vf=vf,
            )
        )
    names = draw(st.lists(HOSTILE, unique=True, max_size=min(pf.vfs for pf in pfs)))
    vms = []
    for position, name in enumerate(names):
        legs = draw(st.sampled_from([pfs, pfs[:2], pfs[:1], pfs[-2:]]))
        shared = draw(st.booleans())
        nics = tuple(
            NicWant(
                pair=0,
                leg=pf.name,
                pool=pf.pool or "",
                mac=_mac(0 if shared else leg, position),
                vlan=draw(st.sampled_from([0, 42])),
            )
            for leg, pf in enumerate(legs)
        )
        root = ElementTree.Element("domain", type="kvm")
        ElementTree.SubElement(root, "name").text = name
        vms.append(
            VMWant(
                name=name,
                domain=ElementTree.tostring(root, encoding="unicode"),
                autostart=draw(st.sampled_from([None, True, False])),
                running=draw(st.sampled_from([None, True])),
                nics=nics if draw(st.booleans()) else (),
            )
        )
    return HostWant(rack="r", name="server-2", pfs=tuple(pfs), vms=tuple(vms))


@st.composite
def hosts(draw: st.DrawFn) -> HostState:
    """A host with VFs and pools made by somebody, and perhaps a VM of somebody's on them."""
    model = HostModel(
        bare_host(
            *(bare_pf(n, draw(st.booleans()), draw(st.booleans())) for n in (1, 2, 3)),
        )
    )
    for pf in model.state.pfs:
        model.set_numvfs(pf.pci, str(draw(st.integers(0, TOTALVFS))))
        pf = model.state.pf_named(pf.name or "") or pf
        for index in range(pf.numvfs):
            if draw(st.booleans()):
                qos = draw(st.integers(0, 7))
                vlan = draw(st.integers(1, 9))
                model.set_vfs(pf.pci, f"{index} vlan {vlan} qos {qos} spoofchk off")
            if draw(st.booleans()):
                model.bind_vfs(pf.pci, "vfio-pci", str(index))
        if not draw(st.booleans()):
            continue
        name = f"passthrough_em{draw(st.sampled_from([int(pf.pci[6]), 1]))}"
        if model.state.pool_named(name):
            continue
        pool = Pool(
            name=name,
            uuid=f"pool-{pf.name}",
            pf=pf.name,
            persistent=True,
            active=False,
            autostart=draw(st.booleans()),
        )
        pools = sorted((*model.state.pools, pool), key=lambda one: one.name)
        model.state = model.state.model_copy(update={"pools": tuple(pools)})
        if pf.up and pf.numvfs and draw(st.booleans()):
            model.start_pool(name)
            if draw(st.integers(0, 4)) == 0:
                model.undefine_pool(name)
            if draw(st.booleans()):
                model.set_numvfs(pf.pci, "0")
                model.set_numvfs(pf.pci, str(draw(st.integers(0, TOTALVFS))))
    _guests(draw, model)
    _other_holders(draw, model)
    return model.state


def _guests(draw: st.DrawFn, model: HostModel) -> None:
    """Somebody's VM, and some that the rack file may know, with cards it may not want."""
    pools = [
        pool
        for pool in model.state.pools
        if pool.active
        and {vf.pci for pf in model.state.pfs for vf in pf.vfs} >= set(pool.addresses)
    ]
    if not pools:
        return
    for position, name in enumerate(draw(st.lists(NAMES, unique=True, max_size=2))):
        shared = draw(st.booleans())
        some = draw(st.lists(st.sampled_from(pools), unique_by=lambda p: p.name, max_size=2))
        nics = tuple(
            VMNic(
                how="pool",
                mac="02:22:00:00:00:01"
                if name == "other"
                else _mac(0 if shared else leg, position),
                pool=pool.name,
                vlan=draw(st.sampled_from([0, 42])),
            )
            for leg, pool in enumerate(some)
        )
        vm = VM(
            name=name,
            uuid=f"u{position}",
            persistent=True,
            running=False,
            autostart=draw(st.booleans()),
            nics=nics,
        )
        before = model.state
        model.state = before.model_copy(update={"vms": (*before.vms, vm)})
        if draw(st.booleans()):
            try:
                model.start_vm(vm.uuid or "")
            except RefusedError:
                model.state = before


def _other_holders(draw: st.DrawFn, model: HostModel) -> None:
    """A VF in a program's hands, and one that the host uses itself."""
    free = [
        (pf.pci, vf)
        for pf in model.state.pfs
        for vf in pf.vfs
        if model.state.holder_of(vf) is None
        and not any(vf.pci in pool.addresses for pool in model.state.pools)
    ]
    if draw(st.booleans()) and free:
        _, vf = draw(st.sampled_from(free))
        user = VfioUser(
            iommu_group=vf.iommu_group or 0, process=Process(pid=7, command="dpdk-testpmd")
        )
        model.state = model.state.model_copy(update={"vfio_users": (user,)})
    if draw(st.booleans()) and free:
        pci, vf = draw(st.sampled_from(free))
        model.update_vf(pci, vf.index, netdev="v0", host_use="address 10.0.0.1/24")


@st.composite
def changes(draw: st.DrawFn) -> tuple[HostWant, HostState]:
    """A rack file that was applied, its VMs perhaps running, and then edited: the cards only."""
    first = draw(wants())
    model = HostModel(bare_host(*(bare_pf(number) for number in (1, 2, 3))))
    model.apply(chain.plan(first, model.state).steps)
    for vm in model.state.vms:
        if not vm.running and draw(st.booleans()):
            model.start_vm(vm.uuid or "")
    vms: list[VMWant] = []
    for vm_want in first.vms:
        nics = [nic for nic in vm_want.nics if draw(st.integers(0, 3))]
        if draw(st.booleans()):
            vlan = draw(st.sampled_from([0, 42, 43]))
            nics = [nic.model_copy(update={"vlan": vlan}) for nic in nics]
        if draw(st.booleans()) and nics:
            nics[-1] = nics[-1].model_copy(update={"mac": f"02:33:00:00:00:{len(vms):02x}"})
        if draw(st.booleans()):
            nics = [nic.model_copy(update={"mac": nics[0].mac}) for nic in nics]
        vms.append(vm_want.model_copy(update={"nics": tuple(nics)}))
    return first.model_copy(update={"vms": tuple(vms)}), model.state
