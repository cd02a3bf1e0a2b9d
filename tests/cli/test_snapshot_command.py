"""`gpuspawner snapshot`: a cluster's state written down, without what nobody needs to know."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from gpuspawner.cli import main
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.patching import PatchKind
from gpuspawner.simcluster.apimachinery.resources import (
    NAMESPACES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODS,
    ResourceType,
)
from gpuspawner.simcluster.apiserver.access import AccessRules
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import FaultPlan, Refuse
from gpuspawner.simcluster.storage.store import Store

SECRET = "s3cret"
WAITS = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: busy."}
BOUND = {"pv.kubernetes.io/bind-completed": "yes"}


def a_server(person: str, node: str | None) -> Object:
    container = {
        "name": "notebook",
        "image": f"registry/{SECRET}",
        "env": [{"name": "JUPYTERHUB_API_TOKEN", "value": SECRET}],
        "args": [SECRET],
        "resources": {"requests": {"cpu": "1"}},
    }
    return {
        "metadata": {
            "name": f"jupyter-{person}",
            "namespace": "jhub",
            "labels": {"hub.jupyter.org/username": person, "app": "jupyterhub"},
            "annotations": {"hub.jupyter.org/username": SECRET},
        },
        "spec": {
            "containers": [container],
            "volumes": [
                {"name": "home", "persistentVolumeClaim": {"claimName": f"claim-{person}"}}
            ],
            **({"nodeName": node} if node else {}),
        },
    }


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def kubeconfig(tmp_path: Path, faults: FaultPlan, store: Store) -> AsyncIterator[Path]:
    store.create(NAMESPACES, "", {"metadata": {"name": "jhub"}})
    node_status = {"allocatable": {"cpu": "8", "pods": "10"}}
    node = {"metadata": {"name": "n1", "annotations": {"a": SECRET}}, "status": node_status}
    store.create(NODES, "", node)
    for pod in (a_server("lovelace", "n1"), a_server("hopper", None)):
        store.create(PODS, "jhub", pod)
    said = {"status": {"conditions": [WAITS]}}
    store.patch(PODS, "jhub", "jupyter-hopper", said, kind=PatchKind.MERGE, subresource="status")
    claim = {
        "metadata": {"name": "claim-lovelace", "namespace": "jhub"},
        "spec": {"volumeName": "pv"},
    }
    store.create(PERSISTENTVOLUMECLAIMS, "jhub", claim)
    reference = {"namespace": "jhub", "name": "claim-lovelace"}
    volume = {"metadata": {"name": "pv"}, "spec": {"claimRef": reference}}
    store.create(PERSISTENTVOLUMES, "", volume)
    async with serve(make_app(store, faults=faults, access=AccessRules())) as url:
        file = tmp_path / "kubeconfig"
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        file.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "c",
                    "contexts": [context],
                    "clusters": [{"name": "c", "cluster": {"server": url}}],
                    "users": [{"name": "u", "user": {}}],
                }
            )
        )
        yield file


async def run(kubeconfig: Path, *arguments: str) -> Result:
    command = ["snapshot", "--kubeconfig", str(kubeconfig), *arguments]
    return await asyncio.to_thread(CliRunner().invoke, main, command)


def state_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    header, state = map(json.loads, result.stdout.splitlines())
    assert set(header) == {"gpuspawner", "kubernetes", "taken"}
    assert isinstance(state, dict)
    return state


async def test_it_can_be_replayed(kubeconfig: Path) -> None:
    result = await run(kubeconfig)
    replayed = CliRunner().invoke(main, ["verdict", "--recorded", "-"], input=result.stdout_bytes)
    [line] = map(json.loads, replayed.stdout.splitlines())
    assert (line["state"], line["candidate"]) == (0, 0)


async def test_a_waiting_pod_is_a_candidate_with_the_schedulers_words(kubeconfig: Path) -> None:
    state = state_of(await run(kubeconfig))
    [candidate] = state["candidates"]
    assert (candidate["fits"], candidate["message"]) == (False, WAITS["message"])


async def test_only_what_a_verdict_looks_at_is_written(kubeconfig: Path) -> None:
    result = await run(kubeconfig, "--keep-names")
    assert SECRET not in result.stdout
    state = state_of(result)
    [pod] = [pod for pod in state["pods"] if pod["spec"].get("nodeName")]
    assert pod["spec"]["containers"] == [
        {"name": "notebook", "resources": {"requests": {"cpu": "1"}}}
    ]
    assert state["nodes"][0]["status"] == {"allocatable": {"cpu": "8", "pods": "10"}}


async def test_people_have_no_names_in_it(kubeconfig: Path) -> None:
    result = await run(kubeconfig)
    assert "lovelace" not in result.stdout
    assert "hopper" not in result.stdout
    state = state_of(result)
    [pod] = [pod for pod in state["pods"] if pod["spec"].get("nodeName")]
    claims = {o["kind"]: o for o in state["objects"] if o["kind"].startswith("PersistentVolume")}
    name = claims["PersistentVolumeClaim"]["metadata"]["name"]
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == name
    assert claims["PersistentVolume"]["spec"]["claimRef"]["name"] == name
    assert pod["metadata"]["labels"]["app"] == "jupyterhub"


async def test_names_can_be_kept(kubeconfig: Path) -> None:
    state = state_of(await run(kubeconfig, "--keep-names"))
    assert {pod["metadata"]["name"] for pod in state["pods"]} == {
        "jupyter-lovelace",
        "jupyter-hopper",
    }


async def test_a_kind_that_is_hidden_is_unknown_in_it_and_said(
    kubeconfig: Path, faults: FaultPlan
) -> None:
    faults.add(Refuse(403), resource="persistentvolumes")
    result = await run(kubeconfig)
    assert state_of(result)["unknown"] == ["PersistentVolume"]
    assert "PersistentVolume (list persistentvolumes: status 403)" in result.stderr


async def test_a_kind_that_is_not_served_does_not_exist(kubeconfig: Path) -> None:
    assert "ResourceSlice" not in state_of(await run(kubeconfig))["unknown"]


def a_pod_with(cpu: str, node: str) -> Object:
    pod = a_server("curie", node)
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu
    return pod


UNREADABLE_NODE = {"metadata": {"name": "n2"}, "status": {"allocatable": {"cpu": "many"}}}


@pytest.mark.parametrize(
    ("pods", "nodes", "fits"),
    [
        pytest.param([a_pod_with("many", "n1")], [], None, id="a pod where there would be room"),
        pytest.param([a_pod_with("many", "n0")], [], True, id="a pod where nobody looks for room"),
        pytest.param([], [UNREADABLE_NODE], True, id="a node beside one with room"),
        pytest.param([a_pod_with("7", "n1")], [UNREADABLE_NODE], None, id="a node, the other full"),
    ],
)
async def test_what_cannot_be_read_is_unknown_in_a_replay(
    kubeconfig: Path, store: Store, pods: list[Object], nodes: list[Object], fits: bool | None
) -> None:
    claim = {"name": "claim-hopper", "namespace": "jhub"}
    store.create(PERSISTENTVOLUMES, "", {"metadata": {"name": "pv2"}, "spec": {"claimRef": claim}})
    bound = {"metadata": {"annotations": BOUND, **claim}, "spec": {"volumeName": "pv2"}}
    store.create(PERSISTENTVOLUMECLAIMS, "jhub", bound)
    for resource, namespace, objects in ((PODS, "jhub", pods), (NODES, "", nodes)):
        for obj in objects:
            store.create(resource, namespace, obj)
    result = await run(kubeconfig)
    replayed = CliRunner().invoke(main, ["verdict", "--recorded", "-"], input=result.stdout_bytes)
    [line] = map(json.loads, replayed.stdout.splitlines())
    assert line["fits"] is fits


@pytest.mark.parametrize("resource", [PODS, NODES], ids=["pods", "nodes"])
async def test_what_cannot_be_read_is_said(
    kubeconfig: Path, store: Store, resource: ResourceType
) -> None:
    bad = a_pod_with("many", "n1") if resource is PODS else UNREADABLE_NODE
    store.create(resource, "jhub" if resource is PODS else "", bad)
    result = await run(kubeconfig)
    assert f"unknown in a replay: some {resource.plural} (" in result.stderr


async def test_a_kind_of_which_one_cannot_be_read_is_unknown(
    kubeconfig: Path, store: Store
) -> None:
    bad = {"metadata": {"name": "bad"}, "spec": {"capacity": {"storage": "much"}}}
    store.create(PERSISTENTVOLUMES, "", bad)
    result = await run(kubeconfig)
    assert state_of(result)["unknown"] == ["PersistentVolume"]


async def test_what_the_scheduler_said_stands_only_with_the_candidate(kubeconfig: Path) -> None:
    state = state_of(await run(kubeconfig, "--keep-names"))
    assert WAITS["message"] not in json.dumps(state["pods"])


@pytest.mark.parametrize("resource", ["nodes", "pods"])
async def test_without_nodes_or_pods_there_is_nothing_to_write(
    kubeconfig: Path, faults: FaultPlan, resource: str
) -> None:
    faults.add(Refuse(403), resource=resource)
    result = await run(kubeconfig)
    assert result.exit_code == 3
    assert "nodes and pods must be listed" in result.stderr
    assert result.stdout == ""


async def test_an_api_server_that_is_away_is_said(tmp_path: Path, kubeconfig: Path) -> None:
    text = await asyncio.to_thread(kubeconfig.read_text)
    away = tmp_path / "away"
    there = yaml.safe_load(text)["clusters"][0]["cluster"]["server"]
    await asyncio.to_thread(away.write_text, text.replace(there, "http://127.0.0.1:1"))
    result = await run(away)
    assert result.exit_code == 3
    assert "the API server at http://127.0.0.1:1 cannot be asked" in result.stderr


@pytest.mark.parametrize("name", ["state.jsonl", "state.jsonl.gz"])
async def test_it_goes_to_a_file(kubeconfig: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    result = await run(kubeconfig, "-o", str(file))
    assert result.exit_code == 0
    data = await asyncio.to_thread(file.read_bytes)
    text = gzip.decompress(data) if name.endswith(".gz") else data
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("text", ["", "a: b: c", "[1, 2]"])
async def test_a_file_that_is_no_kubeconfig_is_said(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    await asyncio.to_thread(file.write_text, text)
    result = await run(file)
    assert result.exit_code == 3
    assert "cannot be used; name another with --kubeconfig" in result.stderr
    assert "Traceback" not in result.output


async def test_a_directory_that_is_not_there_is_said_before_anything_is_read(
    kubeconfig: Path, faults: FaultPlan
) -> None:
    result = await run(kubeconfig, "-o", "/no/such/directory/state.jsonl")
    assert result.exit_code == 1
    assert "there is no directory /no/such/directory" in result.stderr
    assert faults.count("list", "/api/v1/nodes") == 0


async def test_it_says_how_many_pods_wait(kubeconfig: Path) -> None:
    assert "1 nodes, 2 pods, 1 of them waiting to be judged" in (await run(kubeconfig)).stderr
