"""A cluster as one YAML file: what is in it, and who else uses it.

The models follow the words of the Kubernetes API in snake_case. They are frozen, and a name they do
not know is an error, so that a misspelt field cannot be passed over in silence.
"""

from __future__ import annotations

from gpuspawner.simcluster.description.models import (
    BystanderJob,
    Bystanders,
    ClusterDescription,
    Running,
    SystemPods,
)
from gpuspawner.simcluster.description.node_pools import NodePool
from gpuspawner.simcluster.description.problems import ClusterDescriptionError

__all__ = [
    "BystanderJob",
    "Bystanders",
    "ClusterDescription",
    "ClusterDescriptionError",
    "NodePool",
    "Running",
    "SystemPods",
]
