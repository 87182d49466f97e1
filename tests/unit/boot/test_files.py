"""Real files in, exact bytes out; again: unchanged; what was changed is taken back to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriovctl.boot import bls, cmdline, grub2, grub_legacy
from sriovctl.boot.arguments import Arguments, satisfied
from sriovctl.errors import BootFileError

from . import samples

INTEL = Arguments(present=("intel_iommu=on",))
GUIDE = Arguments(present=("intel_iommu=on", "ixgbe.max_vfs=2"))
FULL = Arguments(
    present=("intel_iommu=on", "iommu=pt"),
    absent=("intel_iommu=off", "iommu=off", "amd_iommu=off"),
)
LAB = Path(__file__).parents[3] / "src/sriovctl/lab/recipe/root/etc/default/grub"
CONF = "/boot/grub/grub.conf"
CLOUD = "/etc/default/grub.d/50-cloudimg-settings.cfg"
KDUMP = "/etc/default/grub.d/kdump-tools.cfg"


def taken_back(wanted: Arguments) -> Arguments:
    return Arguments(absent=wanted.present)


def test_centos_6_as_the_guide_prints_it() -> None:
    after = grub_legacy.set_arguments(CONF, samples.CENTOS_6, INTEL)
    assert after == samples.CENTOS_6.replace(
        samples.CENTOS_6_KERNEL, samples.CENTOS_6_KERNEL + " intel_iommu=on"
    )
    assert grub_legacy.set_arguments(CONF, after, INTEL) == after
    assert grub_legacy.set_arguments(CONF, after, taken_back(INTEL)) == samples.CENTOS_6


def test_centos_6_with_other_entries() -> None:
    text = samples.CENTOS_6 + samples.CENTOS_6_MORE
    after = grub_legacy.set_arguments(CONF, text, FULL)
    changed = [
        (old, new)
        for old, new in zip(text.split("\n"), after.split("\n"), strict=True)
        if old != new
    ]
    assert len(changed) == 2
    assert all(new == f"{old} intel_iommu=on iommu=pt" for old, new in changed)
    assert "amd_iommu=pt intel_iommu=on iommu=pt" in after
    assert [entry.title for entry in grub_legacy.entries(CONF, text)] == [
        "CentOS 6 (2.6.32-504.el6.x86_64)",
        "CentOS (2.6.32-431.el6.x86_64)",
    ]


@pytest.mark.parametrize("ending", ["\r\n", "\n\n", "", "\n \t\n"])
def test_line_ends_and_odd_blanks_stay(ending: str) -> None:
    text = "title\tx\r\n\t kernel\t/vmlinuz  ro\t \r\n  initrd /i\r\ntitle y\nkernel=/v" + ending
    assert grub_legacy.set_arguments(CONF, text, INTEL) == (
        "title\tx\r\n\t kernel\t/vmlinuz  ro intel_iommu=on\t \r\n  initrd /i\r\n"
        "title y\nkernel=/v intel_iommu=on" + ending
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("default=0\nkernel /vmlinuz ro\n", 2),
        ("title x\n\troot (hd0,0)\n\tkernel\n", 3),
        ("title x\nkernel /vmlinuz ro \\\n  quiet\n", 2),
    ],
)
def test_a_broken_grub_conf(text: str, line: int) -> None:
    with pytest.raises(BootFileError) as caught:
        grub_legacy.set_arguments(CONF, text, INTEL)
    assert (caught.value.path, caught.value.line) == (CONF, line)
    assert caught.value.mend


def test_centos_7_as_the_guide_prints_it() -> None:
    files = {grub2.MAIN: samples.CENTOS_7}
    after = grub2.set_arguments(files, GUIDE)
    assert after == {
        grub2.MAIN: samples.CENTOS_7.replace(
            'GRUB_CMDLINE_LINUX="crashkernel=auto rhgb quiet"\n',
            'GRUB_CMDLINE_LINUX="crashkernel=auto rhgb quiet intel_iommu=on ixgbe.max_vfs=2"\n',
        )
    }
    assert grub2.set_arguments(after, GUIDE) == {}
    assert grub2.set_arguments(after, taken_back(GUIDE)) == files


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (samples.DEBIAN_12, 'DEFAULT="quiet"', 'DEFAULT="quiet intel_iommu=on iommu=pt"'),
        (samples.DEBIAN_13, 'DEFAULT="quiet"', 'DEFAULT="quiet intel_iommu=on iommu=pt"'),
        (LAB.read_text(), 'DEFAULT="quiet"', 'DEFAULT="quiet intel_iommu=on iommu=pt"'),
        (samples.UBUNTU, '="quiet splash"', '="quiet splash intel_iommu=on iommu=pt"'),
        (samples.PROXMOX_GRUB, '="quiet"', '="quiet intel_iommu=on iommu=pt"'),
        ("A=1\nGRUB_CMDLINE_LINUX=\n", "LINUX=\n", 'LINUX="intel_iommu=on iommu=pt"\n'),
        ("GRUB_CMDLINE_LINUX=quiet", "=quiet", '="quiet intel_iommu=on iommu=pt"'),
        ("GRUB_CMDLINE_LINUX=quiet\r\n", "=quiet", '="quiet intel_iommu=on iommu=pt"'),
        ("GRUB_CMDLINE_LINUX='a b'  # c\n", "b'", "b intel_iommu=on iommu=pt'"),
        ('GRUB_CMDLINE_LINUX="a \\\n  b"\n', 'b"', 'b intel_iommu=on iommu=pt"'),
        ('GRUB_CMDLINE_LINUX="a"\nGRUB_CMDLINE_LINUX+=" b"', "b", "b intel_iommu=on iommu=pt"),
        ("GRUB_CMDLINE_LINUX=a\\ b\n", "\\ b", '\\ b" intel_iommu=on iommu=pt"'),
        ('GRUB_CMDLINE_LINUX="$X"\n', "$X", "$X intel_iommu=on iommu=pt"),
        ('GRUB_CMDLINE_LINUX="${X}"\n', "X}", "X} intel_iommu=on iommu=pt"),
        ('GRUB_CMDLINE_LINUX="d=\\"a b\\""\n', 'b\\""', 'b\\" intel_iommu=on iommu=pt"'),
        ("export GRUB_CMDLINE_LINUX=''", "''", "'intel_iommu=on iommu=pt'"),
        ('GRUB_CMDLINE_LINUX="intel_iommu=off iommu=pt"', "=off", "=on"),
        ('GRUB_CMDLINE_LINUX="a"; GRUB_CMDLINE_LINUX="b"', '"b', '"b intel_iommu=on iommu=pt'),
    ],
)
def test_one_place_changes_in_grub_2(text: str, before: str, after: str) -> None:
    [changed] = grub2.set_arguments({grub2.MAIN: text}, FULL).values()
    assert changed == text.replace(before, after)
    assert grub2.set_arguments({grub2.MAIN: changed}, FULL) == {}
    assert satisfied(grub2.command_line({grub2.MAIN: changed}), FULL)


def test_no_setting_at_all() -> None:
    changed = grub2.set_arguments({grub2.MAIN: "GRUB_TIMEOUT=5\r\n"}, FULL)
    assert changed == {
        grub2.MAIN: 'GRUB_TIMEOUT=5\r\nGRUB_CMDLINE_LINUX="intel_iommu=on iommu=pt"\r\n'
    }


def test_the_folder_has_the_last_word() -> None:
    files = {grub2.MAIN: samples.UBUNTU, CLOUD: samples.UBUNTU_CLOUD}
    after = grub2.set_arguments(files, FULL)
    assert after == {
        CLOUD: samples.UBUNTU_CLOUD.replace('ttyS0"', 'ttyS0 intel_iommu=on iommu=pt"')
    }
    assert grub2.set_arguments({**files, **after}, FULL) == {}


def test_the_folder_adds_to_what_was_said() -> None:
    files = {grub2.MAIN: samples.DEBIAN_12.replace("quiet", "amd_iommu=off"), KDUMP: samples.KDUMP}
    after = grub2.set_arguments(files, FULL)
    assert after == {
        grub2.MAIN: samples.DEBIAN_12.replace('"quiet"', '""'),
        KDUMP: samples.KDUMP.replace('512M"', '512M intel_iommu=on iommu=pt"'),
    }
    line = grub2.command_line({**files, **after})
    assert line.split() == ["crashkernel=512M", "intel_iommu=on", "iommu=pt"]


def test_what_is_replaced_later_needs_no_change() -> None:
    files = {
        grub2.MAIN: 'GRUB_CMDLINE_LINUX_DEFAULT="iommu=off"\n',
        CLOUD: samples.UBUNTU_CLOUD,
    }
    assert set(grub2.set_arguments(files, FULL)) == {CLOUD}


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('A=1\nGRUB_CMDLINE_LINUX="quiet\nB=2\n', 2, "never closed"),
        ("A='x\n", 1, "never closed"),
        ("\nA=`uname\n", 2, "never closed"),
        ("A=$(uname\n", 1, "never closed"),
        ("GRUB_CMDLINE_LINUX=quiet splash\n", 1, "without quotes"),
        ('\n\nGRUB_CMDLINE_LINUX = "quiet"\n', 3, "blank before the ="),
        ('if true; then\nGRUB_CMDLINE_LINUX="a"\nfi\n', 2, "condition"),
        ('true &&\\\nGRUB_CMDLINE_LINUX="a"\n', 2, "condition"),
        ("if true; then\nA=1\n", 1, "never closed"),
        ("A=1\nfi\n", 2, "closes nothing"),
        ("cat <<EOF\nx\nEOF\n", 1, "here-document"),
    ],
)
def test_a_broken_default_grub(text: str, line: int, word: str) -> None:
    with pytest.raises(BootFileError) as caught:
        grub2.set_arguments({grub2.MAIN: text}, FULL)
    assert (caught.value.path, caught.value.line) == (grub2.MAIN, line)
    assert word in caught.value.found
    assert caught.value.mend


def test_shell_around_it_does_no_harm() -> None:
    text = (
        "[ -r /x ] && . /x\nif [ -f y ]; then\n. y; fi\ncase $A in\n1|2) B=2;;\n(3) C=3;;\nesac\n"
        "f() { D=1; }\nfor i in 1 2; do E=$i; done >/dev/null 2>&1\n(cd / && ls)\n"
        'G="${H:-}${I#*=}"; J=$((1 + 2)) K=$? # "\nGRUB_CMDLINE_LINUX="quiet"\n'
    )
    [changed] = grub2.set_arguments({grub2.MAIN: text}, INTEL).values()
    assert changed == text.replace('"quiet"', '"quiet intel_iommu=on"')


def test_what_another_variable_brings_is_for_a_person() -> None:
    with pytest.raises(BootFileError, match="another variable"):
        grub2.set_arguments({grub2.MAIN: 'X=iommu=off\nGRUB_CMDLINE_LINUX="a $X"'}, FULL)


ENTRY_8 = "/boot/loader/entries/6f9cc9cb7d7845d49698c9537337cedc-4.18.0-74.el8.x86_64.conf"
ENTRY_9 = "/boot/loader/entries/6f9cc9cb7d7845d49698c9537337cedc-5.14.0-362.el9.x86_64.conf"
RESCUE = "/boot/loader/entries/6f9cc9cb7d7845d49698c9537337cedc-0-rescue.conf"


def test_rhel_8_through_grubby() -> None:
    files = {
        ENTRY_8: samples.RHEL_8_ENTRY,
        RESCUE: samples.RHEL_8_ENTRY,
        bls.GRUBENV: samples.RHEL_8_GRUBENV,
    }
    rescue, normal = bls.entries(files)
    assert rescue.rescue
    assert not normal.rescue
    assert normal.options == (
        "root=/dev/mapper/rhel-root ro crashkernel=auto rd.lvm.lv=rhel/root rhgb quiet "
        " $tuned_params"
    )
    # iommu=pt first: the first grubby of RHEL 8 takes the end of a name for the name
    assert bls.grubby([rescue, normal], FULL) == [
        "grubby --update-kernel=ALL '--args=iommu=pt intel_iommu=on'"
    ]
    assert bls.afterwards(normal, FULL)[-3:] == ["$tuned_params", "intel_iommu=on", "iommu=pt"]


def test_rhel_9_through_grubby() -> None:
    [entry] = bls.entries({ENTRY_9: samples.RHEL_9_ENTRY})
    assert bls.grubby([entry], INTEL) == ["grubby --update-kernel=ALL --args=intel_iommu=on"]


def test_entries_that_differ_are_told_apart() -> None:
    other = samples.RHEL_9_ENTRY.replace("362", "400").replace("ro ", "ro intel_iommu=sm_on ")
    off = samples.RHEL_9_ENTRY.replace("362", "500").replace("ro ", "ro amd_iommu=off ")
    done = samples.RHEL_9_ENTRY.replace("362", "600").replace("ro ", "ro intel_iommu=on iommu=pt ")
    texts = [samples.RHEL_9_ENTRY, other, off, done]
    entries = bls.entries({ENTRY_9.replace("362", str(n)): text for n, text in enumerate(texts)})
    assert bls.grubby(entries, FULL) == [
        "grubby --update-kernel=/vmlinuz-5.14.0-362.el9.x86_64 '--args=iommu=pt intel_iommu=on'",
        "grubby --update-kernel=/vmlinuz-5.14.0-400.el9.x86_64 "
        "'--args=iommu=pt intel_iommu=sm_on,on'",
        "grubby --update-kernel=/vmlinuz-5.14.0-500.el9.x86_64 "
        "--remove-args=amd_iommu=off '--args=iommu=pt intel_iommu=on'",
    ]


@pytest.mark.parametrize("first_line_only", [True, False])
@pytest.mark.parametrize(
    "text", [samples.SYSTEMD_BOOT_CMDLINE, samples.PROXMOX_CMDLINE, "root=/dev/sda1", "a \r\n\n"]
)
def test_kernel_cmdline(text: str, first_line_only: bool) -> None:
    after = cmdline.set_arguments(text, FULL, first_line_only=first_line_only)
    plain = text.rstrip()
    assert after == plain + " intel_iommu=on iommu=pt" + text[len(plain) :]
    assert cmdline.set_arguments(after, FULL, first_line_only=first_line_only) == after


def test_kernel_cmdline_of_several_lines() -> None:
    text = "root=/dev/sda1\nquiet\n"
    first = cmdline.set_arguments(text, INTEL, first_line_only=True)
    assert first == "root=/dev/sda1 intel_iommu=on\nquiet\n"
    both = cmdline.set_arguments(text, INTEL, first_line_only=False)
    assert both == "root=/dev/sda1\nquiet intel_iommu=on\n"


def test_a_first_kernel_cmdline_is_what_runs() -> None:
    running = ("BOOT_IMAGE=/vmlinuz", "root=/dev/sda1", "ro", "initrd=\\initrd")
    assert cmdline.from_running(running) == "root=/dev/sda1 ro\n"


def test_a_systemd_boot_entry() -> None:
    [entry] = bls.entries({"/efi/loader/entries/x.conf": samples.SYSTEMD_BOOT_ENTRY})
    assert entry.options == "root=UUID=5109c71a-b000-4000-8000-000000000001 ro quiet"
