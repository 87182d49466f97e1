"""The command ``trust``: what BMCs show of themselves, against what is recorded; and records it."""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sriovctl import rackfile, wholefile
from sriovctl.bmc import knownhosts
from sriovctl.bmc.recognise import Shown, Standing, certificate, ssh_entry, ssh_key
from sriovctl.errors import SriovctlError, UsageError
from sriovctl.rackpin import with_fingerprint
from sriovctl.shell import command
from sriovctl.view.harmless import harmless, harmless_lines
from sriovctl.wanted import BMCWant

DIFFERS: Final = 3
AT_ONCE: Final = 32
"""BMCs that are asked at the same time."""
COMPARE: Final = """
Compare before you record: on the network, somebody in between would show his own.
  certificate  on a Dell server itself, which asks its BMC without the network:
                 racadm sslcertdownload -t 1 -f bmc.pem
                 openssl x509 -in bmc.pem -noout -sha256 -fingerprint
               or from a network that you trust: openssl s_client -connect BMC:443
  ssh key      from a network that you trust: ssh-keyscan BMC | ssh-keygen -lf -
"""


@dataclass(frozen=True)
class Look:
    """One BMC: what it shows, and what could not be asked."""

    shown: tuple[Shown, ...]
    errors: tuple[SriovctlError, ...]

    @property
    def code(self) -> int:
        """The exit code that it makes: the largest counts, as everywhere."""
        if any(each.standing is not Standing.KNOWN for each in self.shown):
            return DIFFERS
        return max((error.exit_code for error in self.errors), default=0)


def trust(arguments: argparse.Namespace) -> int:
    """``sriovctl trust``: 0 where all is known, 3 where something is new, changed or unchecked."""
    if arguments.replace and not arguments.write:
        raise UsageError("--replace without --write", "nothing would be written", "add --write")
    path = Path(arguments.rack)
    wants = rackfile.wants(path, arguments.limit)
    bmcs = {want.name: want.bmc for want in wants if want.bmc is not None}
    if not bmcs:
        raise UsageError(
            f"no BMC of {', '.join(want.name for want in wants)} in {path}",
            "there is nobody to be recognised",
            "give a host a bmc with its address and password",
        )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        looks = dict(
            zip(
                bmcs, pool.map(lambda bmc: look(bmc, arguments.timeout), bmcs.values()), strict=True
            )
        )
    if arguments.write:
        for name, bmc in bmcs.items():
            looks[name] = record(path, name, bmc, looks[name], over=arguments.replace)
    if arguments.json:
        told = {name: _for_programs(bmcs[name], each) for name, each in looks.items()}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        _print(path, bmcs, looks)
    return max(each.code for each in looks.values())


def look(bmc: BMCWant, timeout: float) -> Look:
    """What a BMC shows of all that the way to it will check. Changes nothing, sends no password.

    :param timeout: seconds, for each of connecting and answering
    """
    shown: list[Shown] = []
    errors: list[SriovctlError] = []
    try:
        if bmc.via != "racadm":
            shown.append(certificate(bmc, timeout))
    except SriovctlError as error:
        errors.append(error)
    try:
        if bmc.via != "redfish" and bmc.known_hosts is not None:
            shown.append(ssh_key(bmc, Path(bmc.known_hosts), timeout))
    except SriovctlError as error:
        errors.append(error)
    return Look(tuple(shown), tuple(errors))


def record(path: Path, host: str, bmc: BMCWant, seen: Look, *, over: bool) -> Look:
    """Write down what is new; what is known, and what needs no pin, is left alone.

    :param path: the rack file, which takes a certificate's fingerprint
    :param over: also what changed
    :returns: what is to be thought of it now, and what could not be written
    """
    due = (Standing.NEW, Standing.CHANGED) if over else (Standing.NEW,)
    shown: list[Shown] = []
    errors = list(seen.errors)
    for each in seen.shown:
        shown.append(each)
        if each.standing in due and each.pins:
            try:
                place = _write(path, host, bmc, each)
            except SriovctlError as error:
                errors.append(error)
                continue
            known = (each.fingerprint,)
            shown[-1] = replace(
                each, standing=Standing.KNOWN, recorded=known, why=f"written to {place}"
            )
    return Look(tuple(shown), tuple(errors))


def _write(path: Path, host: str, bmc: BMCWant, shown: Shown) -> Path:
    if shown.key is not None and bmc.known_hosts is not None:
        known_hosts = Path(bmc.known_hosts)
        knownhosts.record(known_hosts, ssh_entry(bmc), shown.key)
        return known_hosts
    text = with_fingerprint(path.read_bytes().decode(), host, shown.fingerprint)
    if text is None:
        raise UsageError(
            f"{path} is written so that one line does not do",
            "the bmc is an alias, perhaps, or its keys are in quotes; it is as it was",
            f"write by hand under hosts.{host}.bmc: fingerprint: {shown.fingerprint}",
        )
    wholefile.write(path, text.encode())
    return path


def _print(path: Path, bmcs: dict[str, BMCWant], looks: dict[str, Look]) -> None:
    for name, each in looks.items():
        about = f"{name}: BMC {bmcs[name].address}"
        lines = [about]
        for shown in each.shown:
            lines.append(f"  {shown.kind:<11}  {shown.standing:<9}  {shown.fingerprint}")
            if shown.changed:
                lines += [f"{'':>15}recorded   {was}" for was in shown.recorded]
            lines.append(f"{'':>26}{shown.why}")
        sys.stdout.write("".join(f"{harmless(line)}\n" for line in lines))
        alarms = [_alarm(path, name, shown) for shown in each.shown if shown.changed]
        for error in (*each.errors, *alarms):
            sys.stderr.write(f"sriovctl: {harmless_lines(f'{about}: {error}')}\n")
    left = {s.standing for each in looks.values() for s in each.shown if s.pins}
    if Standing.NEW in left or Standing.CHANGED in left:
        sys.stdout.write(COMPARE)
    if Standing.NEW in left:
        sys.stdout.write(f"Then: sriovctl trust {command(str(path))} --write\n")


def _alarm(path: Path, host: str, shown: Shown) -> SriovctlError:
    return SriovctlError(
        f"IT SHOWS ANOTHER {shown.kind.upper()} THAN THE RECORDED ONE",
        "it got a new one, or somebody stands between and waits for the password",
        "compare first; if it is its own: "
        f"sriovctl trust {command(str(path))} --limit {command(host)} --write --replace",
    )


def _for_programs(bmc: BMCWant, each: Look) -> dict[str, object]:
    seen: dict[str, object] = {
        shown.kind: {
            "standing": shown.standing.lower(),
            "fingerprint": shown.fingerprint,
            "recorded": shown.recorded,
            "why": shown.why,
        }
        for shown in each.shown
    }
    errors = [{"found": e.found, "means": e.means, "mend": e.mend} for e in each.errors]
    return {"address": bmc.address, **seen, "errors": errors}
