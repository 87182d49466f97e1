"""From what the rack file says of a BMC to an open way there."""

from __future__ import annotations

from pathlib import Path

from sriovctl.bmc.access import Access, enter
from sriovctl.bmc.door import Door, Patience
from sriovctl.bmc.secrets import Secret, secret
from sriovctl.bmc.trust import TlsTrust
from sriovctl.wanted import BMCWant


def open_door(want: BMCWant, patience: Patience | None = None) -> Door:
    """An open way to a host's BMC; close it in the end.

    :raises SecretError: its password cannot be had, or is not kept well
    :raises UnreachableError: nobody is there, it is not believed, or it refuses the login
    :raises NoRedfishError: the way was set to Redfish, or ssh may not be used
    """
    return enter(access_of(want, secret(want.password)), patience)


def access_of(want: BMCWant, password: Secret) -> Access:
    """The same facts as :func:`enter` takes them."""
    return Access(
        host=want.address,
        user=want.user,
        password=password,
        tls=TlsTrust(
            fingerprint=want.fingerprint,
            authority=None if want.authority is None else Path(want.authority),
            insecure=want.insecure,
        ),
        known_hosts=None if want.known_hosts is None else Path(want.known_hosts),
        via=want.via,
        https_port=want.https_port,
        ssh_port=want.ssh_port,
        old_ciphers=want.old_ciphers,
    )
