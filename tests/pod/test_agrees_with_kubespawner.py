"""The request that is judged is that of the pod which KubeSpawner makes of the same settings."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from kubespawner import KubeSpawner

from gpuspawner.capacity.model import PodRequest, read_request
from gpuspawner.catalog import Catalog, ImageChoice, Profile, read_catalog
from gpuspawner.pod import HUB_LABELS, ConflictError, PodPlan, base_names, plan

from ..builders import GPU, a_catalog, a_profile

EXAMPLE = Path(__file__).parents[2] / "examples" / "campus-a100" / "catalog.yaml"
CAMPUS = read_catalog(EXAMPLE.read_text())
MIG = "nvidia.com/mig-1g.5gb"

TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
CORE = {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user"}
USER_POOL = {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["user"]}]}
BY_NAME = {"match_fields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}]}
HOME = {"name": "home", "persistent_volume_claim": {"claimName": "home"}}
HOME_MOUNT = {"name": "home", "mount_path": "/home/jovyan"}
SIDECAR = {"name": "s", "image": "x", "restart_policy": "Always"}
ONE_CORE = {"requests": {"cpu": "1", "memory": "1Gi"}}
FRONTEND = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "x"}}}

STRANGE = a_catalog(
    a_profile("plain-gpu", accelerator="plain"),
    a_profile(
        "everything",
        count=4,
        cpu={"guarantee": "100m", "limit": 2},
        memory={"guarantee": "1500M", "limit": "3.5Gi"},
        volumes=["data"],
        env={"A": "{username}"},
    ),
    a_profile("slice", accelerator="slice", cpu={"limit": "1.5"}),
    {
        "slug": "overrides",
        "title": "Overrides",
        "kubespawner_override": {
            "cpu_guarantee": 1.5,
            "mem_limit": 2**31,
            "node_selector": {"zone": "b", "pool": None},
            "extra_labels": {"cost-center": "physics"},
            "tolerations": [CORE],
            "scheduler_name": "other-scheduler",
            "priority_class_name": "low",
            "init_containers": [{"name": "i", "image": "x", "resources": {"limits": {"cpu": 9}}}],
        },
    },
    {
        "slug": "memory",
        "title": "Memory as JupyterHub writes it",
        "kubespawner_override": {"mem_guarantee": "1.5G", "mem_limit": "64G"},
    },
    {
        "slug": "mappings",
        "title": "Overrides with mappings",
        "kubespawner_override": {
            "extra_resource_guarantees": {"ephemeral-storage": "10Gi"},
            "extra_resource_limits": {"example.com/fpga": 1},
            "extra_containers": {"b": {"name": "b", "image": "x", "resources": ONE_CORE}},
            "node_affinity_required": {"a": USER_POOL, "b": BY_NAME},
            "extra_pod_config": {"overhead": {"cpu": "250m"}, "node_name": "n7"},
            "extra_container_config": {"resources": {"limits": {"memory": "5Gi"}}},
        },
    },
    accelerators={
        "a100": {
            "title": "A100",
            "resource": GPU,
            "node_selector": {"gpu": "a100"},
            "tolerations": [TOLERATION, {"key": "team", "value": "a"}, {"operator": "Exists"}],
            "affinity": [
                {"matchExpressions": [{"key": "memory", "operator": "Gt", "values": ["39"]}]},
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n9"]}]},
            ],
            "runtime_class": "nvidia",
            "priority_class": "gpu-users",
        },
        "plain": {"title": "Plain", "resource": GPU},
        "slice": {"title": "Slice", "resource": MIG, "sharing": "mig"},
    },
    volumes={"data": {"mount_path": "/data", "nfs": {"server": "nfs", "path": "/x"}}},
)

LISTS: dict[str, list[Any]] = {
    "tolerations": [[], [CORE], [TOLERATION, CORE], {}, {"b": CORE, "a": TOLERATION}],
    "volumes": [[], [HOME], {"00-home": HOME}],
    "volume_mounts": [[], [HOME_MOUNT], {"00-home": HOME_MOUNT}],
    "node_affinity_required": [[], [USER_POOL, BY_NAME], {"b": USER_POOL, "a": BY_NAME}],
    "pod_affinity_required": [[], [FRONTEND], {"a": FRONTEND}],
    "pod_anti_affinity_required": [[], [FRONTEND]],
    "init_containers": [
        [],
        [{"name": "i", "image": "x", "resources": {"requests": {"cpu": 3, GPU: 1}}}],
        [{**SIDECAR, "resources": ONE_CORE}, {"name": "i", "image": "x", "resources": ONE_CORE}],
        {
            "b": {**SIDECAR, "resources": ONE_CORE},
            "a": {"name": "i", "image": "x", "resources": {"limits": {"cpu": 7}}},
        },
    ],
    "extra_containers": [
        [],
        [{"name": "e", "image": "x", "resources": {"limits": {"memory": "2Gi"}}}],
        {"e": {"name": "e", "image": "x", "ports": [{"hostPort": 1, "containerPort": 1}]}},
    ],
}
OTHERS: dict[str, list[Any]] = {
    "cpu_guarantee": [None, 0, 0.5, 0.0005, 3],
    "cpu_limit": [None, 0.1, 4],
    "mem_guarantee": [None, "1G", "512M", 2**31],
    "mem_limit": [None, "0.5G", 0],
    "node_selector": [{}, {"pool": "user", "gpu": "any"}],
    "extra_resource_limits": [{}, {GPU: "2"}, {"amd.com/gpu": 1, "example.com/fpga": "1"}],
    "extra_resource_guarantees": [{}, {GPU: 1, "ephemeral-storage": "1Gi"}],
    "scheduler_name": ["", "user-scheduler"],
    "priority_class_name": ["", "users"],
    "extra_labels": [{}, {"kept": "1"}],
    "environment": [{}, {"A": "1"}],
    "extra_pod_config": [
        {},
        {"tolerations": [CORE]},
        {"nodeSelector": {"pool": "special"}, "node_name": "n3"},
        {
            "topology_spread_constraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
            ]
        },
        {"resources": {"limits": {"cpu": "8"}, "requests": {"cpu": "6", "memory": "1Gi"}}},
        {"affinity": {"nodeAffinity": {}}, "priority": 7},
        {"overhead": {"cpu": "100m", "memory": "64Mi"}, "resourceClaims": [{"name": "gpu"}]},
        {"schedulingGates": [{"name": "example.com/gate"}], "init_containers": None},
        {"containers": [{"name": "only", "image": "x", "resources": ONE_CORE}]},
        {"host_network": True},
        {"nodeSelector": {"owner": "{username}"}},
    ],
    "extra_container_config": [
        {},
        {"envFrom": [{"secretRef": {"name": "s"}}]},
        {"resources": {"requests": {"cpu": 2}, "limits": {"memory": "8Gi"}}},
        {"resources": None},
        {"ports": [{"container_port": 1, "hostPort": 80}]},
    ],
}
BASES = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from(values) for name, values in {**LISTS, **OTHERS}.items()},
)


def configured(base: Mapping[str, Any]) -> KubeSpawner:
    """A spawner as the hub would configure it, without a cluster."""
    return KubeSpawner(_mock=True, **deepcopy(dict(base)))


def base_of(spawner: KubeSpawner, catalog: Catalog) -> dict[str, Any]:
    """The configured values, as GPUSpawner takes them: after KubeSpawner's own parsing."""
    values = {name: getattr(spawner, name) for name in base_names(catalog)}
    return {**values, HUB_LABELS: spawner._build_pod_labels({})}


async def request_of_the_pod(spawner: KubeSpawner, result: PodPlan) -> PodRequest:
    """What the scheduler would see of the pod that KubeSpawner makes once a plan is applied."""
    for name, value in result.settings.items():
        setattr(spawner, name, deepcopy(value))
    manifest = await spawner.get_pod_manifest()
    return read_request(spawner.api.api_client.sanitize_for_serialization(manifest))


async def agree(
    base: Mapping[str, Any], catalog: Catalog, profile: Profile, image: ImageChoice | None = None
) -> bool:
    """Hold the judged request against the pod; False where the two sides contradict each other."""
    spawner = configured(base)
    found = base_of(spawner, catalog)
    try:
        result = plan(profile, catalog, found, image, expand=spawner._expand_all)
    except ConflictError:
        return False
    started = await request_of_the_pod(spawner, result)
    judged = result.request
    # KubeSpawner gives the namespace beside the pod.
    assert judged == replace(started, namespace=judged.namespace)
    assert judged.namespace == spawner.namespace
    return True


PROFILES = [(catalog, profile) for catalog in (CAMPUS, STRANGE) for profile in catalog.profiles]


@pytest.mark.parametrize(
    ("catalog", "profile"),
    [pytest.param(catalog, profile, id=profile.slug) for catalog, profile in PROFILES],
)
async def test_nothing_configured(catalog: Catalog, profile: Profile) -> None:
    assert await agree({}, catalog, profile)


@pytest.mark.parametrize("slug", ["cpu", "everything", "mappings"])
@pytest.mark.parametrize("name", [*LISTS, *OTHERS])
async def test_one_setting_at_a_time(name: str, slug: str) -> None:
    profile = STRANGE.profile(slug)
    assert profile is not None
    values = {**LISTS, **OTHERS}[name]
    agreed = [await agree({name: value}, STRANGE, profile) for value in values]
    assert any(agreed)


@settings(max_examples=200)
@given(base=BASES, chosen=st.sampled_from(PROFILES))
async def test_many_settings_at_once(base: dict[str, Any], chosen: tuple[Catalog, Profile]) -> None:
    event("a pod" if await agree(base, *chosen) else "a contradiction")


@pytest.mark.parametrize(
    "base",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"uid": 1000, "gid": 100, "fs_gid": 0, "supplemental_gids": [7]}, id="ids"),
        pytest.param({"privileged": True, "allow_privilege_escalation": True}, id="privileges"),
        pytest.param(
            {
                "uid": 1000,
                "container_security_context": {"runAsUser": 1, "runAsNonRoot": True},
                "pod_security_context": {"seccompProfile": {"type": "RuntimeDefault"}},
            },
            id="contexts",
        ),
        pytest.param({"service_account": "user-{username}"}, id="a service account"),
        pytest.param({"automount_service_account_token": True}, id="its token"),
        pytest.param({"image_pull_policy": "Always"}, id="a pull policy"),
    ],
)
async def test_what_admission_looks_at_is_that_of_the_pod(base: dict[str, Any]) -> None:
    spawner = configured(base)
    found = base_of(spawner, CAMPUS)
    planned = plan(CAMPUS.default_profile, CAMPUS, found, expand=spawner._expand_all)
    pod = spawner.api.api_client.sanitize_for_serialization(await spawner.get_pod_manifest())
    for name in ("securityContext", "serviceAccountName", "automountServiceAccountToken"):
        assert planned.manifest["spec"][name] == pod["spec"].get(name)
    [made], [judged] = pod["spec"]["containers"], planned.manifest["spec"]["containers"]
    for name in ("securityContext", "imagePullPolicy"):
        assert judged[name] == made.get(name)


async def test_what_a_function_would_give_is_left_out_of_the_dry_run() -> None:
    spawner = configured({"uid": lambda _: 7, "container_security_context": lambda _: {}})
    planned = plan(CAMPUS.default_profile, CAMPUS, base_of(spawner, CAMPUS))
    [notebook] = planned.manifest["spec"]["containers"]
    assert notebook["securityContext"] == {"allowPrivilegeEscalation": False}


async def test_the_image_that_was_chosen() -> None:
    profile = CAMPUS.profile("pytorch-1gpu")
    assert profile is not None
    for image in profile.images:
        assert await agree({}, CAMPUS, profile, image)


async def test_the_pod_has_what_the_profile_says() -> None:
    """Else both sides could agree on nothing."""
    profile = STRANGE.profile("everything")
    assert profile is not None
    spawner = configured({"tolerations": {"core": CORE}})
    result = plan(profile, STRANGE, base_of(spawner, STRANGE))
    started = await request_of_the_pod(spawner, result)
    assert started.requests == {"cpu": 100, "memory": 1_500_000_000, GPU: 4}
    assert started.node_selector == {"gpu": "a100"}
    assert len(started.tolerations) == 4
    assert started.affinity is not None
    assert len(started.affinity) == 2
