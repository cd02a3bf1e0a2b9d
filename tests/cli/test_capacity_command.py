"""`gpuspawner capacity`: the devices of each node, and what fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Run, a_pod, read_report

from gpuspawner.cli.capacity import CapacityReport
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apiserver.access import AccessRules, Rule
from gpuspawner.simcluster.storage.store import Store

TABLE = [
    "NODE   RESOURCE        ALL  USED  FREE  UNHEALTHY  STATE",
    "gpu-1  nvidia.com/gpu    2     1     1          0",
    "gpu-2  nvidia.com/gpu    2     0     2          0",
    "gpu-3  nvidia.com/gpu    2     0     0          0  cordoned",
    "1 node has none.",
]
FITS = [
    "PROFILE  NOW                                      WHERE",
    "one      3 of 6 free, on 2 nodes; 1 node closed     gpu-1: 1, gpu-2: 2",
]


async def source(run: Run, kubeconfig: Path, kind: str) -> list[object]:
    if kind == "live":
        return ["--kubeconfig", kubeconfig]
    file = kubeconfig.with_name("state.jsonl.gz")
    await run("snapshot", "--keep-names", "--kubeconfig", kubeconfig, "-o", file)
    return ["--recorded", file, "-n", "jhub"]


@pytest.mark.parametrize("kind", ["live", "recorded"])
async def test_the_devices_of_each_node(run: Run, kubeconfig: Path, kind: str) -> None:
    result = await run("capacity", *await source(run, kubeconfig, kind))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-5:] == TABLE


@pytest.mark.parametrize("kind", ["live", "recorded"])
async def test_how_many_of_each_profile_fit_where(
    run: Run, kubeconfig: Path, catalog: Path, kind: str
) -> None:
    given = await source(run, kubeconfig, kind)
    result = await run("capacity", "--catalog", catalog, *given)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert [line for line in map(" ".join, map(str.split, FITS)) if line not in lines] == []
    report = read_report(
        await run("capacity", "--json", "--catalog", catalog, *given), CapacityReport
    )
    fits = {one.slug: (one.slots, one.slots_if_empty, one.nodes) for one in report.profiles}
    assert fits["two"] == (1, 3, {"gpu-2": 1})
    assert fits["big"] == (0, 0, {})
    assert report.nodes == 4


async def test_a_pod_that_cannot_be_read_leaves_nothing_free_where_it_is(
    run: Run, kubeconfig: Path, store: Store
) -> None:
    pod = a_pod("strange", "gpu-2", 1)
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "many"
    store.create(PODS, "jhub", pod)
    report = read_report(
        await run("capacity", "--json", "--kubeconfig", kubeconfig), CapacityReport
    )
    assert {one.node: one.free for one in report.devices} == {"gpu-1": 1, "gpu-2": None, "gpu-3": 2}
    result = await run("capacity", "--kubeconfig", kubeconfig)
    assert "unknown" in result.stdout


async def test_without_the_right_to_see_pods_nothing_is_known(
    run: Run, kubeconfig: Path, access: AccessRules
) -> None:
    access.rules = [Rule(resources=("nodes",))]
    result = await run("capacity", "--kubeconfig", kubeconfig)
    assert result.exit_code == 3
    assert "What its nodes have is unknown: the account is not allowed to" in result.stdout
    assert "gpu-1" not in result.stdout
    report = read_report(
        await run("capacity", "--json", "--kubeconfig", kubeconfig), CapacityReport
    )
    assert (report.nodes, report.devices, report.source.state) == (None, None, "denied")
