"""Quotas: what of core/v1 ResourceQuota decides on whether a pod is let in."""

from __future__ import annotations

from gpuspawner.capacity.wire.base import Metadata, Quantities, Wire


class ScopeRequirement(Wire):
    """core/v1 ScopedResourceSelectorRequirement."""

    scope_name: str
    operator: str | None = None
    values: list[str] | None = None


class ScopeSelector(Wire):
    """core/v1 ScopeSelector."""

    match_expressions: list[ScopeRequirement] | None = None


class ResourceQuotaSpec(Wire):
    """core/v1 ResourceQuotaSpec; what binds is the status, so its amounts are left out."""

    scopes: list[str] | None = None
    scope_selector: ScopeSelector | None = None


class ResourceQuotaStatus(Wire):
    """core/v1 ResourceQuotaStatus."""

    hard: Quantities | None = None
    used: Quantities | None = None


class ResourceQuota(Wire):
    """core/v1 ResourceQuota."""

    metadata: Metadata
    spec: ResourceQuotaSpec | None = None
    status: ResourceQuotaStatus | None = None
