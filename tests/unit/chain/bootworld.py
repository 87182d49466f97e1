"""A host made of files with a boot loader: the real probe looks at it, real steps change it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from sriovctl.host import HostState
from sriovctl.plan import Stage, Step
from sriovctl.probe import parse, script
from sriovctl.reach import decode, encode
from sriovctl.transaction import Ended, StepFailed, compile_stage, parse_event

PATIENCE_S = 30.0
"""Against a test that hangs."""
ABSOLUTE = re.compile(
    r"(?<![\w./$}*])/(?=(sys|proc/cmdline|proc/cpuinfo|proc/modules|etc|boot|efi|lib/modules)(/|\b))"
)
ROOT_ARGUMENT = "root=UUID=5109c71a-b000-4000-8000-000000000001"

MKCONFIG = r"""#!/bin/sh
# grub-mkconfig as far as it matters: util/grub-mkconfig.in and util/grub.d/10_linux.in
{ . ETC/default/grub; } 2>/dev/null
for x in ETC/default/grub.d/*.cfg; do [ ! -e "$x" ] || . "$x"; done
set -e
[ "$1" = -o ]
exec >"$2.new"
printf 'menuentry "Linux" {\n\tlinux\t/vmlinuz-6.1 ROOT ro %s %s\n}\n' \
  "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT"
printf 'submenu "Advanced" {\nmenuentry "Linux (recovery mode)" {\n'
printf '\tlinux /vmlinuz-6.1 ROOT ro single %s\n}\n}\n' "$GRUB_CMDLINE_LINUX"
printf 'menuentry "Debian 11 (on /dev/sdb1)" {\n\tlinux /vmlinuz-5.10 root=/dev/sdb1 ro\n}\n'
echo 'Generating grub configuration file ...' >&2
cat "$2.new" >"$2"
rm "$2.new"
"""

GRUBBY = r"""#!{python}
# grubby-bls as far as it matters, comparing whole words (as since RHEL 8.1)
import pathlib, sys
options = dict(word[2:].split("=", 1) for word in sys.argv[1:])
folder = pathlib.Path("{root}/boot/loader/entries")
env = pathlib.Path("{root}/boot/grub2/grubenv")

def changed(line):
    words = [w for w in line.split() if w not in options.get("remove-args", "").split()]
    for new in options.get("args", "").split():
        key = new.partition("=")[0]
        same = [n for n, w in enumerate(words) if w.partition("=")[0] == key]
        if same:
            words[same[0]] = new
        else:
            words.append(new)
    return " ".join(words)

for file in sorted(folder.glob("*.conf")):
    lines = file.read_text().split("\n")
    kernel = next(l.split()[1] for l in lines if l.startswith("linux "))
    if options["update-kernel"] not in ("ALL", kernel):
        continue
    for number, line in enumerate(lines):
        if line.startswith("options ") and "$kernelopts" not in line:
            lines[number] = "options " + changed(line[8:])
    file.write_text("\n".join(lines))
if env.exists():
    lines = env.read_text().rstrip("#").split("\n")
    lines = ["kernelopts=" + changed(l[11:]) if l.startswith("kernelopts=") else l for l in lines]
    env.write_text("\n".join(lines).ljust(1024, "#"))
"""

OLD_GRUBBY = r"""#!/bin/sh
# the first grubby of RHEL 8: told iommu=pt it finds the end of intel_iommu= (update_args)
for file in {root}/boot/loader/entries/*.conf; do
  sed -i -e 's,iommu=[^ ]*,iommu=pt,' "$file"
done
"""

KERNEL_INSTALL = r"""#!/bin/sh
# kernel-install as far as it matters: 90-loaderentry.install
set -e
[ "$1" = add ] && [ -e "$3" ]
entry={root}/boot/efi/loader/entries/m-$2.conf
mkdir -p "${{entry%/*}}"
printf 'title x\nversion %s\noptions    %s\nlinux /m/%s/linux\n' \
  "$2" "$(tr -s '\n' ' ' <{root}/etc/kernel/cmdline)" "$2" >"$entry"
"""


@dataclass
class BootWorld:
    """One host's files, tools and shell."""

    root: Path
    shell: Path
    """A folder in which ``sh`` is the shell under test."""
    release: str = "6.12.0"
    runs: int = field(default=0)

    def __post_init__(self) -> None:
        self.write("/proc/sys/kernel/osrelease", self.release + "\n")
        self.write("/proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: vmx\n\n")
        self.boots_with("ro", "quiet")
        (self.root / "sys/bus/pci/devices").mkdir(parents=True)
        (self.root / "lib/modules").mkdir(parents=True)
        self.commands.mkdir()
        self.tool(
            "modprobe", f'#!/bin/sh\nmkdir -p {self.root}/sys/module/"$(echo "$1" | tr - _)"\n'
        )

    @property
    def commands(self) -> Path:
        """Programs that only this host has."""
        return self.root / "commands"

    @property
    def _environment(self) -> dict[str, str]:
        path = f"{self.commands}:{self.shell}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "SRIOVCTL_STATE": str(self.root / "state")}

    def _here(self, text: str) -> str:
        return ABSOLUTE.sub(f"{self.root}/", text)

    def write(self, path: str, text: str) -> Path:
        """Put a file there, to the byte."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        return file

    def text(self, path: str) -> str:
        """What stands in a file."""
        return (self.root / path.lstrip("/")).read_bytes().decode("utf-8", "surrogateescape")

    def boots_with(self, *words: str) -> None:
        """What the running kernel was started with, beside its root."""
        self.write("/proc/cmdline", " ".join(["BOOT_IMAGE=/vmlinuz", ROOT_ARGUMENT, *words]) + "\n")

    def iommu_is_active(self) -> None:
        """Groups exist."""
        self.write("/sys/kernel/iommu_groups/1/devices/0000:00:00.0", "")

    def tool(self, name: str, text: str) -> None:
        """A program of this host."""
        text = text.replace("ETC", f"{self.root}/etc").replace("ROOT", ROOT_ARGUMENT)
        file = self.commands / name
        file.write_text(text)
        file.chmod(0o755)

    def grubby(self, text: str = GRUBBY) -> None:
        """RHEL's."""
        self.tool(
            "grubby",
            text.format(python=sys.executable, root=self.root)
            if text is OLD_GRUBBY
            else text.replace("{python}", sys.executable).replace("{root}", str(self.root)),
        )

    def kernel_install(self) -> None:
        """systemd's."""
        self.tool("kernel-install", KERNEL_INSTALL.format(root=self.root))

    def look(self) -> HostState:
        """What the probe finds."""
        text = script()
        text = self._here(text).replace(
            "/proc/sys/kernel/osrelease", f"{self.root}/proc/sys/kernel/osrelease"
        )
        done = subprocess.run(
            [str(self.shell / "sh")],
            input=encode(text),
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
            env=self._environment,
        )
        return parse(decode(done.stdout).replace(str(self.root), ""))

    def run(self, *steps: Step) -> tuple[str, str]:
        """Runs steps as one transaction: how it ended, and what a failed step said."""
        self.runs += 1
        file = self.root / f"script-{self.runs}"
        file.write_bytes(encode(self._here(compile_stage(Stage(title="t", steps=steps), host="h"))))
        done = subprocess.run(
            [str(self.shell / "sh"), str(file)],
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
            env=self._environment,
        )
        events = [parse_event(line) for line in decode(done.stdout).splitlines()]
        ends = [event.state for event in events if isinstance(event, Ended)]
        said = [event.text for event in events if isinstance(event, StepFailed)]
        return (ends[0] if ends else decode(done.stdout + done.stderr)), " ".join(said)

    def files(self) -> dict[str, bytes]:
        """Every file that a step may change, with its mode."""
        return {
            f"{path.relative_to(self.root)} {path.stat().st_mode:o}": path.read_bytes()
            for folder in ("etc", "boot", "efi")
            for path in sorted((self.root / folder).rglob("*"))
            if path.is_file()
        }
