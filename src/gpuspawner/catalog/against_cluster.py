"""Whether a cluster has what a catalog names: labels, resources, classes, claims.

What is not known is said to be unchecked: neither that it exists nor that it does not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gpuspawner.catalog.accelerators import Accelerator
from gpuspawner.catalog.models import Catalog
from gpuspawner.catalog.placement import NodeSelectorTerm, Requirement
from gpuspawner.catalog.problems import Path, did_you_mean, near_miss, shown
from gpuspawner.catalog.profiles import Profile
from gpuspawner.catalog.remarks import Remark, Severity, remark
from gpuspawner.errors import QuantityError
from gpuspawner.quantity import parse_amount

NODES, CLAIMS, GROUPS = "nodes", "claims", "groups of the autoscaler"
RUNTIME_CLASSES, PRIORITY_CLASSES = "runtime classes", "priority classes"
STORAGE_CLASSES, DEVICE_CLASSES = "storage classes", "device classes"


@dataclass(frozen=True, slots=True)
class KnownNode:
    """A node, or what a new one of a pool would be.

    Attributes:
        offers: the resources of which it has any for pods.
        advertises: the resources of which it has any at all, healthy or not.
    """

    name: str
    labels: Mapping[str, str]
    offers: frozenset[str]
    advertises: frozenset[str]


@dataclass(frozen=True, slots=True)
class Existing:
    """What a cluster has, each None if it is not known.

    Attributes:
        names: by what they are the names of, such as `RUNTIME_CLASSES`; of claims those in the
            servers' namespace, of device classes the extended resources that they stand for.
        why: why something is not known, by the same.
        namespace: the servers'.
    """

    nodes: Sequence[KnownNode] | None
    names: Mapping[str, Collection[str] | None]
    why: Mapping[str, str] = field(default_factory=dict)
    namespace: str = "default"


def remarks_against(catalog: Catalog, existing: Existing) -> Iterator[Remark]:
    """What the catalog names and the cluster has not, or cannot be asked about."""
    check = _Check(existing, tuple(_templates(catalog)))
    for name, accelerator in catalog.accelerators.items():
        yield from check.accelerator(accelerator, ("accelerators", name))
    for name, volume in catalog.volumes.items():
        base: Path = ("volumes", name)
        if volume.ephemeral is not None and volume.ephemeral.storage_class:
            path = (*base, "ephemeral", "storage_class")
            yield from check.named(STORAGE_CLASSES, volume.ephemeral.storage_class, path)
        if volume.claim is not None and "{" not in volume.claim.name:
            yield from check.named(CLAIMS, volume.claim.name, (*base, "claim", "name"))
    for name, pool in catalog.node_pools.items():
        if pool.autoscaler_group:
            path = ("node_pools", name, "autoscaler_group")
            yield from check.named(GROUPS, pool.autoscaler_group, path)
    for number, profile in enumerate(catalog.profiles):
        yield from check.override(profile, ("profiles", number, "kubespawner_override"))


def _templates(catalog: Catalog) -> Iterator[KnownNode]:
    for name, pool in catalog.node_pools.items():
        offers = frozenset(r for r, text in pool.allocatable.items() if _amount(r, text) > 0)
        yield KnownNode(f"a new node of {name}", pool.labels, offers, offers)


def _amount(resource: str, text: str) -> int:
    try:
        return parse_amount(resource, text)
    except QuantityError:
        return 0


_ONE: Mapping[str, str] = {
    RUNTIME_CLASSES: "RuntimeClass",
    PRIORITY_CLASSES: "PriorityClass",
    STORAGE_CLASSES: "StorageClass",
    CLAIMS: "PersistentVolumeClaim",
    GROUPS: "group of the autoscaler",
}


@dataclass(frozen=True, slots=True)
class _Check:
    existing: Existing
    pools: tuple[KnownNode, ...]

    @property
    def nodes(self) -> tuple[KnownNode, ...]:
        """Those that there are, and those that there may be."""
        return (*(self.existing.nodes or ()), *self.pools)

    def unchecked(self, what: str, words: str, path: Path) -> Remark:
        why = self.existing.why.get(what, "it is not known")
        return remark("unchecked", path, f"could not be checked: {words} ({why})")

    def accelerator(self, accelerator: Accelerator, base: Path) -> Iterator[Remark]:
        if self.existing.nodes is None:
            labels = "labels and " if accelerator.node_selector or accelerator.affinity else ""
            words = f"whether a node has these {labels}devices"
            yield self.unchecked(NODES, words, base)
        else:
            yield from self.selector(accelerator.node_selector, (*base, "node_selector"))
            yield from self.terms(accelerator.affinity, (*base, "affinity"))
            path = (*base, "resource")
            yield from self.resource(accelerator.resource, accelerator.node_selector, path)
        if accelerator.runtime_class:
            path = (*base, "runtime_class")
            yield from self.named(RUNTIME_CLASSES, accelerator.runtime_class, path)
        if accelerator.priority_class:
            path = (*base, "priority_class")
            yield from self.named(PRIORITY_CLASSES, accelerator.priority_class, path)

    def named(self, what: str, name: str, path: Path) -> Iterator[Remark]:
        known = self.existing.names.get(what)
        one = _ONE[what]
        where = f" in the namespace {self.existing.namespace}" if what == CLAIMS else ""
        if known is None:
            yield self.unchecked(what, f"whether there is a {one} {shown(name)}{where}", path)
        elif name not in known:
            message = f"there is no {one} {shown(name)}{where}"
            yield remark("error", path, message, did_you_mean(name, known))

    def selector(self, labels: Mapping[str, str], path: Path) -> Iterator[Remark]:
        """Each label by itself, then all of them together."""
        faults = [
            remark("error", (*path, key), *fault)
            for key, value in labels.items()
            if (fault := self.lacks(key, (value,)))
        ]
        yield from faults
        if labels and not faults and not _having(self.nodes, labels):
            message = f"no node has all of these labels together: {_listed(labels)}"
            yield remark("error", path, message)

    def terms(self, terms: Sequence[NodeSelectorTerm], path: Path) -> Iterator[Remark]:
        """One of the terms has to hold; of those that cannot, it is said why."""
        faults = [list(self.term(term, (*path, n))) for n, term in enumerate(terms)]
        can_hold = not all(faults)
        for found in faults:
            for one in found:
                finding = one.finding
                severity: Severity = "warning" if can_hold else "error"
                yield remark(severity, finding.path, finding.message, finding.hint)

    def term(self, term: NodeSelectorTerm, path: Path) -> Iterator[Remark]:
        for number, wanted in enumerate(term.match_expressions):
            fault = self.requirement(wanted)
            if fault:
                yield remark("error", (*path, "matchExpressions", number), *fault)
        names = [node.name for node in self.nodes]
        for number, named in enumerate(term.match_fields):
            if named.operator == "In" and not set(named.values) & set(names):
                message = f"there is no node {shown(named.values[0])}"
                hint = did_you_mean(named.values[0], names)
                yield remark("error", (*path, "matchFields", number), message, hint)

    def requirement(self, wanted: Requirement) -> tuple[str, str | None] | None:
        match wanted.operator:
            case "In":
                return self.lacks(wanted.key, wanted.values)
            case "Exists" | "Gt" | "Lt":
                return self.lacks(wanted.key, ())
            case _:
                return None

    def lacks(self, key: str, values: Sequence[str]) -> tuple[str, str | None] | None:
        """That no node has the label with one of these values, and what was probably meant."""
        there = {node.labels[key] for node in self.nodes if key in node.labels}
        if there & set(values) or (there and not values):
            return None
        if not there:
            keys = {name for node in self.nodes for name in node.labels}
            meant = near_miss(key, keys)
            return f"no node has the label {key}", meant and f"did you mean {meant!r}?"
        words = " or ".join(f"{key}={value}" for value in values)
        return f"no node has the label {words}", did_you_mean(values[0], there)

    def resource(self, resource: str, labels: Mapping[str, str], path: Path) -> Iterator[Remark]:
        offering = [node for node in self.nodes if resource in node.offers]
        if offering:
            here = _having(self.nodes, labels)
            if here and not _having(offering, labels):
                has = sorted({_listed(_of(node, labels)) or "none of them" for node in offering})
                message = f"no node with the labels of this accelerator offers {resource}"
                hint = f"nodes that do have {' or '.join(has)}"
                yield remark("error", path, message, hint)
            return
        if any(resource in node.advertises for node in self.nodes):
            message = f"every {resource} is unhealthy at present, or being set up"
            yield remark("warning", path, message, "look at the device plugin's log")
            return
        by_class = self.existing.names.get(DEVICE_CLASSES)
        if by_class is None:
            words = f"no node offers {resource}; whether a DeviceClass stands for it"
            yield self.unchecked(DEVICE_CLASSES, words, path)
        elif resource not in by_class:
            known = {r for node in self.nodes for r in node.offers if "/" in r} | set(by_class)
            yield remark("error", path, f"no node offers {resource}", did_you_mean(resource, known))

    def override(self, profile: Profile, base: Path) -> Iterator[Remark]:
        """What is named beside the fields that have a meaning here."""
        override = profile.kubespawner_override
        labels = override.get("node_selector")
        if isinstance(labels, Mapping) and self.existing.nodes is not None:
            wanted = {str(k): str(v) for k, v in labels.items() if v is not None}
            yield from self.selector(wanted, (*base, "node_selector"))
        for path, what in _NAMING:
            name: Any = override
            for step in path:
                name = name.get(step) if isinstance(name, Mapping) else None
            if name and isinstance(name, str):
                yield from self.named(what, name, (*base, *path))


_NAMING: tuple[tuple[tuple[str, ...], str], ...] = (
    (("priority_class_name",), PRIORITY_CLASSES),
    (("storage_class",), STORAGE_CLASSES),
    (("extra_pod_config", "runtimeClassName"), RUNTIME_CLASSES),
    (("extra_pod_config", "runtime_class_name"), RUNTIME_CLASSES),
    (("extra_pod_config", "priorityClassName"), PRIORITY_CLASSES),
    (("extra_pod_config", "priority_class_name"), PRIORITY_CLASSES),
)
"""Where an override names a class."""


def _having(nodes: Iterable[KnownNode], labels: Mapping[str, str]) -> list[KnownNode]:
    return [node for node in nodes if labels.items() <= node.labels.items()]


def _of(node: KnownNode, labels: Mapping[str, str]) -> dict[str, str]:
    return {key: node.labels[key] for key in labels if key in node.labels}


def _listed(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())
