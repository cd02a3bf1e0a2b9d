"""The HTTP face of a `Store`: an aiohttp application that speaks the Kubernetes API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from gpuspawner.simcluster.apimachinery import status
from gpuspawner.simcluster.apimachinery.objects import Object, utc_now
from gpuspawner.simcluster.apimachinery.resources import PODS, ResourceType
from gpuspawner.simcluster.apimachinery.status import ApiError, bad_request
from gpuspawner.simcluster.apiserver import reviews, tables
from gpuspawner.simcluster.apiserver.access import AccessRules
from gpuspawner.simcluster.apiserver.discovery import HEALTH_PATHS, describe
from gpuspawner.simcluster.apiserver.faults import (
    Answer,
    Delay,
    Drop,
    Fault,
    FaultPlan,
    Hang,
    Refuse,
)
from gpuspawner.simcluster.apiserver.listing import read_list
from gpuspawner.simcluster.apiserver.requestinfo import RequestInfo, read_request
from gpuspawner.simcluster.apiserver.verbs import Body, perform
from gpuspawner.simcluster.apiserver.watching import Watch, WatchTimes, read_watch_options
from gpuspawner.simcluster.apiserver.wire import break_connection, hang, send_json
from gpuspawner.simcluster.storage.store import Store

LogSource: TypeAlias = Callable[[str, str], bytes | None]
"""Given a pod's namespace and name, returns what its container has written, or None."""

_CREATED = 201
_MAX_BODY = 3 * 1024 * 1024
_SHUTDOWN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ApiServer:
    """What answers requests.

    Args:
        store: the objects.
        faults: what goes wrong, and the record of requests.
        access: who may do what.
        logs: where the logs of pods come from.
        times: how long watches last and how often they get bookmarks.
    """

    store: Store
    faults: FaultPlan
    access: AccessRules
    logs: LogSource
    times: WatchTimes

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        info = read_request(request.method, request.path, request.rel_url.raw_query_string)
        with self.faults.recording(info):
            fault = self.faults.claim(info)
            try:
                early = await _before_headers(request, fault)
                if early is not None:
                    return early
                user = self.access.authenticate(request.headers.get("Authorization"))
                self.access.authorize(user, info)
                if info.path == reviews.PATH and info.verb == "post":
                    body = await _read_body(request)
                    review = reviews.reviewed(body.value, self.access, user)
                    return await send_json(request, review, code=_CREATED, fault=fault)
                return await self._answer(request, info, fault)
            except ApiError as error:
                return await _send_error(request, error)

    async def _answer(
        self, request: web.Request, info: RequestInfo, fault: Fault | None
    ) -> web.StreamResponse:
        resource = info.resource
        if resource is None:
            return await _send_description(request, info)
        if resource is PODS and info.subresource == "log" and info.verb == "get":
            return self._log(info)
        as_table = tables.is_wanted(request.headers.get("Accept", "")) and not info.subresource
        if info.verb == "watch":
            return await self._watch(request, info, resource, fault, as_table=as_table)
        if as_table and info.verb in ("get", "list"):
            return await send_json(request, self._table(info, resource), fault=fault)
        code, answer = perform(self.store, info, resource, await _read_body(request))
        return await send_json(request, answer, code=code, fault=fault)

    def _table(self, info: RequestInfo, resource: ResourceType) -> Object:
        if info.verb == "get":
            found = self.store.get(resource, info.namespace, info.name)
            objects, metadata = [found], {"resourceVersion": found["metadata"]["resourceVersion"]}
        else:
            page = read_list(self.store, info, resource)
            objects, metadata = page.objects, page.metadata()
        include = info.query.get("includeObject", "")
        return tables.table(resource, objects, metadata, utc_now(), include=include)

    async def _watch(
        self,
        request: web.Request,
        info: RequestInfo,
        resource: ResourceType,
        fault: Fault | None,
        *,
        as_table: bool,
    ) -> web.StreamResponse:
        include = info.query.get("includeObject", "")

        def render(obj: Object) -> Object:
            if not as_table:
                return obj
            metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            return tables.table(resource, [obj], metadata, utc_now(), include=include)

        options = read_watch_options(self.store, info, resource, self.times)
        watch = Watch(self.store, resource, options, self.times, render)
        as_status = self.faults.expired_watch_as_status
        return await watch.answer(request, fault, expired_as_status=as_status)

    def _log(self, info: RequestInfo) -> web.Response:
        pod = self.store.get(PODS, info.namespace, info.name)
        text = self.logs(info.namespace, info.name)
        if text is None:
            container = info.query.get("container") or pod["spec"]["containers"][0]["name"]
            raise bad_request(
                f'container "{container}" in pod "{info.name}" is waiting to start: '
                "ContainerCreating"
            )
        if tail := info.query.get("tailLines"):
            lines = text.splitlines(keepends=True)
            text = b"".join(lines[-int(tail) :] if tail.isdecimal() and int(tail) else [])
        return web.Response(body=text, content_type="text/plain")


async def _before_headers(request: web.Request, fault: Fault | None) -> web.StreamResponse | None:
    match fault:
        case Refuse(code, reason, message, retry_after):
            headers = {} if retry_after is None else {"Retry-After": retry_after}
            return await _send_error(request, ApiError(code, reason, message), headers)
        case Answer(body, code, content_type):
            return web.Response(body=body, status=code, content_type=content_type)
        case Delay(seconds):
            await asyncio.sleep(seconds)
        case Drop():
            break_connection(request)
        case Hang():
            await hang()
    return None


async def _send_error(
    request: web.Request, error: ApiError, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    response = await send_json(request, error.status(), code=error.code)
    response.headers.update(headers or {})
    return response


async def _send_description(request: web.Request, info: RequestInfo) -> web.StreamResponse:
    if info.path in HEALTH_PATHS:
        return web.Response(text="ok")
    found = describe(info.path)
    if found is None:
        raise status.unknown_path()
    if info.verb not in ("get", "head"):
        raise status.method_not_allowed()
    return await send_json(request, found)


async def _read_body(request: web.Request) -> Body:
    raw = await request.read()
    try:
        value = json.loads(raw) if raw else None
    except ValueError as error:
        if request.content_type == "application/vnd.kubernetes.protobuf":
            words = "the simulated API server reads JSON only"
            raise ApiError(415, "UnsupportedMediaType", words) from error
        raise bad_request(f"the request's body is not JSON: {error}") from error
    return Body(value, request.content_type)


def _no_logs(_namespace: str, _name: str) -> bytes | None:
    return None


def make_app(
    store: Store,
    *,
    faults: FaultPlan | None = None,
    access: AccessRules | None = None,
    logs: LogSource = _no_logs,
    times: WatchTimes | None = None,
) -> web.Application:
    """Return the application that serves a store.

    Args:
        store: the objects.
        faults: what goes wrong; keep it to change it while the server runs.
        access: who may do what; everyone everything when not given.
        logs: where the logs of pods come from.
        times: how long watches last and how often they get bookmarks.
    """
    plan = FaultPlan() if faults is None else faults
    server = ApiServer(store, plan, access or AccessRules(), logs, times or WatchTimes())
    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_route("*", "/{path:.*}", server.handle)

    async def end_requests(_: web.Application) -> None:
        plan.sever()

    app.on_shutdown.append(end_requests)
    return app


@asynccontextmanager
async def serve(app: web.Application, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an application and yield its URL; leaving ends every request, hanging ones too.

    Args:
        app: what `make_app` returned.
        host: the address to listen on.
        port: the port; 0 takes a free one.
    """
    runner = web.AppRunner(
        app, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS, access_log=None
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0][1]
        yield f"http://{host}:{bound}"
    finally:
        await runner.cleanup()
