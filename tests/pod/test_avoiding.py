"""A pod that has to keep off some nodes, whatever else it asks for."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.fit import judge
from gpuspawner.pod import ConflictError, avoiding, base_names, keeping_off, plan

from ..builders import GPU, a_catalog, a_node, a_profile, a_request, a_snapshot, a_term
from .test_agrees_with_kubespawner import base_of, configured, request_of_the_pod

POOL = {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["user"]}]}
ZONE = {"match_expressions": [{"key": "zone", "operator": "Exists"}]}
BY_NAME = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
NODES = ("n3", "n2")


def in_config(terms: list[Any]) -> dict[str, Any]:
    node_affinity = {REQUIRED: {"nodeSelectorTerms": terms}}
    return {"extra_pod_config": {"affinity": {"nodeAffinity": node_affinity}}}


BASES = [
    pytest.param({}, 1, id="no affinity"),
    pytest.param({"node_affinity_required": [POOL]}, 1, id="a term"),
    pytest.param({"node_affinity_required": [POOL, ZONE, BY_NAME]}, 3, id="three alternatives"),
    pytest.param({"node_affinity_required": {"b": POOL, "a": ZONE}}, 2, id="a mapping"),
    pytest.param({"node_affinity_required": [{}, POOL]}, 2, id="a term that matches nothing"),
    pytest.param(in_config([POOL, BY_NAME]), 2, id="extra_pod_config replaces the affinity"),
    pytest.param(in_config([{}]), 1, id="with a term that matches nothing"),
    pytest.param({"extra_pod_config": {"affinity": None}}, 1, id="extra_pod_config takes it away"),
    pytest.param({"extra_pod_config": {"affinity": {}}}, 1, id="with an affinity without terms"),
    pytest.param(
        {"extra_pod_config": {"affinity": {"podAffinity": {REQUIRED: []}}}},
        1,
        id="with an affinity to pods alone",
    ),
    pytest.param(
        # What it has in it is not renamed, and the API server does not know it.
        {"extra_pod_config": {"affinity": {"node_affinity": {REQUIRED: {}}}}},
        1,
        id="spelled as in Python",
    ),
    pytest.param(
        {"node_affinity_required": [POOL], "extra_pod_config": {"priority": 7}},
        1,
        id="extra_pod_config with something else",
    ),
]


@pytest.mark.parametrize(("base", "terms"), BASES)
@pytest.mark.parametrize("slug", ["gpu", "choosy"])
async def test_the_pod_that_kubespawner_makes_keeps_off_and_asks_for_all_else_as_before(
    base: dict[str, Any], terms: int, slug: str
) -> None:
    catalog = a_catalog(
        a_profile("gpu"),
        a_profile("choosy", accelerator="choosy"),
        accelerators={
            "a100": {"title": "A100", "resource": GPU},
            "choosy": {
                "title": "Choosy",
                "resource": GPU,
                "affinity": [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}],
            },
        },
    )
    profile = catalog.profile(slug)
    assert profile is not None
    spawner = configured(base)
    try:
        planned = plan(profile, catalog, base_of(spawner, catalog), expand=spawner._expand_all)
    except ConflictError:
        assert slug == "choosy"
        return
    kept_off = avoiding(planned, NODES)
    assert kept_off.request == keeping_off(planned.request, NODES)
    started = await request_of_the_pod(spawner, kept_off)
    assert started == keeping_off(planned.request, NODES)
    assert started.affinity is not None
    assert len(started.affinity) == terms
    # The plan is one that others have, too.
    again = configured(base)
    assert await request_of_the_pod(again, planned) == planned.request


def test_nothing_to_keep_off_changes_nothing() -> None:
    catalog = a_catalog(a_profile("gpu"))
    planned = plan(catalog.profiles[1], catalog, {})
    assert avoiding(planned, ()) is planned
    assert keeping_off(planned.request, frozenset()) is planned.request
    assert "node_affinity_required" in base_names(catalog)


def test_each_name_is_in_a_field_of_its_own_as_the_api_server_demands() -> None:
    catalog = a_catalog(a_profile("gpu"))
    planned = avoiding(plan(catalog.profiles[1], catalog, {}), NODES)
    assert planned.settings["node_affinity_required"] == [
        {
            "matchFields": [
                {"key": "metadata.name", "operator": "NotIn", "values": ["n2"]},
                {"key": "metadata.name", "operator": "NotIn", "values": ["n3"]},
            ]
        }
    ]


def test_it_fits_everywhere_but_there() -> None:
    snapshot = a_snapshot(*(a_node(name, gpus=1) for name in ("n1", "n2", "n3")))
    assert set(judge(keeping_off(a_request(gpus=1), NODES), snapshot).nodes) == {"n1"}
    nothing = a_request(gpus=1, affinity=(a_term(),))
    assert judge(keeping_off(nothing, NODES), snapshot).nodes == {}
