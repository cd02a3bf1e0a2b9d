"""Pods that exist, as far as they take room from others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from sys import intern
from typing import Any

import msgspec

from gpuspawner.capacity import wire
from gpuspawner.capacity.model.ending import ends_by
from gpuspawner.capacity.model.host_ports import HostPort, host_ports_of
from gpuspawner.capacity.model.packed_labels import NO_LABELS, repack, unpack
from gpuspawner.capacity.model.resizing import ResizeRule, held_by
from gpuspawner.capacity.model.resources import Resources
from gpuspawner.capacity.model.selecting import PodAffinityTerm, pod_affinity_terms
from gpuspawner.errors import MalformedObjectError

TERMINAL_PHASES = frozenset({"Succeeded", "Failed"})


class Pod(msgspec.Struct, frozen=True, gc=False):
    """A pod that exists, as far as it takes room from others.

    Not a dataclass, because there may be a hundred thousand: the garbage collector passes over
    these, and each of its full rounds would hold up the event loop.

    Attributes:
        node: where it is bound; None if it waits.
        packed_labels: its labels as `pack` makes them.
        nominated_node: where the scheduler has made room for it, while it waits.
        anti_affinity: the required terms that keep others away from it.
        claims: names of the PersistentVolumeClaims that it mounts.
        ends_by: when it has ended at the latest, in seconds since the epoch, by the clock of the
            cluster: its deadline and the grace after that, or its deletion; None if nothing says.
    """

    uid: str
    namespace: str
    name: str
    node: str | None
    requests: Resources
    terminating: bool
    phase: str
    priority: int
    packed_labels: bytes = NO_LABELS
    nominated_node: str | None = None
    host_ports: tuple[HostPort, ...] = ()
    anti_affinity: tuple[PodAffinityTerm, ...] = ()
    claims: tuple[str, ...] = ()
    ends_by: float | None = None

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return unpack(self.packed_labels)

    @property
    def holds_capacity(self) -> bool:
        """Whether the scheduler counts it: bound, and its phase not terminal."""
        return self.node is not None and self.phase not in TERMINAL_PHASES

    @property
    def is_nominated(self) -> bool:
        """Whether it waits for a node on which the scheduler has made room for it."""
        return (
            self.node is None
            and self.nominated_node is not None
            and self.phase not in TERMINAL_PHASES
        )

    def bound_to(self, node: str) -> Pod:
        """The same pod as if it ran on a node."""
        return msgspec.structs.replace(self, node=node)


def read_pod(obj: bytes | Mapping[str, Any], rule: ResizeRule = ResizeRule.BY_CONTAINER) -> Pod:
    """A pod that exists from its JSON.

    Args:
        obj: the pod.
        rule: how the cluster's scheduler counts a resize that is under way.

    Raises:
        MalformedObjectError: it is not a pod, or a quantity in it does not parse.
    """
    raw = wire.decode(obj, wire.Pod)
    metadata, spec, status = raw.metadata, raw.spec, raw.status or wire.PodStatus()
    if not metadata.name:
        raise MalformedObjectError("a pod without metadata.name")
    return Pod(
        uid=metadata.uid or "",
        namespace=intern(metadata.namespace or ""),
        name=metadata.name,
        node=intern(spec.node_name) if spec.node_name else None,
        requests=held_by(spec, status, rule),
        terminating=metadata.deletion_timestamp is not None,
        phase=intern(status.phase or ""),
        priority=spec.priority or 0,
        packed_labels=repack(bytes(metadata.labels)),
        nominated_node=status.nominated_node_name or None,
        host_ports=host_ports_of(spec),
        anti_affinity=_anti_affinity(bytes(spec.affinity.pod_anti_affinity))
        if spec.affinity
        else (),
        claims=claim_names(spec.volumes, metadata.name),
        ends_by=ends_by(raw),
    )


def claim_names(volumes: list[wire.Volume] | None, pod: str) -> tuple[str, ...]:
    """The PersistentVolumeClaims of a pod; a generic ephemeral volume's is named after both."""
    names = []
    for volume in volumes or ():
        if volume.persistent_volume_claim is not None:
            names.append(volume.persistent_volume_claim.claim_name)
        elif volume.ephemeral is not None:
            names.append(f"{pod}-{volume.name}")
    return tuple(names)


@lru_cache(maxsize=4096)
def _anti_affinity(raw: bytes) -> tuple[PodAffinityTerm, ...]:
    """The required terms, shared by the pods of a set."""
    return () if raw == b"null" else pod_affinity_terms(wire.decode(raw, wire.PodAffinity))
