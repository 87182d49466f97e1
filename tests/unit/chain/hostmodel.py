"""A model of a host: what each command of a plan's scripts does to the facts of a probe.

It knows what the kernel and libvirt do, not what the planner meant: VFs that are made anew have
none of their old attributes, a pool lists VFs when it starts, a VM takes the first free one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from xml.etree import ElementTree
from xml.sax.saxutils import unescape

from sriovctl.host import PF, VF, VM, HostState, Pool, VMNic
from sriovctl.plan import Step

VF_DRIVER = "igbvf"
APOSTROPHES = {"&apos;": "'", "&quot;": '"'}


class RefusedError(AssertionError):
    """The host would have answered this with an error."""


def _vf(pf: PF, index: int) -> VF:
    bus = int(pf.pci[5:7], 16)
    return VF(
        index=index,
        pci=f"0000:{bus + 1:02x}:{0x10 + index // 8:02x}.{index % 8}",
        driver=VF_DRIVER if pf.autoprobe else None,
        iommu_group=100 * bus + index,
        mac=f"0a:00:00:00:{bus:02x}:{index:02x}",
        spoofchk="on",
        trust="off",
    )


class HostModel:
    """A host that can be changed, with the facts that a probe of it would give."""

    def __init__(self, state: HostState) -> None:
        self.state = state
        self.kept: dict[str, Pool] = {}
        """Definitions in the transaction's folder."""
        self.before: dict[str, str | None] = {}
        """Addresses that VFs had before a VM got them, by their PCI addresses."""

    def run(self, script: str) -> None:
        """Carry out one ``do`` or ``undo``."""
        for name, *words in commands(script):
            getattr(self, name)(*words)

    def apply(self, steps: Iterable[Step]) -> None:
        """Every step's ``do`` in order."""
        for step in steps:
            self.run(step.do)

    def undo(self, steps: Iterable[Step]) -> None:
        """Every step's ``undo`` in reverse."""
        for step in reversed(tuple(steps)):
            self.run(step.undo)

    def _pf(self, pci: str) -> PF:
        return next(pf for pf in self.state.pfs if pf.pci == pci)

    def _put_pf(self, new: PF) -> None:
        pfs = tuple(new if pf.pci == new.pci else pf for pf in self.state.pfs)
        self.state = self.state.model_copy(update={"pfs": pfs})

    def _update_pf(self, pci: str, **values: object) -> None:
        self._put_pf(self._pf(pci).model_copy(update=values))

    def pf_up(self, pci: str) -> None:
        self._update_pf(pci, up=True)

    def pf_down(self, pci: str) -> None:
        self._update_pf(pci, up=False)

    def set_autoprobe(self, pci: str, value: str) -> None:
        self._update_pf(pci, autoprobe=value == "1")

    def set_numvfs(self, pci: str, count: str) -> None:
        pf = self._pf(pci)
        if int(count) > pf.totalvfs:
            raise RefusedError("ERANGE")
        if int(count) == pf.numvfs:
            return
        for vf in pf.vfs:
            if self.state.holder_of(vf) is not None:
                raise RefusedError(f"VF {vf.index} taken from its holder")
        vfs = tuple(_vf(pf, index) for index in range(int(count)))
        self._update_pf(pci, numvfs=int(count), vfs=vfs)

    def await_carrier(self, pci: str) -> None:
        if not self._pf(pci).carrier:
            raise RefusedError(f"{pci} has no link")

    def set_vfs(self, pci: str, *wishes: str) -> None:
        words = {"proto": "vlan_proto", "max_tx_rate": "max_rate", "min_tx_rate": "min_rate"}
        for wish in wishes:
            index, *rest = wish.split()
            holder = self.state.holder_of(self._pf(pci).vfs[int(index)])
            if holder is not None and holder.kind != "host" and {"mac", "vlan"} & {*rest[::2]}:
                raise RefusedError(f"address or VLAN of VF {index} is {holder.name}'s")
            values: dict[str, object] = {}
            for key, value in zip(rest[::2], rest[1::2], strict=True):
                number = key in ("vlan", "qos", "max_tx_rate", "min_tx_rate")
                field = {"state": "link_state", **words}.get(key, key)
                values[field] = int(value) if number else value
            if "mac" in values and values["mac"] == "00:00:00:00:00:00":
                raise RefusedError("EINVAL")
            if "vlan" in values:
                values = {"qos": 0, "vlan_proto": "802.1Q", **values}
            self.update_vf(pci, int(index), **values)

    def update_vf(self, pci: str, index: int, **values: object) -> None:
        pf = self._pf(pci)
        if index >= pf.numvfs:
            raise RefusedError(f"no VF {index}")
        vfs = tuple(vf.model_copy(update=values) if vf.index == index else vf for vf in pf.vfs)
        self._put_pf(pf.model_copy(update={"vfs": vfs}))

    def bind_vfs(self, pci: str, driver: str, *indices: str) -> None:
        for index in indices:
            if self.state.holder_of(self._pf(pci).vfs[int(index)]) is not None:
                raise RefusedError(f"VF {index} taken from its holder")
            self.update_vf(pci, int(index), driver=driver or None)

    def write_file(self, path: str, text: str) -> None:
        self.state = self.state.model_copy(update={"files": {**self.state.files, path: text}})

    def remove_file(self, path: str) -> None:
        files = {k: v for k, v in self.state.files.items() if k != path}
        self.state = self.state.model_copy(update={"files": files})

    def boot_create(self, path: str, text: str) -> None:
        self.write_file(path, text)

    def boot_remove(self, path: str) -> None:
        self.state = self.state.model_copy(
            update={"files": {p: t for p, t in self.state.files.items() if p != path}}
        )

    def _put_modules(self, modules: Iterable[str]) -> None:
        kernel = self.state.kernel.model_copy(update={"modules": tuple(modules)})
        self.state = self.state.model_copy(update={"kernel": kernel})

    def load_modules(self, *names: str) -> None:
        loaded = (name.replace("-", "_") for name in names)
        self._put_modules([*self.state.kernel.modules, *loaded])

    def unload_modules(self, *names: str) -> None:
        gone = {name.replace("-", "_") for name in names}
        self._put_modules(m for m in self.state.kernel.modules if m not in gone)

    def _put_pool(self, name: str, pool: Pool | None) -> None:
        pools = [p for p in self.state.pools if p.name != name]
        if pool is not None:
            pools.append(pool)
        pools.sort(key=lambda p: p.name)
        self.state = self.state.model_copy(update={"pools": tuple(pools)})

    def _pool(self, name: str) -> Pool:
        pool = self.state.pool_named(name)
        if pool is None:
            raise RefusedError(f"Network not found: {name}")
        return pool

    def define_pool(self, xml: str) -> None:
        root = ElementTree.fromstring(xml)
        name, pf = root.findtext("name") or "", root.find("forward/pf")
        assert pf is not None
        old = self.state.pool_named(name)
        new = old or Pool(
            name=name, uuid=None, pf=None, persistent=True, active=False, autostart=False
        )
        uuid = root.findtext("uuid")
        if old is not None and old.uuid not in (None, uuid):
            raise RefusedError(f"network {name} is already defined with another uuid")
        changed = {"pf": pf.get("dev"), "persistent": True, "uuid": uuid}
        self._put_pool(name, new.model_copy(update=changed))

    def undefine_pool(self, name: str) -> None:
        pool = self._pool(name)
        left = pool.model_copy(update={"persistent": False, "autostart": False})
        self._put_pool(name, left if pool.active else None)

    def take_away_pool(self, name: str) -> None:
        self.kept[name] = self._pool(name)
        self.undefine_pool(name)

    def put_back_pool(self, name: str) -> None:
        if self.state.pool_named(name) is None:
            off = {"active": False, "addresses": (), "autostart": False}
            self._put_pool(name, self.kept[name].model_copy(update=off))

    def start_pool(self, name: str) -> None:
        pool = self._pool(name)
        if pool.active:
            return
        pf = self.state.pf_named(pool.pf or "")
        if pf is None or not pf.numvfs:
            raise RefusedError(f"no usable VFs on {pool.pf}")
        addresses = tuple(vf.pci for vf in pf.vfs)
        self._put_pool(name, pool.model_copy(update={"active": True, "addresses": addresses}))

    def stop_pool(self, name: str) -> None:
        pool = self._pool(name)
        if any(nic.pool == name for vm in self.state.vms for nic in vm.live_nics):
            raise RefusedError(f"{name} stopped under a running VM")
        left = pool.model_copy(update={"active": False, "addresses": ()})
        self._put_pool(name, left if pool.persistent else None)

    def autostart_pool(self, name: str) -> None:
        self._put_pool(name, self._pool(name).model_copy(update={"autostart": True}))

    def no_autostart_pool(self, name: str) -> None:
        self._put_pool(name, self._pool(name).model_copy(update={"autostart": False}))

    def _vm(self, uuid: str) -> VM:
        vm = next((vm for vm in self.state.vms if vm.uuid == uuid), None)
        if vm is None:
            raise RefusedError(f"Domain not found: {uuid}")
        return vm

    def _put_vm(self, uuid: str, new: VM | None) -> None:
        vms = [vm for vm in self.state.vms if vm.uuid != uuid]
        if new is not None:
            vms.append(new)
        vms.sort(key=lambda vm: vm.name)
        self.state = self.state.model_copy(update={"vms": tuple(vms)})

    def define_vm(self, xml: str) -> None:
        root = ElementTree.fromstring(xml)
        name, uuid = root.findtext("name") or "", root.findtext("uuid") or ""
        if self.state.vm_named(name):
            raise RefusedError(f"domain {name} already exists")
        nics = tuple(self._nic(nic) for nic in root.iterfind("devices/interface"))
        vm = VM(name=name, uuid=uuid, persistent=True, running=False, autostart=False, nics=nics)
        self._put_vm(uuid, vm)

    def undefine_vm(self, uuid: str) -> None:
        if self._vm(uuid).running:
            raise RefusedError("undefined under a running VM")
        self._put_vm(uuid, None)

    def autostart_vm(self, uuid: str) -> None:
        self._put_vm(uuid, self._vm(uuid).model_copy(update={"autostart": True}))

    def no_autostart_vm(self, uuid: str) -> None:
        self._put_vm(uuid, self._vm(uuid).model_copy(update={"autostart": False}))

    def _taken(self, nic: VMNic) -> VMNic:
        pool = self._pool(nic.pool or "")
        if not pool.active:
            raise RefusedError(f"network {pool.name} is not active")
        held = {live.pci for vm in self.state.vms if vm.running for live in vm.live_nics}
        free = [address for address in pool.addresses if address not in held]
        if not free:
            raise RefusedError(f"no free VF in {pool.name}")
        pf, vf = self._vf_at(free[0])
        if nic.mac is not None:
            self.before.setdefault(vf.pci, vf.mac)
            self.update_vf(pf.pci, vf.index, mac=nic.mac)
        return nic.model_copy(update={"pci": free[0]})

    def _vf_at(self, pci: str) -> tuple[PF, VF]:
        return next((pf, vf) for pf in self.state.pfs for vf in pf.vfs if vf.pci == pci)

    def _let_go(self, nics: Iterable[VMNic]) -> None:
        """libvirt sets a VF's address for a VM, and gives back the one before."""
        for nic in nics:
            if nic.pci in self.before:
                pf, vf = self._vf_at(nic.pci)
                self.update_vf(pf.pci, vf.index, mac=self.before.pop(nic.pci))

    @staticmethod
    def _nic(root: ElementTree.Element) -> VMNic:
        mac, source, tag = root.find("mac"), root.find("source"), root.find("vlan/tag")
        assert mac is not None
        assert source is not None
        vlan = 0 if tag is None else int(tag.get("id", "0"))
        return VMNic(how="pool", mac=mac.get("address"), pool=source.get("network"), vlan=vlan)

    def attach_nic(self, uuid: str, xml: str, *flags: str) -> None:
        for flag in flags:
            vm, nic = self._vm(uuid), self._nic(ElementTree.fromstring(xml))
            if flag == "--config":
                self._put_vm(uuid, vm.model_copy(update={"nics": (*vm.nics, nic)}))
            else:
                live = (*vm.live_nics, self._taken(nic))
                self._put_vm(uuid, vm.model_copy(update={"live_nics": live}))

    def _is(self, nic: VMNic, mac: str, pool: str, pf: str, flag: str) -> bool:
        """As guests.sh looks for a card: a running VM's XML has no pool, but the VF."""
        if flag == "--config":
            return (nic.mac, nic.pool) == (mac, unescape(pool, APOSTROPHES))
        return nic.mac == mac and nic.pci in {vf.pci for vf in self._pf(pf).vfs}

    def _cards(
        self, uuid: str, mac: str, pool: str, pf: str, flag: str
    ) -> tuple[str, tuple[VMNic, ...], tuple[VMNic, ...]]:
        vm, field = self._vm(uuid), "nics" if flag == "--config" else "live_nics"
        present: tuple[VMNic, ...] = getattr(vm, field)
        return field, present, tuple(n for n in present if self._is(n, mac, pool, pf, flag))

    def detach_nic(self, uuid: str, mac: str, pool: str, pf: str, *flags: str) -> None:
        for flag in flags:
            field, present, found = self._cards(uuid, mac, pool, pf, flag)
            if len(found) != 1:
                raise RefusedError(f"{len(found)} cards {mac} in {self._vm(uuid).name}")
            left = tuple(nic for nic in present if nic != found[0])
            self._put_vm(uuid, self._vm(uuid).model_copy(update={field: left}))
            if field == "live_nics":
                self._let_go(found)

    def detach_nic_if_there(self, uuid: str, mac: str, pool: str, pf: str, flag: str) -> None:
        if self._cards(uuid, mac, pool, pf, flag)[2]:
            self.detach_nic(uuid, mac, pool, pf, flag)

    def attach_nic_if_missing(
        self, uuid: str, mac: str, pool: str, pf: str, flag: str, xml: str
    ) -> None:
        if not self._cards(uuid, mac, pool, pf, flag)[2]:
            self.attach_nic(uuid, xml, flag)

    def plug_in_as_defined(self, uuid: str, mac: str, pool: str, pf: str, xml: str) -> None:
        if self._cards(uuid, mac, pool, pf, "--live")[2]:
            raise RefusedError(f"{mac} plugged in twice")
        self.attach_nic(uuid, xml, "--live")

    def run_inside(self, uuid: str, order: str) -> None:
        if not self._vm(uuid).running:
            raise RefusedError("no guest")

    def start_vm(self, uuid: str) -> None:
        vm = self._vm(uuid)
        if vm.running:
            return
        self._put_vm(uuid, vm.model_copy(update={"running": True, "live_nics": ()}))
        for nic in vm.nics:
            now = self._vm(uuid)
            live = (*now.live_nics, self._taken(nic))
            self._put_vm(uuid, now.model_copy(update={"live_nics": live}))

    def shut_down_vms(self, *uuids: str) -> None:
        for uuid in uuids:
            self.power_off_vm(uuid)

    def start_vms(self, *uuids: str) -> None:
        for uuid in uuids:
            self.start_vm(uuid)

    def note_vms(self, path: str, *uuids: str) -> None:
        self.write_file(path, "".join(f"{line}\n" for line in ("# note", *uuids)))

    def forget_vms(self, path: str) -> None:
        self.remove_file(path)

    def power_off_vm(self, uuid: str) -> None:
        vm = self._vm(uuid)
        self._let_go(vm.live_nics)
        off = vm.model_copy(update={"running": False, "live_nics": ()})
        self._put_vm(uuid, off if vm.persistent else None)


def ports(state: HostState, before: HostState) -> tuple[PF, ...]:
    """A host's PFs, without what nobody can give back: libvirt picks which VF a card gets, and sets
    its address there."""
    held = {pci for one in (state, before) for pci, by in one.holders().items() if by.kind == "vm"}

    def shown(vf: VF) -> VF:
        return vf.model_copy(update={"mac": None}) if vf.pci in held else vf

    return tuple(pf.model_copy(update={"vfs": tuple(map(shown, pf.vfs))}) for pf in state.pfs)


def commands(script: str) -> Iterable[list[str]]:
    """The single commands of ``a && b``, as words."""
    lexer = shlex.shlex(script, posix=True, punctuation_chars="&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    for word in lexer:
        if word == "&&":
            yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words
