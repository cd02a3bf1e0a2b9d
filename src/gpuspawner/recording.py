"""States of a cluster written down: one JSON line each, with pods to be judged.

The format is that in which verdicts of a real kube-scheduler were recorded, so that what an
operator sends can be replayed, and compared where the line says what the scheduler did:

    {"state": 0, "nodes": [Node, ...], "pods": [Pod, ...], "objects": [objects with a kind, ...],
     "candidates": [{"pod": Pod, "objects": [for this candidate alone, ...]}, ...]}

A line without ``nodes`` says where the recording comes from and is passed over. Objects of a kind
that a state does not list do not exist, unless its ``unknown`` names the kind. ``unreadable`` lists
nodes and pods that exist and cannot be read, by what they are and the node they make unknown
(null: any): ``{"resource": "pods", "node": "n1"}``. ``classes`` are the kinds of classes that were
looked for, and ``names`` says whether names were "kept" or "replaced".
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO, Any

import msgspec

from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.kinds import CLASSES, KINDS
from gpuspawner.capacity.model import (
    PodRequest,
    PriorityClass,
    RuntimeClass,
    read_node,
    read_pod,
    read_request,
    read_server_version,
)
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


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes by name; None if they are not known."""

    runtime: Mapping[str, RuntimeClass] | None = None
    priority: Mapping[str, PriorityClass] | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A state as a whole.

    Attributes:
        taken: when, as it was written down; empty if that is not said.
        unknown: kinds that could not be listed.
        names_kept: whether namespaces, pods and claims are called what they are.
        unreadable: as `Candidate` has it.
    """

    snapshot: Snapshot
    classes: Classes
    taken: str
    unknown: frozenset[str]
    names_kept: bool
    unreadable: frozenset[str | None]
    hides_a_node: bool

    def verdict(self, request: PodRequest, snapshot: Snapshot) -> Verdict:
        """On a pod, less what cannot be read, or not be found by its name."""
        named = set(request.claims) - {new.claim.name for new in request.claims_to_make}
        if named and not self.names_kept:
            objects = replace(snapshot.objects, claims=None)
            snapshot = replace(snapshot, objects=objects)
        return doubted(judge(request, snapshot), self.unreadable, hides_a_node=self.hides_a_node)


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
    names: str = ""
    classes: list[str] = []
    kubernetes: str = ""
    taken: str = ""


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
    for number, state in _lines(lines):
        if state.nodes is None:
            continue
        try:
            yield from _candidates(state)
        except MalformedObjectError as error:
            raise RecordingError(f"line {number}: {error}") from error


def recorded_state(lines: Iterable[bytes]) -> Recorded:
    """The one state of a recording, as a whole.

    Raises:
        RecordingError: a line is not a state, or there is not one of them.
    """
    head, states = _State(), []
    for number, state in _lines(lines):
        if state.nodes is None:
            head = state
        else:
            states.append((number, state))
    if len(states) != 1:
        raise RecordingError(f"it holds {len(states)} states, and one is looked for")
    [(number, state)] = states
    try:
        return _recorded(head, state)
    except MalformedObjectError as error:
        raise RecordingError(f"line {number}: {error}") from error


def _lines(lines: Iterable[bytes]) -> Iterator[tuple[int, _State]]:
    """What is written, with the number of its line; the first may have no nodes."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            state = msgspec.json.decode(line, type=_State)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RecordingError(f"line {number}: not a state: {error}") from error
        if state.nodes is None and number > 1:
            raise RecordingError(f"line {number}: a state without nodes")
        yield number, state


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


def _index(state: _State) -> ClusterIndex:
    index = ClusterIndex()
    index.replace_nodes(map(read_node, state.nodes or ()))
    index.replace_pods(map(read_pod, state.pods))
    return index


_BY_NAMESPACE = ("ResourceQuota", "ResourceClaim")
"""Kinds that say nothing where the names of namespaces were replaced."""


def _recorded(head: _State, state: _State) -> Recorded:
    index, names_kept = _index(state), state.names == "kept"
    if head.kubernetes:
        index.objects.version = read_server_version(head.kubernetes)
    unknown = frozenset({*state.unknown, *(() if names_kept else _BY_NAMESPACE)})
    _take_objects(index, state.objects, unknown)
    found: dict[str, dict[str, Any] | None] = {}
    for kind in CLASSES:
        is_known = kind.name in state.classes and kind.name not in unknown
        read = (kind.read(obj) for obj in state.objects if obj.get("kind") == kind.name)
        found[kind.table] = {one.name: one for one in read} if is_known else None
    return Recorded(
        snapshot=index.snapshot(),
        classes=Classes(**found),
        taken=head.taken,
        unknown=unknown,
        names_kept=names_kept,
        unreadable=frozenset(held.node for held in state.unreadable),
        hides_a_node=any(held.resource == "nodes" for held in state.unreadable),
    )


def _candidates(state: _State) -> Iterator[Candidate]:
    index = _index(state)
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
