"""Link kernel: what is needed by what the host is, and steps that stage it and take it back."""

from __future__ import annotations

import pytest

from sriovctl.boot import grub2
from sriovctl.chain import kernel, modules
from sriovctl.host import HostState, KernelEntry, NetworkPort
from sriovctl.plan import Severity
from sriovctl.wanted import BMCWant, HostWant, NicWant, PFWant, VMWant
from tests.unit.boot import samples
from tests.unit.chain.bootworld import ROOT_ARGUMENT

from .worlds import bare_host, bare_pf

NIC = NicWant(pair=0, leg="em1", pool="p", mac="02:00:00:00:00:01")


def want(vms: bool = True, vfs: int = 7, pool: str | None = "p") -> HostWant:
    pfs = tuple(
        PFWant(name=name, by="name", vfs=vfs, pool=pool, autoprobe=False) for name in ("em1", "em2")
    )
    return HostWant(
        rack="r", name="server-2", pfs=pfs, vms=(VMWant(name="VM-2", nics=(NIC,)),) if vms else ()
    )


def host(
    *running: str,
    vendor: str = "GenuineIntel",
    table: str | None = "DMAR",
    groups: int = 0,
    files: dict[str, str] | None = None,
    entry: str | None = None,
) -> HostState:
    have = bare_host()
    texts = files if files is not None else {grub2.MAIN: samples.DEBIAN_12}
    staged = grub2.command_line(texts).split() if entry is None else entry.split()
    return have.model_copy(
        update={
            "kernel": have.kernel.model_copy(
                update={
                    "cpu_vendor": vendor,
                    "iommu_table": table,
                    "iommu_groups": groups,
                    "arguments": (ROOT_ARGUMENT, "ro", *running),
                    "modules": ("vfio_pci", "vfio_iommu_type1"),
                    "staged": (
                        KernelEntry(
                            file="/boot/grub/grub.cfg",
                            title="Debian",
                            arguments=(ROOT_ARGUMENT, "ro", *staged),
                        ),
                    ),
                }
            ),
            "system": have.system.model_copy(update={"tools": ("grub-mkconfig", "ip", "virsh")}),
            "boot": have.boot.model_copy(update={"files": texts}),
            "files": {modules.MODULES_LOAD: modules.TEXTS[modules.MODULES_LOAD]},
        }
    )


def with_default(words: str) -> dict[str, str]:
    return {grub2.MAIN: samples.DEBIAN_12.replace('"quiet"', f'"{words}"')}


ON_PT = ("intel_iommu=on", "iommu=pt")


@pytest.mark.parametrize(
    ("have", "present"),
    [
        pytest.param(host(), ON_PT, id="Intel, off"),
        pytest.param(host(groups=20), (), id="Intel, on by itself"),
        pytest.param(host("intel_iommu=on", groups=20), ON_PT, id="on by the argument, not staged"),
        pytest.param(
            host("intel_iommu=on", groups=20, files=with_default("intel_iommu=on")),
            ("intel_iommu=on",),
            id="a person wrote no iommu=pt: it stays so",
        ),
        pytest.param(
            host(files=with_default("iommu=nopt")),
            ("intel_iommu=on",),
            id="a person wrote iommu=nopt: it stays so",
        ),
        pytest.param(host(vendor="AuthenticAMD", table="IVRS"), (), id="AMD"),
        pytest.param(host(vendor="AuthenticAMD", table=None), (), id="AMD, off in firmware"),
        pytest.param(host(table=None), ON_PT, id="Intel, off in firmware: one reboot for both"),
        pytest.param(host(vendor="AuthenticAMD", table="DMAR"), ON_PT, id="the rack's own mixture"),
    ],
)
def test_what_is_needed(have: HostState, present: tuple[str, ...]) -> None:
    assert kernel.needed(want(), have).present == present


def test_amd_is_never_told_to_switch_it_on() -> None:
    for groups in (0, 20):
        have = host("amd_iommu=off", vendor="AuthenticAMD", table="IVRS", groups=groups)
        assert "amd_iommu=on" not in str(kernel.plan(want(), have))


def test_nothing_where_no_vm_can_get_a_vf() -> None:
    have = host("iommu=off", files={grub2.MAIN: "GRUB_CMDLINE_LINUX='"}, entry="")
    have = have.model_copy(update={"files": {}})
    result = kernel.plan(want(vms=False, pool=None), have)
    assert (result.build, result.release, result.findings) == ([], [], [])
    assert kernel.reboot_reason(want(vms=False, pool=None), have) is None


def test_the_rack_of_issue_2_needs_no_boot_loader_step() -> None:
    have = host(vendor="AuthenticAMD", groups=24)
    result = kernel.plan(want(), have)
    assert (result.build, result.findings) == ([], [])
    assert kernel.reboot_reason(want(), have) is None


def test_modules_only() -> None:
    have = host(groups=24)
    have = have.model_copy(
        update={"files": {}, "kernel": have.kernel.model_copy(update={"modules": ("vfio_pci",)})}
    )
    [step] = kernel.plan(want(), have).build
    assert "load_modules vfio_iommu_type1 &&" in step.do
    assert modules.MODULES_LOAD in step.do
    assert kernel.plan(want(vms=False), have).build == []


def test_modules_are_left_to_nobody_when_no_vm_has_vfs() -> None:
    [step] = kernel.plan(want(vms=False), host(groups=24)).build
    assert step.do == f"boot_remove {modules.MODULES_LOAD}"


def test_centos_6_gets_its_own_kind_of_file() -> None:
    have = host(groups=24)
    system = have.system.model_copy(update={"init": "other", "os": "CentOS release 6.6 (Final)"})
    newer = have.kernel.model_copy(update={"release": "3.10.0-1.el6.elrepo.x86_64"})
    have = have.model_copy(update={"system": system, "kernel": newer, "files": {}})
    [step] = kernel.plan(want(), have).build
    assert modules.SYSCONFIG_MODULES in step.do
    old = have.kernel.model_copy(update={"release": "2.6.32-504.el6.x86_64"})
    # without VFIO there is nothing to load
    assert not [
        s
        for s in kernel.plan(want(), have.model_copy(update={"kernel": old})).build
        if "modules" in s.do
    ]


@pytest.mark.parametrize(
    ("have", "reason"),
    [
        (host(), "to be staged"),
        (host(files=with_default("intel_iommu=on")), "intel_iommu=on: staged"),
        (host("intel_iommu=off", files=with_default("intel_iommu=on")), "without intel_iommu=off"),
        (host("intel_iommu=on"), None),
        (host(groups=20), None),
        (host(files={}, entry=""), "to be staged"),
        (host(files={grub2.MAIN: 'GRUB_CMDLINE_LINUX="'}, entry=""), None),
    ],
)
def test_why_a_reboot(have: HostState, reason: str | None) -> None:
    said = kernel.reboot_reason(want(), have)
    assert said is None if reason is None else said is not None and reason in said


def test_what_is_staged_is_not_staged_again_and_wants_a_reboot() -> None:
    have = host(files=with_default("intel_iommu=on"))
    result = kernel.plan(want(), have)
    assert (result.build, result.findings) == ([], [])
    assert "staged in the boot loader" in (kernel.reboot_reason(want(), have) or "")


def test_an_iommu_that_firmware_hides_is_said() -> None:
    have = host("intel_iommu=on", table=None, files=with_default("intel_iommu=on"))
    [finding] = kernel.plan(want(), have).findings
    assert "VT-d" in finding.mend


def test_before_a_reboot_that_firmware_makes_useless_it_is_said() -> None:
    [finding] = kernel.plan(want(), host(table=None)).findings
    assert not finding.may_pass
    assert "intel_iommu=on" in finding.means
    bmc = BMCWant(address="10.8.0.2", user="root", password="env:P")
    assert kernel.plan(want().model_copy(update={"bmc": bmc}), host(table=None)).findings == []
    assert kernel.plan(want(), host()).findings == []


def test_a_broken_file_is_an_error_with_its_line() -> None:
    have = host(files={grub2.MAIN: 'A=1\nGRUB_CMDLINE_LINUX="quiet\n'}, entry="quiet")
    [finding] = kernel.plan(want(), have).findings
    assert finding.severity is Severity.ERROR
    assert "/etc/default/grub, line 2" in finding.found
    # where all is well already it is no more than a warning
    running = have.kernel.model_copy(update={"iommu_groups": 20})
    [finding] = kernel.plan(want(), have.model_copy(update={"kernel": running})).findings
    assert finding.severity is Severity.WARNING


def test_no_known_boot_loader() -> None:
    have = host(files={})
    have = have.model_copy(update={"kernel": have.kernel.model_copy(update={"staged": ()})})
    [finding] = kernel.plan(want(), have).findings
    assert finding.severity is Severity.ERROR
    assert "intel_iommu=on" in finding.means
    assert kernel.reboot_reason(want(), have) is None


def test_a_line_that_is_no_text_is_for_a_person() -> None:
    have = host(files=with_default("\ufffd"), entry="")
    [finding] = kernel.plan(want(), have).findings
    assert "no UTF-8" in finding.found


def centos_6(driver: str, vfs_now: int = 0) -> HostState:
    have = bare_host(bare_pf(1).model_copy(update={"driver": driver, "numvfs": vfs_now}))
    port = NetworkPort(
        pci="0000:02:00.0", name="em2", mac=None, driver=driver, vendor_id="8086", device_id="10fb"
    )
    old = have.kernel.model_copy(
        update={"release": "2.6.32-504.el6.x86_64", "arguments": ("ro",), "iommu_groups": 1}
    )
    boot = have.boot.model_copy(update={"files": {"/boot/grub/grub.conf": samples.CENTOS_6}})
    return have.model_copy(update={"kernel": old, "ports": (port,), "boot": boot})


def test_before_sriov_numvfs_the_driver_is_told() -> None:
    assert kernel.needed(want(vfs=2), centos_6("ixgbe")).present == ("ixgbe.max_vfs=2",)
    assert kernel.needed(want(vfs=2), centos_6("mlx4_core")).present == ()
    assert "ixgbe.max_vfs=2" in (kernel.reboot_reason(want(vfs=2), centos_6("ixgbe")) or "")
    mixed = want(vfs=2)
    more = mixed.pfs[1].model_copy(update={"vfs": 4})
    mixed = mixed.model_copy(update={"pfs": (mixed.pfs[0], more)})
    [finding] = [f for f in kernel.plan(mixed, centos_6("ixgbe")).findings if f.about == "ixgbe"]
    assert finding.severity is Severity.ERROR


def cramped(*running: str, memory: bool | None = False) -> HostState:
    have = host(*running, groups=20)
    return have.model_copy(
        update={"pfs": tuple(bare_pf(n).model_copy(update={"vf_memory": memory}) for n in (1, 2))}
    )


def test_vfs_without_memory_addresses() -> None:
    assert kernel.needed(want(), cramped()).present == ("pci=realloc",)
    assert kernel.needed(want(vfs=0), cramped()).present == ()
    for memory in (True, None):
        assert kernel.needed(want(), cramped(memory=memory)).present == ()
    # where the argument has helped it must stay
    helped = cramped("pci=noaer,realloc", memory=True)
    assert kernel.needed(want(), helped).present == ("pci=realloc",)
    assert "pci=realloc" in (kernel.reboot_reason(want(), cramped()) or "")
    [step] = kernel.plan(want(), cramped()).build
    assert "no memory addresses" in step.reason


def test_vfs_without_memory_addresses_though_the_kernel_was_told() -> None:
    staged = with_default("pci=realloc")
    have = cramped("pci=realloc")
    boot = have.boot.model_copy(update={"files": staged})
    entry = have.kernel.staged[0]
    entry = entry.model_copy(update={"arguments": (*entry.arguments, "pci=realloc")})
    kernel_facts = have.kernel.model_copy(update={"staged": (entry,)})
    have = have.model_copy(update={"boot": boot, "kernel": kernel_facts})
    result = kernel.plan(want(), have)
    assert result.build == []
    [finding] = result.findings
    assert "above 4 GB" in finding.mend
    assert kernel.reboot_reason(want(), have) is None
