"""The Redfish service of one BMC: addresses, methods, what they do."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sriovctl.lab.bmc.controller import Action, Controller, Reboot
from sriovctl.lab.bmc.jobs import BIOS_TARGET, Job
from sriovctl.lab.bmc.logins import Logins, Sessions
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.redfish import registries, resources
from sriovctl.lab.bmc.redfish.answers import (
    Json,
    collection,
    read_body,
    refused,
    shown,
    succeeded,
)
from sriovctl.lab.bmc.redfish.gate import SESSION_PATHS, Gate
from sriovctl.lab.bmc.redfish.network import Network
from sriovctl.lab.bmc.redfish.resources import (
    BIOS,
    BIOS_SETTINGS,
    CHASSIS,
    JOBS,
    MANAGER,
    ROOT,
    SYSTEM,
    TASKS,
)
from sriovctl.lab.bmc.redfish.staging import stage
from sriovctl.lab.bmc.settings import AttributesRefusedError

_REBOOT_TYPES = {
    "PowerCycle": Reboot.POWER_CYCLE,
    "GracefulRebootWithoutForcedShutdown": Reboot.GRACEFUL,
    "GracefulRebootWithForcedShutdown": Reboot.FORCED,
}


def redfish_app(controller: Controller, logins: Logins) -> ASGIApp:
    """The service, gate included."""
    personality = controller.personality
    sessions = Sessions(personality.redfish_sessions, controller.timing.session)
    return Gate(_Service(controller, logins, sessions).app(), controller, logins, sessions)


class _Service:
    def __init__(self, controller: Controller, logins: Logins, sessions: Sessions) -> None:
        self._controller = controller
        self._personality = controller.personality
        self._logins = logins
        self._sessions = sessions
        self._targets = {BIOS_SETTINGS: BIOS_TARGET}
        if self._personality.apply_times:
            self._targets |= {resources.settings_path(fqdd): fqdd for fqdd in controller.nics}
        self._boot = {
            "BootSourceOverrideEnabled": "Disabled",
            "BootSourceOverrideMode": "Legacy",
            "BootSourceOverrideTarget": "None",
        }

    def app(self) -> Starlette:
        """All addresses."""
        get = ["GET"]
        post = ["POST"]
        clear = f"{BIOS_SETTINGS}/Actions/Oem/DellManager.ClearPending"
        routes = [
            Route("/redfish", self._versions, methods=get),
            Route(ROOT, self._root, methods=get),
            Route(f"{ROOT}/Systems", self._systems, methods=get),
            Route(SYSTEM, self._system, methods=get),
            Route(SYSTEM, self._set_boot, methods=["PATCH"]),
            Route(f"{SYSTEM}/Actions/ComputerSystem.Reset", self._reset, methods=post),
            Route(BIOS, self._bios, methods=get),
            Route(f"{BIOS}/BiosRegistry", self._bios_registry, methods=get),
            Route(BIOS_SETTINGS, self._settings, methods=get),
            Route(BIOS_SETTINGS, self._stage, methods=["PATCH"]),
            Route(clear, self._clear_pending, methods=post),
            Route(f"{ROOT}/Managers", self._managers, methods=get),
            Route(MANAGER, self._manager, methods=get),
            Route(f"{MANAGER}/Actions/Manager.Reset", self._reset_manager, methods=post),
            Route(JOBS, self._jobs, methods=get),
            Route(JOBS, self._make_job, methods=post),
            Route(f"{JOBS}/{{id}}", self._job, methods=get),
            Route(f"{JOBS}/{{id}}", self._delete_job, methods=["DELETE"]),
            Route(f"{ROOT}/Chassis", self._chassis_list, methods=get),
            Route(CHASSIS, self._chassis, methods=get),
            Route(f"{ROOT}/TaskService", self._task_service, methods=get),
            Route(TASKS, self._tasks, methods=get),
            Route(f"{TASKS}/{{id}}", self._task, methods=get),
            Route(f"{ROOT}/Registries", self._registries, methods=get),
            Route(f"{ROOT}/Registries/Messages", self._messages_file, methods=get),
            Route(registries.MESSAGES_PATH, self._messages, methods=get),
            Route(f"{ROOT}/Registries/{registries.BIOS_REGISTRY}", self._bios_file, methods=get),
            Route(f"{ROOT}/SessionService", self._session_service, methods=get),
        ]
        for path in SESSION_PATHS:
            routes += [
                Route(path, self._session_list, methods=get),
                Route(path, self._log_in, methods=post),
                Route(f"{path}/{{id}}", self._session, methods=get),
                Route(f"{path}/{{id}}", self._log_out, methods=["DELETE"]),
            ]
        if self._personality.apply_times:
            jobs = f"{resources.DELL_MANAGER}/DellJobService"
            lifecycle = f"{resources.DELL_MANAGER}/DellLCService"
            routes += Network(self._controller).routes()
            routes += [
                Route(jobs, self._job_service, methods=get),
                Route(f"{jobs}/Actions/DellJobService.DeleteJobQueue", self._clear, methods=post),
                Route(
                    f"{lifecycle}/Actions/DellLCService.GetRemoteServicesAPIStatus",
                    self._lifecycle_status,
                    methods=post,
                ),
            ]
        return Starlette(
            routes=routes,
            exception_handlers={
                HTTPException: self._no_such_thing,
                RefusedError: self._refused,
                AttributesRefusedError: self._refused,
            },
        )

    # errors

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError | AttributesRefusedError)
        return refused(self._personality, error)

    async def _no_such_thing(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = "SYS402" if error.status_code == 405 else "SYS403"
        answer = refused(self._personality, RefusedError(code, request.url.path))
        if error.headers is not None and "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer

    def _show(self, body: Json, status: int = 200, **headers: str) -> Response:
        return shown(self._personality, body, status, **headers)

    # reading

    async def _versions(self, request: Request) -> Response:
        return self._show({"v1": f"{ROOT}/"})

    async def _root(self, request: Request) -> Response:
        return self._show(resources.service_root(self._personality, self._controller.tag))

    async def _systems(self, request: Request) -> Response:
        kind = "ComputerSystemCollection"
        return self._show(collection(f"{ROOT}/Systems", kind, "Computer Systems", [SYSTEM]))

    async def _system(self, request: Request) -> Response:
        power = await self._controller.power()
        tag = self._controller.tag
        return self._show(resources.system(self._personality, tag, power, self._boot))

    async def _bios(self, request: Request) -> Response:
        return self._show(resources.bios(self._controller.bios, self._personality))

    async def _settings(self, request: Request) -> Response:
        return self._show(resources.bios_settings(self._controller.bios))

    async def _bios_registry(self, request: Request) -> Response:
        if self._controller.faults.no_registry:
            raise RefusedError("SYS403", request.url.path)
        return self._show(registries.bios_registry(self._controller.bios, self._personality))

    async def _managers(self, request: Request) -> Response:
        return self._show(collection(f"{ROOT}/Managers", "ManagerCollection", "Manager", [MANAGER]))

    async def _manager(self, request: Request) -> Response:
        return self._show(resources.manager(self._personality, self._controller.clock.now()))

    async def _chassis_list(self, request: Request) -> Response:
        return self._show(collection(f"{ROOT}/Chassis", "ChassisCollection", "Chassis", [CHASSIS]))

    async def _chassis(self, request: Request) -> Response:
        power = await self._controller.power()
        return self._show(resources.chassis(self._personality, self._controller.tag, power))

    async def _registries(self, request: Request) -> Response:
        names = ["Messages"]
        if not self._controller.faults.no_registry:
            names.append(registries.BIOS_REGISTRY)
        paths = [f"{ROOT}/Registries/{name}" for name in names]
        kind = "MessageRegistryFileCollection"
        return self._show(collection(f"{ROOT}/Registries", kind, "Registry Repository", paths))

    async def _messages_file(self, request: Request) -> Response:
        location = registries.MESSAGES_PATH
        return self._show(
            registries.registry_file("Messages", self._personality.messages, location)
        )

    async def _messages(self, request: Request) -> Response:
        return self._show(registries.message_registry(self._personality))

    async def _bios_file(self, request: Request) -> Response:
        if self._controller.faults.no_registry:
            raise RefusedError("SYS403", request.url.path)
        name = registries.BIOS_REGISTRY
        return self._show(registries.registry_file(name, name, registries.BIOS_REGISTRY_PATH))

    # BIOS settings

    async def _stage(self, request: Request) -> Response:
        now = resources.bios_settings(self._controller.bios)
        return await stage(self._controller, request, BIOS_TARGET, now)

    async def _clear_pending(self, request: Request) -> Response:
        self._controller.discard()
        return self._show(succeeded(self._personality))

    # jobs

    def _all_jobs(self) -> list[Job]:
        self._controller.settle()
        return self._controller.jobs.jobs

    def _one_job(self, request: Request) -> Job:
        self._controller.settle()
        try:
            return self._controller.jobs.get(request.path_params["id"])
        except RefusedError:
            raise RefusedError("SYS403", request.url.path) from None

    async def _jobs(self, request: Request) -> Response:
        jobs = self._all_jobs()
        whole = "$expand" in request.query_params
        members = [
            resources.job(job, self._personality) if whole else f"{JOBS}/{job.id}" for job in jobs
        ]
        return self._show(collection(JOBS, "DellJobCollection", "JobQueue", members))

    async def _job(self, request: Request) -> Response:
        return self._show(resources.job(self._one_job(request), self._personality))

    async def _make_job(self, request: Request) -> Response:
        body = await read_body(request)
        target = body.get("TargetSettingsURI")
        if target is None:
            raise RefusedError("SYS406", "TargetSettingsURI")
        if target not in self._targets:
            raise RefusedError("SYS409", str(target), "TargetSettingsURI")
        reboot = body.get("RebootJobType")
        if reboot is not None and reboot not in _REBOOT_TYPES:
            raise RefusedError("SYS409", str(reboot), "RebootJobType")
        job = self._controller.commit(self._targets[target])
        if reboot is not None:
            self._controller.reboot(_REBOOT_TYPES[reboot])
        answer = succeeded(self._personality)
        return self._show(answer, Location=f"{JOBS}/{job.id}")

    async def _delete_job(self, request: Request) -> Response:
        self._controller.settle()
        try:
            self._controller.delete_job(request.path_params["id"])
        except RefusedError as error:
            if error.code == "RAC1030":
                raise RefusedError("SYS403", request.url.path) from None
            raise
        return self._show(succeeded(self._personality))

    async def _job_service(self, request: Request) -> Response:
        path = request.url.path
        return self._show({"@odata.id": path, "Id": "Job Service", "Name": "DellJobService"})

    async def _clear(self, request: Request) -> Response:
        body = await read_body(request)
        self._controller.delete_job(str(body.get("JobID")))
        return self._show(succeeded(self._personality))

    async def _lifecycle_status(self, request: Request) -> Response:
        ready = self._controller.faults.lifecycle == "ready"
        status = {
            "LCStatus": "Ready" if ready else "InUse",
            "RTStatus": "Ready",
            "Status": "Ready" if ready else "NotReady",
        }
        return self._show(succeeded(self._personality) | status)

    async def _tasks(self, request: Request) -> Response:
        paths = [f"{TASKS}/{job.id}" for job in self._all_jobs()]
        return self._show(collection(TASKS, "TaskCollection", "Task Collection", paths))

    async def _task(self, request: Request) -> Response:
        job = self._one_job(request)
        status = 200 if job.state.terminal else 202
        return self._show(resources.task(job, self._personality), status)

    async def _task_service(self, request: Request) -> Response:
        return self._show(resources.task_service(self._controller.clock.now()))

    # power

    async def _reset(self, request: Request) -> Response:
        wish = (await read_body(request)).get("ResetType")
        if wish is None:
            raise RefusedError("SYS406", "ResetType")
        if wish not in self._personality.reset_types:
            raise RefusedError("SYS409", str(wish), "ResetType")
        await self._controller.reset(Action(wish))
        return Response(status_code=204, headers={"OData-Version": "4.0"})

    async def _set_boot(self, request: Request) -> Response:
        boot = (await read_body(request)).get("Boot")
        if not isinstance(boot, dict):
            raise RefusedError("SYS406", "Boot")
        allowed = {
            "BootSourceOverrideTarget": resources.BOOT_TARGETS,
            "BootSourceOverrideEnabled": resources.BOOT_ENABLED,
            "BootSourceOverrideMode": ("Legacy", "UEFI"),
        }
        for name, value in boot.items():
            if name not in allowed:
                raise RefusedError("SYS407", name)
            if value not in allowed[name]:
                raise RefusedError("SYS409", str(value), name)
        self._boot |= boot
        return self._show(succeeded(self._personality))

    async def _reset_manager(self, request: Request) -> Response:
        if (await read_body(request)).get("ResetType") != "GracefulRestart":
            raise RefusedError("SYS409", "", "ResetType")
        for session in self._sessions.all(self._controller.clock.now()):
            self._sessions.close(session.id)
        return Response(status_code=204)

    # sessions

    async def _session_service(self, request: Request) -> Response:
        return self._show(resources.session_service(self._personality, self._sessions.timeout))

    async def _session_list(self, request: Request) -> Response:
        path = request.url.path
        paths = [f"{path}/{each.id}" for each in self._sessions.all(self._controller.clock.now())]
        return self._show(collection(path, "SessionCollection", "Session Collection", paths))

    async def _log_in(self, request: Request) -> Response:
        body = await read_body(request)
        for name in ("UserName", "Password"):
            if not isinstance(body.get(name), str):
                raise RefusedError("SYS406", name)
        if self._controller.faults.locked:
            raise RefusedError("SYS415")
        now = self._controller.clock.now()
        account = self._logins.check(body["UserName"], body["Password"], now)
        session = self._sessions.open(account, now)
        path = request.url.path
        answer = self._show(resources.session(session, path) | succeeded(self._personality), 201)
        answer.headers["Location"] = f"{path}/{session.id}"
        answer.headers["X-Auth-Token"] = session.token
        return answer

    async def _session(self, request: Request) -> Response:
        path, _, wanted = request.url.path.rpartition("/")
        for session in self._sessions.all(self._controller.clock.now()):
            if session.id == wanted:
                return self._show(resources.session(session, path))
        raise RefusedError("SYS403", request.url.path)

    async def _log_out(self, request: Request) -> Response:
        self._sessions.close(request.path_params["id"])
        return self._show(succeeded(self._personality))
