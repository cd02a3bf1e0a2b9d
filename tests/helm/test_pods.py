"""The pods of each cluster's profiles, as the chart would have them made."""

from __future__ import annotations

from pathlib import Path

import pytest

from .chart import CLUSTERS
from .pods import pods_of, unrestricted


@pytest.mark.parametrize("cluster", ["observatory-a4000", "regulated-rke2"])
async def test_a_namespace_with_the_restricted_standard_admits_every_server(
    cluster: str, tmp_path: Path
) -> None:
    pods = await pods_of(cluster, tmp_path)
    assert {slug: unrestricted(pod) for slug, pod in pods.items()} == {slug: [] for slug in pods}


async def test_what_the_standard_forbids_is_found(tmp_path: Path) -> None:
    pods = await pods_of("homelab-3090", tmp_path)
    assert {"privileged", "runAsUser", "hostPath"} <= set(unrestricted(pods["coral-by-path"]))
    assert "seccompProfile" in unrestricted(pods["cpu"])


async def test_a_quota_on_cpu_and_memory_finds_requests_and_limits_in_every_server(
    tmp_path: Path,
) -> None:
    for pod in (await pods_of("regulated-rke2", tmp_path)).values():
        [notebook] = pod["spec"]["containers"]
        for kind in ("requests", "limits"):
            assert notebook["resources"][kind].keys() >= {"cpu", "memory"}


@pytest.mark.parametrize("cluster", CLUSTERS)
async def test_homes_are_mounted_beside_what_a_profile_mounts(cluster: str, tmp_path: Path) -> None:
    for pod in (await pods_of(cluster, tmp_path)).values():
        [notebook] = pod["spec"]["containers"]
        assert "/home/jovyan" in {mount["mountPath"] for mount in notebook["volumeMounts"]}
        assert pod["spec"]["schedulerName"] == "jupyterhub-user-scheduler"
        assert "privileged" not in str(pod["spec"].get("initContainers")) or cluster == "cloud-pool"
