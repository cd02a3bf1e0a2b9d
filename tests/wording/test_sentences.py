"""The sentences that people read, literally."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.freshness import Freshness, Permission
from gpuspawner.capacity.model import HostPort, Node, Pod, Taint
from gpuspawner.catalog import Catalog
from gpuspawner.line import Waiter
from gpuspawner.offers import Offer, Standing, offers_in
from gpuspawner.starting.measured import Durations, Measured, key_of_pool
from gpuspawner.wording import availability, in_line, named, sharing

from ..builders import (
    CORDON,
    GPU,
    LIVE,
    a_catalog,
    a_node,
    a_pod,
    a_profile,
    a_request,
    a_situation,
    altered,
)

MIG = "nvidia.com/mig-3g.20gb"
GPU_TAINT = Taint("nvidia.com/gpu", "", "NoSchedule")
ACCELERATORS = {
    "a100": {"title": "NVIDIA A100", "resource": GPU},
    "slice": {"title": "Slice", "resource": MIG, "sharing": "mig"},
    "h100": {"title": "NVIDIA H100", "resource": GPU, "node_selector": {"gpu": "h100"}},
}
CATALOG = a_catalog(
    a_profile("gpu"),
    a_profile("gpu-64", memory="64Gi", cpu=16),
    a_profile("two", count=2, memory="128Gi", cpu=32),
    a_profile("slice", accelerator="slice"),
    a_profile("h100", accelerator="h100"),
    {"slug": "big", "title": "Big", "cpu": 100, "memory": "1Ti"},
    accelerators=ACCELERATORS,
)


def words_of(
    slug: str,
    *things: Node | Pod,
    freshness: Freshness = LIVE,
    catalog: Catalog = CATALOG,
    base: dict[str, object] | None = None,
) -> str:
    situation = a_situation(catalog, *things, freshness=freshness, base=base)
    [offer] = [offer for offer in offers_in(situation) if offer.profile.slug == slug]
    return availability(offer)


def workers(number: int, **fields: object) -> list[Node]:
    return [a_node(f"n{i}", **{"gpus": 2, **fields}) for i in range(number)]  # type: ignore[arg-type] # fields of a_node


@pytest.mark.parametrize(
    ("slug", "things", "words"),
    [
        pytest.param(
            "gpu",
            [*workers(3), a_pod("p1", node="n0", gpus=2)],
            "4 of 6 free, on 2 nodes",
            id="some are free",
        ),
        pytest.param(
            "gpu",
            [a_node("n1", gpus=3), a_pod(node="n1", gpus=2)],
            "1 of 3 free, on 1 node",
            id="one is free",
        ),
        pytest.param(
            "two",
            workers(3),
            "free: room for 3 more, on 3 nodes",
            id="a profile with two GPUs counts servers",
        ),
        pytest.param(
            "gpu",
            [*workers(2), a_node("n9", gpus=2, unschedulable=True)],
            "4 of 6 free, on 2 nodes; 1 node closed",
            id="a closed node counts among all, and is named",
        ),
        pytest.param(
            "cpu",
            [a_node("n1", pods=4), a_node("n2", pods=3), a_pod(node="n1")],
            "free: room for 6 more, on 2 nodes",
            id="a profile without accelerator counts room",
        ),
    ],
)
def test_free(slug: str, things: list[Node | Pod], words: str) -> None:
    assert words_of(slug, *things) == words


@pytest.mark.parametrize(
    ("slug", "things", "words"),
    [
        pytest.param(
            "gpu",
            [*workers(3), *(a_pod(f"p{i}", node=f"n{i}", gpus=2) for i in range(3))],
            "busy: none of 6 free",
            id="all are taken",
        ),
        pytest.param(
            "gpu-64",
            [a_node("n1", gpus=2, memory="128Gi"), a_pod(node="n1", memory="100Gi")],
            "busy: some are free, but not on a node with enough memory left",
            id="GPUs are free, memory is not",
        ),
        pytest.param(
            "gpu-64",
            [
                a_node("n1", gpus=2, memory="128Gi", cpu=32),
                a_pod(node="n1", memory="100Gi", cpu=20),
            ],
            "busy: some are free, but not on a node with enough CPU cores and memory left",
            id="GPUs are free, cores and memory are not",
        ),
        pytest.param(
            "cpu",
            [a_node("n1", pods=1), a_pod(node="n1")],
            "busy: no node has enough places for pods left",
            id="the nodes have as many pods as they take",
        ),
        pytest.param(
            "gpu",
            [*workers(2), a_pod(node="n0", gpus=2), a_node("n9", gpus=2, taints=[CORDON])],
            "2 of 6 free, on 1 node; 1 node closed",
            id="a tainted node counts as closed",
        ),
        pytest.param(
            "gpu",
            [*workers(1), a_pod(node="n0", gpus=2), a_node("n9", gpus=2, unschedulable=True)],
            "busy: none of 4 free; 1 node closed",
            id="all are taken and a node is closed",
        ),
        pytest.param(
            "gpu",
            workers(2, unschedulable=True),
            "busy: 2 nodes that it could run on are closed to new servers at present",
            id="all nodes are closed",
        ),
        pytest.param(
            "gpu-64",
            [
                a_node("n1", gpus=1),
                a_pod("p1", node="n1", gpus=1),
                a_node("n2", gpus=1, memory="64Gi"),
                a_pod("p2", node="n2", memory="10Gi"),
            ],
            "busy: some are free, but not on a node with enough memory left",
            id="a GPU is free where the memory is not",
        ),
        pytest.param("gpu", [], "busy: the cluster has no nodes", id="there are no nodes"),
    ],
)
def test_busy(slug: str, things: list[Node | Pod], words: str) -> None:
    assert words_of(slug, *things) == words


@pytest.mark.parametrize(
    ("slug", "things", "words"),
    [
        pytest.param(
            "two",
            [a_node("n1", gpus=2, memory="122Gi"), a_node("n2", gpus=2, memory="120Gi")],
            "never fits: asks for 128 GiB of memory, the largest node offers 122 GiB",
            id="more memory than any node has",
        ),
        pytest.param(
            "slice",
            workers(2),
            "never fits: no node offers Slice",
            id="a resource that no node has",
        ),
        pytest.param(
            "big",
            [a_node(cpu=64, memory="256Gi")],
            "never fits: asks for 100 CPU cores, the largest node offers 64; "
            "asks for 1 TiB of memory, the largest node offers 256 GiB",
            id="two resources",
        ),
        pytest.param(
            "two",
            [a_node(gpus=1)],
            "never fits: asks for 2 NVIDIA A100, the largest node offers 1",
            id="more GPUs than any node has",
        ),
        pytest.param(
            "two",
            [a_node("n1", gpus=2, memory="64Gi"), a_node("n2", memory="256Gi")],
            "never fits: no single node offers all that it asks for",
            id="everything is there, but not on one node",
        ),
        pytest.param(
            "h100",
            workers(2),
            "never fits: no node is meant for it, by its labels and taints",
            id="no node has the label",
        ),
        pytest.param(
            "gpu",
            workers(2, taints=[GPU_TAINT]),
            "never fits: no node is meant for it, by its labels and taints",
            id="a taint on every node",
        ),
    ],
)
def test_never(slug: str, things: list[Node | Pod], words: str) -> None:
    assert words_of(slug, *things) == words


def test_what_else_is_in_the_way_is_said_in_plain_words() -> None:
    base: dict[str, object] = {
        "extra_container_config": {"ports": [{"containerPort": 1, "hostPort": 1}]},
    }
    held = a_pod(node="n0", host_ports=(HostPort("0.0.0.0", "TCP", 1),))
    words = words_of("gpu", *workers(1), held, base=base)
    assert words == (
        "busy: no node takes it at present (1 node has a network port in use that it needs)"
    )


POOLS = {
    "v100": {
        "title": "the V100 pool",
        "labels": {"pool": "v100"},
        "allocatable": {"cpu": 64, "memory": "256Gi", GPU: 2},
        "most_nodes": 1,
    }
}
MIG_STATE = {"nvidia.com/mig.config.state": "rebooting"}


@pytest.mark.parametrize(
    ("slug", "things", "words"),
    [
        pytest.param(
            "two",
            [*workers(2), *(a_pod(f"p{i}", node=f"n{i}", gpus=1) for i in range(2))],
            "busy: 2 free, but on 2 different nodes, none for 2 together",
            id="enough are free, but apart",
        ),
        pytest.param(
            "two",
            [*workers(2), a_pod("p0", node="n0", gpus=2), a_pod("p1", node="n1", gpus=1)],
            "busy: only 1 free, and it needs 2",
            id="some are free, but too few",
        ),
        pytest.param(
            "gpu",
            [a_node(gpus=2, capacity={GPU: 4}), a_pod(gpus=2)],
            "busy: none of 2 free; 2 NVIDIA A100 unhealthy on 1 node",
            id="what is unhealthy explains",
        ),
        pytest.param(
            "slice",
            [a_node(labels=MIG_STATE)],
            "busy: 1 node that it could run on is closed to new servers at present; "
            "GPUs are being partitioned anew on 1 node",
            id="partitioning explains what is not there yet",
        ),
        pytest.param(
            "h100",
            [*workers(1), a_node("n9", gpus=1, capacity={GPU: 2}, labels={"gpu": "a100"})],
            "never fits: no node is meant for it, by its labels and taints",
            id="what happens on the nodes of others explains nothing",
        ),
    ],
)
def test_what_would_help(slug: str, things: list[Node | Pod], words: str) -> None:
    assert words_of(slug, *things) == words


@pytest.mark.parametrize(
    ("things", "words"),
    [
        pytest.param(
            [],
            "can start a node, in some minutes: none has room now, but the V100 pool can grow",
            id="a pool without nodes",
        ),
        pytest.param(
            [a_node("n1", gpus=2, labels={"pool": "v100"}), a_pod(gpus=2)],
            "busy: none of 2 free; the V100 pool cannot grow: it has 1 node and may have no more",
            id="a pool that is as large as it may be",
        ),
        pytest.param(
            [a_node(gpus=2)], "2 of 2 free, on 1 node", id="what is free needs no new node"
        ),
    ],
)
def test_pools_that_grow(things: list[Node | Pod], words: str) -> None:
    catalog = a_catalog(a_profile("gpu"), node_pools=POOLS)
    assert words_of("gpu", *things, catalog=catalog) == words


@pytest.mark.parametrize(
    ("pool", "seconds", "words"),
    [
        pytest.param("the V100 pool", (300, 360, 900), "typically 6 min", id="often"),
        pytest.param("the V100 pool", (360,), "last time it took 6 min", id="once"),
        pytest.param("another pool", (360,), "in some minutes", id="only of another pool"),
    ],
)
def test_how_long_a_pool_takes_to_grow(pool: str, seconds: tuple[float, ...], words: str) -> None:
    situation = a_situation(a_catalog(a_profile("gpu"), node_pools=POOLS))
    measured = Measured(nodes=Durations({key_of_pool(pool): seconds}))
    offer = offers_in(replace(situation, measured=measured))[-1]
    assert availability(offer) == (
        f"can start a node, {words}: none has room now, but the V100 pool can grow"
    )


def test_a_pool_of_which_too_little_is_known_is_not_hidden() -> None:
    """No place is known for its home, but a new node may be in that place."""
    base: dict[str, object] = {
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}],
    }
    catalog = a_catalog(a_profile("gpu"), node_pools=POOLS)
    situation = a_situation(catalog, a_node(gpus=0), base=base)
    offer = offers_in(situation)[1]
    assert (offer.standing, offer.can_start) == (Standing.UNKNOWN, True)
    assert availability(offer) == (
        "unknown: no node takes it now, and it is not known whether a new one of the V100 pool "
        "would"
    )


def test_a_pool_of_no_use_does_not_make_it_possible() -> None:
    catalog = a_catalog(a_profile("gpu", count=4), node_pools=POOLS)
    assert words_of("gpu", a_node(gpus=2), catalog=catalog).startswith("never fits: asks for 4")


def test_a_pool_that_is_meant_for_it_and_too_small_says_so() -> None:
    catalog = a_catalog(a_profile("gpu", count=4), node_pools=POOLS)
    assert words_of("gpu", a_node(taints=[GPU_TAINT]), catalog=catalog) == (
        "never fits: asks for 4 NVIDIA A100, a new node of the V100 pool offers 2"
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        pytest.param({}, "queued: it starts when the cluster lets it (q)", id="by its gate"),
        pytest.param(
            {"kueue.x-k8s.io/queue-name": "gpus"},
            "queued: it starts when its turn comes in the queue gpus",
            id="by its queue",
        ),
    ],
)
def test_queued(labels: dict[str, str], words: str) -> None:
    base: dict[str, object] = {
        "extra_labels": labels,
        "extra_pod_config": {"schedulingGates": [{"name": "q"}]},
    }
    assert words_of("gpu", *workers(1), base=base) == words


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        pytest.param(1, "free: 1 pod of lower priority makes way for it", id="one"),
        pytest.param(2, "free: 2 pods of lower priority make way for it", id="two"),
    ],
)
def test_placeholders_make_way(pods: int, words: str) -> None:
    placeholders = [
        altered(a_pod(f"p{i}", node="n0", gpus=2 // pods), priority=-10) for i in range(pods)
    ]
    assert words_of("two", *workers(1), *placeholders) == words


def test_the_two_amounts_of_a_shortfall_read_differently() -> None:
    catalog = a_catalog(a_profile(memory="64Gi"))
    words = words_of("gpu", a_node(gpus=1, memory="65505Mi"), catalog=catalog)
    assert words == ("never fits: asks for 65536 MiB of memory, the largest node offers 65505 MiB")


LIST_PODS, WATCH_NODES = Permission("list", "pods"), Permission("watch", "nodes")


@pytest.mark.parametrize(
    ("freshness", "words"),
    [
        pytest.param(
            Freshness("starting"), "unknown: the cluster has not answered yet", id="no answer yet"
        ),
        pytest.param(
            Freshness("stale", age=61.4),
            "unknown for 61 s: the cluster does not answer",
            id="no answer any more",
        ),
        pytest.param(
            Freshness("stale", age=600),
            "unknown for 10 min: the cluster does not answer",
            id="no answer for minutes",
        ),
        pytest.param(
            Freshness("stale", age=86_400),
            "unknown for 24 h: the cluster does not answer",
            id="no answer for a day",
        ),
        pytest.param(
            Freshness("stale", age=0.2),
            "unknown for 1 s: the cluster does not answer",
            id="no watch any more",
        ),
        pytest.param(
            Freshness("denied", missing=(LIST_PODS,)),
            "unknown: the hub is not allowed to see the cluster (list pods)",
            id="a permission is missing",
        ),
        pytest.param(
            Freshness("denied", age=3, missing=(LIST_PODS, WATCH_NODES)),
            "unknown: the hub is not allowed to see the cluster (list pods and watch nodes)",
            id="permissions were taken away",
        ),
    ],
)
def test_unknown(freshness: Freshness, words: str) -> None:
    assert words_of("gpu", *workers(2), freshness=freshness) == words


def test_unknown_for_want_of_a_right_names_it() -> None:
    base = {
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}],
    }
    situation = a_situation(CATALOG, *workers(2), base=base)
    hidden = {"PersistentVolumeClaim": "list persistentvolumeclaims", "CSINode": "list csinodes"}
    situation = replace(situation, view=replace(situation.view, hidden=hidden))
    for offer in offers_in(situation)[:1]:
        assert availability(offer) == (
            "unknown: the hub is not allowed to see all that decides (list persistentvolumeclaims)"
        )


def test_unknown_for_what_is_not_checked() -> None:
    base: dict[str, object] = {
        "extra_pod_config": {"volumes": [{"name": "a", "iscsi": {}}, {"name": "b", "rbd": {}}]}
    }
    assert words_of("gpu", *workers(2), base=base) == (
        "unknown: it depends on iscsi and rbd, and that cannot be told"
    )


@pytest.mark.parametrize("freshness", [LIVE, Freshness("stale", age=60)])
def test_a_fault_of_the_configuration_is_told_without_its_details(freshness: Freshness) -> None:
    catalog = a_catalog(
        a_profile("gpu", volumes=["secret-data"]),
        volumes={"secret-data": {"mount_path": "/data", "empty_dir": {}}},
    )
    base: dict[str, object] = {"volume_mounts": [{"name": "shared", "mountPath": "/data"}]}
    assert words_of("gpu", *workers(1), catalog=catalog, base=base, freshness=freshness) == (
        "cannot start: the hub's configuration and this profile contradict each other"
    )


NOT_LIVE = st.builds(
    Freshness,
    state=st.sampled_from(["starting", "stale", "denied"]),
    age=st.none() | st.floats(0, 1e6),
    missing=st.sampled_from([(), (LIST_PODS,), (LIST_PODS, WATCH_NODES)]),
    malformed=st.integers(0, 5),
)
CLUSTERS = st.sampled_from(
    [
        workers(3),
        [*workers(1), a_pod(node="n0", gpus=2)],
        workers(1, unschedulable=True),
        workers(1, gpus=0),
        [],
    ]
)


def offers_of(things: list[Node | Pod], freshness: Freshness) -> tuple[Offer, ...]:
    return offers_in(a_situation(CATALOG, *things, freshness=freshness))


@given(CLUSTERS, NOT_LIVE)
def test_what_is_not_known_is_never_shown_as_free_or_busy_or_as_a_number(
    things: list[Node | Pod], freshness: Freshness
) -> None:
    for offer in offers_of(things, freshness):
        words = availability(offer)
        assert re.match("unknown(:| for )", words)
        assert not re.search(r"\b(free|busy|never|none|no node|room)\b", words)
        for number in re.findall(r"\d+(?: (?:s|min|h)\b)?", words):
            assert number.endswith((" s", " min", " h")), words


@given(CLUSTERS, NOT_LIVE | st.just(LIVE))
def test_it_is_one_line_without_a_full_stop(things: list[Node | Pod], freshness: Freshness) -> None:
    for offer in offers_of(things, freshness):
        words = availability(offer)
        assert words.isprintable()
        assert not words.endswith(".")
        assert "  " not in words


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"resource": GPU}, "yours alone"),
        (
            {"resource": MIG, "sharing": "mig"},
            "part of a GPU, isolated from its neighbours",
        ),
        (
            {"resource": GPU, "sharing": "time-slicing", "shared_by": 4},
            "shared with up to 3 others by taking turns, no memory isolation",
        ),
        (
            {"resource": GPU, "sharing": "mps"},
            "shared with others at the same time, limited isolation: an error of one can stop all",
        ),
    ],
)
def test_how_an_accelerator_is_shared(kind: dict[str, object], words: str) -> None:
    catalog = a_catalog(a_profile(), accelerators={"a100": {"title": "A100", **kind}})
    cpu, gpu = offers_in(a_situation(catalog, a_node()))
    assert sharing(gpu) == words
    assert sharing(cpu) == ""


@pytest.mark.parametrize(
    ("resource", "amount", "words"),
    [
        ("cpu", 1000, "1 CPU core"),
        ("cpu", 1500, "1.5 CPU cores"),
        ("cpu", 500, "0.5 CPU cores"),
        ("memory", 2**37, "128 GiB of memory"),
        (GPU, 2, "2 nvidia.com/gpu"),
        ("ephemeral-storage", 2**30, "1 GiB of local disk"),
    ],
)
def test_amounts_with_their_resource(resource: str, amount: int, words: str) -> None:
    assert named(resource, amount) == words


WAITING = a_catalog(
    a_profile("gpu", when_full="wait"),
    a_profile("dual", count=2, when_full="wait"),
    a_profile("now", when_full="refuse"),
)


def an_offer(slug: str, *things: Node | Pod, ahead: tuple[Waiter, ...] = ()) -> Offer:
    situation = a_situation(WAITING, *things)
    situation = replace(situation, view=replace(situation.view, ahead=ahead))
    [offer] = [offer for offer in offers_in(situation) if offer.profile.slug == slug]
    return offer


def some_who_wait(number: int) -> tuple[Waiter, ...]:
    request = a_request(gpus=1)
    return tuple(Waiter(("jhub", f"w{n}"), float(n), request, "n0") for n in range(number))


@pytest.mark.parametrize(
    ("slug", "free", "ahead", "words"),
    [
        pytest.param("gpu", 1, 0, "1 of 2 free, on 1 node", id="it is free"),
        pytest.param(
            "gpu",
            0,
            0,
            "busy: none of 2 free; you can wait in line for up to 1 hour, nobody is ahead",
            id="nobody waits",
        ),
        pytest.param(
            "gpu",
            0,
            1,
            "busy: none of 2 free; you can wait in line for up to 1 hour, 1 is ahead",
            id="one waits",
        ),
        pytest.param(
            "gpu",
            0,
            2,
            "busy: none of 2 free; you can wait in line for up to 1 hour, 2 are ahead",
            id="two wait",
        ),
        pytest.param("now", 0, 2, "busy: none of 2 free", id="one may not wait for it"),
        pytest.param(
            "dual",
            1,
            1,
            "busy: only 1 free, and it needs 2; you can wait in line for up to 1 hour, 1 is ahead",
            id="too little is free",
        ),
    ],
)
def test_whether_one_can_wait(slug: str, free: int, ahead: int, words: str) -> None:
    things: list[Node | Pod] = [*workers(1), a_pod("p1", node="n0", gpus=2 - free)]
    assert availability(an_offer(slug, *things, ahead=some_who_wait(ahead))) == words


def test_what_is_kept_is_not_said_to_be_in_use() -> None:
    dual = Waiter(("jhub", "dual"), 0.0, a_request(gpus=2), "n0")
    things: list[Node | Pod] = [*workers(1), a_pod("p1", node="n0", gpus=1)]
    kept = "busy: what is free is kept for those who wait in line"
    assert availability(an_offer("now", *things, ahead=(dual,))) == kept
    assert (
        availability(an_offer("gpu", *things, ahead=(dual,)))
        == f"{kept}; you can wait in line for up to 1 hour, 1 is ahead"
    )


@pytest.mark.parametrize(
    ("number", "left", "is_live", "words"),
    [
        pytest.param(
            1,
            None,
            True,
            "You are first in line for Gpu. None of 2 free. Your server starts when it is your "
            "turn. How long that takes cannot be known. The wait ends in 2 hours if there is no "
            "room before.",
            id="first, and no time is proven",
        ),
        pytest.param(
            3,
            5_401.0,
            True,
            "You are number 3 in line for Gpu. None of 2 free. Your server starts when it is your "
            "turn. That takes 1 hour 31 minutes at most, unless others take the room.",
            id="third, and a time is proven",
        ),
        pytest.param(
            1,
            10_800.0,
            True,
            "You are first in line for Gpu. None of 2 free. Your server starts when it is your "
            "turn. That takes 3 hours at most, unless others take the room. The wait ends in 2 "
            "hours if there is no room before.",
            id="first, and the wait may end before the time that is proven",
        ),
        pytest.param(
            2,
            60.0,
            False,
            "You are number 2 in line for Gpu. The cluster does not answer at the moment; your "
            "place is kept.",
            id="the cluster is away",
        ),
    ],
)
def test_the_place_in_line(number: int, left: float | None, words: str, *, is_live: bool) -> None:
    offer = an_offer("gpu", *workers(1), a_pod("p1", node="n0", gpus=2))
    assert in_line(offer, number, left, 7_200.0, is_live=is_live) == words
