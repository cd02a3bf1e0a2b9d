"""The cluster as a page and as JSON, for admins."""

from __future__ import annotations

from typing import Any

from gpuspawner.hub.cluster.handling import ClusterAPIHandler, ClusterHandler

__all__ = ["handlers"]


def handlers() -> list[tuple[Any, ...]]:
    """What JupyterHub mounts below ``/hub/``."""
    return [
        (r"/gpuspawner/cluster/?", ClusterHandler),
        (r"/api/gpuspawner/cluster", ClusterAPIHandler),
    ]
