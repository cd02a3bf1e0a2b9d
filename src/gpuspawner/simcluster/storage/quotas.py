"""ResourceQuota for pods: what the quota controller counts and what its admission plugin refuses.

The rules are those of ``pkg/quota/v1/evaluator/core/pods.go`` and of the admission plugin
``resourcequota``. Usage is counted anew each time; the real controller's lag is not simulated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from fractions import Fraction
from typing import Any

from gpuspawner.errors import QuantityError
from gpuspawner.quantity import parse_quantity
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apimachinery.status import forbidden
from gpuspawner.simcluster.storage.defaults import containers
from gpuspawner.simcluster.storage.lifecycle import TERMINAL_PHASES

Amounts = dict[str, Fraction]

_PLAIN = ("cpu", "memory", "ephemeral-storage")
_MUST_BE_SET = frozenset(
    f"{prefix}{name}" for prefix in ("", "requests.", "limits.") for name in ("cpu", "memory")
)
_BINARY = tuple((f"{prefix}i", 2 ** (10 * power)) for power, prefix in enumerate("KMGTPE", start=1))


def check_quotas(pod: Object, quotas: Iterable[Object], pods: Iterable[Object]) -> None:
    """Raise ApiError 403 if a new pod would exceed a quota, or lacks what a quota wants set.

    Args:
        pod: the pod, with all defaults filled in.
        quotas: the ResourceQuotas of its namespace.
        pods: the pods of its namespace.
    """
    name, others = pod["metadata"]["name"], list(pods)
    matching = [
        quota for quota in quotas if any(map(_is_counted, _hard(quota))) and _matches(quota, pod)
    ]
    for quota in matching:
        if missing := _unset(pod, _hard(quota)):
            why = f"failed quota: {quota['metadata']['name']}: must specify {missing}"
            raise forbidden(PODS, name, why)
    asked = _usage(pod)
    for quota in matching:
        if words := _excess(asked, usage(quota, others), _hard(quota)):
            raise forbidden(PODS, name, f"exceeded quota: {quota['metadata']['name']}, {words}")


def _excess(asked: Amounts, used: Amounts, hard: Amounts) -> str:
    over = [
        resource
        for resource in hard
        if asked.get(resource, 0) and used.get(resource, 0) + asked[resource] > hard[resource]
    ]
    requested, taken, limited = (
        _shown({resource: amounts.get(resource, Fraction()) for resource in over})
        for amounts in (asked, used, hard)
    )
    return f"requested: {requested}, used: {taken}, limited: {limited}" if over else ""


def quota_status(quota: Object, pods: Iterable[Object]) -> Object:
    """The status that the quota controller writes: what is allowed, and what is used of it."""
    hard, used = _hard(quota), usage(quota, pods)
    return {
        "hard": {resource: format_quantity(resource, amount) for resource, amount in hard.items()},
        "used": {
            resource: format_quantity(resource, used.get(resource, Fraction()))
            for resource in hard
            if _is_counted(resource)
        },
    }


def usage(quota: Object, pods: Iterable[Object]) -> Amounts:
    """What the pods that a quota is for take, by the names that quotas use."""
    total: Amounts = {}
    for pod in pods:
        is_over = (pod.get("status") or {}).get("phase") in TERMINAL_PHASES
        if not is_over and _matches(quota, pod):
            for resource, amount in _usage(pod).items():
                total[resource] = total.get(resource, Fraction()) + amount
    return total


def format_quantity(resource: str, amount: Fraction) -> str:
    """An amount as the API server writes it, such as ``1500m``, ``2`` or ``64Gi``."""
    if amount.denominator != 1:
        return f"{int(amount * 1000)}m"
    whole = int(amount)
    if "memory" in resource or "storage" in resource or "hugepages" in resource:
        for suffix, factor in reversed(_BINARY):
            if whole and whole % factor == 0:
                return f"{whole // factor}{suffix}"
    return str(whole)


def _shown(amounts: Amounts) -> str:
    return ",".join(f"{name}={format_quantity(name, amounts[name])}" for name in sorted(amounts))


def _hard(quota: Object) -> Amounts:
    return _read((quota.get("spec") or {}).get("hard"))


def _is_counted(resource: str) -> bool:
    """Whether a quota on `resource` is about pods; of extended ones only ``requests.`` counts."""
    bare = resource.removeprefix("requests.").removeprefix("limits.")
    is_extended = "/" in resource and resource.startswith("requests.")
    is_huge = bare.startswith("hugepages-") and not resource.startswith("limits.")
    return resource in ("pods", "count/pods") or bare in _PLAIN or is_huge or is_extended


def _unset(pod: Object, hard: Mapping[str, Fraction]) -> str:
    missing: dict[str, list[str]] = {}
    for resource in sorted(_MUST_BE_SET & hard.keys()):
        kind = "limits" if resource.startswith("limits.") else "requests"
        bare = resource.rpartition(".")[2]
        lacking = sorted(
            container["name"]
            for container in containers(pod["spec"])
            if bare not in _amounts(container, kind)
        )
        if lacking:
            missing[resource] = lacking
    return "; ".join(f"{resource} for: {','.join(names)}" for resource, names in missing.items())


def _usage(pod: Object) -> Amounts:
    counted: Amounts = {"pods": Fraction(1), "count/pods": Fraction(1)}
    for resource, amount in _pod_total(pod, "requests").items():
        counted[f"requests.{resource}"] = amount
        if resource in _PLAIN or resource.startswith("hugepages-"):
            counted[resource] = amount
    for resource, amount in _pod_total(pod, "limits").items():
        if resource in _PLAIN:
            counted[f"limits.{resource}"] = amount
    return counted


def _pod_total(pod: Object, kind: str) -> Amounts:
    """The sum over the containers, or what an init container needs if that is more."""
    spec = pod["spec"]
    total: Amounts = {}
    for container in spec.get("containers") or ():
        total = _sum(total, _amounts(container, kind))
    beside: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _amounts(container, kind)
        if container.get("restartPolicy") == "Always":
            total, beside = _sum(total, own), _sum(beside, own)
            own = {}
        for resource, amount in _sum(beside, own).items():
            total[resource] = max(total.get(resource, Fraction()), amount)
    overhead = _read(spec.get("overhead"))
    if kind == "limits":
        overhead = {name: amount for name, amount in overhead.items() if name in total}
    return _sum(total, overhead)


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return one | {name: one.get(name, Fraction()) + amount for name, amount in other.items()}


def _amounts(container: Object, kind: str) -> Amounts:
    return _read((container.get("resources") or {}).get(kind))


def _read(amounts: dict[str, Any] | None) -> Amounts:
    """Amounts without those that are no quantities, which a real API server would not take."""
    readable = {}
    for resource, text in (amounts or {}).items():
        with suppress(QuantityError):
            readable[resource] = parse_quantity(text)
    return readable


def _matches(quota: Object, pod: Object) -> bool:
    spec = quota.get("spec") or {}
    scopes = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    selected = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return all(_is_in_scope(scope, pod) for scope in (*scopes, *selected))


def _is_in_scope(scope: Object, pod: Object) -> bool:
    is_terminating = pod["spec"].get("activeDeadlineSeconds") is not None
    is_best_effort = (pod.get("status") or {}).get("qosClass") == "BestEffort"
    match scope["scopeName"]:
        case "Terminating":
            return is_terminating
        case "NotTerminating":
            return not is_terminating
        case "BestEffort":
            return is_best_effort
        case "NotBestEffort":
            return not is_best_effort
        case "PriorityClass":
            return _selects(scope, pod["spec"].get("priorityClassName") or "")
    return False


def _selects(scope: Object, name: str) -> bool:
    values = scope.get("values") or ()
    match scope.get("operator"):
        case "In":
            return name in values
        case "NotIn":
            return name not in values
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
    return False
