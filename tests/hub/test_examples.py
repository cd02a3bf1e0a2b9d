"""The five reference clusters: who is offered what there, and what pod comes of it, on which node.

Each example's ``expected.yaml`` is the table. Nobody comes or goes while it is compared.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuspawner.cli.demo_sign_in import DemoAuthenticator
from gpuspawner.cli.examples import Example, configure, example_names, load_example
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE, PASSWORD, Hub, configuration, running_hub

Offered = dict[str, dict[str, dict[str, str]]]
"""Person to profile to standing and words."""

CAN_START = ("free", "can-start-node")
REFERENCE_CLUSTERS = {
    "campus-a100",
    "cloud-pool",
    "homelab-3090",
    "observatory-a4000",
    "regulated-rke2",
}
# What every pod tolerates: KubeSpawner's own, and what the API server adds.
_EVERYBODYS = ("hub.jupyter.org", "node.kubernetes.io")


def test_each_reference_cluster_has_an_example() -> None:
    assert set(example_names()) == REFERENCE_CLUSTERS


@pytest.mark.parametrize("name", sorted(REFERENCE_CLUSTERS))
async def test_people_are_offered_and_get_what_the_table_says(name: str, tmp_path: Path) -> None:
    example = load_example(name)
    expected = yaml.safe_load((example.folder / "expected.yaml").read_text())
    async with running_example(example, tmp_path) as hub:
        offered = {person: await offers(hub, person) for person in example.people}
        assert offered == expected["offered"]
        for person, profile in closed(offered):
            assert (await hub.start_server(person, profile)).status == 403, (person, profile)
        codes = {
            profile: await refused(hub, who_has(offered, profile), profile, offered)
            for profile in profiles_that(offered, can_start=False)
        }
        assert codes == expected["refused"]
        assert not any(map(hub.pods_of, example.people))
        pods = {
            profile: await pod_of(hub, who_has(offered, profile), profile)
            for profile in profiles_that(offered, can_start=True)
        }
        assert pods == expected["pods"]


@asynccontextmanager
async def running_example(example: Example, state: Path) -> AsyncIterator[Hub]:
    """The example's hub as the demo sets it up, with servers that are quickly there."""
    async with SimCluster(at_once(example.cluster), state_dir=state) as cluster:
        cluster.pause_bystanders()
        await cluster.wait_until(lambda: all_have_nodes(cluster), 30)
        c = configuration(cluster, example.catalog)
        configure(c, example.hub, example.catalog)
        c.JupyterHub.authenticator_class = type(
            "Authenticator",
            (DemoAuthenticator,),
            {"people": example.people, "password": PASSWORD},
        )
        c.KubeSpawner.cmd = [sys.executable, "-S", str(HERE / "notebook.py")]
        async with running_hub(cluster, c) as hub:
            yield hub


def at_once(cluster: ClusterDescription) -> ClusterDescription:
    """The same cluster, but new nodes are there at once, and the scheduler tries again soon."""
    pools = tuple(
        pool.model_copy(
            update={"autoscaling": pool.autoscaling.model_copy(update={"ready_after_seconds": 0.0})}
        )
        if pool.autoscaling
        else pool
        for pool in cluster.node_pools
    )
    quick = {"node_pools": pools, "scheduler_backoff_seconds": (0.05, 0.1)}
    return cluster.model_copy(update=quick)


async def offers(hub: Hub, person: str) -> dict[str, dict[str, str]]:
    answer = await (await hub.visitor(person)).api("GET", "gpuspawner/offers")
    assert answer.status == 200, answer.text
    return {
        offer["slug"]: {"standing": offer["standing"], "words": offer["availability"]}
        for offer in json.loads(answer.text)["offers"]
    }


def closed(offered: Offered) -> list[tuple[str, str]]:
    """Each person with each profile of others that this person does not have."""
    profiles = {profile for own in offered.values() for profile in own}
    return [(person, each) for person, own in offered.items() for each in profiles - own.keys()]


def who_has(offered: Offered, profile: str) -> str:
    return next(person for person, own in offered.items() if profile in own)


def profiles_that(offered: Offered, *, can_start: bool) -> list[str]:
    found = {slug: offer["standing"] for own in offered.values() for slug, offer in own.items()}
    return [slug for slug, standing in found.items() if (standing in CAN_START) is can_start]


async def refused(hub: Hub, person: str, profile: str, offered: Offered) -> str:
    """Ask for what cannot be started; the code with which it is refused."""
    answer = await hub.start_server(person, profile)
    assert answer.status in (422, 503), answer.text
    words = offered[person][profile]["words"]
    assert words.partition(": ")[2] in json.loads(answer.text)["message"]
    return answer.headers["X-GPUSpawner-Refusal"]


async def pod_of(hub: Hub, person: str, profile: str) -> dict[str, Any]:
    """Start a server, and say what came of it; it is gone afterwards."""
    answer = await hub.start_server(person, profile)
    assert answer.status < 400, answer.text
    (pod,) = await hub.cluster.wait_until(lambda: running(hub, person), 30)
    await hub.stop_server(person)
    return facts(pod)


def all_have_nodes(cluster: SimCluster) -> bool:
    pods, _ = cluster.store.list(PODS)
    return all(pod["spec"].get("nodeName") for pod in pods)


def running(hub: Hub, person: str) -> list[Object]:
    return [pod for pod in hub.pods_of(person) if pod["status"]["phase"] == "Running"]


def facts(pod: Object) -> dict[str, Any]:
    """What the table says of a pod."""
    spec = pod["spec"]
    (container,) = spec["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    said = {
        "node": spec["nodeName"],
        "requests": container["resources"]["requests"],
        "limits": container["resources"]["limits"],
        "runtime_class": spec.get("runtimeClassName"),
        "priority_class": spec.get("priorityClassName"),
        "node_selector": spec.get("nodeSelector"),
        "tolerations": [
            toleration
            for toleration in spec["tolerations"]
            if toleration.get("key", "").partition("/")[0] not in _EVERYBODYS
        ],
        "mounts": {
            mount["mountPath"]: mounted(volumes[mount["name"]], mount)
            for mount in container["volumeMounts"]
        },
        "security": {
            "pod": spec.get("securityContext"),
            "container": container.get("securityContext"),
        },
    }
    return {key: value for key, value in said.items() if value}


def mounted(volume: Object, mount: Object) -> dict[str, Any]:
    source = {key: value for key, value in volume.items() if key != "name"}
    if claim := source.get("ephemeral", {}).get("volumeClaimTemplate"):
        wanted = claim["spec"]
        size = wanted["resources"]["requests"]["storage"]
        source = {"ephemeral": {"class": wanted.get("storageClassName"), "size": size}}
    return source | ({"read_only": True} if mount.get("readOnly") else {})
