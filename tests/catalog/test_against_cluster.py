"""Whether a cluster has what a catalog names; what is not known is neither there nor missing."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.catalog import Existing, KnownNode, remarks_against
from gpuspawner.catalog.against_cluster import (
    CLAIMS,
    DEVICE_CLASSES,
    GROUPS,
    NODES,
    PRIORITY_CLASSES,
    RUNTIME_CLASSES,
    STORAGE_CLASSES,
)
from gpuspawner.catalog.problems import field_name

from ..builders import GPU, a_catalog, a_profile

MIG = "nvidia.com/mig-1g.5gb"
NAMES = {
    CLAIMS: {"data", "home-ada"},
    DEVICE_CLASSES: set[str](),
    GROUPS: {"v100-pool"},
    PRIORITY_CLASSES: {"gpu-high"},
    RUNTIME_CLASSES: {"nvidia"},
    STORAGE_CLASSES: {"fast-scratch"},
}


def node(name: str, *resources: str, sick: str = "", **labels: str) -> KnownNode:
    labels = {key.replace("_", "-"): value for key, value in labels.items()}
    return KnownNode(name, labels, frozenset(resources), frozenset({*resources, sick} - {""}))


CLUSTER = (
    node("n1", GPU, gpu_model="a100", zone="a"),
    node("n2", MIG, gpu_model="h100", zone="b"),
)
Row = tuple[str, str, str, str | None]


def remarks(catalog: Any, **changes: Any) -> list[Row]:
    names = {**NAMES, **changes.pop("names", {})}
    existing = Existing(**{"nodes": CLUSTER, "names": names, **changes})
    return [
        (one.severity, field_name(one.finding.path), one.finding.message, one.finding.hint)
        for one in remarks_against(catalog, existing)
    ]


def an_accelerator(**fields: Any) -> Any:
    device = {"title": "GPU", "resource": GPU, **fields}
    return a_catalog(a_profile(accelerator="a"), accelerators={"a": device})


def term(key: str, operator: str, *values: str) -> dict[str, Any]:
    expression = {"key": key, "operator": operator, **({"values": list(values)} if values else {})}
    return {"matchExpressions": [expression]}


A = "accelerators.a"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"node_selector": {"gpu-model": "a100"}}, [], id="a label that is there"),
        pytest.param(
            {"node_selector": {"gpu-model": "a10"}},
            [
                (
                    "error",
                    f"{A}.node_selector.gpu-model",
                    "no node has the label gpu-model=a10",
                    "did you mean 'a100'?",
                )
            ],
            id="a value that no node has",
        ),
        pytest.param(
            {"node_selector": {"gpu-modell": "a100"}},
            [
                (
                    "error",
                    f"{A}.node_selector.gpu-modell",
                    "no node has the label gpu-modell",
                    "did you mean 'gpu-model'?",
                )
            ],
            id="a key that no node has",
        ),
        pytest.param(
            {"node_selector": {"gpu-model": "a100", "zone": "b"}},
            [
                (
                    "error",
                    f"{A}.node_selector",
                    "no node has all of these labels together: gpu-model=a100, zone=b",
                    None,
                )
            ],
            id="labels that no node has together",
        ),
        pytest.param(
            {"node_selector": {"gpu-model": "h100"}},
            [
                (
                    "error",
                    f"{A}.resource",
                    f"no node with the labels of this accelerator offers {GPU}",
                    "nodes that do have gpu-model=a100",
                )
            ],
            id="a resource on other nodes",
        ),
        pytest.param(
            {"resource": "nvidia.com/mig-1g.6gb", "sharing": "mig"},
            [
                (
                    "error",
                    f"{A}.resource",
                    "no node offers nvidia.com/mig-1g.6gb",
                    f"did you mean '{MIG}'?",
                )
            ],
            id="a resource that no node offers",
        ),
        pytest.param(
            {"affinity": [term("gpu-model", "In", "a10", "l4")]},
            [
                (
                    "error",
                    f"{A}.affinity[0].matchExpressions[0]",
                    "no node has the label gpu-model=a10 or gpu-model=l4",
                    "did you mean 'a100'?",
                )
            ],
            id="an affinity that no node meets",
        ),
        pytest.param(
            {"affinity": [term("gpu-model", "In", "a10", "a100")]}, [], id="one value is enough"
        ),
        pytest.param(
            {"affinity": [term("gpu-model", "In", "a100"), term("rack", "Exists")]},
            [
                (
                    "warning",
                    f"{A}.affinity[1].matchExpressions[0]",
                    "no node has the label rack",
                    None,
                )
            ],
            id="one term is enough, and the other is pointed out",
        ),
        pytest.param(
            {"affinity": [term("rack", "DoesNotExist"), term("zone", "NotIn", "q")]},
            [],
            id="what must not be there need not be",
        ),
        pytest.param(
            {
                "affinity": [
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n7"]}]}
                ]
            },
            [
                (
                    "error",
                    f"{A}.affinity[0].matchFields[0]",
                    "there is no node 'n7'",
                    "known here: n1, n2",
                )
            ],
            id="a node of a name",
        ),
        pytest.param(
            {"runtime_class": "nvidea"},
            [
                (
                    "error",
                    f"{A}.runtime_class",
                    "there is no RuntimeClass 'nvidea'",
                    "did you mean 'nvidia'?",
                )
            ],
            id="a RuntimeClass",
        ),
        pytest.param(
            {"priority_class": "high"},
            [
                (
                    "error",
                    f"{A}.priority_class",
                    "there is no PriorityClass 'high'",
                    "did you mean 'gpu-high'?",
                )
            ],
            id="a PriorityClass",
        ),
    ],
)
def test_what_an_accelerator_names(fields: dict[str, Any], expected: list[Row]) -> None:
    assert remarks(an_accelerator(**fields)) == expected


def test_what_is_unhealthy_everywhere_is_no_typo() -> None:
    [(severity, _, message, _)] = remarks(an_accelerator(), nodes=[node("n1", sick=GPU)])
    assert (severity, message.split()[2:4]) == ("warning", ["is", "unhealthy"])


def test_what_a_device_class_stands_for_needs_no_node_that_advertises_it() -> None:
    none = [node("n1")]
    assert remarks(an_accelerator(), nodes=none, names={DEVICE_CLASSES: {GPU}}) == []
    [unknown] = remarks(an_accelerator(), nodes=none, names={DEVICE_CLASSES: None})
    assert unknown[0] == "unchecked"


def test_what_a_pool_would_bring_is_there() -> None:
    pool = {
        "title": "V100",
        "labels": {"gpu-model": "v100"},
        "allocatable": {"cpu": 4, "memory": "8Gi", GPU: 1},
    }
    device = {"title": "V100", "resource": GPU, "node_selector": {"gpu-model": "v100"}}
    profile = a_profile(accelerator="v100")
    devices = {"v100": device}
    assert remarks(a_catalog(profile, accelerators=devices, node_pools={"p": pool})) == []
    assert remarks(a_catalog(profile, accelerators=devices)) != []


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param({"claim": {"name": "data"}}, [], id="a claim that is there"),
        pytest.param({"claim": {"name": "home-{username}"}}, [], id="a claim for each person"),
        pytest.param(
            {"claim": {"name": "dat"}},
            [
                (
                    "error",
                    "volumes.v.claim.name",
                    "there is no PersistentVolumeClaim 'dat' in the namespace default",
                    "did you mean 'data'?",
                )
            ],
            id="a claim that is not",
        ),
        pytest.param({"ephemeral": {"size": "1Gi"}}, [], id="the default class"),
        pytest.param(
            {"ephemeral": {"size": "1Gi", "storage_class": "fast"}},
            [
                (
                    "error",
                    "volumes.v.ephemeral.storage_class",
                    "there is no StorageClass 'fast'",
                    "known here: fast-scratch",
                )
            ],
            id="a StorageClass that is not",
        ),
    ],
)
def test_what_a_volume_names(volume: dict[str, Any], expected: list[Row]) -> None:
    assert remarks(a_catalog(volumes={"v": {"mount_path": "/v", **volume}}, accelerators={})) == (
        expected
    )


def test_a_group_of_the_autoscaler() -> None:
    pool = {"title": "P", "labels": {"p": "v"}, "allocatable": {"cpu": 4, "memory": "8Gi"}}
    catalog = a_catalog(accelerators={}, node_pools={"p": {**pool, "autoscaler_group": "v100-pol"}})
    [(severity, field, _, hint)] = remarks(catalog)
    assert (severity, field) == ("error", "node_pools.p.autoscaler_group")
    assert hint == "did you mean 'v100-pool'?"


def test_what_an_override_names() -> None:
    override = {
        "node_selector": {"zone": "c", "pool": None},
        "priority_class_name": "low",
        "extra_pod_config": {"runtimeClassName": "kata"},
    }
    profile = {"slug": "o", "title": "O", "kubespawner_override": override}
    fields = [field for _, field, _, _ in remarks(a_catalog(profile, accelerators={}))]
    base = "profiles[1].kubespawner_override"
    assert fields == [
        f"{base}.node_selector.zone",
        f"{base}.priority_class_name",
        f"{base}.extra_pod_config.runtimeClassName",
    ]


EVERYTHING = a_catalog(
    a_profile(accelerator="a"),
    accelerators={
        "a": {
            "title": "GPU",
            "resource": GPU,
            "node_selector": {"gpu-model": "nowhere"},
            "affinity": [term("rack", "Exists")],
            "runtime_class": "nowhere",
            "priority_class": "nowhere",
        }
    },
    volumes={
        "e": {"mount_path": "/e", "ephemeral": {"size": "1Gi", "storage_class": "nowhere"}},
        "c": {"mount_path": "/c", "claim": {"name": "nowhere"}},
    },
    node_pools={
        "p": {
            "title": "P",
            "labels": {"p": "v"},
            "allocatable": {"cpu": 4, "memory": "8Gi"},
            "autoscaler_group": "nowhere",
        }
    },
)


def test_what_is_not_known_is_unchecked_and_says_why() -> None:
    why = dict.fromkeys((NODES, *NAMES), "the account may not list it")
    found = remarks(EVERYTHING, nodes=None, names=dict.fromkeys(NAMES), why=why)
    assert {severity for severity, _, _, _ in found} == {"unchecked"}
    assert len(found) == 6
    for _, _, message, _ in found:
        assert message.startswith("could not be checked: whether ")
        assert message.endswith("(the account may not list it)")


@pytest.mark.parametrize("what", [NODES, *sorted(set(NAMES) - {DEVICE_CLASSES})])
def test_each_that_is_not_known_is_unchecked_by_itself(what: str) -> None:
    hidden: dict[str, Any] = {"nodes": None} if what == NODES else {"names": {what: None}}
    found = remarks(EVERYTHING, **hidden)
    assert [severity for severity, _, _, _ in found].count("unchecked") == 1
    assert {severity for severity, _, _, _ in found} == {"unchecked", "error"}
