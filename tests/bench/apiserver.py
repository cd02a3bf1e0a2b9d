"""The API server of the bench: lists and watches of nodes and pods, rendered before anybody asks.

It runs in a process of its own. Each client uses its own first path segment
(``http://127.0.0.1:PORT/NAME``), by which requests are counted. As kube-apiserver does, it
compresses lists for clients that accept gzip, sends bookmarks and ends a watch when asked to.

``/control/``: ``start?pods=&nodes=`` and ``stop`` for changes by the second,
``probe?count=&every=``, ``counts`` and ``size``.
"""

from __future__ import annotations

import asyncio
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

from aiohttp import web

from .cluster import PROBE_STEPS, ClusterData, rendered
from .parts import Manifest

BOOKMARK_EVERY = 60.0
NO_STREAMING_LISTS = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "message": "sendInitialEvents: Forbidden",
    "reason": "Invalid",
    "code": 422,
}
"""For clients whose name begins with ``pages``: lists come as they did before Kubernetes 1.32."""
PIECE = 500
"""Objects that are written at once."""
COMPRESSION = 1
"""The level that kube-apiserver uses."""
GZIP = 16 + zlib.MAX_WBITS
HEAD = b'{"apiVersion":"v1","items":['


class Resource:
    """The objects of one resource, those that come and go apart from the many that stay."""

    def __init__(self, kind: str, objects: list[bytes]) -> None:
        self.kind = kind
        self.version = "1000"
        self.visitors: dict[str, bytes] = {}
        self.watchers: dict[asyncio.Queue[bytes], str] = {}
        self._objects = objects
        self._log: list[tuple[str, bytes]] = []
        self._pages: dict[int, bytes] = {}
        self._packed: tuple[list[bytes], Any] | None = None

    def __len__(self) -> int:
        return len(self._objects) + len(self.visitors)

    @property
    def log_length(self) -> int:
        return len(self._log)

    def publish(self, kind: str, key: str, obj: bytes, version: str, *, visits: bool) -> None:
        """Send an event to all watchers; only what `visits` changes what is listed."""
        if visits and kind == "DELETED":
            self.visitors.pop(key, None)
        elif visits:
            self.visitors[key] = obj
        line = b'{"type":"%s","object":%s}\n' % (kind.encode(), obj)
        self.version = version
        self._log.append((version, line))
        for queue in self.watchers:
            queue.put_nowait(line)

    def since(self, version: str) -> list[bytes]:
        """The events after `version`; versions are numbers here, as nobody but us knows."""
        return [line for at, line in self._log if int(at) > int(version)]

    def bookmark(self, annotations: dict[str, str] | None = None) -> bytes:
        metadata: Manifest = {"resourceVersion": self.version}
        if annotations:
            metadata["annotations"] = annotations
        obj = {"kind": self.kind, "apiVersion": "v1", "metadata": metadata}
        return rendered({"type": "BOOKMARK", "object": obj}) + b"\n"

    def all(self) -> Iterator[bytes]:
        yield from self._objects
        yield from self.visitors.values()

    def page(self, start: int, limit: int, *, compress: bool) -> bytes:
        """A page of the list; the pages of what stays are compressed once."""
        end = start + limit
        last = end >= len(self._objects)
        known = self._pages.get(start) if compress and limit == PIECE and not last else None
        if known is not None:
            return known
        objects = [*self._objects[start:end], *(self.visitors.values() if last else ())]
        page = HEAD + b",".join(objects) + self._tail("" if last else str(end))
        if not compress:
            return page
        page = zlib.compress(page, COMPRESSION, GZIP)
        if limit == PIECE and not last:
            self._pages[start] = page
        return page

    def whole(self, *, compress: bool) -> Iterator[bytes]:
        """The list in one answer, in pieces, of which what stays is compressed once."""
        tail = b"".join(b"," + visitor for visitor in self.visitors.values()) + self._tail("")
        if not compress:
            yield from self._pieces()
            yield tail
            return
        if self._packed is None:
            packer = zlib.compressobj(COMPRESSION, zlib.DEFLATED, GZIP)
            self._packed = [packer.compress(piece) for piece in self._pieces()], packer
        pieces, packer = self._packed
        yield from pieces
        packer = packer.copy()
        yield packer.compress(tail) + packer.flush()

    def _pieces(self) -> Iterator[bytes]:
        for start in range(0, max(1, len(self._objects)), PIECE):
            before = b"," if start else HEAD
            yield before + b",".join(self._objects[start : start + PIECE])

    def _tail(self, token: str) -> bytes:
        # After the items, so that a page need not be compressed anew for a new version.
        return (
            b'],"metadata":' + rendered({"resourceVersion": self.version, "continue": token}) + b"}"
        )


class APIServer:
    """Serves a `ClusterData`; `changing` and `probing` make events."""

    def __init__(self, data: ClusterData) -> None:
        self._data = data
        self._nodes = Resource("Node", [rendered(node) for node in data.nodes()])
        self._pods = Resource("Pod", _in_order(data.pods()))
        self._nothing = Resource("Pod", [])
        self._requests: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._steps = count(1)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/control/counts", self._counts)
        app.router.add_get("/control/size", self._size)
        app.router.add_post("/control/start", self._start)
        app.router.add_post("/control/stop", self._stop)
        app.router.add_post("/control/probe", self._probe)
        app.router.add_get("/{client}/api/v1/{path:.*}", self._get)
        return app

    async def _get(self, request: web.Request) -> web.StreamResponse:
        client, path = request.match_info["client"], request.match_info["path"]
        resource = {"nodes": self._nodes, "pods": self._pods}.get(path, self._nothing)
        verb = "watch" if _is_true(request, "watch") else "list"
        self._requests[f"{client} {verb} {path}"] += 1
        if _is_true(request, "sendInitialEvents") and client.startswith("pages"):
            return web.json_response(NO_STREAMING_LISTS, status=422)
        if verb == "watch":
            return await self._watch(request, resource)
        compress = "gzip" in request.headers.get("Accept-Encoding", "")
        headers = {"Content-Type": "application/json"}
        if compress:
            headers["Content-Encoding"] = "gzip"
        if limit := int(request.query.get("limit", 0)):
            start = int(request.query.get("continue") or 0)
            page = resource.page(start, limit, compress=compress)
            return web.Response(body=page, headers=headers)
        response = web.StreamResponse(headers=headers)
        with suppress(ConnectionResetError):
            await response.prepare(request)
            for piece in resource.whole(compress=compress):
                await response.write(piece)
            await response.write_eof()
        return response

    async def _watch(self, request: web.Request, resource: Resource) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        # No await up to here: nothing is missed and nothing comes twice.
        first = _first_lines(request, resource)
        resource.watchers[queue] = request.match_info["client"]
        try:
            with suppress(ConnectionResetError):
                await response.prepare(request)
                for line in first:
                    # One by one, as kube-apiserver does: each is a chunk of its own.
                    await response.write(line)
                await self._follow(request, resource, queue, response)
        finally:
            del resource.watchers[queue]
        return response

    async def _follow(
        self,
        request: web.Request,
        resource: Resource,
        queue: asyncio.Queue[bytes],
        response: web.StreamResponse,
    ) -> None:
        wants_bookmarks = _is_true(request, "allowWatchBookmarks")
        ends_at = time.monotonic() + float(request.query.get("timeoutSeconds") or 1800)
        while (left := ends_at - time.monotonic()) > 0:
            try:
                line = await asyncio.wait_for(queue.get(), min(left, BOOKMARK_EVERY))
            except TimeoutError:
                line = resource.bookmark() if wants_bookmarks else b""
            if line:
                await response.write(line)

    async def _counts(self, _: web.Request) -> web.Response:
        return web.json_response(self._requests)

    async def _size(self, request: web.Request) -> web.Response:
        client = request.query.get("client", "")
        watching = sum(
            name == client for r in (self._nodes, self._pods) for name in r.watchers.values()
        )
        sizes = {"nodes": len(self._nodes), "pods": len(self._pods), "watching": watching}
        return web.json_response(sizes)

    async def _start(self, request: web.Request) -> web.Response:
        """Begin to change ``pods`` pods and ``nodes`` nodes a second."""
        pods, nodes = (float(request.query[name]) for name in ("pods", "nodes"))
        self._task = asyncio.create_task(self._change(pods, nodes))
        return web.Response()

    async def _stop(self, _: web.Request) -> web.Response:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        return web.json_response({"sent": self._pods.log_length + self._nodes.log_length})

    async def _probe(self, request: web.Request) -> web.Response:
        """Change the probe ``count`` times and say at which monotonic time each was sent."""
        changes, every = int(request.query["count"]), float(request.query["every"])
        sent, pod = [], b""
        for _ in range(changes):
            step = next(self._steps) % PROBE_STEPS + 1
            pod = rendered(self._data.probe(step))
            sent.append((step, time.monotonic()))
            self._publish_probe("MODIFIED" if "probe" in self._pods.visitors else "ADDED", pod)
            await asyncio.sleep(every)
        self._publish_probe("DELETED", pod)
        return web.json_response(sent)

    def _publish_probe(self, kind: str, pod: bytes) -> None:
        self._pods.publish(kind, "probe", pod, self._data.next_version(), visits=True)

    async def _change(self, pods: float, nodes: float) -> None:
        """Notebooks that come, start and go, as many status changes, and nodes that report."""
        began = time.monotonic()
        pod_changes, node_changes = self._pod_changes(), self._node_changes()
        done_pods = done_nodes = 0
        while True:
            passed = time.monotonic() - began
            for _ in range(int(passed * pods) - done_pods):
                next(pod_changes)
                done_pods += 1
            for _ in range(int(passed * nodes) - done_nodes):
                next(node_changes)
                done_nodes += 1
            await asyncio.sleep(0.02)

    def _pod_changes(self) -> Iterator[None]:
        everybody = self._data.node_count
        for user in count(1_000_000):
            node = user * 7919 % everybody
            pending = self._data.notebook(user, node, "Pending", bound=False)
            key, uid = pending["metadata"]["name"], pending["metadata"]["uid"]
            for kind, bound, phase in (
                ("ADDED", False, "Pending"),
                ("MODIFIED", True, "Pending"),
                ("MODIFIED", True, "Running"),
                ("MODIFIED", True, "Running"),
                ("DELETED", True, "Running"),
            ):
                pod = self._data.notebook(user, node, phase, bound=bound)
                pod["metadata"]["uid"] = uid
                version = pod["metadata"]["resourceVersion"]
                self._pods.publish(kind, key, rendered(pod), version, visits=True)
                yield

    def _node_changes(self) -> Iterator[None]:
        for number in count():
            node = self._data.node(number % self._data.node_count)
            version, key = node["metadata"]["resourceVersion"], node["metadata"]["name"]
            self._nodes.publish("MODIFIED", key, rendered(node), version, visits=False)
            yield


def _in_order(pods: Iterator[Manifest]) -> list[bytes]:
    """Pods by namespace and name, as etcd keeps them: those of a Deployment are neighbours."""
    keyed = ((pod["metadata"]["namespace"], pod["metadata"]["name"], rendered(pod)) for pod in pods)
    return [pod for _, _, pod in sorted(keyed)]


def _first_lines(request: web.Request, resource: Resource) -> list[bytes]:
    """What a watch begins with: a streaming list, or what came after a version."""
    if not _is_true(request, "sendInitialEvents"):
        return resource.since(request.query.get("resourceVersion") or resource.version)
    lines = [b'{"type":"ADDED","object":%s}\n' % obj for obj in resource.all()]
    return [*lines, resource.bookmark({"k8s.io/initial-events-end": "true"})]


def _is_true(request: web.Request, parameter: str) -> bool:
    return request.query.get(parameter, "").lower() in ("1", "true")


async def serve(nodes: int, pods_per_node: int, seed: int) -> None:
    """Serve until standard input ends, on a port that is written to standard output."""
    runner = web.AppRunner(
        APIServer(ClusterData(nodes, pods_per_node, seed)).app(), access_log=None
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(*(int(argument) for argument in sys.argv[1:])))
