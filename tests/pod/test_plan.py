"""A profile and the hub's configuration, merged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from gpuspawner.capacity.model import NodeSelectorTerm, Requirement, Toleration
from gpuspawner.catalog import Catalog
from gpuspawner.pod import (
    HAS_HOOKS,
    HOME_CLAIM,
    HUB_LABELS,
    ConflictError,
    PodPlan,
    SettingError,
    base_names,
    plan,
)
from gpuspawner.pod.plan import BASE_NAMES, CHANGED_NAMES

from ..builders import GPU, a_catalog, a_profile

MIG = "nvidia.com/mig-1g.5gb"
GIB = 2**30
A100 = {
    "title": "A100",
    "resource": GPU,
    "node_selector": {"gpu": "a100"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": [
        {"matchExpressions": [{"key": "memory", "operator": "Gt", "values": ["39"]}]},
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n9"]}]},
    ],
    "runtime_class": "nvidia",
    "priority_class": "gpu-users",
}
PLAIN = {"title": "Plain", "resource": GPU}
SLICE = {"title": "Slice", "resource": MIG, "sharing": "mig"}
VOLUMES = {
    "data": {"mount_path": "/data", "nfs": {"server": "nfs", "path": "/x"}},
    "shm": {"shared_memory": {"size": "1Gi"}},
}
IMAGES = [
    {"slug": "a", "title": "A", "image": "x/a:1"},
    {"slug": "b", "title": "B", "image": "x/b:1", "default": True},
]
TOLERATION = {
    "key": "nvidia.com/gpu",
    "operator": "Exists",
    "effect": "NoSchedule",
}


def a_catalog_with(**profile: Any) -> Catalog:
    return a_catalog(
        a_profile(**deepcopy(profile)),
        accelerators={"a100": A100, "plain": PLAIN, "slice": SLICE},
        volumes=VOLUMES,
    )


def planned(base: Mapping[str, Any] | None = None, **profile: Any) -> PodPlan:
    catalog = a_catalog_with(**profile)
    return plan(catalog.profiles[1], catalog, base or {})


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_a_whole_profile_over_nothing() -> None:
    result = planned(
        accelerator="a100",
        count=2,
        cpu={"guarantee": 1, "limit": "2500m"},
        memory="64Gi",
        volumes=["data", "shm"],
        env={"A": "1"},
        image="x/y:1",
    )
    settings = result.settings
    assert settings["cpu_guarantee"] == 1
    assert settings["cpu_limit"] == 2.5
    assert settings["mem_guarantee"] == settings["mem_limit"] == 64 * GIB
    assert settings["extra_resource_limits"] == {GPU: "2"}
    assert settings["extra_resource_guarantees"] == {}
    assert settings["node_selector"] == {"gpu": "a100"}
    assert settings["tolerations"] == [TOLERATION]
    assert settings["node_affinity_required"] == A100["affinity"]
    assert settings["extra_pod_config"] == {"runtimeClassName": "nvidia"}
    assert settings["priority_class_name"] == "gpu-users"
    assert settings["environment"] == {"A": "1"}
    assert settings["extra_labels"] == {"gpuspawner/profile": "gpu"}
    assert settings["image"] == "x/y:1"
    assert [volume["name"] for volume in settings["volumes"]] == ["profile-data", "profile-shm"]
    assert [mount["mountPath"] for mount in settings["volume_mounts"]] == ["/data", "/dev/shm"]

    request = result.request
    assert request.requests == {"cpu": 1000, "memory": 64 * GIB, GPU: 2}
    assert request.node_selector == {"gpu": "a100"}
    assert request.tolerations == (Toleration("nvidia.com/gpu", "Exists", "", "NoSchedule"),)
    assert request.affinity == (
        NodeSelectorTerm(labels=(Requirement("memory", "Gt", ("39",)),)),
        NodeSelectorTerm(fields=(Requirement("metadata.name", "In", ("n9",)),)),
    )
    assert request.unchecked == ()


def test_a_plain_profile_over_nothing_changes_little() -> None:
    catalog = a_catalog()
    result = plan(catalog.default_profile, catalog, {})
    assert result.settings == {
        "environment": {},
        "extra_labels": {"gpuspawner/profile": "cpu"},
        "extra_resource_guarantees": {},
        "extra_resource_limits": {},
    }
    assert result.request.requests == {}


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        pytest.param({}, (0.5, 1.0, None, GIB), id="what a profile does not say stays"),
        pytest.param({"cpu": 2}, (2, 2, None, GIB), id="a single amount is both"),
        pytest.param(
            {"memory": {"guarantee": "2G"}},
            (0.5, 1.0, 2 * 10**9, None),
            id="a guarantee alone takes the base's limit away",
        ),
        pytest.param(
            {"cpu": {"limit": "100m"}},
            (None, 0.1, None, GIB),
            id="a limit alone takes the base's guarantee away",
        ),
    ],
)
def test_amounts(amounts: dict[str, Any], expected: tuple[Any, ...]) -> None:
    base = {"cpu_guarantee": 0.5, "cpu_limit": 1.0, "mem_guarantee": None, "mem_limit": GIB}
    settings = planned(base, **amounts).settings
    names = ("cpu_guarantee", "cpu_limit", "mem_guarantee", "mem_limit")
    assert tuple(settings[name] for name in names) == expected


@pytest.mark.parametrize(
    ("profile", "choice", "image"),
    [
        pytest.param({}, None, "hub/image:1", id="without an image the hub's own"),
        pytest.param({"image": "x/y:1"}, None, "x/y:1", id="the profile's image"),
        pytest.param({"images": IMAGES}, None, "x/b:1", id="the default of several"),
        pytest.param({"images": IMAGES}, 0, "x/a:1", id="the one that was chosen"),
    ],
)
def test_images(profile: dict[str, Any], choice: int | None, image: str) -> None:
    catalog = a_catalog_with(**profile)
    chosen = None if choice is None else catalog.profiles[1].images[choice]
    result = plan(catalog.profiles[1], catalog, {"image": "hub/image:1"}, chosen)
    assert result.settings["image"] == image


CORE = {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user"}


@pytest.mark.parametrize(
    ("base", "after"),
    [
        pytest.param([CORE], [CORE, TOLERATION], id="a list keeps what it had"),
        pytest.param(
            {"core": CORE}, {"core": CORE, "profile-0": TOLERATION}, id="a mapping keeps it too"
        ),
        pytest.param([TOLERATION], [TOLERATION], id="the same toleration is not added twice"),
        pytest.param([], [TOLERATION], id="none become one"),
        pytest.param(
            {"profile-0": CORE},
            {"profile-0": CORE, "profile-0-": TOLERATION},
            id="a key of ours that is taken is left alone",
        ),
    ],
)
def test_tolerations_are_added(base: Any, after: Any) -> None:
    result = planned({"tolerations": base})
    assert result.settings["tolerations"] == after
    assert len(result.request.tolerations) == len(after)


HOME = {"name": "home", "persistentVolumeClaim": {"claimName": "home-{username}"}}
HOME_MOUNT = {"name": "home", "mountPath": "/home/jovyan"}


@pytest.mark.parametrize("as_mapping", [False, True], ids=["lists", "mappings"])
def test_volumes_are_added(as_mapping: bool) -> None:
    volumes: Any = {"00-home": HOME} if as_mapping else [HOME]
    mounts: Any = {"00-home": HOME_MOUNT} if as_mapping else [HOME_MOUNT]
    base = {"volumes": volumes, "volume_mounts": mounts}
    settings = planned(base, volumes=["data", "shm"]).settings
    assert type(settings["volumes"]) is type(settings["volume_mounts"]) is type(volumes)
    found = settings["volumes"].values() if as_mapping else settings["volumes"]
    mounted = settings["volume_mounts"].values() if as_mapping else settings["volume_mounts"]
    assert HOME in found
    assert HOME_MOUNT in mounted
    names = {"home", "profile-data", "profile-shm"}
    assert {volume["name"] for volume in found} == names
    assert {mount["name"] for mount in mounted} == names


def test_node_selectors_and_extra_pod_config_keep_what_they_had() -> None:
    base = {
        "node_selector": {"pool": "user", "gpu": "any"},
        "extra_pod_config": {"dnsPolicy": "None", "runtimeClassName": "runc"},
        "environment": {"KEPT": "1", "SHARED": "base"},
        "extra_labels": {"kept": "1"},
        "extra_resource_limits": {"example.com/fpga": "1"},
    }
    settings = planned(base, env={"SHARED": "profile"}).settings
    assert settings["node_selector"] == {"pool": "user", "gpu": "a100"}
    assert settings["extra_pod_config"] == {"dnsPolicy": "None", "runtimeClassName": "nvidia"}
    assert settings["environment"] == {"KEPT": "1", "SHARED": "profile"}
    assert settings["extra_labels"] == {"kept": "1", "gpuspawner/profile": "gpu"}
    assert settings["extra_resource_limits"] == {"example.com/fpga": "1", GPU: "1"}


USER_POOL = {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["user"]}]}
SPELLED_OTHERWISE = {"match_expressions": USER_POOL["matchExpressions"]}


@pytest.mark.parametrize(
    "base",
    [
        pytest.param([USER_POOL], id="a list"),
        pytest.param([SPELLED_OTHERWISE], id="a list in snake case"),
        pytest.param({"a": USER_POOL}, id="a mapping"),
    ],
)
def test_a_node_must_satisfy_both_the_base_and_the_profile(base: Any) -> None:
    pool = Requirement("pool", "In", ("user",))
    assert planned({"node_affinity_required": base}).request.affinity == (
        NodeSelectorTerm(labels=(pool, Requirement("memory", "Gt", ("39",)))),
        NodeSelectorTerm(labels=(pool,), fields=(Requirement("metadata.name", "In", ("n9",)),)),
    )


def test_each_term_of_the_base_is_combined_with_each_of_the_profile() -> None:
    other = {"matchExpressions": [{"key": "pool", "operator": "DoesNotExist"}]}
    affinity = planned({"node_affinity_required": [USER_POOL, other]}).request.affinity
    assert affinity is not None
    assert len(affinity) == 4


@pytest.mark.parametrize(
    ("accelerator", "expected"),
    [
        pytest.param(None, {}, id="a profile without accelerator gets none"),
        pytest.param("slice", {MIG: "1"}, id="a slice comes without a whole GPU"),
        pytest.param("plain", {GPU: "1"}, id="a GPU comes once"),
    ],
)
@pytest.mark.parametrize("trait", ["extra_resource_limits", "extra_resource_guarantees"])
@pytest.mark.parametrize(
    "resource",
    [
        GPU,
        MIG,
        "nvidia.com/gpu.shared",
        "amd.com/gpu",
        "gpu.intel.com/xe",
        "habana.ai/gaudi",
        "google.com/tpu",
    ],
)
def test_only_the_profile_says_which_accelerators_there_are(
    accelerator: str | None, expected: dict[str, str], trait: str, resource: str
) -> None:
    base = {trait: {resource: "3", "example.com/fpga": "1"}}
    result = planned(base, accelerator=accelerator)
    devices = {
        name: amount
        for kind in ("extra_resource_limits", "extra_resource_guarantees")
        for name, amount in result.settings[kind].items()
    }
    assert devices == {**expected, "example.com/fpga": "1"}
    assert {name for name in result.request.requests if "/" in name} == devices.keys()


def test_an_accelerator_of_the_catalog_never_comes_from_the_base_whoever_made_it() -> None:
    catalog = a_catalog(
        a_profile(accelerator="npu"),
        accelerators={"npu": {"title": "NPU", "resource": "huawei.example/npu"}},
    )
    base = {"extra_resource_limits": {"huawei.example/npu": "8"}}
    assert plan(catalog.default_profile, catalog, base).request.requests == {}


@pytest.mark.parametrize(
    ("mounts", "other"),
    [
        pytest.param([{"name": "shared", "mountPath": "/data"}], "shared", id="a list"),
        pytest.param({"a": {"name": "shared", "mountPath": "/data"}}, "shared", id="a mapping"),
        pytest.param([{"name": "shared", "mountPath": "/data/"}], "shared", id="a slash more"),
        pytest.param([{"name": "shared", "mount_path": "/data"}], "shared", id="snake case"),
        pytest.param([{"name": "shared", "mountPath": "//data"}], "shared", id="two slashes"),
        pytest.param([{"name": "shared", "mountPath": "/data/."}], "shared", id="a dot more"),
        pytest.param([{"name": "shared", "mountPath": "/x/../data"}], "shared", id="a detour"),
    ],
)
def test_two_volumes_on_one_path_are_a_conflict_that_names_both(mounts: Any, other: str) -> None:
    with pytest.raises(ConflictError) as conflict:
        planned({"volume_mounts": mounts}, volumes=["data"])
    for words in ("profile-data", other, "/data"):
        assert words in str(conflict.value)


def test_an_override_that_mounts_over_a_volume_is_a_conflict() -> None:
    mounts = {"z": {"name": "other", "mountPath": "/data"}}
    with pytest.raises(ConflictError, match="other"):
        planned(
            {"volume_mounts": {}}, volumes=["data"], kubespawner_override={"volume_mounts": mounts}
        )


ELSEWHERE = {"resources": {"limits": {"memory": "8Gi"}}}
A_GPU_ELSEWHERE = {"resources": {"limits": {GPU: 1}}}


@pytest.mark.parametrize(
    ("base", "accelerator"),
    [
        pytest.param(
            {"extra_container_config": ELSEWHERE}, "plain", id="resources that replace the GPU"
        ),
        pytest.param({"extra_pod_config": {"tolerations": []}}, "a100", id="other tolerations"),
        pytest.param({"extra_pod_config": {"nodeSelector": {}}}, "a100", id="another selector"),
        pytest.param(
            {"extra_container_config": A_GPU_ELSEWHERE}, None, id="a GPU nobody asked for"
        ),
        pytest.param(
            {"extra_container_config": A_GPU_ELSEWHERE}, "slice", id="a GPU instead of a slice"
        ),
        pytest.param(
            {"init_containers": [{"name": "i", **A_GPU_ELSEWHERE}]}, None, id="a GPU at the start"
        ),
        pytest.param(
            {"extra_containers": [{"name": "e", **A_GPU_ELSEWHERE}]}, "plain", id="one GPU more"
        ),
    ],
)
def test_a_base_that_gives_or_takes_an_accelerator_is_a_conflict(
    base: dict[str, Any], accelerator: str | None
) -> None:
    with pytest.raises(ConflictError):
        planned(base, accelerator=accelerator)


@pytest.mark.parametrize(
    "override",
    [
        {"tolerations": "everything"},
        {"tolerations": ["nvidia.com/gpu"]},
        {"tolerations": {"core": None}},
        {"init_containers": 5},
        {"extra_resource_limits": ["nvidia.com/gpu"]},
        {"extra_pod_config": "hostNetwork"},
        {"node_selector": None},
        {"environment": ["A=1"]},
        {"cpu_limit": "2"},
        {"cpu_guarantee": True},
        {"mem_limit": "64Gi"},
        {"mem_guarantee": "lots"},
    ],
    ids=str,
)
def test_an_override_that_kubespawner_would_refuse_is_the_fault_of_its_profile(
    override: dict[str, Any],
) -> None:
    with pytest.raises(SettingError, match=next(iter(override))):
        planned({}, kubespawner_override=override)


@pytest.mark.parametrize(
    ("mounts", "volumes"),
    [
        pytest.param([{"name": "a", "mountPath": "/data/deeper"}], ["data"], id="a deeper path"),
        pytest.param([{"name": "a", "mountPath": "/data2"}], ["data"], id="a longer name"),
        pytest.param([{"name": "a", "mountPath": "/data"}], ["shm"], id="not mounted here"),
    ],
)
def test_other_paths_are_no_conflict(mounts: Any, volumes: list[str]) -> None:
    assert planned({"volume_mounts": mounts}, volumes=volumes).settings["volume_mounts"]


@pytest.mark.parametrize(
    ("base", "override", "expected"),
    [
        pytest.param(
            {"tolerations": [CORE]},
            {"tolerations": [TOLERATION]},
            [TOLERATION],
            id="a list replaces what was merged",
        ),
        pytest.param(
            {"tolerations": {"core": CORE}},
            {"tolerations": {"core": None}},
            {"profile-0": TOLERATION},
            id="a None takes one item out of a mapping",
        ),
        pytest.param(
            {"tolerations": {"core": CORE}},
            {"tolerations": {"core": {"value": "other"}}},
            {"core": {**CORE, "value": "other"}, "profile-0": TOLERATION},
            id="a mapping changes one item of a mapping",
        ),
    ],
)
def test_an_override_comes_last(
    base: dict[str, Any], override: dict[str, Any], expected: Any
) -> None:
    result = planned(base, kubespawner_override=override)
    assert result.settings["tolerations"] == expected


def test_what_an_override_sets_is_judged_too() -> None:
    override = {
        "cpu_guarantee": 3,
        "node_selector": {"zone": "b"},
        "extra_resource_limits": {"example.com/fpga": "1"},
        "init_containers": [{"name": "i", "resources": {"requests": {"cpu": 5}}}],
    }
    request = planned(kubespawner_override=override).request
    assert request.requests == {"cpu": 5000, GPU: 1, "example.com/fpga": 1}
    assert request.node_selector == {"gpu": "a100", "zone": "b"}


def test_a_plan_sets_only_what_a_profile_may_change() -> None:
    base = {"namespace": "jhub", "scheduler_name": "user-scheduler", "init_containers": []}
    settings = planned(base, kubespawner_override={"start_timeout": 600}).settings
    assert settings.keys() <= CHANGED_NAMES | {"start_timeout"}
    assert settings["start_timeout"] == 600


def test_the_names_a_plan_needs_include_those_of_every_override() -> None:
    assert base_names(a_catalog()) == BASE_NAMES
    catalog = a_catalog_with(kubespawner_override={"start_timeout": 600})
    assert base_names(catalog) == BASE_NAMES | {"start_timeout"}


ITEMS = st.sampled_from([[], [CORE], {"core": CORE}, {}])
BASES = st.fixed_dictionaries(
    {
        "node_selector": st.sampled_from([{}, {"pool": "user"}]),
        "extra_labels": st.sampled_from([{}, {"kept": "1"}]),
    },
    optional={
        "tolerations": ITEMS,
        "volumes": st.sampled_from([[], [HOME], {"00-home": HOME}]),
        "volume_mounts": st.sampled_from([[], [HOME_MOUNT], {"00-home": HOME_MOUNT}]),
        "node_affinity_required": st.sampled_from([[], [USER_POOL], {"a": SPELLED_OTHERWISE}]),
        "extra_pod_config": st.sampled_from([{}, {"dns_policy": "None"}, {"priority": 5}]),
        "extra_resource_limits": st.sampled_from([{}, {GPU: "4"}, {"example.com/fpga": "1"}]),
        "environment": st.sampled_from([{}, {"A": "0"}]),
        "extra_container_config": st.just({"envFrom": [{"secretRef": {"name": "s"}}]}),
    },
)
PROFILES = st.fixed_dictionaries(
    {"accelerator": st.sampled_from([None, "a100", "plain", "slice"])},
    optional={
        "cpu": st.sampled_from([1, {"limit": "500m"}]),
        "memory": st.just("2Gi"),
        "volumes": st.sampled_from([["data"], ["shm", "data"]]),
        "env": st.just({"A": "1"}),
        "kubespawner_override": st.sampled_from(
            [
                {"node_selector": {"pool": None, "zone": "b"}},
                {"extra_labels": {"kept": None}},
                {"tolerations": {"core": {"effect": "NoSchedule"}}},
                {"volumes": {"00-home": {"name": "other"}}},
            ]
        ),
    },
)


@given(BASES, PROFILES)
def test_the_base_stays_as_it_was_and_shares_nothing_with_the_plan(
    base: dict[str, Any], profile: dict[str, Any]
) -> None:
    base, before = deepcopy(base), deepcopy(base)
    catalog = a_catalog_with(**profile)
    planned_unless_they_contradict(base, profile)
    assert base == before
    result = plan(catalog.profiles[1], catalog, base)
    again = plan(catalog.profiles[1], catalog, base)
    assert again == result
    scribble_over(result.settings)
    assert base == before
    assert plan(catalog.profiles[1], catalog, base) == again


def planned_unless_they_contradict(base: dict[str, Any], profile: dict[str, Any]) -> PodPlan:
    try:
        return planned(base, **profile)
    except ConflictError:
        reject()


def scribble_over(value: Any) -> None:
    """Change everything that can be changed in it."""
    inner = list(value.values()) if isinstance(value, dict) else value
    for item in inner if isinstance(inner, list) else []:
        scribble_over(item)
    if isinstance(value, dict):
        value["scribble"] = True
    elif isinstance(value, list):
        value.append("scribble")


@given(BASES, PROFILES)
def test_settings_are_plain_values(base: dict[str, Any], profile: dict[str, Any]) -> None:
    settings = dict(planned_unless_they_contradict(base, profile).settings)
    assert as_json(settings) == settings


@given(BASES, PROFILES)
def test_a_pod_asks_for_the_profiles_accelerator_and_no_other(
    base: dict[str, Any], profile: dict[str, Any]
) -> None:
    requests = planned_unless_they_contradict(base, profile).request.requests
    expected = {"a100": GPU, "plain": GPU, "slice": MIG}.get(profile["accelerator"])
    asked = {name: amount for name, amount in requests.items() if name.startswith("nvidia.com/")}
    assert asked == ({expected: 1} if expected else {})


HOME = {"name": "home", "persistentVolumeClaim": {"claimName": "claim-{username}"}}


def test_the_claim_of_the_home_volume_is_judged_as_one_that_is_made() -> None:
    claim = {
        "metadata": {"name": "claim-ada"},
        "spec": {"storageClassName": "nfs", "resources": {"requests": {"storage": "10Gi"}}},
    }
    catalog = a_catalog()
    base = {"volumes": [HOME], HOME_CLAIM: claim}
    planned = plan(catalog.default_profile, catalog, base, expand=_as_ada)
    assert planned.request.claims == ("claim-ada",)
    [made] = planned.request.claims_to_make
    assert (made.claim.name, made.claim.storage_class) == ("claim-ada", "nfs")
    assert HOME_CLAIM not in planned.settings


@pytest.mark.parametrize(
    "changed", [{"storage_class": "zonal"}, {"pvc_name_template": "other-{username}"}]
)
def test_of_the_claim_that_a_profile_makes_another_nothing_is_known(
    changed: dict[str, Any],
) -> None:
    claim = {"metadata": {"name": "claim-ada"}, "spec": {"storageClassName": "nfs"}}
    catalog = a_catalog(a_profile(kubespawner_override=changed))
    base = {"volumes": [HOME], HOME_CLAIM: claim}
    planned = plan(catalog.profiles[1], catalog, base, expand=_as_ada)
    assert planned.request.claims == ("claim-ada",)
    assert planned.request.claims_to_make == ()
    assert planned.request.claims_may_appear


@pytest.mark.parametrize("has_hooks", [False, True])
def test_only_hooks_can_make_claims_of_which_nothing_is_known(has_hooks: bool) -> None:
    catalog = a_catalog()
    planned = plan(catalog.default_profile, catalog, {HAS_HOOKS: has_hooks})
    assert planned.request.claims_may_appear is has_hooks


def test_the_hubs_own_labels_are_on_the_pod_and_not_in_the_key_of_its_admission() -> None:
    catalog = a_catalog(a_profile())
    plans = [
        plan(
            catalog.profiles[1],
            catalog,
            {
                "volumes": [HOME],
                "extra_labels": {"team": "physics"},
                HUB_LABELS: {"hub.jupyter.org/username": person},
            },
        )
        for person in ("ada", "grace")
    ]
    assert [p.request.labels["hub.jupyter.org/username"] for p in plans] == ["ada", "grace"]
    assert plans[0].request.labels["team"] == "physics"
    assert plans[0].admission_key == plans[1].admission_key
    assert "ada" not in plans[0].admission_key
    other = plan(catalog.profiles[0], catalog, {"extra_labels": {"team": "physics"}})
    assert other.admission_key != plans[0].admission_key


def _as_ada(value: Any) -> Any:
    return json.loads(json.dumps(value).replace("{username}", "ada"))
