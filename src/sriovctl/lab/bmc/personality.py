"""The two iDRACs that the lab can be: what they offer and how they differ. Data only.

Facts from Dell's guides and from what people print of theirs; docs/lab-bmc.md says which are
assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sriovctl.errors import UsageError


@dataclass(frozen=True)
class Personality:
    """One generation of iDRAC with one firmware."""

    name: str
    model: str
    """Of the server, as its BIOS says."""
    manager_model: str
    firmware: str
    bios_version: str
    redfish_version: str
    messages: str
    """Prefix of its own message ids: ``IDRAC.1.6`` in ``IDRAC.1.6.SYS011``."""
    base_messages: str
    """Prefix of the standard's message ids."""
    sessions_path: str
    apply_times: tuple[str, ...]
    """SupportedApplyTimes of the BIOS settings; empty where a job is always a POST of its own."""
    reset_types: tuple[str, ...]
    redfish_sessions: int
    racadm_sessions: int
    etags: bool
    """Resources have ETags, and If-Match is honoured (412)."""
    failed_logins: int
    """So many in a row lock an account; 0 for never."""
    prompt: str
    """What its ssh shell prints before ``racadm`` is typed."""
    old_ssh: bool
    """Only ssh-rsa host keys and SHA-1 key exchange, as its firmware speaks when asked."""


IDRAC8 = Personality(
    name="idrac8",
    model="PowerEdge R730",
    manager_model="13G Monolithic",
    firmware="2.86.86.86",
    bios_version="2.19.0",
    redfish_version="1.4.0",
    messages="IDRAC.1.6",
    base_messages="Base.1.2",
    sessions_path="/redfish/v1/Sessions",
    apply_times=(),
    reset_types=(
        "On",
        "ForceOff",
        "GracefulRestart",
        "GracefulShutdown",
        "PushPowerButton",
        "Nmi",
    ),
    redfish_sessions=6,
    racadm_sessions=4,
    etags=False,
    failed_logins=0,
    prompt="/admin1-> ",
    old_ssh=False,
)

IDRAC9 = Personality(
    name="idrac9",
    model="PowerEdge R740",
    manager_model="14G Monolithic",
    firmware="6.10.30.00",
    bios_version="2.17.1",
    redfish_version="1.15.0",
    messages="IDRAC.2.8",
    base_messages="Base.1.12",
    sessions_path="/redfish/v1/SessionService/Sessions",
    apply_times=("OnReset",),
    reset_types=(
        "On",
        "ForceOff",
        "ForceRestart",
        "GracefulRestart",
        "GracefulShutdown",
        "PushPowerButton",
        "Nmi",
        "PowerCycle",
    ),
    redfish_sessions=8,
    racadm_sessions=4,
    etags=True,
    failed_logins=3,
    prompt="racadm>>",
    old_ssh=False,
)


def named(name: str) -> Personality:
    """The personality of that name.

    :raises UsageError: there is none
    """
    for personality in (IDRAC8, IDRAC9):
        if personality.name == name:
            return personality
    raise UsageError(f"there is no iDRAC {name!r} in the lab", mend="name idrac8 or idrac9")
