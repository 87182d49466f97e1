"""A host's BMC as the rack file has it: the way to it, whom to believe, what its BIOS should be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sriovctl.names import Address, FileName, Fingerprint, PasswordReference, UserName
from sriovctl.wanted import BMCWant
from sriovctl.written import Written

Port = Annotated[int, Field(ge=1, le=65535)]


class BMC(Written):
    """A host's management controller (BMC)."""

    address: Address = Field(description="of the BMC, not of the host", examples=["10.8.0.2"])
    user: UserName = Field("root", description="who logs in at the BMC")
    password: PasswordReference = Field(
        description="where it is, never what it is: env:NAME, file:PATH or keyring:SERVICE/USER; "
        "a path is relative to the rack file"
    )
    via: Literal["auto", "redfish", "racadm"] = Field(
        "auto", description="auto: Redfish, and racadm over ssh where nobody answers to it"
    )
    https_port: Port = Field(443, description="for Redfish")
    ssh_port: Port = Field(22, description="for racadm")
    fingerprint: Fingerprint | None = Field(
        None, description="SHA-256 of its TLS certificate; sriovctl trust writes it"
    )
    authority: FileName | None = Field(
        None,
        description="file of the authorities that sign its certificate, PEM; relative to the rack "
        "file",
    )
    insecure: bool = Field(
        False,
        description="its certificate is not checked; a warning says so at each run",
    )
    known_hosts: FileName | None = Field(
        None,
        description="file with its ssh host key, relative to the rack file; without one it is "
        "never spoken to over ssh",
    )
    old_ciphers: bool = Field(
        False, description="it is so old that its ssh needs SHA-1 and CBC; a warning says so"
    )
    bios: list[Literal["virtualization", "iommu", "sriov"]] = Field(
        ["virtualization", "iommu", "sriov"],
        description="what is to be on in its BIOS; all three if left out",
    )

    def want(self, folder: Path) -> BMCWant:
        """The same with absolute paths and an address without brackets.

        :param folder: what the paths are relative to
        """
        kind, _, where = self.password.partition(":")
        return BMCWant(
            address=self.address.strip("[]"),
            user=self.user,
            password=f"file:{_absolute(folder, where)}" if kind == "file" else self.password,
            via=self.via,
            https_port=self.https_port,
            ssh_port=self.ssh_port,
            fingerprint=self.fingerprint,
            authority=None if self.authority is None else _absolute(folder, self.authority),
            insecure=self.insecure,
            known_hosts=None if self.known_hosts is None else _absolute(folder, self.known_hosts),
            old_ciphers=self.old_ciphers,
            intents=tuple(self.bios),
        )


def _absolute(folder: Path, name: str) -> str:
    return str((folder / name).absolute())
