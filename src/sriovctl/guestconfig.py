"""The command ``guest-config``: the files of a VM's bonds, printed or written as a tree."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from sriovctl import netconf, rackfile, wholefile
from sriovctl.errors import RackError, UsageError
from sriovctl.explain import nearest
from sriovctl.guestbond import networks_of
from sriovctl.netconf import File
from sriovctl.plan import Finding, Severity
from sriovctl.rack import Rack
from sriovctl.view.harmless import harmless

ORDINARY_MODE = 0o644


def guest_config(arguments: argparse.Namespace) -> int:
    """``sriovctl guest-config``: what a guest needs for the bonds over its pairs.

    :raises UsageError: no such VM, a VM without pairs, or a folder that cannot be written
    :raises RackError: what the rack file wants cannot be said in this network system's words
    """
    path = Path(arguments.rack)
    rack = rackfile.load(path)
    _check_vm(rack, arguments.vm, path)
    files, findings = netconf.render(networks_of(rack, arguments.vm), arguments.system)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise _refused(arguments.vm, arguments.system, errors)
    for finding in findings:
        sys.stderr.write(f"sriovctl: {_said(finding)}\n")
    if arguments.output is not None:
        _write(files, Path(arguments.output))
    elif arguments.drive is not None:
        from sriovctl import configdrive

        wholefile.write(Path(arguments.drive), configdrive.image(arguments.vm, files))
        sys.stdout.write(f"{arguments.drive}\n")
    elif arguments.json:
        shown = [file.model_dump() | {"mode": f"{file.mode:04o}"} for file in files]
        sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(f"{_header(file)}\n{file.text}" for file in files))
    return 0


def _check_vm(rack: Rack, vm: str, path: Path) -> None:
    if vm not in rack.vms:
        known = ", ".join(rack.vms) or "none"
        raise UsageError(
            f"no VM {vm!r} in {path}",
            f"{nearest(vm, rack.vms)}it has: {known}",
            f"name one of these, or add {vm!r} under vms",
        )
    if not rack.vms[vm].pairs:
        raise UsageError(
            f"the VM {vm!r} has no pair in {path}",
            "pairs: [] is a VM without VFs: there is nothing to bond",
            "give it a pair, or name another VM",
        )


def _refused(vm: str, system: str, errors: list[Finding]) -> RackError:
    return RackError(
        "\n".join(f"{vm}, {error.about}, as {system}: {error.found}" for error in errors),
        "; ".join(dict.fromkeys(error.means for error in errors)),
        "; ".join(dict.fromkeys(error.mend for error in errors)),
    )


def _said(finding: Finding) -> str:
    lines = [f"{finding.severity}: {finding.about}: {finding.found}", f"  means: {finding.means}",
             f"  mend:  {finding.mend}"]  # fmt: skip
    return "\n".join(harmless(line) for line in lines)


def _header(file: File) -> str:
    mode = "" if file.mode == ORDINARY_MODE else f" (mode {file.mode:04o})"
    return f"# {file.path}{mode}"


def _write(files: Iterable[File], folder: Path) -> None:
    """Each file at its path under a folder, with its mode."""
    for file in files:
        target = folder / file.path.lstrip("/")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.text, "utf-8")
            target.chmod(file.mode)
        except OSError as error:
            raise UsageError(
                f"cannot write {target}: {error.strerror}", "", "name another folder"
            ) from error
        sys.stdout.write(f"{target}\n")
