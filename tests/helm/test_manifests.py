"""What is applied beside the chart, and the servers' pods, held strictly to Kubernetes' schemas."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuspawner.catalog import read_catalog

from .chart import CLUSTERS, HELM_VALUES, MANIFESTS, embedded_catalog, values_of
from .embedding import example_of
from .pods import pods_of

FILES = (HELM_VALUES / "clusterrole.yaml", *sorted(MANIFESTS.glob("*.yaml")))


def objects_of(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def schemas() -> Any:
    """kubernetes-validate, which is of the extra `check`: it brings 100 MB of schemas."""
    if os.environ.get("GPUSPAWNER_TESTS_REQUIRE_LINTERS"):
        return import_module("kubernetes_validate")
    return pytest.importorskip("kubernetes_validate")


def made(cluster: str) -> list[dict[str, Any]]:
    path = MANIFESTS / f"{cluster}.yaml"
    return objects_of(path) if path.exists() else []


def test_the_manifests_are_of_clusters_that_there_are() -> None:
    assert {path.stem for path in MANIFESTS.glob("*")} <= set(CLUSTERS)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_priority_classes_that_a_catalog_names_are_made(cluster: str) -> None:
    catalog = read_catalog(embedded_catalog(values_of(cluster)))
    named = {each.priority_class for each in catalog.accelerators.values()} - {None}
    classes = {one["metadata"]["name"] for one in made(cluster) if one["kind"] == "PriorityClass"}
    assert classes == named


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_quotas_and_classes_are_those_of_the_examples_cluster(cluster: str) -> None:
    example = yaml.safe_load((example_of(cluster).parent / "cluster.yaml").read_text())
    quotas = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"]["hard"]
        for one in made(cluster)
        if one["kind"] == "ResourceQuota"
    }
    assert quotas == {
        (one["namespace"], one["name"]): {key: str(amount) for key, amount in one["hard"].items()}
        for one in example.get("resource_quotas", [])
    }
    classes = {
        one["metadata"]["name"]: one["value"]
        for one in made(cluster)
        if one["kind"] == "PriorityClass"
    }
    given = example.get("priority_classes", [])
    assert classes == {one["name"]: one["value"] for one in given}


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_homes_are_of_a_class_of_the_examples_cluster(cluster: str) -> None:
    example = yaml.safe_load((example_of(cluster).parent / "cluster.yaml").read_text())
    home = values_of(cluster)["singleuser"]["storage"]["dynamic"]["storageClass"]
    assert home in {one["name"] for one in example["storage_classes"]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_manifests_are_valid_strictly(path: Path) -> None:
    validate = schemas().validate
    for one in objects_of(path):
        validate(one, "1.36", strict=True)


@pytest.mark.parametrize("cluster", CLUSTERS)
async def test_pods_are_valid_strictly(cluster: str, tmp_path: Path) -> None:
    validate = schemas().validate
    for pod in (await pods_of(cluster, tmp_path)).values():
        validate({"apiVersion": "v1", "kind": "Pod", **pod}, "1.36", strict=True)


def test_a_typo_in_a_manifest_is_found() -> None:
    kubernetes_validate = schemas()
    role, _ = objects_of(FILES[0])
    role["rules"][0]["verb"] = role["rules"][0].pop("verbs")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(role, "1.36", strict=True)
