"""Whatever stands in a file survives, and GRUB 2's settings are read as the shell reads them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sriovctl.boot import grub2, grub_legacy
from sriovctl.boot.arguments import Arguments, holds, satisfied
from sriovctl.boot.hunks import hunks
from sriovctl.errors import BootFileError

WANTED = Arguments(
    present=("intel_iommu=on", "iommu=pt"),
    absent=("intel_iommu=off", "iommu=off", "amd_iommu=off"),
)
SHELL = shutil.which("dash") or shutil.which("busybox") or "sh"
PATIENCE_S = 30.0

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
KERNEL_LINES = st.sampled_from(
    [
        "title CentOS",
        "title Rescue",
        "\tkernel /vmlinuz ro quiet",
        "kernel /vmlinuz",
        "  kernel /vmlinuz ro intel_iommu=off  \r",
        "kernel=/vmlinuz ro amd_iommu=pt\t",
        "kernel /xen.gz dom0_mem=1G",
        "module /vmlinuz ro",
        "#kernel /vmlinuz",
        "initrd /initramfs",
        "",
    ]
)


def names_a_line(error: BootFileError, text: str) -> None:
    assert 1 <= error.line <= text.count("\n") + 1


@given(st.lists(KERNEL_LINES | TEXT, max_size=8).map("\n".join))
def test_grub_legacy(text: str) -> None:
    try:
        after = grub_legacy.set_arguments("f", text, WANTED)
    except BootFileError as error:
        names_a_line(error, text)
        return
    assert grub_legacy.set_arguments("f", after, WANTED) == after
    assert all(satisfied(e.arguments, WANTED) for e in grub_legacy.entries("f", after))
    ours = {entry.line for entry in grub_legacy.entries("f", text)}
    for number, (old, new) in enumerate(zip(text.split("\n"), after.split("\n"), strict=True), 1):
        assert old == new or number in ours


NAMES = st.sampled_from(["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT", "X"])
PARTS = st.sampled_from(
    [
        *("quiet", "ro", "intel_iommu=off", "iommu=off", "amd_iommu=off,fullflush", "iommu=pt"),
        *("$X", "${X}", "$GRUB_CMDLINE_LINUX", "\\$y", "\\\\", "a\\ b", "--", "intel_iommu=sm_on"),
    ]
)
UNQUOTED = PARTS
DOUBLE = st.lists(PARTS | st.just('\\"c d\\"') | st.just("\\\n "), max_size=4).map(
    lambda parts: '"' + " ".join(parts) + '"'
)
SINGLE = st.lists(PARTS, max_size=4).map(lambda parts: "'" + "  ".join(parts) + "'")
ASSIGNMENTS = st.builds(
    lambda export, name, value, end: f"{export}{name}={value}{end}",
    st.sampled_from(["", "", "export "]),
    NAMES,
    UNQUOTED | DOUBLE | SINGLE | st.just(""),
    st.sampled_from(["\n", "  # c\n", ";\n", "\n\n"]),
)
FILES = st.lists(ASSIGNMENTS | st.just("# x 'y\n"), max_size=5).map("".join)


def as_the_shell_reads(text: str) -> str:
    """Both variables as a shell has them after reading the file."""
    script = f'{text}\nprintf "%s\\n" "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT"'
    done = subprocess.run(
        [SHELL, "sh", "-c", script] if SHELL.endswith("busybox") else [SHELL, "-c", script],
        env={},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return done.stdout


@given(FILES)
@settings(max_examples=60, deadline=None)
def test_grub_2_is_read_as_the_shell_reads_it(text: str) -> None:
    # X of the environment is empty for the shell, and unknown here
    text = "X=\n" + text
    assert grub2.command_line({grub2.MAIN: text}).split() == as_the_shell_reads(text).split()


@given(FILES)
@settings(max_examples=60, deadline=None)
def test_what_is_written_has_its_effect_in_the_shell(text: str) -> None:
    text = "X=\n" + text
    try:
        after = grub2.set_arguments({grub2.MAIN: text}, WANTED).get(grub2.MAIN, text)
    except BootFileError as error:
        names_a_line(error, text)
        return
    assert satisfied(as_the_shell_reads(after), WANTED) or "--" in text
    assert grub2.set_arguments({grub2.MAIN: after}, WANTED) == {}


@given(TEXT, TEXT, st.sampled_from(["", "\n", "\r\n"]))
def test_text_around_the_setting_stays(before: str, after: str, end: str) -> None:
    lines = [
        f"# {before}".replace("\n", " "),
        'GRUB_CMDLINE_LINUX="quiet"',
        f"#{after}".replace("\n", " "),
    ]
    text = "\n".join(lines) + end
    [changed] = grub2.set_arguments({grub2.MAIN: text}, WANTED).values()
    assert changed == text.replace('"quiet"', '"quiet intel_iommu=on iommu=pt"', 1)


@given(st.text(max_size=60))
def test_no_text_brings_it_down(text: str) -> None:
    try:
        changed = grub2.set_arguments({grub2.MAIN: text}, WANTED)
    except BootFileError as error:
        names_a_line(error, text)
    else:
        assert holds(grub2.command_line(changed or {grub2.MAIN: text}), "iommu=pt")


LINES = st.lists(st.sampled_from(["a\n", "b\n", "\n", "a\r\n"]), max_size=6)


@given(LINES, LINES, st.sampled_from(["", "a"]), st.sampled_from(["", "b"]))
def test_changes_lead_from_one_text_to_the_other(
    before: list[str], after: list[str], end: str, new_end: str
) -> None:
    old, new = "".join(before) + end, "".join(after) + new_end
    assume(old != new)
    text, lines, next_line = "", [*before, *([end] if end else [])], 1
    for first, was, becomes in hunks(old, new):
        text += "".join(lines[next_line - 1 : first - 1])
        count = was.count("\n") + (not was.endswith("\n") and bool(was))
        assert "".join(lines[first - 1 : first - 1 + count]) == was
        text += becomes
        next_line = first + count
    assert text + "".join(lines[next_line - 1 :]) == new


@pytest.mark.parametrize("count", [1, 3])
def test_the_files_of_a_folder_are_read_by_name(count: int) -> None:
    files = {
        f"/etc/default/grub.d/{n}.cfg": f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {n}"\n'
        for n in reversed(range(count))
    }
    files[grub2.MAIN] = "GRUB_CMDLINE_LINUX=x\n"
    files["/etc/default/grub.d/9.cfg.bak"] = "GRUB_CMDLINE_LINUX=no\n"
    assert grub2.command_line(files).split() == ["x", *(str(n) for n in range(count))]
