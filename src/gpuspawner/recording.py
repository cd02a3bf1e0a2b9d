"""States of a cluster written down: one JSON line each, with pods to be judged.

The format is that in which verdicts of a real kube-scheduler were recorded, so that what an
operator sends can be replayed, and compared where the line says what the scheduler did:

    {"state": 0, "nodes": [Node, ...], "pods": [Pod, ...], "objects": [objects with a kind, ...],
     "candidates": [{"pod": Pod, "objects": [for this candidate alone, ...]}, ...]}

A line without ``nodes`` says where the recording comes from and is passed over. Objects of a kind
that a state does not list do not exist, unless its ``unknown`` names the kind. ``unreadable`` lists
nodes and pods that exist and cannot be read, by what they are and the node they make unknown
(null: any): ``{"resource": "pods", "node": "n1"}``.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import msgspec

from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.kinds import KINDS
from gpuspawner.capacity.model import PodRequest, read_node, read_pod, read_request
from gpuspawner.errors import GPUSpawnerError, MalformedObjectError
from gpuspawner.fit import Verdict, doubted, judge

_GZIP = b"\x1f\x8b"
_BY_KIND = {kind.name: kind for kind in KINDS}


class RecordingError(GPUSpawnerError):
    """A recording that cannot be read; the text names the line and, if possible, the object."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pod to be judged against a state.

    Attributes:
        state: the number of its state.
        number: its place among the state's candidates.
        request: the pod.
        snapshot: the state, with what exists for this candidate alone.
        recorded: the candidate as it was written down.
        family: what the state was made to show; empty if it does not say.
        unreadable: the nodes of what cannot be read; None among them if that cannot be told.
        hides_a_node: whether a node cannot be read.
    """

    state: int
    number: int
    request: PodRequest
    snapshot: Snapshot
    recorded: Mapping[str, Any]
    family: str
    unreadable: frozenset[str | None] = frozenset()
    hides_a_node: bool = False


class _Unreadable(msgspec.Struct):
    resource: str = ""
    node: str | None = None


class _State(msgspec.Struct):
    nodes: list[dict[str, Any]] | None = None
    pods: list[dict[str, Any]] = []
    candidates: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    unknown: list[str] = []
    unreadable: list[_Unreadable] = []
    state: int = 0
    family: str = ""


def opened(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a recording, compressed by gzip or not."""
    buffered = io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
    head = buffered.read(2)
    rest = _Rejoined(head, buffered)
    if head == _GZIP:
        try:
            yield from gzip.GzipFile(fileobj=io.BufferedReader(rest))
        except (EOFError, OSError) as error:
            raise RecordingError(f"the gzip data break off: {error}") from error
    else:
        yield from io.BufferedReader(rest)


def candidates(lines: Iterable[bytes]) -> Iterator[Candidate]:
    """Every candidate of a recording, in order.

    Raises:
        RecordingError: a line is not a state, or an object in it is malformed.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            state = msgspec.json.decode(line, type=_State)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RecordingError(f"line {number}: not a state: {error}") from error
        if state.nodes is None:
            if number == 1:
                continue
            raise RecordingError(f"line {number}: a state without nodes")
        try:
            yield from _candidates(state)
        except MalformedObjectError as error:
            raise RecordingError(f"line {number}: {error}") from error


def verdict_line(candidate: Candidate) -> dict[str, Any]:
    """Our verdict on a candidate, as plain objects."""
    verdict = doubted(
        judge(candidate.request, candidate.snapshot),
        candidate.unreadable,
        hides_a_node=candidate.hides_a_node,
    )
    line: dict[str, Any] = {
        "state": candidate.state,
        "candidate": candidate.number,
        "fits": verdict.fits,
        "nodes": len(verdict.nodes),
        "slots": verdict.slots,
        "reasons": _reasons(verdict),
        "unchecked": list(verdict.unchecked),
    }
    if candidate.family == "priority":
        line["preempts"] = None if verdict.evicts is None else verdict.evicts > 0
    if candidate.family == "quota":
        line["admission"] = not verdict.refusal
    if verdict.refusal:
        line["message"] = verdict.refusal
    if verdict.queued:
        line["queued"] = list(verdict.queued)
    return line


def _reasons(verdict: Verdict) -> dict[str, int]:
    return {} if verdict.fits else dict(sorted(verdict.reasons.items()))


def _candidates(state: _State) -> Iterator[Candidate]:
    index = ClusterIndex()
    index.replace_nodes(map(read_node, state.nodes or ()))
    index.replace_pods(map(read_pod, state.pods))
    for number, recorded in enumerate(state.candidates):
        _take_objects(index, [*state.objects, *recorded.get("objects", ())], state.unknown)
        pod = recorded.get("pod")
        if not isinstance(pod, dict):
            raise MalformedObjectError(f"candidate {number} has no pod")
        yield Candidate(
            state=state.state,
            number=number,
            request=read_request(pod),
            snapshot=index.snapshot(),
            recorded=recorded,
            family=state.family,
            unreadable=frozenset(held.node for held in state.unreadable),
            hides_a_node=any(held.resource == "nodes" for held in state.unreadable),
        )


def _take_objects(
    index: ClusterIndex, objects: Iterable[dict[str, Any]], unknown: Iterable[str]
) -> None:
    found: dict[str, list[Any]] = {kind.table: [] for kind in KINDS}
    for obj in objects:
        kind = _BY_KIND.get(str(obj.get("kind")))
        # Others, such as a PriorityClass, have done their work when a pod was admitted.
        if kind is not None:
            found[kind.table].append(kind.read(obj))
    for kind in KINDS:
        table = index.objects.table(kind.table)
        if kind.name in unknown:
            table.forget()
        else:
            table.replace(found[kind.table])


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were looked at."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk, self._head = self._head, b""
        chunk = chunk or self._rest.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)
