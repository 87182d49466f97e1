"""Steps of link kernel, run for real on hosts made of files, each with its boot loader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sriovctl.boot import cmdline, grub2
from sriovctl.chain import kernel, modules
from sriovctl.host import HostState
from sriovctl.plan import Severity, Step
from tests.unit.boot import samples
from tests.unit.chain.bootworld import MKCONFIG, OLD_GRUBBY, ROOT_ARGUMENT, BootWorld
from tests.unit.shells import SHELLS, shell_folder

from .test_kernel import want

FAILS = Step(link="kernel", title="fails", reason="", do="false", check="", undo="")
GRUB_CFG = f'menuentry "Linux" {{\n\tlinux /vmlinuz-6.1 {ROOT_ARGUMENT} ro quiet\n}}\n# by hand\n'


def make_world(shell: str, folder: Path) -> BootWorld:
    found = shell_folder(shell, folder / "shell")
    if found is None:
        pytest.skip(f"no {shell} here")
    (folder / "host").mkdir()
    return BootWorld(folder / "host", found)


@pytest.fixture(params=SHELLS)
def each_world(request: pytest.FixtureRequest, tmp_path: Path) -> BootWorld:
    """A host of each shell; VFIO's modules are loaded, as busybox has a modprobe of its own."""
    world = make_world(request.param, tmp_path)
    for module in ("vfio_pci", "vfio_iommu_type1"):
        world.write(f"/sys/module/{module}/uevent", "")
    return world


@pytest.fixture
def world(tmp_path: Path) -> BootWorld:
    """A host with the strictest of the shells."""
    return make_world("dash", tmp_path)


def debian(world: BootWorld) -> None:
    world.write(
        grub2.MAIN,
        samples.DEBIAN_12.replace("`lsb_release -i -s 2> /dev/null || echo Debian`", "Debian"),
    )
    world.write("/boot/grub/grub.cfg", GRUB_CFG).chmod(0o600)
    world.tool("grub-mkconfig", MKCONFIG)


def centos_7_efi(world: BootWorld) -> None:
    world.write("/sys/firmware/efi/x", "")
    world.write(grub2.MAIN, samples.CENTOS_7)
    world.write("/boot/grub2/grub.cfg", GRUB_CFG)
    world.write("/boot/efi/EFI/centos/grub.cfg", GRUB_CFG)
    world.tool("grub2-mkconfig", MKCONFIG)


def ubuntu_cloud(world: BootWorld) -> None:
    world.write(grub2.MAIN, samples.UBUNTU)
    world.write("/etc/default/grub.d/50-cloudimg-settings.cfg", samples.UBUNTU_CLOUD)
    world.write("/etc/default/grub.d/kdump-tools.cfg", samples.KDUMP)
    world.write("/boot/grub/grub.cfg", GRUB_CFG)
    world.tool("grub-mkconfig", MKCONFIG)


def centos_6_files(world: BootWorld) -> None:
    text = samples.CENTOS_6 + samples.CENTOS_6_MORE
    conf = world.write("/boot/grub/grub.conf", "password --md5 $1$secret\r\n" + text[:-1])
    (conf.parent / "menu.lst").symlink_to("grub.conf")


def rhel_8(world: BootWorld) -> None:
    world.write(grub2.MAIN, samples.CENTOS_7 + "GRUB_ENABLE_BLSCFG=true\n")
    entries = "/boot/loader/entries/6f9cc9cb7d7845d49698c9537337cedc"
    world.write(f"{entries}-4.18.0-74.el8.x86_64.conf", samples.RHEL_8_ENTRY)
    world.write(f"{entries}-0-rescue.conf", samples.RHEL_8_ENTRY.replace("-74", "-0"))
    world.write("/boot/grub2/grubenv", samples.RHEL_8_GRUBENV)
    world.grubby()


def rhel_9(world: BootWorld) -> None:
    world.write(grub2.MAIN, samples.CENTOS_7 + "GRUB_ENABLE_BLSCFG=true\n")
    for version in ("362", "400"):
        path = f"/boot/loader/entries/6f9cc9cb7d7845d49698c9537337cedc-5.14.0-{version}.conf"
        world.write(path, samples.RHEL_9_ENTRY.replace("362", version))
    world.grubby()


def systemd_boot(world: BootWorld) -> None:
    world.write("/sys/firmware/efi/x", "")
    world.write(cmdline.PATH, samples.SYSTEMD_BOOT_CMDLINE)
    for version in ("6.1.0-1-amd64", "6.12.107+deb13-amd64"):
        world.write(f"/boot/vmlinuz-{version}", "")
        (world.root / "lib/modules" / version).mkdir()
        text = samples.SYSTEMD_BOOT_ENTRY.replace("6.12.107+deb13-amd64", version)
        world.write(f"/boot/efi/loader/entries/m-{version}.conf", text)
    world.write(
        "/boot/efi/loader/entries/gone.conf", samples.SYSTEMD_BOOT_ENTRY.replace("6.12", "5")
    )
    world.kernel_install()


def systemd_boot_without_cmdline(world: BootWorld) -> None:
    systemd_boot(world)
    (world.root / "etc/kernel/cmdline").unlink()


def proxmox(world: BootWorld) -> None:
    world.write("/etc/kernel/proxmox-boot-uuids", "AAAA-BBBB\n")
    world.write(cmdline.PATH, samples.PROXMOX_CMDLINE)
    world.write(grub2.MAIN, samples.PROXMOX_GRUB)
    world.write("/boot/grub/grub.cfg", GRUB_CFG)
    world.tool(
        "proxmox-boot-tool", f'#!/bin/sh\n[ "$1" = refresh ] && echo >>{world.root}/refreshed\n'
    )


LOADERS = [
    debian,
    centos_7_efi,
    ubuntu_cloud,
    centos_6_files,
    rhel_8,
    rhel_9,
    systemd_boot,
    systemd_boot_without_cmdline,
    proxmox,
]


def boot_steps(have: HostState) -> list[Step]:
    result = kernel.plan(want(), have)
    assert [f for f in result.findings if f.severity is Severity.ERROR] == []
    return [step for step in result.build if "arguments" in step.title]


@pytest.mark.parametrize("make", LOADERS)
def test_undone_to_the_byte_then_staged_then_nothing_to_do(
    each_world: BootWorld, make: Callable[[BootWorld], None]
) -> None:
    world = each_world
    make(world)
    before = world.files()
    have = world.look()
    assert "to be staged" in (kernel.reboot_reason(want(), have) or "")
    steps = kernel.plan(want(), have).build
    assert world.run(*steps, FAILS)[0] == "undone"
    assert world.files() == before
    assert world.run(*steps) == ("changed", "")
    after = world.files()
    assert {path for path in before if after.get(path) != before[path]}
    assert not [path for path in after if "sriovctl-new" in path]
    have = world.look()
    assert kernel.plan(want(), have).build == []
    assert ": staged" in (kernel.reboot_reason(want(), have) or "")


def test_after_the_reboot_all_is_said_and_done(world: BootWorld) -> None:
    debian(world)
    assert world.run(*kernel.plan(want(), world.look()).build) == ("changed", "")
    world.boots_with("ro", "quiet", "intel_iommu=on", "iommu=pt")
    world.iommu_is_active()
    have = world.look()
    result = kernel.plan(want(), have)
    assert (result.build, result.findings) == ([], [])
    assert kernel.reboot_reason(want(), have) is None


def test_a_backup_is_kept_once(world: BootWorld) -> None:
    debian(world)
    original = world.text(grub2.MAIN)
    assert world.run(*boot_steps(world.look()))[0] == "changed"
    assert world.text(grub2.MAIN + ".sriovctl-backup") == original
    world.write(grub2.MAIN, original + "# more\n")
    assert world.run(*boot_steps(world.look()))[0] == "changed"
    assert world.text(grub2.MAIN + ".sriovctl-backup") == original


def test_recovery_and_other_systems_stay(world: BootWorld) -> None:
    debian(world)
    assert world.run(*boot_steps(world.look()))[0] == "changed"
    lines = [line for line in world.text("/boot/grub/grub.cfg").splitlines() if "linux" in line]
    assert [("intel_iommu=on iommu=pt" in line) for line in lines] == [True, False, False]


def test_only_the_firmware_that_runs_is_generated_for(world: BootWorld) -> None:
    centos_7_efi(world)
    assert world.run(*boot_steps(world.look()))[0] == "changed"
    assert world.text("/boot/grub2/grub.cfg") == GRUB_CFG
    assert "intel_iommu=on" in world.text("/boot/efi/EFI/centos/grub.cfg")


def test_settings_that_were_never_generated_from(world: BootWorld) -> None:
    debian(world)
    world.write(grub2.MAIN, world.text(grub2.MAIN).replace("quiet", "intel_iommu=on"))
    [step] = boot_steps(world.look())
    assert "boot_edit " not in step.do
    assert world.run(step)[0] == "changed"
    assert boot_steps(world.look()) == []


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\necho 'write error: No space left on device' >&2\nexit 1\n",
        '#!/bin/sh\nprintf "menuentry" >"$2"\n',
        '#!/bin/sh\nprintf "linux /vmlinuz quiet\\n" >"$2"\n',
    ],
    ids=["fails", "writes half", "without the arguments"],
)
def test_a_generator_that_fails_loses_nothing(world: BootWorld, text: str) -> None:
    debian(world)
    before = world.files()
    world.tool("grub-mkconfig", text)
    state, said = world.run(*boot_steps(world.look()))
    assert state == "undone"
    assert said
    assert world.files() == before


def test_a_file_that_has_changed_since_stays(world: BootWorld) -> None:
    debian(world)
    steps = boot_steps(world.look())
    world.write(grub2.MAIN, world.text(grub2.MAIN).replace("quiet", "mine"))
    before = world.files()
    state, said = world.run(*steps)
    assert state == "undone" or "undo" in state
    assert "plan again" in said
    assert world.files()["boot/grub/grub.cfg 100600"] == before["boot/grub/grub.cfg 100600"]
    assert "mine" in world.text(grub2.MAIN)


def test_a_grubby_that_takes_parts_for_words_is_caught(world: BootWorld) -> None:
    rhel_9(world)
    path = next(iter((world.root / "boot/loader/entries").iterdir()))
    path.write_text(path.read_text().replace("ro ", "ro intel_iommu=on "))
    world.grubby(OLD_GRUBBY)
    before = world.files()
    state, said = world.run(*boot_steps(world.look()))
    assert state == "undone"
    assert "grubby left" in said
    assert world.files() == before


def test_off_is_taken_out_on_amd(world: BootWorld) -> None:
    debian(world)
    world.write("/proc/cpuinfo", "vendor_id\t: AuthenticAMD\n\n")
    world.write("/sys/firmware/acpi/tables/IVRS", "")
    world.boots_with("amd_iommu=off")
    world.write(grub2.MAIN, world.text(grub2.MAIN).replace("quiet", "quiet amd_iommu=off"))
    [step] = boot_steps(world.look())
    assert "no amd_iommu=off" in step.title
    assert world.run(step)[0] == "changed"
    assert 'DEFAULT="quiet"' in world.text(grub2.MAIN)
    assert boot_steps(world.look()) == []


def test_a_password_is_in_no_plan(world: BootWorld) -> None:
    centos_6_files(world)
    have = world.look()
    assert "secret" not in str(have)
    assert "secret" not in str(kernel.plan(want(), have))
    assert world.run(*boot_steps(have))[0] == "changed"
    assert world.text("/boot/grub/grub.conf").startswith("password --md5 $1$secret\r\n")
    assert (world.root / "boot/grub/menu.lst").is_symlink()


def test_modules_now_and_at_boot_and_back(world: BootWorld) -> None:
    world.iommu_is_active()
    module = f'{world.root}/sys/module/"$(echo "$2" | tr - _)"'
    loads = (world.commands / "modprobe").read_text().partition("\n")[2]
    world.tool("modprobe", f'#!/bin/sh\n[ "$1" != -r ] || exec rmdir {module}\n{loads}')
    [step] = kernel.plan(want(), world.look()).build
    assert world.run(step, FAILS)[0] == "undone"
    assert not (world.root / "sys/module/vfio_pci").exists()
    assert not (world.root / modules.MODULES_LOAD[1:]).exists()
    assert world.run(step) == ("changed", "")
    assert kernel.plan(want(), world.look()).build == []
    assert (
        world.text(modules.MODULES_LOAD) == "# Written by sriovctl.\nvfio-pci\nvfio_iommu_type1\n"
    )
