"""Which volumes a claim could be bound to, and on which nodes.

The rules are those of ``k8s.io/component-helpers/storage/volume`` (FindMatchingVolume).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gpuspawner.capacity.model import (
    Node,
    NodeSelectorTerm,
    PersistentVolume,
    PersistentVolumeClaim,
    matches,
)
from gpuspawner.capacity.objects import Key
from gpuspawner.fit.claims import LastOf
from gpuspawner.fit.node_affinity import term_matches


@dataclass(frozen=True, slots=True)
class Candidates:
    """Volumes that a claim could be bound to, as far as that does not depend on the node.

    Attributes:
        kept: kept for this very claim; if there is one, no other is looked at.
        free: available to all, the smallest first.
    """

    kept: tuple[PersistentVolume, ...]
    free: tuple[PersistentVolume, ...]

    def on(self, node: Node, taken: Collection[str]) -> PersistentVolume | None:
        """The one to use on `node`, if any; `taken` are names of volumes not to use again."""
        kept = next((volume for volume in self.kept if volume.name not in taken), None)
        if kept is not None:
            return kept if suits(kept, node) else None
        return next(
            (volume for volume in self.free if volume.name not in taken and suits(volume, node)),
            None,
        )


def candidates(claim: PersistentVolumeClaim, volumes: Mapping[Key, PersistentVolume]) -> Candidates:
    """The volumes of the claim's class that have its mode and at least its size."""
    unused = _unused(volumes)
    return Candidates(
        kept=tuple(
            volume
            for volume in unused.kept.get((claim.namespace, claim.name), ())
            if volume.storage_class == claim.storage_class
            and volume.claim is not None
            and volume.claim[2] in ("", claim.uid)
            and _holds_enough(volume, claim)
        ),
        free=tuple(
            volume
            for volume in unused.free.get(claim.storage_class, ())
            if _holds_enough(volume, claim)
            and (claim.selector is None or matches(claim.selector, volume.labels or {}))
            and set(claim.access_modes) <= set(volume.access_modes)
        ),
    )


def _holds_enough(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    return (
        volume.capacity >= claim.size
        and volume.volume_mode == claim.volume_mode
        and volume.attributes_class == claim.attributes_class
        and not volume.terminating
    )


def suits(volume: PersistentVolume, node: Node) -> bool:
    """Whether the volume's node affinity holds on a node."""
    if volume.affinity is None:
        return True
    return any(_holds(term, node) for term in volume.affinity)


def _holds(term: NodeSelectorTerm, node: Node) -> bool:
    """The scheduler shows a volume the labels of a node without its name: fields go unasked."""
    if not term.fields:
        return term_matches(term, node)
    return not term.labels or term_matches(NodeSelectorTerm(term.labels), node)


@dataclass(frozen=True, slots=True)
class _Volumes:
    """Volumes by the claim they are kept for, and available ones by class, the smallest first."""

    kept: dict[Key, list[PersistentVolume]]
    free: dict[str, list[PersistentVolume]]


def _sorted_out(volumes: Mapping[Key, PersistentVolume]) -> _Volumes:
    found = _Volumes({}, {})
    for volume in volumes.values():
        if volume.claim is not None:
            found.kept.setdefault(volume.claim[:2], []).append(volume)
        elif volume.phase == "Available":
            found.free.setdefault(volume.storage_class, []).append(volume)
    for free in found.free.values():
        free.sort(key=lambda volume: (volume.capacity, volume.name))
    return found


_unused = LastOf(_sorted_out)
