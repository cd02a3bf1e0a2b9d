"""The ConfigMap in which cluster-autoscaler reports."""

from __future__ import annotations

from gpuspawner.capacity.wire.base import Metadata, Wire


class ConfigMap(Wire):
    """core/v1 ConfigMap."""

    metadata: Metadata
    data: dict[str, str] | None = None
