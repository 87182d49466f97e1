"""Network ports over Redfish: cards, ports, and the attributes of a port. iDRAC9 only."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sriovctl.lab.bmc.attributes import Nic
from sriovctl.lab.bmc.controller import Controller
from sriovctl.lab.bmc.messages import RefusedError
from sriovctl.lab.bmc.redfish.answers import Json, collection, link, resource, shown, succeeded
from sriovctl.lab.bmc.redfish.registries import nic_registry, nic_registry_id
from sriovctl.lab.bmc.redfish.resources import (
    CHASSIS,
    ROOT,
    SYSTEM,
    nic_path,
    settings_annotation,
    shown_values,
)
from sriovctl.lab.bmc.redfish.staging import stage


class Network:
    """The addresses of all network ports of a server."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._personality = controller.personality

    def routes(self) -> list[Route]:
        """All of them."""
        get = ["GET"]
        cards = f"{CHASSIS}/NetworkAdapters"
        functions = f"{cards}/{{card}}/NetworkDeviceFunctions"
        attributes = f"{functions}/{{fqdd}}/Oem/Dell/DellNetworkAttributes/{{same}}"
        name = "NetworkAttributesRegistry_{}"
        registry = f"{ROOT}/Registries/{name.format('{fqdd}')}/{name.format('{same}')}.json"
        clear = f"{attributes}/Settings/Actions/DellManager.ClearPending"
        return [
            Route(cards, self._cards, methods=get),
            Route(f"{SYSTEM}/NetworkAdapters", self._cards, methods=get),
            Route(f"{cards}/{{card}}", self._card, methods=get),
            Route(functions, self._functions, methods=get),
            Route(f"{functions}/{{fqdd}}", self._function, methods=get),
            Route(attributes, self._attributes, methods=get),
            Route(f"{attributes}/Settings", self._settings, methods=get),
            Route(f"{attributes}/Settings", self._stage, methods=["PATCH"]),
            Route(clear, self._clear_pending, methods=["POST"]),
            Route(registry, self._registry, methods=get),
        ]

    def _nic(self, request: Request) -> Nic:
        """The port that a request is about.

        :raises RefusedError: SYS403
        """
        nic = self._controller.nics.get(request.path_params["fqdd"])
        same = request.path_params.get("same")
        card = request.path_params.get("card")
        if nic is None or same not in (None, nic.fqdd) or card not in (None, nic.adapter):
            raise RefusedError("SYS403", request.url.path)
        return nic

    def _show(self, body: Json) -> Response:
        return shown(self._personality, body)

    async def _cards(self, request: Request) -> Response:
        path = request.url.path
        cards = dict.fromkeys(nic.adapter for nic in self._controller.nics.values())
        paths = [f"{CHASSIS}/NetworkAdapters/{card}" for card in cards]
        kind = "NetworkAdapterCollection"
        return self._show(collection(path, kind, "Network Adapter Collection", paths))

    def _on_card(self, request: Request) -> list[Nic]:
        card = request.path_params["card"]
        nics = [nic for nic in self._controller.nics.values() if nic.adapter == card]
        if not nics:
            raise RefusedError("SYS403", request.url.path)
        return nics

    async def _card(self, request: Request) -> Response:
        self._on_card(request)
        path = request.url.path
        return self._show(
            resource(
                path,
                "#NetworkAdapter.v1_5_0.NetworkAdapter",
                "NetworkAdapter.NetworkAdapter",
                "Network Adapter View",
                Manufacturer="Intel Corporation",
                NetworkDeviceFunctions=link(f"{path}/NetworkDeviceFunctions"),
            )
        )

    async def _functions(self, request: Request) -> Response:
        path = request.url.path
        paths = [f"{path}/{nic.fqdd}" for nic in self._on_card(request)]
        kind = "NetworkDeviceFunctionCollection"
        return self._show(collection(path, kind, "Network Device Function Collection", paths))

    async def _function(self, request: Request) -> Response:
        nic = self._nic(request)
        return self._show(
            resource(
                request.url.path,
                "#NetworkDeviceFunction.v1_5_0.NetworkDeviceFunction",
                "NetworkDeviceFunction.NetworkDeviceFunction",
                "Network Device Function View",
                Ethernet={"MACAddress": nic.mac.upper(), "PermanentMACAddress": nic.mac.upper()},
                Links={"Oem": {"Dell": {"DellNetworkAttributes": link(nic_path(nic.fqdd))}}},
            )
        )

    async def _attributes(self, request: Request) -> Response:
        nic = self._nic(request)
        device = self._controller.device(nic.fqdd)
        path = nic_path(nic.fqdd)
        annotation = settings_annotation(f"{path}/Settings", self._personality)
        values = shown_values(device, device.current)
        body = self._frame(path, nic, "DellNetworkAttributes", Attributes=values)
        return self._show(body | {"@Redfish.Settings": annotation})

    def _frame(self, path: str, nic: Nic, name: str, **properties: object) -> Json:
        return resource(
            path,
            "#DellAttributes.v1_0_0.DellAttributes",
            "DellAttributes.DellAttributes",
            name,
            AttributeRegistry=nic_registry_id(nic.fqdd),
            **properties,
        )

    def _pending(self, nic: Nic) -> Json:
        path = f"{nic_path(nic.fqdd)}/Settings"
        device = self._controller.device(nic.fqdd)
        return self._frame(
            path,
            nic,
            "DellNetworkAttributes Settings",
            Attributes=shown_values(device, device.pending),
            Actions={
                "#DellManager.ClearPending": {
                    "target": f"{path}/Actions/DellManager.ClearPending",
                }
            },
        )

    async def _settings(self, request: Request) -> Response:
        return self._show(self._pending(self._nic(request)))

    async def _stage(self, request: Request) -> Response:
        nic = self._nic(request)
        return await stage(self._controller, request, nic.fqdd, self._pending(nic))

    async def _clear_pending(self, request: Request) -> Response:
        self._controller.discard(self._nic(request).fqdd)
        return self._show(succeeded(self._personality))

    async def _registry(self, request: Request) -> Response:
        nic = self._nic(request)
        return self._show(
            nic_registry(nic.fqdd, self._controller.device(nic.fqdd), self._personality)
        )
