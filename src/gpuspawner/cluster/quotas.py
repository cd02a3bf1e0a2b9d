"""Quotas that bound what the hub's servers may have together, however much is free."""

from __future__ import annotations

from collections.abc import Iterator

from gpuspawner.capacity.model.quotas import ResourceQuota, is_charged_to_pods
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.cluster.values import ClusterQuota


def quotas_in(
    objects: ClusterObjects, namespace: str, *, is_live: bool
) -> tuple[ClusterQuota, ...] | None:
    """What the quotas of a namespace allow its pods, by their names; None if it is not known.

    Args:
        objects: of the cluster.
        namespace: of the hub's servers; empty if they have several.
        is_live: whether the quotas are known as they are now.
    """
    if not is_live or not namespace or objects.quotas is None or objects.hides_quotas:
        return None
    return tuple(
        one
        for (where, _name), quota in sorted(objects.quotas.items())
        if where == namespace
        for one in _bounds(quota)
    )


def _bounds(quota: ResourceQuota) -> Iterator[ClusterQuota]:
    for resource, hard in sorted(quota.hard.items()):
        if is_charged_to_pods(resource):
            used = quota.used.get(resource)
            yield ClusterQuota(quota.name, resource, hard, used, scoped=bool(quota.scopes))
