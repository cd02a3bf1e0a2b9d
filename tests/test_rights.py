"""What the hub's account must be allowed: only what a catalog needs."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from gpuspawner.capacity.kinds import Purpose
from gpuspawner.rights import (
    EVERYTHING,
    Grant,
    as_yaml,
    cluster_rules,
    manifests,
    namespace_rules,
    purposes_of,
)

from .builders import a_catalog

GPU_POOL = {
    "title": "pool",
    "labels": {"pool": "a"},
    "allocatable": {"cpu": 4, "memory": "8Gi"},
}
SCRATCH = {"mount_path": "/scratch", "ephemeral": {"size": "1Gi"}}
SHARED = {"mount_path": "/data", "claim": {"name": "data"}}
NFS = {"mount_path": "/nfs", "nfs": {"server": "nfs", "path": "/x"}}
CLAIMED = {"extra_pod_config": {"resourceClaims": [{"name": "gpu", "resourceClaimName": "x"}]}}
MOUNTED = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "v"}}]}


def plain(**fields: Any) -> dict[str, Any]:
    return {"slug": "plain", "title": "Plain", **fields}


@pytest.mark.parametrize(
    ("profile", "sections", "options", "needed"),
    [
        pytest.param(plain(), {}, {"homes": False}, set(), id="nothing but pods"),
        pytest.param(plain(), {}, {}, {Purpose.VOLUMES}, id="homes are claims"),
        pytest.param(
            plain(volumes=["s"]),
            {"volumes": {"s": SCRATCH}},
            {"homes": False},
            {Purpose.VOLUMES},
            id="an ephemeral volume",
        ),
        pytest.param(
            plain(volumes=["s"]),
            {"volumes": {"s": SHARED}},
            {"homes": False},
            {Purpose.VOLUMES},
            id="a claim",
        ),
        pytest.param(
            plain(volumes=["s"]),
            {"volumes": {"s": NFS, "unused": SHARED}},
            {"homes": False},
            set(),
            id="NFS is no claim, and what nobody mounts does not count",
        ),
        pytest.param(
            plain(kubespawner_override=MOUNTED),
            {},
            {"homes": False},
            {Purpose.VOLUMES},
            id="a claim in an override",
        ),
        pytest.param(
            plain(kubespawner_override=CLAIMED),
            {},
            {"homes": False},
            {Purpose.DEVICES},
            id="a ResourceClaim in an override",
        ),
        pytest.param(
            plain(), {}, {"homes": False, "dra": True}, {Purpose.DEVICES}, id="DRA, as is said"
        ),
        pytest.param(
            plain(),
            {"node_pools": {"p": GPU_POOL}},
            {"homes": False},
            set(),
            id="a pool of which no autoscaler tells",
        ),
        pytest.param(
            plain(),
            {"node_pools": {"p": {**GPU_POOL, "autoscaler_group": "g"}}},
            {"homes": False},
            {Purpose.POOLS},
            id="a pool of an autoscaler's group",
        ),
    ],
)
def test_only_what_the_catalog_needs(
    profile: dict[str, Any],
    sections: dict[str, Any],
    options: dict[str, Any],
    needed: set[Purpose],
) -> None:
    catalog = a_catalog(profile, **sections)
    assert purposes_of(catalog, **options) == {Purpose.QUOTAS, *needed}


def test_what_is_not_needed_is_not_granted() -> None:
    [*rules] = cluster_rules({Purpose.QUOTAS})
    assert {one for rule in rules for one in rule.resources} == {"nodes", "pods", "resourcequotas"}


@pytest.mark.parametrize("homes", [True, False])
def test_the_text_says_what_the_manifests_say(homes: bool) -> None:
    grant = Grant("jhub", "my-hub", "gpus")
    of_cluster, of_namespace = cluster_rules(EVERYTHING), namespace_rules(homes=homes)
    text = as_yaml(grant, of_cluster, of_namespace)
    assert list(yaml.safe_load_all(text)) == list(manifests(grant, of_cluster, of_namespace))
    assert max(map(len, text.splitlines())) <= 100


def test_every_rule_says_what_it_is_for() -> None:
    rules = (*cluster_rules(), *namespace_rules())
    text = as_yaml(Grant(), cluster_rules(), namespace_rules())
    assert all(rule.why.split(".")[0].split(":")[0] in text for rule in rules)
