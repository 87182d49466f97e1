"""What a BMC shows of itself now, and whether that is what is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

import paramiko

from sriovctl.bmc import knownhosts, ssh
from sriovctl.bmc.opening import access_of
from sriovctl.bmc.secrets import Secret
from sriovctl.bmc.trust import certificate_fingerprint, disbelief
from sriovctl.wanted import BMCWant


class Standing(StrEnum):
    """What is to be thought of it."""

    KNOWN = "known"
    """It is the recorded one, or the authorities vouch for it."""
    NEW = "new"
    """Nothing is recorded."""
    CHANGED = "CHANGED"
    """Another is recorded."""
    UNCHECKED = "unchecked"
    """The rack file says that anybody is to be believed."""


@dataclass(frozen=True)
class Shown:
    """A certificate or an ssh host key, as it is shown now.

    :param fingerprint: as OpenSSL or OpenSSH print it
    :param recorded: the fingerprints that were expected
    :param why: what the standing follows from
    :param pins: recording it makes it known; False where the rack file says another way
    """

    kind: Literal["certificate", "ssh key"]
    standing: Standing
    fingerprint: str
    recorded: tuple[str, ...] = ()
    why: str = ""
    pins: bool = True
    key: paramiko.PKey | None = None

    @property
    def changed(self) -> bool:
        """Another is recorded."""
        return self.standing is Standing.CHANGED


def certificate(want: BMCWant, timeout: float) -> Shown:
    """The certificate of its TLS.

    :param timeout: seconds, for each of connecting and answering
    :raises UnreachableError: nobody speaks TLS there
    """
    digits = certificate_fingerprint(want.address, want.https_port, timeout)
    shown = colons(digits)
    if want.insecure:
        why = "the rack file says insecure: anybody is believed"
        return Shown("certificate", Standing.UNCHECKED, shown, why=why, pins=False)
    if want.fingerprint is not None:
        if digits == want.fingerprint:
            why = "it is the one in the rack file"
            return Shown("certificate", Standing.KNOWN, shown, (shown,), why)
        why = "the rack file has another"
        return Shown("certificate", Standing.CHANGED, shown, (colons(want.fingerprint),), why)
    access = access_of(want, Secret(""))
    whose = want.authority or "the authorities that come with Python"
    reason = disbelief(access.base, access.tls, timeout)
    if not reason:
        return Shown("certificate", Standing.KNOWN, shown, why=f"{whose} vouch for it")
    why = f"{whose} do not vouch for it: {reason}"
    return Shown("certificate", Standing.NEW, shown, why=why, pins=want.authority is None)


def ssh_key(want: BMCWant, known_hosts: Path, timeout: float) -> Shown:
    """Its ssh host key.

    :raises UnreachableError: nobody speaks ssh there
    :raises UsageError: the file of host keys cannot be read
    """
    known = knownhosts.recorded(known_hosts, ssh_entry(want))
    kinds = [key.get_name() for key in known]
    key = ssh.host_key(want.address, want.ssh_port, timeout, kinds)
    shown = _told(key)
    if key in known:
        why = f"it is the one in {known_hosts}"
        return Shown("ssh key", Standing.KNOWN, shown, (shown,), why, key=key)
    recorded = tuple(_told(each) for each in known)
    standing, has = (Standing.CHANGED, "another") if known else (Standing.NEW, "none")
    return Shown("ssh key", standing, shown, recorded, f"{known_hosts} has {has}", key=key)


def ssh_entry(want: BMCWant) -> str:
    """How a file of host keys names a BMC."""
    return ssh.SshTarget(want.address, want.user, Path(), want.ssh_port).entry


def colons(digits: str) -> str:
    """``9F:3A:…``, as OpenSSL prints it."""
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).upper()


def _told(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {ssh.fingerprint(key)}"
