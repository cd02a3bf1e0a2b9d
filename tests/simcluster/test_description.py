"""What a cluster description may say, and how it is told that it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gpuspawner.quantity import format_amount
from gpuspawner.simcluster.description import (
    Bystanders,
    ClusterDescription,
    ClusterDescriptionError,
    NodePool,
)

CAMPUS = Path(__file__).parents[2] / "examples" / "campus-a100" / "cluster.yaml"

SMALLEST = """
name: tiny
node_pools:
  - name: workers
    node_name: worker-{index}
    count: 2
    capacity: {cpu: 4, memory: 8Gi, pods: 110}
"""


def campus_pool(name: str) -> NodePool:
    return next(pool for pool in ClusterDescription.load(CAMPUS).node_pools if pool.name == name)


def campus_bystanders() -> Bystanders:
    bystanders = ClusterDescription.load(CAMPUS).bystanders
    assert bystanders is not None
    return bystanders


def test_the_smallest_description_has_defaults() -> None:
    description = ClusterDescription.parse(SMALLEST)
    assert description.node_pools[0].node_names == ("worker-1", "worker-2")
    assert description.schedulers == ("default-scheduler",)
    assert description.image_pull_seconds == 0
    assert description.bystanders is None


def test_a_description_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ClusterDescription.parse(SMALLEST).name = "other"


def test_allocatable_is_capacity_less_what_is_reserved() -> None:
    text = SMALLEST + "    reserved: {cpu: 500m, memory: 1Gi}\n"
    assert ClusterDescription.parse(text).node_pools[0].allocatable == {
        "cpu": 3500,
        "memory": 7 * 2**30,
        "pods": 110,
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: [", "tiny.yaml: is not YAML", id="a file that is not YAML"),
        pytest.param("", "tiny.yaml: Input should be", id="an empty file"),
        pytest.param(
            SMALLEST + "    autoscaling: {group: g, max: 1}\n",
            "tiny.yaml: node_pools[0]: Value error, max is 1, less than the count of 2",
            id="a pool that is larger than it may grow",
        ),
        pytest.param(
            SMALLEST.replace("count: 2", "count: 1").replace("-{index}", "")
            + "    autoscaling: {group: g, max: 2}\n",
            "names 2 nodes alike",
            id="one name for nodes that may come",
        ),
        pytest.param(
            SMALLEST
            + "namespaces: [{name: a, labels: {pod-security.kubernetes.io/enforce: strict}}]\n",
            "enforce is 'strict'; write one of privileged, baseline, restricted",
            id="a pod security standard that there is not",
        ),
        pytest.param(
            SMALLEST + "resource_quotas: [{name: q, namespace: a, hard: {pods: 1}}]\n",
            "namespace a is used but not listed",
            id="a quota of a namespace that there is not",
        ),
        pytest.param(
            SMALLEST.replace("count", "cuont"),
            "tiny.yaml: node_pools[0].cuont: Extra inputs are not permitted",
            id="a field that is misspelt",
        ),
        pytest.param(
            SMALLEST.replace("8Gi", "8GiB"),
            "tiny.yaml: node_pools[0].capacity.memory: Value error, '8GiB' is not a Kubernetes",
            id="a quantity that does not parse",
        ),
        pytest.param(
            SMALLEST.replace("cpu: 4", "cpu: -4"), "'-4' is negative", id="a negative quantity"
        ),
        pytest.param(
            SMALLEST.replace(", pods: 110", ""), "capacity lacks pods", id="a node without pods"
        ),
        pytest.param(
            SMALLEST.replace("worker-{index}", "worker"),
            "'worker' names 2 nodes alike",
            id="a pool of two nodes with one name",
        ),
        pytest.param(
            SMALLEST.replace("worker-{index}", "Worker_{index}"),
            "'Worker_1' is not a DNS name",
            id="a node name that the API would refuse",
        ),
        pytest.param(
            SMALLEST + "    reserved: {memory: 9Gi}\n",
            "reserved memory is 9Gi, more than the capacity of 8Gi",
            id="more reserved than there is",
        ),
        pytest.param(
            SMALLEST + "    reserved: {nvidia.com/gpu: 1}\n",
            "reserved names nvidia.com/gpu, which capacity does not have",
            id="reserved what there is not",
        ),
        pytest.param(
            SMALLEST + SMALLEST[SMALLEST.index("  - ") :].replace("workers", "more"),
            "node_pools give two nodes the name worker-1",
            id="two pools whose names clash",
        ),
        pytest.param(
            SMALLEST + "system_pods: [{name: agent, namespace: monitoring, image: a}]\n",
            "namespace monitoring is used but not listed",
            id="a namespace that is not listed",
        ),
        pytest.param(
            SMALLEST + "system_pods: [{name: agent, image: a, node_pools: [gpu]}]\n",
            "system_pods agent: no node pool is called gpu",
            id="system pods for a pool that is not there",
        ),
        pytest.param(
            SMALLEST
            + "bystanders: {namespace: default, jobs: [{name: a, image: b, requests: {}, "
            + "running: {min: 3, max: 2}}]}\n",
            "bystanders.jobs[0].running: Value error, min 3 is more than max 2",
            id="bounds the wrong way round",
        ),
        pytest.param(
            SMALLEST + "gpu_strategy: tightest\n",
            "gpu_strategy: Input should be 'most-allocated' or 'least-allocated'",
            id="a strategy that does not exist",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_and_field(text: str, problem: str) -> None:
    with pytest.raises(ClusterDescriptionError) as caught:
        ClusterDescription.parse(text, "tiny.yaml")
    assert problem in str(caught.value)


def test_every_problem_is_reported_at_once() -> None:
    text = SMALLEST.replace("8Gi", "8GiB").replace("count: 2", "count: -1")
    with pytest.raises(ClusterDescriptionError) as caught:
        ClusterDescription.parse(text)
    assert len(caught.value.problems) == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterDescriptionError, match=r"none\.yaml: cannot be read"):
        ClusterDescription.load(tmp_path / "none.yaml")


def total(resource: str) -> int:
    description = ClusterDescription.load(CAMPUS)
    amounts = {"cpu": 1, "memory": 2**30}
    return sum(
        pool.count
        * int(pool.capacity.get(resource, "0").removesuffix("Gi"))
        * amounts.get(resource, 1)
        for pool in description.node_pools
    )


@pytest.mark.parametrize(
    ("resource", "amount"),
    [
        pytest.param("cpu", 12 + 192, id="204 vCPU"),
        pytest.param("memory", (48 + 512) * 2**30, id="560 GiB of memory"),
        pytest.param("nvidia.com/gpu", 6, id="six whole GPUs"),
    ],
)
def test_campus_a100_has_what_the_reference_cluster_has(resource: str, amount: int) -> None:
    assert total(resource) == amount


def test_the_mig_slices_of_campus_a100_fit_on_two_a100() -> None:
    capacity = campus_pool("gpu-mig").capacity
    compute_slices = int(capacity["nvidia.com/mig-1g.5gb"]) + 2 * int(
        capacity["nvidia.com/mig-2g.10gb"]
    )
    assert compute_slices <= 2 * 7


def test_no_worker_of_campus_a100_offers_128_gib() -> None:
    offered = campus_pool("gpu-whole").allocatable["memory"]
    assert format_amount("memory", offered) == "122 GiB"


def test_the_bystanders_of_campus_a100_leave_a_gpu_free() -> None:
    jobs = {job.name: job for job in campus_bystanders().jobs}
    assert jobs["train"].running.max < 6
