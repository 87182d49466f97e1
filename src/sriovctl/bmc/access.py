"""Which way to a BMC: Redfish where it answers, racadm where its firmware is too old."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sriovctl.bmc.door import Door, NoAnswerError, NoRedfishError, Patience
from sriovctl.bmc.racadm import Racadm
from sriovctl.bmc.redfish import Redfish
from sriovctl.bmc.secrets import Secret
from sriovctl.bmc.ssh import SshTarget
from sriovctl.bmc.trust import TlsTrust

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """A BMC, and how it is reached and recognised.

    :param via: ``auto`` takes Redfish, and racadm where nobody answers to it
    :param known_hosts: file with its ssh key; None: it is never spoken to over ssh
    """

    host: str
    user: str
    password: Secret
    tls: TlsTrust = field(default_factory=TlsTrust)
    known_hosts: Path | None = None
    via: Literal["auto", "redfish", "racadm"] = "auto"
    https_port: int = 443
    ssh_port: int = 22
    old_ciphers: bool = False

    @property
    def base(self) -> str:
        """``https://10.8.0.1``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}" + ("" if self.https_port == 443 else f":{self.https_port}")


def enter(access: Access, patience: Patience | None = None) -> Door:
    """An open way to the BMC. Its warnings go to the log, each time; close it in the end.

    A refused login or a certificate that is not believed does not lead to the other way: it would
    be one more wrong login, or the same stranger.

    :raises UnreachableError: nobody is there, it is not believed, or it refuses the login
    :raises NoRedfishError: the way was set to Redfish, or ssh may not be used
    """
    patience = patience or Patience()
    door = _enter(access, patience)
    for warning in door.warnings:
        log.warning("%s", warning)
    return door


def _enter(access: Access, patience: Patience) -> Door:
    if access.via != "racadm":
        redfish = Redfish(access.base, access.user, access.password, access.tls, patience)
        try:
            redfish.probe()
        except (NoRedfishError, NoAnswerError) as error:
            redfish.close()
            if access.via == "redfish" or access.known_hosts is None:
                raise
            log.info("%s: %s; racadm is tried", access.host, error.found)
        except BaseException:
            redfish.close()
            raise
        else:
            return redfish
    target = SshTarget(
        host=access.host,
        user=access.user,
        known_hosts=access.known_hosts or Path("~/.ssh/known_hosts").expanduser(),
        port=access.ssh_port,
        old_ciphers=access.old_ciphers,
    )
    return Racadm(target, access.password, patience)
