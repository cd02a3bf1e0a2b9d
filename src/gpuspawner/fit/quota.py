"""ResourceQuota, the admission plugin: what it says to a pod before any scheduler sees it.

A quota counts a pod if it limits anything that pods are charged and all of its scopes hold. One
that limits cpu or memory wants every container to say how much of it; that is asked of all quotas
before any is added up. It then refuses what would take more than is left of anything the pod is
charged. Of several quotas the first by name speaks; the API server has no order of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Charge, PodRequest, ResourceQuota, Scope
from gpuspawner.capacity.model.quotas import is_charged_to_pods
from gpuspawner.quantity import parse_quantity

_MUST_BE_GIVEN = frozenset(
    {"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
)
_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_KIBI = 1024
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def refusal(request: PodRequest, snapshot: Snapshot) -> str:
    """Why the API server would not take the pod, in its own words; else empty.

    Quotas that are not known refuse nothing here.
    """
    charge = request.charge
    if charge is None or not snapshot.objects.quotas:
        return ""
    quotas = _quotas_on(request, charge, snapshot)
    objections = (said(charge, quota) for said in (_objection, _excess) for quota in quotas)
    return next(filter(None, objections), "")


def slots(request: PodRequest, snapshot: Snapshot) -> int | None:
    """How many such pods the quotas let in one after another; None if no quota counts them."""
    charge = request.charge
    if charge is None or not snapshot.objects.quotas:
        return None
    left = [
        max(0, (parse_quantity(hard) - parse_quantity(quota.used.get(name, "0"))) // asked)
        for quota in _quotas_on(request, charge, snapshot)
        for name, hard in quota.hard.items()
        if (asked := charge.usage.get(name))
    ]
    return min(left, default=None)


def _quotas_on(request: PodRequest, charge: Charge, snapshot: Snapshot) -> list[ResourceQuota]:
    quotas = snapshot.objects.quotas
    if not quotas:
        return []
    return [
        quota
        for (namespace, _), quota in sorted(quotas.items())
        if namespace == request.namespace
        and any(map(is_charged_to_pods, quota.hard))
        and all(_falls_under(charge, scope) for scope in quota.scopes)
    ]


def _falls_under(charge: Charge, scope: Scope) -> bool:
    if scope.name != "PriorityClass":
        return scope.name in charge.scopes
    name = charge.priority_class
    if scope.operator == "In":
        return name != "" and name in scope.values
    if scope.operator == "NotIn":
        return name not in scope.values
    return (name != "") == (scope.operator == "Exists")


def _objection(charge: Charge, quota: ResourceQuota) -> str:
    """What the quota says before it adds anything up; else empty."""
    if charge.given is not None:
        missing = [
            f"{name} for: {','.join(sorted(without))}"
            for name in sorted(_MUST_BE_GIVEN.intersection(quota.hard))
            if (without := {container for container, given in charge.given if name not in given})
        ]
        if missing:
            return f"failed quota: {quota.name}: must specify {'; '.join(missing)}"
    counted = sorted(filter(is_charged_to_pods, quota.hard))
    if any(name not in quota.used for name in counted):
        return f"status unknown for quota: {quota.name}, resources: {','.join(counted)}"
    return ""


def _excess(charge: Charge, quota: ResourceQuota) -> str:
    over = sorted(
        name
        for name, hard in quota.hard.items()
        if (asked := charge.usage.get(name))
        and asked + parse_quantity(quota.used.get(name, "0")) > parse_quantity(hard)
    )
    if not over:
        return ""
    requested = ((name, spelled(charge.usage[name], name in charge.binary)) for name in over)
    return (
        f"exceeded quota: {quota.name}, requested: {_listed(requested)}, "
        f"used: {_listed((name, quota.used[name]) for name in over)}, "
        f"limited: {_listed((name, quota.hard[name]) for name in over)}"
    )


def _listed(amounts: Iterable[tuple[str, str]]) -> str:
    return ",".join(f"{name}={text}" for name, text in amounts)


def spelled(value: Fraction, is_binary: bool) -> str:  # noqa: FBT001 - two formats, as in Kubernetes
    """A quantity in the canonical form of ``k8s.io/apimachinery/pkg/api/resource``.

    That is a whole number with the largest suffix that leaves it whole.
    """
    if is_binary and value.denominator == 1 and abs(value) >= _KIBI:
        return _with_suffix(value, _KIBI, _BINARY)
    return _with_suffix(value * 10**9, 1000, _DECIMAL)


def _with_suffix(value: Fraction, base: int, suffixes: tuple[str, ...]) -> str:
    number, step = -(-value.numerator // value.denominator), 0
    while number and number % base == 0 and step + 1 < len(suffixes):
        number //= base
        step += 1
    return f"{number}{suffixes[step]}"
