"""What is said of the cluster to those who run the hub: nodes, who has what, the watch, rights.

Pure values of what the hub knows at one moment; the words are in the language spoken.
"""

from __future__ import annotations

from gpuspawner.cluster.assembling import Look, cluster_of
from gpuspawner.cluster.holders import Holder, Holders, PodKey, rfc3339
from gpuspawner.cluster.picture import Picture, picture_of
from gpuspawner.cluster.values import (
    Cluster,
    ClusterClaimable,
    ClusterDevices,
    ClusterFreshness,
    ClusterGroup,
    ClusterHeld,
    ClusterHolding,
    ClusterKind,
    ClusterNode,
    ClusterPlain,
    ClusterPool,
    ClusterQuota,
    ClusterUnits,
    ClusterWait,
)
from gpuspawner.cluster.watches import Watched

__all__ = [
    "Cluster",
    "ClusterClaimable",
    "ClusterDevices",
    "ClusterFreshness",
    "ClusterGroup",
    "ClusterHeld",
    "ClusterHolding",
    "ClusterKind",
    "ClusterNode",
    "ClusterPlain",
    "ClusterPool",
    "ClusterQuota",
    "ClusterUnits",
    "ClusterWait",
    "Holder",
    "Holders",
    "Look",
    "Picture",
    "PodKey",
    "Watched",
    "cluster_of",
    "picture_of",
    "rfc3339",
]
