"""A BMC over Redfish, on sushy. Knows iDRAC's jobs; elsewhere values wait for the next reset."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

from sushy import auth as sushy_auth
from sushy import exceptions as said
from sushy.main import Sushy
from sushy.resources.system.bios import Bios
from sushy.resources.system.system import System

from sriovctl.bmc.connection import Connection
from sriovctl.bmc.delljob import dell_job
from sriovctl.bmc.door import NoRedfishError, Order, Patience, RefusedError
from sriovctl.bmc.intents import asked, resolve, vendor_of
from sriovctl.bmc.registry import Entry, entries
from sriovctl.bmc.secrets import Secret
from sriovctl.bmc.trust import TlsTrust
from sriovctl.errors import FirmwareError, UnreachableError
from sriovctl.firmware import (
    BIOS,
    Absent,
    FirmwareState,
    FirmwareWant,
    Job,
    Pending,
    Setting,
)

log = logging.getLogger(__name__)

ROOT: Final = "/redfish/v1"
DELL_SYSTEM: Final = f"{ROOT}/Systems/System.Embedded.1"
"""Where every iDRAC has its server: asked first, it saves the round trip to the list."""
DELL_CARDS: Final = f"{ROOT}/Chassis/System.Embedded.1/NetworkAdapters"
DELL_JOBS: Final = f"{ROOT}/Managers/iDRAC.Embedded.1/Jobs"

_RESETS: Final = {
    Order.ON: ("On",),
    Order.SHUTDOWN: ("GracefulShutdown",),
    Order.RESTART: ("GracefulRestart",),
    Order.OFF: ("ForceOff",),
}


class Redfish:
    """A BMC's Redfish service.

    Looking sends name and password with each request; the first change opens a session, which
    :meth:`close` deletes.

    :param base: ``https://10.8.0.1``
    """

    via: Literal["redfish", "racadm"] = "redfish"

    def __init__(
        self, base: str, user: str, password: Secret, trust: TlsTrust, patience: Patience
    ) -> None:
        self._base = base
        self._login = (user, password)
        self._conn = Connection(base, user, password, trust, patience)
        self._session: sushy_auth.SessionAuth | None = None
        self._system: System | None = None
        self._fresh = False
        """What the system said has not been used yet."""
        self._settings: dict[str, tuple[str, bool]] = {}
        """Device → where it is set, and whether one PATCH makes the job too."""
        self._firmware: str | None = None
        self.warnings: tuple[str, ...] = ()
        if trust.insecure:
            self.warnings = (
                f"{base}: the certificate is not checked (insecure). "
                "Anybody on the way can read the password and answer in the BMC's place.",
            )

    @property
    def round_trips(self) -> int:
        """Requests sent so far."""
        return int(self._conn.round_trips)

    def probe(self) -> None:
        """Whether it is there and lets us in; the first look then needs one round trip less.

        :raises NoRedfishError: its firmware has none
        :raises NoAnswerError: nobody is there
        :raises UnreachableError: it is not believed, or refuses the login
        """
        with self._understood():
            self._look_at_system()
        self._fresh = True

    def look(self, want: FirmwareWant, jobs: bool = False) -> FirmwareState:
        """See :class:`sriovctl.bmc.door.Door`. Four round trips on an iDRAC where all holds."""
        with self._understood():
            return self._look(want, jobs)

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """What answers, but not as Redfish does, is told as such."""
        try:
            yield
        except said.ResourceNotFoundError as error:
            raise NoRedfishError(
                f"{self._base}: {error}",
                "its Redfish is incomplete, or was switched off meanwhile",
                "restart the BMC or update its firmware; or take racadm",
            ) from None
        except (said.SushyError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoRedfishError(
                f"{self._base} answers, but not as Redfish: {type(error).__name__}: {error}",
                "it is no BMC, or its firmware is broken",
                "check the address; open it in a browser",
            ) from None

    def _look(self, want: FirmwareWant, jobs: bool) -> FirmwareState:
        system = self._look_at_system()
        vendor = vendor_of(system.manufacturer, system.model)
        found: list[Setting] = []
        absent: list[Absent] = []
        pending: list[Pending] = []
        registry: bool | None = None
        for device, intents in asked(want):
            values, waiting, registry_name = self._values(system, device)
            settings, missing = resolve(vendor, device, intents, values, waiting)
            if any(not s.holds and not s.staged for s in settings):
                known = self._registry(device, registry_name, {s.name for s in settings})
                registry = known is not None and registry is not False
                settings = [_with_entry(s, (known or {}).get(s.name)) for s in settings]
            found += settings
            absent += missing
            pending += [Pending(device=device, name=n, value=v) for n, v in waiting.items()]
        if jobs and self._firmware is None:
            self._firmware = self._manager_firmware(system)
        return FirmwareState(
            via="redfish",
            vendor=vendor,
            model=system.model,
            bios_version=system.bios_version,
            bmc_firmware=self._firmware,
            power=_power(system),
            settings=tuple(found),
            absent=tuple(absent),
            pending=tuple(pending),
            jobs=self._jobs() if vendor == "dell" else None,
            needs_job=vendor == "dell",
            registry=registry,
        )

    def stage(self, device: str, values: Mapping[str, str]) -> None:
        """See :class:`sriovctl.bmc.door.Door`. With ``SettingsApplyTime`` it makes the job too."""
        self._log_in()
        uri, commits = self._settings[device]
        body: dict[str, Any] = {"Attributes": dict(values)}
        if commits:
            body["@Redfish.SettingsApplyTime"] = {"ApplyTime": "OnReset"}
        self._conn.patch(uri, data=body)

    def commit(self, device: str) -> None:
        """See :class:`sriovctl.bmc.door.Door`. iDRAC's own job queue."""
        self._log_in()
        self._conn.post(DELL_JOBS, data={"TargetSettingsURI": self._settings[device][0]})

    def power(self) -> Literal["on", "off"]:
        """See :class:`sriovctl.bmc.door.Door`."""
        with self._understood():
            return _power(self._look_at_system()) or "on"

    def orders(self) -> frozenset[Order]:
        """See :class:`sriovctl.bmc.door.Door`: from ``ResetType@Redfish.AllowableValues``."""
        allowed = self._resets()
        return frozenset(o for o, types in _RESETS.items() if any(t in allowed for t in types))

    def order(self, what: Order) -> None:
        """See :class:`sriovctl.bmc.door.Door`."""
        self._log_in()
        allowed = self._resets()
        kind = next((each for each in _RESETS[what] if each in allowed), None)
        if kind is None:
            raise RefusedError((), f"{self._base} has no reset of the kind {what}")
        self._conn.post(self._reset_action()["target"], data={"ResetType": kind})

    def ports(self) -> dict[str, str]:
        """See :class:`sriovctl.bmc.door.Door`. An iDRAC8 does not tell."""
        found: dict[str, str] = {}
        try:
            for card in self._members(DELL_CARDS):
                functions = self._get(card).get("NetworkDeviceFunctions", {}).get("@odata.id")
                for path in self._members(functions) if functions else ():
                    port = self._get(path)
                    ethernet = port.get("Ethernet") or {}
                    mac = ethernet.get("PermanentMACAddress") or ethernet.get("MACAddress")
                    if mac:
                        found[str(mac).lower()] = str(port.get("Id"))
        except said.ResourceNotFoundError:
            return found
        return found

    def _members(self, path: str) -> list[str]:
        return [each["@odata.id"] for each in self._get(path).get("Members", [])]

    def close(self) -> None:
        """See :class:`sriovctl.bmc.door.Door`."""
        if self._session is not None:
            try:
                self._session.close()
            except (said.SushyError, FirmwareError, UnreachableError) as error:
                log.warning("the session at %s is left to its timeout: %s", self._base, error)
            self._session = None
        self._conn.close()

    # the server

    def _look_at_system(self) -> System:
        if self._system is not None:
            if not self._fresh:
                self._system.refresh(force=True)
            self._fresh = False
            return self._system
        try:
            self._system = System(self._conn, DELL_SYSTEM)
        except said.ResourceNotFoundError:
            self._system = System(self._conn, self._only_system())
        return self._system

    def _only_system(self) -> str:
        try:
            members = self._get(f"{ROOT}/Systems").get("Members", [])
        except (said.ResourceNotFoundError, ValueError):
            raise NoRedfishError(
                f"{self._base} has no Redfish",
                "its firmware is too old, or Redfish is switched off in it",
                "racadm over ssh works on an iDRAC of any age; or update its firmware",
            ) from None
        if len(members) != 1:
            raise FirmwareError(
                f"{self._base} manages {len(members)} servers",
                "this program takes a BMC for one server",
            )
        return str(members[0]["@odata.id"])

    def _get(self, path: str) -> dict[str, Any]:
        body: dict[str, Any] = self._conn.get(path).json()
        return body

    def _log_in(self) -> None:
        """Have a session instead of a login with each request, where the BMC grants one."""
        if self._session is not None:
            return
        user, password = self._login
        session = sushy_auth.SessionAuth(user, password.reveal())
        try:
            Sushy(self._base, auth=session, connector=self._conn)
        except (RefusedError, said.SushyError) as error:
            log.warning("%s grants no session, each request logs in: %s", self._base, error)
            basic = sushy_auth.BasicAuth(user, password.reveal())
            basic.set_context(root_resource=self._conn, connector=self._conn)
            basic.authenticate()
            return
        self._session = session

    def _reset_action(self) -> dict[str, Any]:
        system = self._system or self._look_at_system()
        action: dict[str, Any] = system.json.get("Actions", {}).get("#ComputerSystem.Reset", {})
        if "target" not in action:
            raise RefusedError((), f"{self._base} lets nobody switch the server")
        return action

    def _resets(self) -> list[str]:
        allowed: list[str] = self._reset_action().get("ResetType@Redfish.AllowableValues", [])
        return allowed

    def _manager_firmware(self, system: System) -> str | None:
        managers = system.json.get("Links", {}).get("ManagedBy", [])
        if not managers:
            return None
        version = self._get(managers[0]["@odata.id"]).get("FirmwareVersion")
        return None if version is None else str(version)

    # settings

    def _values(
        self, system: System, device: str
    ) -> tuple[dict[str, str], dict[str, str], str | None]:
        """What holds, what is pending, and the registry's name; all empty without the device."""
        bios: str | None = system.json.get("Bios", {}).get("@odata.id")
        link = bios if device == BIOS else _nic_path(device)
        if link is None:
            return {}, {}, None
        try:
            # sushy's Bios is a resource with attributes and a settings object, as a port's is
            current = Bios(self._conn, link).json if device == BIOS else self._get(link)
        except said.ResourceNotFoundError:
            return {}, {}, None
        annotation = current.get("@Redfish.Settings", {})
        values = _texts(current.get("Attributes"))
        uri = annotation.get("SettingsObject", {}).get("@odata.id")
        if uri is None:
            return values, {}, current.get("AttributeRegistry")
        self._settings[device] = (uri, "OnReset" in annotation.get("SupportedApplyTimes", ()))
        staged = _texts(self._get(uri).get("Attributes"))
        # iDRAC shows there what is pending, others all settings as they will be
        pending = {name: value for name, value in staged.items() if values.get(name) != value}
        return values, pending, current.get("AttributeRegistry")

    def _registry(self, device: str, name: str | None, wanted: set[str]) -> dict[str, Entry] | None:
        """What the machine's registry says of some settings; None where it cannot be had."""
        direct = (
            f"{DELL_SYSTEM}/Bios/BiosRegistry"
            if device == BIOS
            else f"{ROOT}/Registries/{name}/{name}.json"
        )
        system = self._system
        if system is not None and system.path == DELL_SYSTEM:
            try:
                return entries(self._get(direct), wanted)
            except said.ResourceNotFoundError:
                return None
        try:
            places = self._get(f"{ROOT}/Registries/{name}").get("Location") or []
            english = [p for p in places if p.get("Language", "en").startswith("en")] or places
            return entries(self._get(english[0]["Uri"]), wanted) if english else None
        except (said.ResourceNotFoundError, KeyError, ValueError):
            return None

    # jobs

    def _jobs(self) -> tuple[Job, ...] | None:
        jobs: list[Job] = []
        page: str | None = f"{DELL_JOBS}?$expand=*($levels=1)"
        while page is not None:
            try:
                body = self._get(page)
            except said.ResourceNotFoundError:
                return None
            except RefusedError:
                if page == DELL_JOBS:
                    raise
                page = DELL_JOBS  # older firmware does not expand
                continue
            for member in body.get("Members", []):
                whole = member if "JobState" in member else self._get(member["@odata.id"])
                jobs.append(dell_job(whole))
            page = body.get("Members@odata.nextLink")
        return tuple(sorted(jobs, key=lambda job: job.id))


def _texts(attributes: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (attributes or {}).items() if value is not None}


def _nic_path(fqdd: str) -> str:
    """Of a port's attributes: ``NIC.Integrated.1-1-1`` is on the card ``NIC.Integrated.1``."""
    card = f"{DELL_CARDS}/{fqdd.partition('-')[0]}"
    return f"{card}/NetworkDeviceFunctions/{fqdd}/Oem/Dell/DellNetworkAttributes/{fqdd}"


def _power(system: System) -> Literal["on", "off"] | None:
    state = str(system.json.get("PowerState", "")).lower()
    if state in ("off", "poweringon"):
        return "off" if state == "off" else "on"
    return "on" if state in ("on", "poweringoff") else None


def _with_entry(setting: Setting, entry: Entry | None) -> Setting:
    if entry is None:
        return setting
    return setting.model_copy(
        update={
            "display": entry.display,
            "read_only": entry.read_only,
            "allowed": entry.allowed,
            "depends": entry.depends,
        }
    )


__all__ = ["Redfish"]
