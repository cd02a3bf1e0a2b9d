"""The state of a live cluster taken down, with only what a verdict looks at.

An object is decoded into the shapes of `gpuspawner.capacity.wire`, which have no place for an
environment, annotations or images, and encoded again; so nothing else can get into a recording.
What cannot be read is written down as unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gpuspawner.capacity import wire
from gpuspawner.capacity.intake import Outline, node_name_of
from gpuspawner.capacity.kinds import CLASSES, KINDS
from gpuspawner.capacity.model import read_node, read_pod, read_request
from gpuspawner.capacity.pseudonyms import without_names
from gpuspawner.capacity.stream import read_list_page
from gpuspawner.capacity.transport import Transport
from gpuspawner.capacity.wire import storage
from gpuspawner.errors import GPUSpawnerError, MalformedObjectError

_PAGE = 500
_ANSWER, _SILENCE = 30.0, 60.0
_OK = 200
_MISSING = 404


class TakingError(GPUSpawnerError):
    """The state cannot be taken down; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A state of a cluster.

    Attributes:
        version: of Kubernetes, such as ``v1.36.3``; empty if it does not say.
        state: as `gpuspawner.recording` reads it.
        unknown: what could not be listed or read, mostly kinds, and why.
    """

    version: str
    state: Mapping[str, Any]
    unknown: Mapping[str, str]


class RefusedError(Exception):
    """A list was refused, by an HTTP `status`."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class _Condition(wire.Wire):
    type: str = ""
    status: str = ""
    message: str | None = None


class _WaitingStatus(wire.Wire):
    conditions: list[_Condition] | None = None


class _Waiting(wire.Wire):
    status: _WaitingStatus | None = None


async def take(
    transport: Transport, *, progress: Callable[[str], None], keep_names: bool = False
) -> Taken:
    """Take down the state of the cluster.

    Args:
        transport: the way to it.
        progress: is told what is being read.
        keep_names: replace no names.

    Raises:
        TakingError: nodes or pods cannot be listed.
        TransportError: the API server does not answer.
    """
    lister = Lister(transport, progress)
    try:
        nodes = await lister.items("/api/v1/nodes")
        pods = await lister.items("/api/v1/pods")
    except RefusedError as refused:
        raise TakingError(
            f"nodes and pods must be listed, and that is refused ({refused})"
        ) from None
    reading = _Reading()
    state: dict[str, Any] = {
        "state": 0,
        "nodes": reading.nodes(nodes),
        "pods": reading.pods(pods),
        "objects": [],
        "unknown": [],
        "unreadable": reading.unreadable,
        "names": "kept" if keep_names else "replaced",
        "classes": [kind.name for kind in CLASSES],
        "candidates": reading.candidates(pods),
    }
    unknown: dict[str, str] = {}
    for kind in (*KINDS, *CLASSES):
        try:
            state["objects"] += [
                {**_kept(raw, kind.shape, kind.read), "kind": kind.name}
                for raw in await lister.items(kind.path(""), kind.parameters)
            ]
        except RefusedError as refused:
            # A group that is not served has no objects.
            if refused.status != _MISSING:
                unknown[kind.name] = f"list {kind.plural}: {refused}"
        except MalformedObjectError as error:
            unknown[kind.name] = f"list {kind.plural}: {error}"
    state["unknown"] = sorted(unknown)
    unknown |= reading.failures
    return Taken(await lister.version(), state if keep_names else without_names(state), unknown)


class Lister:
    """Lists objects as they are sent.

    Args:
        transport: the way to the API server.
        progress: is told what is being read.
    """

    def __init__(self, transport: Transport, progress: Callable[[str], None]) -> None:
        self._transport = transport
        self._progress = progress

    async def items(self, path: str, parameters: Mapping[str, str] | None = None) -> list[bytes]:
        """Every object at a path.

        Raises:
            RefusedError: it is not permitted, or there is no such kind.
            TransportError: the API server does not answer.
        """
        found: list[bytes] = []
        token = ""
        while True:
            query = {
                "limit": str(_PAGE),
                **(parameters or {}),
                **({"continue": token} if token else {}),
            }
            page = read_list_page(await self._body(path, query))
            found += page.items
            self._progress(f"{path.rsplit('/', 1)[1]}: {len(found)}")
            token = page.continue_token
            if not token:
                return found

    async def version(self) -> str:
        """Of Kubernetes, such as ``v1.36.3``; empty if it does not say."""
        try:
            return str(msgspec.json.decode(await self._body("/version", {})).get("gitVersion", ""))
        except (RefusedError, msgspec.MsgspecError, AttributeError):
            return ""

    async def _body(self, path: str, query: Mapping[str, str]) -> bytes:
        async with (
            asyncio.timeout(_SILENCE),
            self._transport.get(path, query, answer_within=_ANSWER, silence=_SILENCE) as response,
        ):
            if response.status != _OK:
                raise RefusedError(response.status)
            return await response.body()


class _Reading:
    """Keeps what can be read of nodes and pods, and notes which node the rest makes unknown."""

    def __init__(self) -> None:
        self.unreadable: list[dict[str, str | None]] = []
        self.failures: dict[str, str] = {}

    def nodes(self, raws: list[bytes]) -> list[dict[str, Any]]:
        return self._kept("nodes", raws, lambda raw: _kept(raw, wire.Node, read_node))

    def pods(self, raws: list[bytes]) -> list[dict[str, Any]]:
        return self._kept("pods", raws, lambda raw: _lean(_kept(raw, wire.Pod, read_pod)))

    def candidates(self, raws: list[bytes]) -> list[dict[str, Any]]:
        found = []
        for raw in raws:
            try:
                found.append(_candidate(raw))
            except MalformedObjectError as error:
                self.failures.setdefault("some waiting pods", str(error))
        return [candidate for candidate in found if candidate is not None]

    def _kept(
        self, resource: str, raws: list[bytes], keep: Callable[[bytes], dict[str, Any]]
    ) -> list[dict[str, Any]]:
        found = []
        for raw in raws:
            try:
                found.append(keep(raw))
            except MalformedObjectError as error:
                self.unreadable.append({"resource": resource, "node": _place(resource, raw)})
                self.failures[f"some {resource}"] = str(error)
        return found


def _place(resource: str, raw: bytes) -> str | None:
    """The node that an object makes unknown; None if that cannot be told."""
    try:
        outline = wire.decode(raw, Outline)
    except MalformedObjectError:
        return None
    return outline.metadata.name if resource == "nodes" else node_name_of(outline)


def _kept(
    raw: bytes, shape: type[msgspec.Struct], read: Callable[[bytes], object]
) -> dict[str, Any]:
    """Of an object, what `shape` has a place for. Raises `MalformedObjectError`."""
    read(raw)
    kept: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(wire.decode(raw, shape)))
    return kept


def _lean(pod: dict[str, Any]) -> dict[str, Any]:
    """A pod without what `gpuspawner.capacity.wire` leaves raw and nothing reads."""
    status = pod.get("status") or {}
    if isinstance(conditions := status.pop("conditions", None), list):
        status["conditions"] = [_known(condition, wire.Condition) for condition in conditions]
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if template := (volume.get("ephemeral") or {}).get("volumeClaimTemplate"):
            volume["ephemeral"]["volumeClaimTemplate"] = _known(template, storage.NewClaim)
    return pod


def _known(part: Any, shape: type[msgspec.Struct]) -> Any:
    """Of a part that was left raw, what `shape` has a place for; nothing if it is malformed."""
    try:
        return msgspec.to_builtins(wire.decode(part, shape))
    except MalformedObjectError:
        return {}


def _candidate(raw: bytes) -> dict[str, Any] | None:
    """A waiting pod, with what the scheduler said of it. Raises `MalformedObjectError`."""
    status = wire.decode(raw, _Waiting).status or _WaitingStatus()
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            pod = _lean(_kept(raw, wire.PodToJudge, read_request))
            if not pod["spec"].get("nodeName"):
                return {"pod": pod, "fits": False, "message": condition.message}
    return None
