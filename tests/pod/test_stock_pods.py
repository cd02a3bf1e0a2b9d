"""An entry of KubeSpawner's own list gets the pod that KubeSpawner itself makes of it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from kubespawner import KubeSpawner
from kubespawner.objects import V1Container

from gpuspawner.applied import AppliedSettings
from gpuspawner.catalog import Catalog, with_profile_list
from gpuspawner.offers import Situation, View, draft_of
from gpuspawner.pod import PodPlan
from gpuspawner.policy import Person
from gpuspawner.selection import read_selection

from ..builders import GPU, LIVE, a_catalog, a_snapshot

LABEL = "gpuspawner/profile"
CORE = {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user"}


def more_memory(spawner: KubeSpawner) -> str:
    return "4G" if spawner.user is not None else "1G"


LISTED: list[dict[str, Any]] = [
    {"display_name": "Nothing changed", "slug": "nothing"},
    {
        "display_name": "Whole",
        "slug": "whole",
        "allowed_groups": ["hpc"],
        "accelerator": "a100",
        "kubespawner_override": {
            "extra_resource_limits": {GPU: "1"},
            "node_selector": {"gpu": "a100", "pool": None},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "environment": {"A": "{username}", "GONE": None},
            "cpu_limit": 4,
            "mem_limit": more_memory,
            "extra_labels": {"team": "physics"},
            "extra_pod_config": {"runtimeClassName": "nvidia"},
            "init_containers": [V1Container(name="i", image="x")],
            "default_url": "/lab",
        },
        "profile_options": {
            "size": {
                "display_name": "Size",
                "choices": {
                    "small": {"kubespawner_override": {"cpu_limit": 1, "mem_limit": "2G"}},
                    "large": {
                        "default": True,
                        "kubespawner_override": {
                            "cpu_guarantee": 2,
                            "mem_limit": lambda _: "32G",
                            "environment": {"A": "of size", "SIZE": "large"},
                            "extra_resource_limits": {GPU: "2"},
                        },
                    },
                },
            },
            "image": {
                "display_name": "Image",
                "choices": {
                    "base": {"kubespawner_override": {"image": "example/base:1"}},
                    "last": {"kubespawner_override": {"cpu_limit": 7, "image": "example/last:1"}},
                },
                "unlisted_choice": {
                    "enabled": True,
                    "validation_regex": "[a-z:0-9/-]+",
                    "kubespawner_override": {
                        "image": "example/{value}",
                        "environment": {"WRITTEN_{value}": "{value} by {username}, {{{{braces}}}}"},
                        "extra_labels": {"image": "{value}"},
                        "cmd": ["run", "{value}", "{{literally}}"],
                        "node_selector": {"image": "{value}"},
                        "cpu_limit": 3,
                    },
                },
            },
        },
    },
    {
        "display_name": "Less than the base",
        "slug": "less",
        "kubespawner_override": {
            "extra_resource_limits": {GPU: None},
            "volumes": [],
            "volume_mounts": [],
            "node_selector": {},
            "mem_limit": None,
        },
    },
]
BASE: dict[str, Any] = {
    "extra_resource_limits": {GPU: "1"},
    "node_selector": {"pool": "user", "zone": "a"},
    "tolerations": [CORE],
    "environment": {"GONE": "1", "KEPT": "1"},
    "mem_limit": "1G",
    "volumes": {"home": {"name": "home", "emptyDir": {}}},
    "volume_mounts": {"home": {"name": "home", "mountPath": "/home/jovyan"}},
}


def catalog_of(listed: list[dict[str, Any]]) -> Catalog:
    stocked = with_profile_list(listed, a_catalog())
    assert stocked.problems == ()
    return stocked.catalog


def planned(spawner: KubeSpawner, catalog: Catalog, options: dict[str, Any]) -> PodPlan:
    """As a start plans it."""
    applied = AppliedSettings(spawner)
    situation = Situation(
        Person("ada", frozenset({"hpc"})),
        catalog,
        applied.base(catalog),
        View(a_snapshot(), LIVE),
        applied.expand,
        resolve=applied.resolve,
    )
    draft = draft_of(read_selection(options, catalog), situation)
    assert draft is not None
    assert draft.fault == ""
    assert draft.plan is not None
    return draft.plan


async def pod_of(spawner: KubeSpawner) -> Any:
    return spawner.api.api_client.sanitize_for_serialization(await spawner.get_pod_manifest())


@pytest.mark.parametrize("base", [pytest.param({}, id="bare"), pytest.param(BASE, id="configured")])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"profile": "nothing"}, id="an entry that changes nothing"),
        pytest.param({"profile": "less"}, id="an entry that takes away"),
        pytest.param({"profile": "whole"}, id="defaults"),
        pytest.param({"profile": "whole", "size": "small"}, id="a choice"),
        pytest.param(
            {"profile": "whole", "image": "last", "size": "large"}, id="the last option counts last"
        ),
        pytest.param(
            {"profile": "whole", "image--unlisted-choice": "mine:1"}, id="what is written"
        ),
        pytest.param(
            {"profile": "whole", "image": "last", "image--unlisted-choice": "mine:1"},
            id="what is written counts first",
        ),
        pytest.param(
            {"profile": "whole", "nonsense": "x", "cpu_limit": 99}, id="what is not asked"
        ),
    ],
)
async def test_the_pod_is_kubespawner_s(base: dict[str, Any], options: dict[str, Any]) -> None:
    theirs = KubeSpawner(_mock=True, profile_list=LISTED, **deepcopy(base))
    theirs.user_options = options
    await theirs.load_user_options()
    ours = KubeSpawner(_mock=True, **deepcopy(base))
    plan = planned(ours, catalog_of(LISTED), options)
    AppliedSettings(ours).apply(plan.settings)
    made, expected = await pod_of(ours), await pod_of(theirs)
    assert made["metadata"]["labels"].pop(LABEL) == options["profile"]
    assert made == expected
    assert (ours.cmd, ours.default_url) == (theirs.cmd, theirs.default_url)
    [container] = expected["spec"]["containers"]
    asked = container["resources"]["requests"] | container["resources"]["limits"]
    assert plan.request.requests.get(GPU, 0) == int(asked.get(GPU, 0))


async def test_what_was_chosen_does_not_stay_in_the_list() -> None:
    """KubeSpawner writes into the very overrides that it formats, in its own copy of the list."""
    catalog, before = catalog_of(LISTED), deepcopy(LISTED[2])
    spawner = KubeSpawner(_mock=True, **deepcopy(BASE))
    pods = []
    for written in ("one:1", "two:2"):
        options = {"profile": "whole", "image--unlisted-choice": written}
        plan = planned(spawner, catalog, options)
        pods.append(plan.settings["image"])
        plan.settings["environment"]["scribble"] = "1"
    assert pods == ["example/one:1", "example/two:2"]
    plain = planned(spawner, catalog, {"profile": "whole", "image": "base"})
    assert set(plain.settings["environment"]) == {"A", "KEPT", "SIZE"}
    assert LISTED[2] == before


async def test_a_slug_that_is_too_long_for_a_label_is_shortened_in_it() -> None:
    listed = [{"display_name": f"GPU {'x' * 70} {number}"} for number in (1, 2)]
    catalog = catalog_of(listed)
    spawner = KubeSpawner(_mock=True)
    labels = [
        planned(spawner, catalog, {"profile": profile.slug}).request.labels[LABEL]
        for profile in catalog.profiles[1:]
    ]
    assert all(len(label) <= 63 and label.startswith("gpu-xxx") for label in labels)
    assert len(set(labels)) == 2


def fails(_: KubeSpawner) -> None:
    raise RuntimeError("injected: no answer from the licence server")


async def promises(_: KubeSpawner) -> str:
    return "4G"


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        pytest.param(fails, "injected: no answer from the licence server", id="that raises"),
        pytest.param(promises, "a function in an override must not be async", id="that is async"),
    ],
)
async def test_a_function_in_an_override_takes_no_other_profile_away(
    function: Any, fault: str
) -> None:
    """KubeSpawner awaits none either: its own start fails there."""
    listed = [{"display_name": "Odd", "kubespawner_override": {"mem_limit": function}}]
    catalog = catalog_of(listed)
    applied = AppliedSettings(KubeSpawner(_mock=True))
    situation = Situation(
        Person("ada"),
        catalog,
        applied.base(catalog),
        View(a_snapshot(), LIVE),
        resolve=applied.resolve,
    )
    drafts = [
        draft_of(read_selection({"profile": p.slug}, catalog), situation) for p in catalog.profiles
    ]
    assert [draft.fault != "" for draft in drafts if draft is not None] == [False, True]
    assert drafts[1] is not None
    assert fault in drafts[1].fault
