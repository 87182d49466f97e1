"""`python -m sriovctl.lab.bmc --personality idrac9`: a BMC by hand, over a pretended server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from sriovctl.errors import SriovctlError
from sriovctl.lab.bmc.attributes import Nic
from sriovctl.lab.bmc.chassis import FakeChassis
from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.logins import DEFAULT_ACCOUNT
from sriovctl.lab.bmc.personality import named
from sriovctl.lab.bmc.process import serve
from sriovctl.lab.bmc.server import BMC

_NICS = (
    Nic("NIC.Integrated.1-1-1", "52:54:00:00:02:01"),
    Nic("NIC.Integrated.1-2-1", "52:54:00:00:02:02"),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sriovctl.lab.bmc",
        description="A virtual iDRAC over a server that only pretends. "
        f"User {DEFAULT_ACCOUNT.name}, password {DEFAULT_ACCOUNT.password}.",
    )
    parser.add_argument("--personality", default="idrac9", help="idrac8 or idrac9")
    parser.add_argument("--address", default="127.0.0.1", help="where it listens")
    parser.add_argument("--https-port", type=int, default=0, help="0 for any that is free")
    parser.add_argument("--ssh-port", type=int, default=0, help="0 for any that is free")
    parser.add_argument("--old-ssh", action="store_true", help="only ssh-rsa and SHA-1")
    parser.add_argument("--control", type=Path, help="unix socket to set faults through")
    return parser


def _say(bmc: BMC) -> None:
    sys.stdout.write(
        f"{bmc.controller.personality.name}: {bmc.url}/redfish/v1\n"
        f"racadm: ssh -p {bmc.ssh_port} {DEFAULT_ACCOUNT.name}@{bmc.address}\n"
        f"certificate SHA-256 {bmc.certificate.fingerprint}\n"
        f"host key {bmc.host_key.get_fingerprint()}\n"
    )
    sys.stdout.flush()


def _run(arguments: argparse.Namespace) -> None:
    personality = replace(named(arguments.personality), old_ssh=arguments.old_ssh)
    bmc = BMC(
        Controller(personality, FakeChassis(), nics=_NICS),
        address=arguments.address,
        https_port=arguments.https_port,
        ssh_port=arguments.ssh_port,
        names=(arguments.address,),
    )
    asyncio.run(serve(bmc, arguments.control, _say))


if __name__ == "__main__":
    try:
        _run(_parser().parse_args())
    except (SriovctlError, OSError) as error:
        sys.exit(f"{error}")
