"""A host made of files, so that the real probe script can look at it under each shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from sriovctl.host import HostState
from sriovctl.probe import AGAIN, read, script

PATIENCE_S = 30.0
"""Against a test that hangs; a probe of these trees takes a fraction of a second."""
ABSOLUTE = re.compile(
    r"(?<![\w./$}*])/(?=(sys|proc|etc|run|var|lib|boot|efi|dev)(?!\w))(?!dev/null)"
)
COUNTED = ("grep", "ip", "ls", "od")
MARK = "11111111-2222-3333-4444-555555555555"


@dataclass
class Tree:
    """The files of a host below one folder, and the shell that looks at it."""

    root: Path
    shell: Path
    """A folder in which ``sh`` is the shell under test."""
    answers: dict[str, str] = field(default_factory=dict)
    """What commands of the host print, by command."""
    scripts: dict[str, str] = field(default_factory=dict)
    """What commands of the host do, in sh, by command."""

    def __post_init__(self) -> None:
        self.write("/proc/sys/kernel/random/uuid", MARK + "\n")
        self.write("/proc/sys/kernel/hostname", "host\n")
        self.write("/proc/sys/kernel/osrelease", "6.1.0\n")
        self.write("/proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: fpu vmx\n\nflags : x\n")
        (self.root / "sys/bus/pci/devices").mkdir(parents=True)

    @property
    def starts_our_commands(self) -> bool:
        """Whether the shell takes commands from PATH; a standalone busybox has its own inside."""
        return "busybox" not in (self.shell / "sh").readlink().name

    def write(self, path: str, text: str) -> Path:
        """Put a file there."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def device(self, pci: str, kind: str, driver: str = "", *, below: str = "") -> None:
        """A PCI device of a class (``20000`` for a network card) and an id."""
        folder = Path("sys/devices/pci0000:00", below, pci)
        self.write(f"{folder}/uevent", f"DRIVER={driver}\nPCI_CLASS={kind}\nPCI_ID=8086:10C9\n")
        self.write(f"{folder}/class", f"0x{kind.zfill(6)}\n")
        (self.root / "sys/bus/pci/devices" / pci).symlink_to(self.root / folder)

    def netdev(self, pci: str, name: str, index: int, **values: str) -> None:
        """A network device of a PCI device."""
        folder = f"sys/bus/pci/devices/{pci}/net/{name}"
        self.write(f"{folder}/uevent", f"INTERFACE={name}\nIFINDEX={index}\n")
        for key, value in {"address": "52:54:00:00:00:01", "flags": "0x1003", **values}.items():
            self.write(f"{folder}/{key}", value + "\n")

    def port_above(self, acs_control: int) -> None:
        """The PCIe port above every PF, with its ACS control register."""
        self.device("0000:00:01.0", "60400", "pcieport")
        space = bytearray(4096)
        space[0x100:0x108] = (0x1000D | acs_control << 48).to_bytes(8, "little")
        file = self.root / "sys/devices/pci0000:00/0000:00:01.0/config"
        file.write_bytes(space)

    def pf(self, pci: str, name: str, index: int, vfs: list[str], total: int = 63) -> None:
        """A PF with its VFs, each VF in an IOMMU group of its own."""
        self.device(pci, "20000", "igb", below="0000:00:01.0")
        self.netdev(pci, name, index, carrier="1", speed="1000", mtu="1500")
        folder = f"sys/bus/pci/devices/{pci}"
        self.write(f"{folder}/sriov_totalvfs", f"{total}\n")
        self.write(f"{folder}/sriov_numvfs", f"{len(vfs)}\n")
        self.write(f"{folder}/sriov_drivers_autoprobe", "1\n")
        self.write(f"{folder}/numa_node", "-1\n")
        for number, vf in enumerate(vfs):
            self.device(vf, "20000", "igbvf", below="0000:00:01.0")
            with (self.root / f"sys/bus/pci/devices/{vf}/uevent").open("a") as uevent:
                uevent.write(f"PCI_SLOT_NAME={vf}\n")
            (self.root / folder / f"virtfn{number}").symlink_to(
                self.root / "sys/bus/pci/devices" / vf
            )
            group = int(vf[5:7], 16) * 256 + int(vf[8:10], 16) * 8 + int(vf[11])
            self.write(f"sys/kernel/iommu_groups/{group}/devices/{vf}", "")

    def look(self) -> tuple[HostState, list[str]]:
        """What the probe finds, and the commands it started, in order."""
        log = self.root / "started"
        log.write_text("")
        commands = self.root / "commands"
        commands.mkdir(exist_ok=True)
        for name in COUNTED:
            answer = "exit 1\n" if name == "ip" else f'exec {shutil.which(name)} "$@"\n'
            if name in self.answers:
                answer = f"cat <<'ANSWER'\n{self.answers[name]}\nANSWER\n"
            answer = self.scripts.get(name, answer)
            stub = commands / name
            stub.write_text(f"#!/bin/sh\necho {name} >>{log}\n{answer}")
            stub.chmod(0o755)
        whole = read(self._run(commands))
        started = log.read_text().split()
        log.write_text("")
        again = whole.again(self._run(commands, AGAIN))
        assert again.state == whole.state
        # busybox has them inside, where nobody can count them
        assert not started or len(log.read_text().split()) < len(started)
        return whole.state, started

    def _run(self, commands: Path, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.shell / "sh"), "-s", *arguments],
            input=ABSOLUTE.sub(f"{self.root}/", script()),
            text=True,
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
            env={**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.replace(str(self.root), "")
