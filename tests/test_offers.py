"""What one person may start right now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner import wording
from gpuspawner.capacity.freshness import Freshness, Permission
from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.model import Node, Pod, ResourceQuota
from gpuspawner.catalog import Catalog
from gpuspawner.offers import Offer, Situation, Standing, View, offer_of, offers_in, pool_of
from gpuspawner.policy import Person
from gpuspawner.refusals import refusal_of_offer
from gpuspawner.selection import Selection

from .builders import FOR_EVERYONE, GPU, LIVE, a_catalog, a_node, a_pod, a_profile, a_situation

HPC_ONLY: list[dict[str, Any]] = [
    {"users": ["*"], "profiles": ["cpu"]},
    {"groups": ["hpc"], "profiles": ["*"]},
]
CATALOG = a_catalog(a_profile("gpu"), a_profile("big", count=2), access=HPC_ONLY)
FREE: list[Node | Pod] = [a_node(gpus=2)]
FULL: list[Node | Pod] = [a_node(gpus=2), a_pod(gpus=2)]


def the_offer(slug: str, situation: Situation) -> Offer:
    [offer] = [offer for offer in offers_in(situation) if offer.profile.slug == slug]
    return offer


@pytest.mark.parametrize(
    ("things", "base", "standing", "can_start"),
    [
        pytest.param(FREE, {}, Standing.FREE, True, id="what fits is free"),
        pytest.param(FULL, {}, Standing.BUSY, False, id="what others hold is busy"),
        pytest.param([], {}, Standing.BUSY, False, id="a cluster without nodes takes nothing"),
        pytest.param(
            [a_node(gpus=0)], {}, Standing.NEVER, False, id="what no node offers never fits"
        ),
        pytest.param(
            FREE,
            {"extra_pod_config": {"volumes": [{"name": "a", "iscsi": {}}]}},
            Standing.UNKNOWN,
            True,
            id="what is not checked is not known, and is tried",
        ),
        pytest.param(
            FULL,
            {"extra_pod_config": {"volumes": [{"name": "a", "iscsi": {}}]}},
            Standing.BUSY,
            False,
            id="what is full is full whatever else is not checked",
        ),
    ],
)
def test_where_a_profile_stands(
    things: list[Node | Pod], base: dict[str, Any], standing: Standing, can_start: bool
) -> None:
    offer = the_offer("gpu", a_situation(CATALOG, *things, base=base))
    assert (offer.standing, offer.can_start) == (standing, can_start)
    assert offer.verdict is not None
    assert offer.fault == ""


POOLS: dict[str, Any] = {
    pool: {
        "title": f"the {pool} pool",
        "labels": {"pool": pool},
        "allocatable": {"cpu": 64, "memory": "256Gi", "nvidia.com/gpu": gpus},
        "most_nodes": 1,
    }
    for pool, gpus in (("small", 0), ("large", 2), ("spare", 2))
}


@pytest.mark.parametrize(
    ("things", "pool"),
    [
        pytest.param([], "the large pool", id="the first whose node would take it"),
        pytest.param(
            [a_node(labels={"pool": "large"})],
            "the spare pool",
            id="the first may have no more nodes",
        ),
        pytest.param([a_node(gpus=2)], "", id="it is free"),
        pytest.param(
            [a_node("n1", labels={"pool": "large"}), a_node("n2", labels={"pool": "spare"})],
            "",
            id="no pool can grow",
        ),
    ],
)
def test_the_pool_that_grows_for_it(things: list[Node | Pod], pool: str) -> None:
    situation = a_situation(a_catalog(a_profile("gpu"), node_pools=POOLS), *things)
    assert the_offer("gpu", situation).pool_to_grow == pool


@pytest.mark.parametrize(
    ("labels", "pool"),
    [
        pytest.param({"pool": "large", "zone": "a"}, "the large pool", id="by its labels"),
        pytest.param({"pool": "other"}, "", id="in none"),
        pytest.param({}, "", id="without labels"),
    ],
)
def test_the_pool_of_a_node(labels: dict[str, str], pool: str) -> None:
    catalog = a_catalog(a_profile("gpu"), node_pools=POOLS)
    assert pool_of(a_node(labels=labels), catalog) == pool


STATES = st.builds(
    Freshness,
    state=st.sampled_from(["starting", "stale", "denied"]),
    age=st.none() | st.floats(0, 1e6),
    missing=st.sampled_from([(), (Permission("list", "pods"),)]),
)


@pytest.mark.parametrize("things", [FREE, FULL, [], [a_node(gpus=0)]])
@given(freshness=STATES)
def test_while_the_cluster_is_not_known_everything_is_unknown_and_can_be_tried(
    things: list[Node | Pod], freshness: Freshness
) -> None:
    for offer in offers_in(a_situation(CATALOG, *things, freshness=freshness)):
        assert offer.standing is Standing.UNKNOWN
        assert offer.verdict is None
        assert offer.plan is not None
        assert offer.can_start


@pytest.mark.parametrize("freshness", [LIVE, Freshness("stale", age=60), Freshness("starting")])
def test_a_profile_that_contradicts_the_hubs_configuration_cannot_be_started(
    freshness: Freshness,
) -> None:
    catalog = a_catalog(
        a_profile("gpu", volumes=["data"]),
        volumes={"data": {"mount_path": "/data", "empty_dir": {}}},
    )
    base = {"volume_mounts": [{"name": "shared", "mountPath": "/data"}]}
    situation = a_situation(catalog, *FREE, base=base, freshness=freshness)
    offer = the_offer("gpu", situation)
    assert (offer.standing, offer.can_start) == (Standing.NEVER, False)
    assert (offer.plan, offer.verdict) == (None, None)
    assert "shared" in offer.fault
    assert the_offer("cpu", situation).can_start


@pytest.mark.parametrize(
    ("person", "slugs"),
    [
        pytest.param(Person("ada", frozenset({"hpc"})), ["cpu", "gpu", "big"], id="with the group"),
        pytest.param(Person("grace"), ["cpu"], id="without the group"),
    ],
)
def test_only_what_is_allowed_is_offered_in_the_catalogs_order(
    person: Person, slugs: list[str]
) -> None:
    situation = a_situation(CATALOG, *FREE, person=person)
    assert [offer.profile.slug for offer in offers_in(situation)] == slugs


def test_nothing_is_offered_where_no_rule_matches() -> None:
    catalog = a_catalog(a_profile("gpu"), access=[])
    assert offers_in(a_situation(catalog, *FREE)) == ()


@given(
    denied=st.booleans(), freshness=STATES | st.just(LIVE), things=st.sampled_from([FREE, FULL, []])
)
def test_what_is_not_allowed_is_no_offer_whatever_the_cluster_says(
    denied: bool, freshness: Freshness, things: list[Node | Pod]
) -> None:
    denial = [{"users": ["*"], "profiles": ["gpu"], "deny": True}, FOR_EVERYONE]
    access = denial if denied else [HPC_ONLY[0]]
    catalog = a_catalog(a_profile("gpu"), access=access)
    situation = a_situation(catalog, *things, freshness=freshness)
    profile = catalog.profile("gpu")
    assert profile is not None
    assert offer_of(Selection(profile), situation) is None


def test_an_offer_is_of_the_image_that_was_selected() -> None:
    images = [
        {"slug": "a", "title": "A", "image": "x/a:1", "default": True},
        {"slug": "b", "title": "B", "image": "x/b:1"},
    ]
    catalog = a_catalog(a_profile("gpu", images=images))
    profile = catalog.profile("gpu")
    assert profile is not None
    for image, reference in ((None, "x/a:1"), (profile.images[1], "x/b:1")):
        offer = offer_of(Selection(profile, image), a_situation(catalog, *FREE))
        assert offer is not None
        assert offer.plan is not None
        assert offer.plan.settings["image"] == reference


def test_the_form_and_the_start_are_offered_the_same() -> None:
    situation = a_situation(CATALOG, *FULL)
    for offer in offers_in(situation):
        assert offer_of(Selection(offer.profile), situation) == offer


def test_an_offer_says_by_what_it_is_granted() -> None:
    situation = a_situation(CATALOG, *FREE)
    assert the_offer("cpu", situation).decision.grant == "everyone"
    assert the_offer("gpu", situation).decision.grant == "group hpc"


def test_names_in_braces_are_expanded_before_the_verdict() -> None:
    base: dict[str, object] = {"extra_pod_config": {"nodeSelector": {"owner": "{username}"}}}

    def expand(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: expand(item) for key, item in value.items()}
        return value.format(username="ada") if isinstance(value, str) else value

    situation = a_situation(a_catalog(), a_node(labels={"owner": "ada"}), base=base)
    [as_written] = offers_in(situation)
    assert as_written.standing is Standing.NEVER
    [expanded] = offers_in(replace(situation, expand=expand))
    assert expanded.standing is Standing.FREE


@pytest.mark.parametrize(
    ("hard", "used", "standing", "words", "code"),
    [
        pytest.param(
            "4",
            "4",
            Standing.BUSY,
            "busy: the quota 'q' allows 4 GPUs in this namespace, 4 are used; "
            "it frees up as servers in this namespace end",
            "quota",
            id="others can leave what is used up",
        ),
        pytest.param(
            "1",
            "0",
            Standing.NEVER,
            "cannot start: the quota 'q' allows 1 GPU in this namespace and this needs 2",
            "misconfigured",
            id="nobody can make room in one that is too small",
        ),
    ],
)
def test_a_quota_that_is_known_stands_as_the_dry_run_has_it(
    hard: str, used: str, standing: Standing, words: str, code: str
) -> None:
    offer = under_a_quota(CATALOG, hard, used, a_node(gpus=8))
    assert (offer.standing, wording.availability(offer)) == (standing, words)
    assert refusal_of_offer(offer).code == code


def under_a_quota(catalog: Catalog, hard: str, used: str, *nodes: Node) -> Offer:
    """Of the profile "big", where a quota of GPUs is known."""
    name = "requests.nvidia.com/gpu"
    quota = ResourceQuota("default", "q", "uid", {name: hard}, {name: used})
    index = ClusterIndex()
    index.objects.table("quotas").replace([quota])
    index.replace_nodes(nodes)
    index.replace_pods([])
    person = Person("grace", frozenset({"hpc"}))
    situation = replace(a_situation(catalog, person=person), view=View(index.snapshot(), LIVE))
    return the_offer("big", situation)


SMALL: dict[str, Any] = {
    "spare": {**POOLS["spare"], "allocatable": {**POOLS["spare"]["allocatable"], GPU: 1}}
}
SPARE = {"spare": POOLS["spare"]}
ELSEWHERE = a_node("other", labels={"pool": "other"})


@pytest.mark.parametrize(
    ("pools", "nodes", "standing", "words"),
    [
        pytest.param(
            {},
            [a_node(gpus=1)],
            Standing.NEVER,
            "never fits: asks for 2 GPU, the largest node offers 1",
            id="the largest node is too small",
        ),
        pytest.param(
            SMALL,
            [ELSEWHERE],
            Standing.NEVER,
            "never fits: asks for 2 GPU, a new node of the spare pool offers 1",
            id="a new node of the pool would be too small",
        ),
        pytest.param(SPARE, [ELSEWHERE], Standing.BUSY, "", id="a pool could get a node for it"),
        pytest.param(
            SPARE,
            [a_node(labels={"pool": "spare"}, gpus=1)],
            Standing.BUSY,
            "",
            id="a pool has all its nodes, and others of its nodes were large enough",
        ),
        pytest.param({}, [], Standing.BUSY, "", id="there are no nodes by which it could be told"),
        pytest.param(
            {},
            [a_node(gpus=2, unschedulable=True)],
            Standing.BUSY,
            "",
            id="the node that is large enough is closed",
        ),
    ],
)
def test_what_can_never_fit_is_said_to_be_so_also_while_a_quota_is_full(
    pools: dict[str, Any], nodes: list[Node], standing: Standing, words: str
) -> None:
    placed = {"node_selector": {"pool": "spare"}} if pools else {}
    catalog = a_catalog(
        a_profile("big", count=2),
        accelerators={"a100": {"title": "GPU", "resource": GPU, **placed}},
        node_pools=pools,
    )
    before, full = (under_a_quota(catalog, "4", used, *nodes) for used in ("0", "4"))
    assert full.standing is standing
    if standing is Standing.NEVER:
        assert wording.availability(full) == wording.availability(before) == words
    assert (before.standing is Standing.NEVER) == (standing is Standing.NEVER)
    code = "never-fits" if standing is Standing.NEVER else "quota"
    assert refusal_of_offer(full).code == code


@pytest.mark.parametrize(
    ("used", "words"),
    [
        ("0", "free: room for 4 more, on 1 node"),
        ("4", "free: room for 2 more, on 1 node; a quota leaves no more"),
    ],
)
def test_what_a_quota_takes_away_of_what_is_free_is_told(used: str, words: str) -> None:
    assert wording.availability(under_a_quota(CATALOG, "8", used, a_node(gpus=8))) == words
