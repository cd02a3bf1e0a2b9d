"""Quotas of a namespace, and what a pod would be charged by them.

The names of what is charged are those of ``pkg/quota/v1/evaluator/core`` in Kubernetes: ``cpu`` is
the same as ``requests.cpu``, and an extended resource counts only under ``requests.``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import msgspec

from gpuspawner.capacity import wire
from gpuspawner.capacity.model.resources import (
    Resources,
    amounts_of,
    effective_requests,
    is_pod_level,
)
from gpuspawner.capacity.wire import quotas as wire_quotas
from gpuspawner.errors import MalformedObjectError
from gpuspawner.quantity import parse_quantity

_NAMED = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES = "hugepages-"
_DEVICE_CLASS = "deviceclass.resource.kubernetes.io/"
_WEIGHTED = msgspec.json.Decoder(list[wire.WeightedPodAffinityTerm] | None)


@dataclass(frozen=True, slots=True)
class Scope:
    """One of the conditions under which a quota counts a pod.

    Attributes:
        name: such as ``NotTerminating`` or ``PriorityClass``.
        operator: Exists, DoesNotExist, In or NotIn; only PriorityClass heeds it.
    """

    name: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceQuota:
    """core/v1 ResourceQuota.

    Attributes:
        hard: what the API server enforces (of the status), as it writes it.
        used: how much of that is taken, as the API server writes it.
        scopes: all must hold of a pod for the quota to count it.
    """

    namespace: str
    name: str
    uid: str
    hard: Mapping[str, str]
    used: Mapping[str, str]
    scopes: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """What a pod is charged by quotas, and what they ask about it.

    Attributes:
        usage: exact amounts that are not zero, by the quotas' names of them, in cores and units.
        binary: the names of those that are written with Ki, Mi, Gi.
        given: for each container the names of what it gives of cpu and memory, by its name;
            None if resources are given for the pod as a whole.
        scopes: names of the scopes it falls under, PriorityClass aside.
        priority_class: its ``priorityClassName``.
    """

    usage: Mapping[str, Fraction]
    binary: frozenset[str] = frozenset()
    given: tuple[tuple[str, frozenset[str]], ...] | None = ()
    scopes: frozenset[str] = frozenset()
    priority_class: str = ""


def read_quota(obj: bytes | Mapping[str, Any]) -> ResourceQuota:
    """A quota from its JSON.

    Raises:
        MalformedObjectError: it is not a quota, or a quantity in it does not parse.
    """
    raw = wire.decode(obj, wire_quotas.ResourceQuota)
    metadata = raw.metadata
    if not metadata.name:
        raise MalformedObjectError("a quota without metadata.name")
    spec = raw.spec or wire_quotas.ResourceQuotaSpec()
    status = raw.status or wire_quotas.ResourceQuotaStatus()
    selector = spec.scope_selector or wire_quotas.ScopeSelector()
    return ResourceQuota(
        namespace=metadata.namespace or "",
        name=metadata.name,
        uid=metadata.uid or "",
        hard=_texts(status.hard),
        used=_texts(status.used),
        scopes=(
            *map(Scope, spec.scopes or ()),
            *(
                Scope(scope.scope_name, scope.operator or "", tuple(scope.values or ()))
                for scope in selector.match_expressions or ()
            ),
        ),
    )


def charge_of(spec: wire.PodSpec, requests: Resources) -> Charge:
    """What a pod is charged.

    Args:
        spec: of the pod.
        requests: what the scheduler counts for it.

    Raises:
        MalformedObjectError: a limit or a weighted affinity term does not parse.
    """
    containers = [*(spec.containers or ()), *(spec.init_containers or ())]
    pod_level = spec.resources
    is_pod_level_set = pod_level is not None and any(
        is_pod_level(name) for name in (*(pod_level.requests or ()), *(pod_level.limits or ()))
    )
    is_terminating = spec.active_deadline_seconds is not None
    is_best_effort = _is_best_effort(
        [pod_level] if pod_level else [c.resources for c in containers]
    )
    return Charge(
        usage=_usage(requests, _limits(spec)),
        binary=_binary(pod_level, [container.resources for container in containers]),
        given=None
        if is_pod_level_set
        else tuple((container.name or "", _given(container.resources)) for container in containers),
        scopes=frozenset(
            {
                "Terminating" if is_terminating else "NotTerminating",
                "BestEffort" if is_best_effort else "NotBestEffort",
                *(("CrossNamespacePodAffinity",) if _crosses_namespaces(spec.affinity) else ()),
            }
        ),
        priority_class=spec.priority_class_name or "",
    )


def is_charged_to_pods(name: str) -> bool:
    """Whether it is pods that quotas count under `name`."""
    if name in ("pods", "count/pods") or name.startswith(_HUGE_PAGES):
        return True
    kind, _, resource = name.rpartition(".") if "/" not in name else name.partition(".")
    if resource in _NAMED:
        return kind in ("", "requests", "limits")
    return kind == "requests" and (resource.startswith(_HUGE_PAGES) or _is_extended(resource))


def _usage(requests: Resources, limits: Resources) -> dict[str, Fraction]:
    usage = {"pods": Fraction(1), "count/pods": Fraction(1)}
    for name, amount in requests.items():
        exact = _exact(name, amount)
        if name in _NAMED or name.startswith(_HUGE_PAGES):
            usage[name] = usage[f"requests.{name}"] = exact
        elif _is_extended(name):
            usage[f"requests.{name}"] = exact
    usage |= {f"limits.{name}": _exact(name, limits[name]) for name in _NAMED if name in limits}
    return {name: exact for name, exact in usage.items() if exact}


def _limits(spec: wire.PodSpec) -> Resources:
    """The limits of a pod as they add up; the runtime's overhead only where there are any."""

    def of(container: wire.Container) -> Resources:
        return amounts_of(container.resources.limits) if container.resources else {}

    limits = effective_requests(
        [of(container) for container in spec.containers or ()],
        [(of(c), c.restart_policy == "Always") for c in spec.init_containers or ()],
    )
    if spec.resources is not None:
        whole = amounts_of(spec.resources.limits).items()
        limits.update((name, amount) for name, amount in whole if is_pod_level(name))
    for name, amount in amounts_of(spec.overhead).items():
        if limits.get(name):
            limits[name] += amount
    return limits


def _given(resources: wire.Resources | None) -> frozenset[str]:
    if resources is None:
        return frozenset()
    limits, requests = resources.limits or {}, resources.requests or {}
    found = set()
    for name in ("cpu", "memory"):
        if name in limits:
            found.add(f"limits.{name}")
        if name in limits or name in requests:
            found |= {name, f"requests.{name}"}
    return frozenset(found)


def _is_best_effort(given: Iterable[wire.Resources | None]) -> bool:
    return not any(
        amounts_of(quantities).get(name, 0) > 0
        for resources in given
        if resources is not None
        for quantities in (resources.requests, resources.limits)
        for name in ("cpu", "memory")
    )


def _crosses_namespaces(affinity: wire.Affinity | None) -> bool:
    if affinity is None:
        return False
    terms: list[wire.PodAffinityTerm] = []
    for half in (affinity.pod_affinity, affinity.pod_anti_affinity):
        if half is not None:
            terms += half.required or ()
            try:
                weighted = _WEIGHTED.decode(half.preferred)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise MalformedObjectError(f"not weighted affinity terms: {error}") from error
            terms += [one.pod_affinity_term for one in weighted or ()]
    return any(term.namespaces or term.namespace_selector is not None for term in terms)


def _binary(
    pod_level: wire.Resources | None, containers: Iterable[wire.Resources | None]
) -> frozenset[str]:
    """Names under which an amount is written in powers of 1024: as the first to give it does."""
    texts: dict[str, str] = {}
    for resources in (pod_level, *containers):
        if resources is not None:
            limits, requests = resources.limits or {}, resources.requests or {}
            for name, text in (*requests.items(), *limits.items()):
                texts.setdefault(name, str(text))
                texts.setdefault(f"requests.{name}", str(text))
            for name, text in limits.items():
                texts.setdefault(f"limits.{name}", str(text))
    return frozenset(name for name, text in texts.items() if text.endswith("i"))


def _texts(quantities: Mapping[str, str | float] | None) -> dict[str, str]:
    texts = {name: str(text) for name, text in (quantities or {}).items()}
    try:
        for text in texts.values():
            parse_quantity(text)
    except ValueError as error:  # QuantityError, or an integer of thousands of digits
        raise MalformedObjectError(str(error)) from error
    return texts


def _exact(name: str, amount: int) -> Fraction:
    return Fraction(amount, 1000) if name == "cpu" else Fraction(amount)


def _is_extended(name: str) -> bool:
    is_native = "/" not in name or "kubernetes.io/" in name
    return not is_native or name.startswith(_DEVICE_CLASS)
