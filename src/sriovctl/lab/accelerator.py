"""Hardware KVM where it works, emulation elsewhere. Tried, not believed."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sriovctl.lab import debian
from sriovctl.lab.progress import Progress
from sriovctl.lab.timeouts import seconds

_KVM = Path("/dev/kvm")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

#: A boot sector: `mov dx, 0xf4; mov al, 0x21; out dx, al; hlt`. QEMU's isa-debug-exit then
#: ends with status (0x21 << 1) | 1, which nothing else gives.
_BOOT_SECTOR = (b"\xba\xf4\x00\xb0\x21\xee\xf4\xeb\xfd").ljust(510, b"\0") + b"\x55\xaa"
_PROOF = (0x21 << 1) | 1

_HANGS = "a machine with KVM started but did not run"

#: What an emulated processor does without. `rep movsb` and `rep stosb` are said to be fast by
#: these, so Linux and glibc copy and clear with them; QEMU emulates them byte by byte.
_SLOW_EMULATED = "-erms,-fsrm,-fzrm,-fsrs,-fsrc"


@dataclass(frozen=True)
class Accelerator:
    """How QEMU runs the servers, and why so."""

    name: str
    reason: str

    def arguments(self, virtualization: bool) -> tuple[str, ...]:
        """QEMU's arguments for it: accelerator, processor, number of processors.

        :param virtualization: the processor offers SVM or VT-x to its system
        """
        hidden = "" if virtualization else ",-svm,-vmx"
        if self.name == "kvm":
            return ("-accel", "kvm", "-cpu", f"host{hidden}", "-smp", "2")
        # With two emulated processors QEMU 10.0.2 and 10.0.13 died here (iotlb_to_section:
        # assertion failed) or the server reset itself or hung, each within minutes of starting
        # three nested guests again and again; with one it did not.
        return ("-accel", "tcg", "-cpu", f"max,{_SLOW_EMULATED}{hidden}", "-smp", "1")


def choose(qemu: str, progress: Progress) -> Accelerator:
    """Start a tiny machine with KVM and see that it runs; emulation where it does not.

    One that hangs takes the whole timeout to see, so that is remembered until this machine is
    booted again or has another QEMU.

    :param qemu: path of qemu-system-x86_64
    :param progress: told only where it is tried
    """
    if not _KVM.exists():
        return Accelerator("tcg", "there is no /dev/kvm")
    if not _nests():
        return Accelerator("tcg", "KVM here does not nest (kvm_intel or kvm_amd: nested=N)")
    memory = debian.cache_folder() / "kvm-hangs.json"
    this = _circumstances(qemu)
    if _remembered(memory) == this:
        return Accelerator("tcg", f"{_HANGS}; that is remembered from an earlier try")
    with progress.part("hardware KVM: tried"):
        return _try(qemu, memory, this)


def _try(qemu: str, memory: Path, this: dict[str, object]) -> Accelerator:
    with tempfile.TemporaryDirectory(prefix="sriovctl-kvm-") as folder:
        disk = Path(folder) / "boot.img"
        disk.write_bytes(_BOOT_SECTOR.ljust(64 * 512, b"\0"))
        command = [
            qemu, "-accel", "kvm", "-cpu", "host", "-machine", "q35,kernel-irqchip=split",
            "-m", "64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-drive", f"file={disk},format=raw,if=ide",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds("kvm"),
                check=False,
            )
        except subprocess.TimeoutExpired:
            memory.parent.mkdir(parents=True, exist_ok=True)
            memory.write_text(json.dumps(this) + "\n")
            return Accelerator("tcg", _HANGS)
    if done.returncode == _PROOF:
        return Accelerator("kvm", "a machine with KVM ran")
    lines = done.stderr.strip().splitlines()
    seen = lines[0] if lines else f"QEMU ended with status {done.returncode}"
    return Accelerator("tcg", f"/dev/kvm is there, but a machine with it dies: {seen[:120]}")


def _circumstances(qemu: str) -> dict[str, object]:
    """What a hang was seen with: this boot of the machine, this QEMU."""
    file = Path(qemu).stat()
    return {"boot": _BOOT_ID.read_text().strip(), "qemu": qemu, "changed": file.st_mtime_ns}


def _remembered(memory: Path) -> object:
    """What was written down at the last hang, if it was."""
    try:
        return json.loads(memory.read_text())
    except (OSError, ValueError):
        return None


def _nests() -> bool:
    """False only where the module says that its guests cannot be KVM hosts."""
    for module in ("kvm_intel", "kvm_amd"):
        try:
            answer = Path(f"/sys/module/{module}/parameters/nested").read_text().strip()
        except OSError:
            continue
        return answer in ("1", "Y")
    return True
