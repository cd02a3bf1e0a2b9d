"""The state of the watches, and the manifest that grants what they are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.kinds import KINDS, Kind, Purpose
from gpuspawner.cluster.values import ClusterFreshness, ClusterKind, KindState
from gpuspawner.rights import EVERYTHING, Grant, as_yaml, cluster_rules

NODES_AND_PODS = ("nodes", "pods")


@dataclass(frozen=True, slots=True)
class Watched:
    """How the watch of one resource fares.

    Attributes:
        served: whether the API server has it at all.
        lists: how many full lists there were.
        failures: how many attempts failed so far.
    """

    freshness: Freshness
    served: bool = True
    lists: int = 0
    failures: int = 0


def told_freshness(freshness: Freshness) -> ClusterFreshness:
    """How far the cluster is known."""
    return ClusterFreshness(freshness.state, _seconds(freshness.age), _reason(freshness))


def kinds_of(
    watches: Mapping[str, Watched], needed: Iterable[Purpose] = EVERYTHING
) -> tuple[ClusterKind, ...]:
    """Each kind that is watched, by its resource, nodes and pods first."""
    wanted = frozenset(needed)
    found = [
        _kind(name, watches[name], "", needed=True) for name in NODES_AND_PODS if name in watches
    ]
    for kind in KINDS:
        if kind.plural in watches:
            is_needed = kind.purpose in wanted
            watched = watches[kind.plural]
            found.append(_kind(_right_of(kind), watched, kind.purpose.value, needed=is_needed))
    return tuple(found)


def granting(kinds: Iterable[ClusterKind], grant: Grant) -> str:
    """The manifest that grants what is missing; empty if nothing needed is.

    It is applied in place of what there is. So it also has what was granted before.
    """
    known = tuple(kinds)
    if not any(kind.missing and kind.needed for kind in known):
        return ""
    by_value = {purpose.value: purpose for purpose in Purpose}
    kept = {
        by_value[kind.purpose]
        for kind in known
        if kind.purpose and (kind.needed or not kind.missing)
    }
    return as_yaml(grant, cluster_rules(purpose for purpose in Purpose if purpose in kept))


def _right_of(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def _kind(name: str, watched: Watched, purpose: str, *, needed: bool) -> ClusterKind:
    freshness = watched.freshness
    state: KindState = freshness.state if watched.served else "not-served"
    return ClusterKind(
        resource=name,
        state=state,
        age=_seconds(freshness.age) if watched.served else None,
        missing=tuple(right.verb for right in freshness.missing),
        unreadable=freshness.unreadable,
        error="" if state in ("denied", "not-served") else freshness.last_error or "",
        needed=needed,
        purpose=purpose,
        restarts=max(0, watched.lists - 1),
        failures=watched.failures,
    )


def _seconds(age: float | None) -> float | None:
    return None if age is None else round(age, 1)


def _reason(freshness: Freshness) -> str:
    if freshness.is_live:
        return ""
    return ", ".join(_rights(freshness)) or freshness.last_error or ""


def _rights(freshness: Freshness) -> Iterator[str]:
    return (f"{right.verb} {right.resource}" for right in freshness.missing)
