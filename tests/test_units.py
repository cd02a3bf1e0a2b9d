"""Of all units that could serve a profile: how many are free, in use, and not usable for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.denials import read_denial
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import Node, Pod, PodRequest, ResourceClaimRef, ResourceQuota, Taint
from gpuspawner.catalog import Catalog
from gpuspawner.fit import StandingVerdicts, doubted, judge
from gpuspawner.line import Waiter
from gpuspawner.offers import Offer, Situation, Standing, View, drafts_in, judged
from gpuspawner.units import Units, units_of

from .builders import (
    GPU,
    LIVE,
    a_catalog,
    a_cluster,
    a_node,
    a_pod,
    a_profile,
    a_request,
    a_situation,
    altered,
)
from .devices import a_claim, a_class, a_device, a_slice, devices

MIG = "nvidia.com/mig-1g.5gb"
FPGA = "example.com/fpga"
CLOSED: Mapping[str, Any] = {"unschedulable": True}
NOT_FOR_IT = Taint("reserved", "", "NoSchedule")
NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoSchedule")
Thing = Node | Pod | ResourceQuota
POOL = {
    "title": "A100 nodes",
    "labels": {"pool": "a100"},
    "allocatable": {"cpu": 64, "memory": "256Gi", GPU: 4},
    "most_nodes": 3,
}


def a_view(
    *things: Thing, ahead: tuple[Waiter, ...] = (), assumed: Iterable[tuple[PodRequest, str]] = ()
) -> View:
    index = ClusterIndex()
    index.objects.table("quotas").replace(one for one in things if isinstance(one, ResourceQuota))
    index.replace_nodes(one for one in things if isinstance(one, Node))
    index.replace_pods(one for one in things if isinstance(one, Pod))
    for request, node in assumed:
        index.assume(as_assumed(request, node, frozenset({node})))
    return View(index.snapshot(), LIVE, ahead=ahead)


def an_offer(profile: Mapping[str, Any], view: View, **fields: Any) -> Offer:
    """What becomes of one profile; `fields` are those of its draft."""
    pools = {"a100": POOL} if profile.get("description") == GROWS else {}
    catalog = a_catalog({**profile, "slug": "it"}, accelerators=ACCELERATORS, node_pools=pools)
    situation = replace(a_situation(catalog), view=view)
    [draft] = [draft for draft in drafts_in(situation) if draft.profile.slug == "it"]
    return judged(replace(draft, **fields), situation)


ACCELERATORS = {
    "a100": {"title": "NVIDIA A100", "resource": GPU},
    "slice": {"title": "A slice of it", "resource": MIG, "sharing": "mig"},
}
GROWS = "A pool can grow by a node for it."
ONE = a_profile()
TWO = a_profile(count=2)
HUGE = a_profile(memory="512Gi")
BOTH = a_profile(
    accelerator=None, kubespawner_override={"extra_resource_limits": {GPU: "1", FPGA: "1"}}
)
EIGHT_CORES = a_profile(accelerator=None, cpu="8")


def a_quota(**limits: int) -> ResourceQuota:
    """One of the requests of GPUs or cpu, of which nothing is used."""
    names = {"gpus": f"requests.{GPU}", "cpu": "requests.cpu"}
    hard = {names[name]: str(limit) for name, limit in limits.items()}
    return ResourceQuota("default", "q", "uid", hard, dict.fromkeys(hard, "0"))


@pytest.mark.parametrize(
    ("profile", "things", "standing", "units"),
    [
        pytest.param(ONE, [a_node(gpus=4)], "free", (4, 0, 0), id="what nobody holds is free"),
        pytest.param(
            ONE,
            [a_node("n1", gpus=4), a_node("n2", gpus=2), a_pod(gpus=1), a_pod("p2", node="n2")],
            "free",
            (5, 1, 0),
            id="what a pod holds is in use, on whichever node it is",
        ),
        pytest.param(
            ONE, [a_node(gpus=2), a_pod(gpus=2)], "busy", (0, 2, 0), id="all may be in use"
        ),
        pytest.param(
            TWO,
            [a_node("n1", gpus=2), a_node("n2", gpus=4), a_pod(gpus=1)],
            "free",
            (4, 1, 1),
            id="a GPU that is left alone is no use to two GPUs together",
        ),
        pytest.param(
            TWO,
            [
                a_node("n1", gpus=2),
                a_node("n2", gpus=2),
                a_pod(gpus=1),
                a_pod("b", node="n2", gpus=1),
            ],
            "busy",
            (0, 2, 2),
            id="two GPUs on different nodes are not usable for two together",
        ),
        pytest.param(
            TWO, [a_node(gpus=3)], "free", (2, 0, 1), id="the third of three is left over by two"
        ),
        pytest.param(
            a_profile(cpu="16"),
            [a_node("n1", gpus=2), a_node("n2", gpus=2), a_pod(cpu=40)],
            "free",
            (3, 0, 1),
            id="a GPU on a node without enough cores left is not usable",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=1), a_node("n2", gpus=4, **CLOSED), a_pod(node="n2", gpus=1)],
            "free",
            (1, 1, 3),
            id="what is left on a cordoned node is not usable, what is held there is in use",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=1), a_node("n2", gpus=4, taints=[NOT_READY])],
            "free",
            (1, 0, 4),
            id="what is left on a node that is not ready is not usable",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=3, capacity={GPU: 4}), a_pod(gpus=1)],
            "free",
            (2, 1, 1),
            id="an unhealthy device is not usable",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=3, capacity={GPU: 4}), a_pod(gpus=4)],
            "busy",
            (0, 4, 0),
            id="an unhealthy device that a pod holds is in use",
        ),
        pytest.param(
            ONE,
            [a_node("n1", gpus=1), a_node("n2", gpus=1), a_pod(gpus=3)],
            "free",
            (1, 1, 0),
            id="a device that is gone is nowhere, even while a pod holds it",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=1, capacity={GPU: 0})],
            "free",
            (1, 0, 0),
            id="a node that offers more than it says to have has what it offers",
        ),
        pytest.param(
            HUGE,
            [a_node(gpus=2), a_pod(gpus=1)],
            "never",
            (0, 1, 1),
            id="what is on nodes that are too small for ever is in use or not usable",
        ),
        pytest.param(
            TWO,
            [a_node("n1", gpus=1), a_node("n2", gpus=2)],
            "free",
            (2, 0, 1),
            id="so it is on those with too few of the devices themselves",
        ),
        pytest.param(
            ONE,
            [
                a_node("n1", gpus=1),
                a_node("n2", gpus=8, taints=[NOT_FOR_IT]),
                a_pod("b", node="n2"),
            ],
            "free",
            (1, 0, 0),
            id="what is on nodes that are not for the pod does not count",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=8, taints=[NOT_FOR_IT]), a_pod(gpus=3)],
            "never",
            (0, 0, 0),
            id="where no node is for the pod there is none, and that is known",
        ),
        pytest.param(ONE, [], "busy", (0, 0, 0), id="a cluster without nodes has none"),
        pytest.param(
            a_profile(description=GROWS),
            [a_node(gpus=2), a_pod(gpus=2)],
            "can-start-node",
            (0, 2, 0),
            id="what a new node would bring is not there yet",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=2), a_pod(gpus=2, priority=-10)],
            "evicts",
            (0, 2, 0),
            id="what others would make way for is in use until they have",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=3), altered(a_pod(gpus=1), node=None, nominated_node="n1")],
            "free",
            (2, 1, 0),
            id="what the scheduler has promised to a pod is in use",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=8), a_pod(gpus=1), a_quota(gpus=3)],
            "free",
            (3, 1, 4),
            id="what a quota leaves over is not usable",
        ),
        pytest.param(
            ONE,
            [a_node(gpus=8), a_pod(gpus=1), a_quota(gpus=0)],
            "never",
            (0, 1, 7),
            id="of a quota that allows none nothing is free",
        ),
        pytest.param(
            a_profile(accelerator="slice"),
            [a_node(gpus=1, allocatable={MIG: 7}), a_pod(requests={MIG: 3})],
            "free",
            (4, 3, 0),
            id="a unit is one slice",
        ),
        pytest.param(
            a_profile(
                accelerator="slice",
                kubespawner_override={"extra_resource_limits": {GPU: "1"}},
            ),
            [a_node(gpus=2, allocatable={MIG: 7}), a_pod(gpus=1)],
            "free",
            (1, 0, 6),
            id="the accelerator's own count where the pod asks for other devices as well",
        ),
        pytest.param(
            a_profile(
                accelerator=None,
                kubespawner_override={"extra_resource_limits": {GPU: "1"}},
            ),
            [a_node(gpus=4), a_pod(gpus=1)],
            "free",
            (3, 1, 0),
            id="a device that the catalog does not know counts as well",
        ),
        pytest.param(
            a_profile(
                accelerator=None,
                kubespawner_override={"extra_resource_limits": {GPU: "1", FPGA: "4"}},
            ),
            [a_node(gpus=4, allocatable={FPGA: 8}), a_pod(gpus=1)],
            "free",
            (8, 0, 0),
            id="of several those that are enough for the fewest servers",
        ),
        pytest.param(
            BOTH,
            [a_node(gpus=2, allocatable={FPGA: 8}), a_pod(gpus=1)],
            "free",
            (1, 1, 0),
            id="whatever they are called",
        ),
    ],
)
def test_devices(
    profile: Mapping[str, Any], things: list[Thing], standing: str, units: tuple[int, int, int]
) -> None:
    offer = an_offer(profile, a_view(*things))
    assert (offer.standing.value, units_of(offer)) == (standing, Units(*units))


@pytest.mark.parametrize(
    ("things", "standing", "units"),
    [
        pytest.param([a_node(cpu=64)], "free", (8, 0, 0), id="a unit is one such server"),
        pytest.param(
            [a_node(cpu=64), a_pod(cpu=20)],
            "free",
            (5, 3, 0),
            id="what others take away of the room is in use, begun units included",
        ),
        pytest.param([a_node(cpu=64), a_pod(cpu=60)], "busy", (0, 8, 0), id="all may be in use"),
        pytest.param(
            [a_node("n1", cpu=64), a_node("n2", cpu=16, **CLOSED), a_pod("p", node="n2", cpu=8)],
            "free",
            (8, 0, 2),
            id="room on a closed node is not usable, whoever has it",
        ),
        pytest.param(
            [a_node("n1", cpu=64), a_node("n2", cpu=4)],
            "free",
            (8, 0, 0),
            id="a node that is too small has no room for such a server",
        ),
        pytest.param(
            [a_node("n1", cpu=64), a_node("n2", cpu=64, taints=[NOT_FOR_IT])],
            "free",
            (8, 0, 0),
            id="a node that is not for it does not count",
        ),
        pytest.param(
            [a_node(cpu=64), a_pod(cpu=8), a_quota(cpu=30)],
            "free",
            (3, 1, 4),
            id="what a quota leaves over is not usable",
        ),
        pytest.param([a_node(cpu=4)], "never", (0, 0, 0), id="what never fits has no units"),
        pytest.param(
            [a_node(cpu=64), altered(a_pod(cpu=8), node=None, nominated_node="n1")],
            "free",
            (7, 1, 0),
            id="what the scheduler has promised to a pod is in use",
        ),
    ],
)
def test_servers_without_a_device(
    things: list[Thing], standing: str, units: tuple[int, int, int]
) -> None:
    offer = an_offer(EIGHT_CORES, a_view(*things))
    assert (offer.standing.value, units_of(offer)) == (standing, Units(*units))


def with_dra(*things: Any) -> View:
    """A cluster with the node n1, where DRA serves GPUs."""
    return View(a_cluster(a_node("n1"), a_class(extended=GPU), *things), LIVE)


@pytest.mark.parametrize(
    ("profile", "view", "standing", "units"),
    [
        pytest.param(
            ONE, with_dra(a_slice(*devices(4))), "free", (4, 0, 0), id="what no claim holds is free"
        ),
        pytest.param(
            TWO,
            with_dra(a_slice(*devices(4)), a_claim(name="x", holds=["gpu-0"])),
            "free",
            (2, 1, 1),
            id="what a claim holds is in use",
        ),
        pytest.param(
            ONE,
            with_dra(a_slice(*devices(1), a_device("bad", taint="NoSchedule"))),
            "free",
            (1, 0, 1),
            id="what is tainted is not usable",
        ),
        pytest.param(
            ONE,
            with_dra(a_slice(*devices(2)), a_node("n2", gpus=3), a_pod(node="n2", gpus=1)),
            "free",
            (4, 1, 0),
            id="those of a device plugin count beside them",
        ),
        pytest.param(
            ONE,
            with_dra(a_node("n2", gpus=3)),
            "free",
            (3, 0, 0),
            id="a node without any adds nothing",
        ),
        pytest.param(
            HUGE,
            with_dra(a_slice(*devices(2)), a_claim(name="x", holds=["gpu-0"])),
            "never",
            (0, 1, 1),
            id="what is on nodes that are too small for ever is in use or not usable",
        ),
    ],
)
def test_devices_that_dra_serves(
    profile: Mapping[str, Any], view: View, standing: str, units: tuple[int, int, int]
) -> None:
    offer = an_offer(profile, view)
    assert (offer.standing.value, units_of(offer)) == (standing, Units(*units))


def waiting_on(node: str, **asked: Any) -> Waiter:
    return Waiter(("jhub", "first"), 0.0, a_request(**asked), node)


@pytest.mark.parametrize(
    ("profile", "view", "standing", "units"),
    [
        pytest.param(
            ONE,
            a_view(a_node(gpus=2), a_pod(gpus=1), ahead=(waiting_on("n1", gpus=2),)),
            "busy",
            (0, 1, 1),
            id="what is kept for those who wait is not usable",
        ),
        pytest.param(
            ONE,
            a_view(
                a_node("n1", gpus=2),
                a_node("n2", gpus=2),
                a_pod(gpus=1),
                ahead=(waiting_on("n1", gpus=2, cpu=200),),
            ),
            "free",
            (2, 1, 1),
            id="what is left beside it is free",
        ),
        pytest.param(
            EIGHT_CORES,
            a_view(a_node(cpu=64), a_pod(cpu=24), ahead=(waiting_on("n1", cpu=64),)),
            "busy",
            (0, 3, 5),
            id="room that is kept for those who wait is not usable",
        ),
        pytest.param(
            ONE,
            a_view(
                a_node("n1", gpus=1),
                a_node("n2", gpus=2),
                a_pod("own", gpus=1, priority=-10),
                a_pod("b", node="n2", gpus=2, priority=-10),
                ahead=(waiting_on("n1", gpus=1),),
            ),
            "evicts",
            (0, 3, 0),
            id="what others make way on counts beside what is kept",
        ),
        pytest.param(
            EIGHT_CORES,
            a_view(
                a_node("n1", cpu=16),
                a_node("n2", cpu=32),
                a_pod("own", cpu=16, priority=-10),
                a_pod("b", node="n2", cpu=32, priority=-10),
                ahead=(waiting_on("n1", cpu=16),),
            ),
            "evicts",
            (0, 6, 0),
            id="so does room that they make for a server without a device",
        ),
        pytest.param(
            ONE,
            a_view(a_node(gpus=3), assumed=[(a_request(gpus=1), "n1")]),
            "free",
            (2, 1, 0),
            id="what a start that is under way will hold is in use",
        ),
    ],
)
def test_those_who_go_before(
    profile: Mapping[str, Any], view: View, standing: str, units: tuple[int, int, int]
) -> None:
    offer = an_offer(profile, view)
    assert (offer.standing.value, units_of(offer)) == (standing, Units(*units))


FREE = a_view(a_node(gpus=2))
FULL = a_view(a_node(gpus=2), a_pod(gpus=2))
UNCHECKED = {"extra_pod_config": {"volumes": [{"name": "a", "iscsi": {}}]}}
DENIED = read_denial(
    "exceeded quota: q, requested: requests.nvidia.com/gpu=1, "
    "used: requests.nvidia.com/gpu=5, limited: requests.nvidia.com/gpu=5"
)


def asking(profile: Mapping[str, Any], view: View, **fields: Any) -> Offer:
    """What becomes of a profile whose pod is admitted with other fields."""
    plan = an_offer(profile, view).plan
    assert plan is not None
    return an_offer(profile, view, plan=replace(plan, request=replace(plan.request, **fields)))


def unreadable(profile: Mapping[str, Any], view: View) -> Offer:
    """What becomes of it while something on a node cannot be read."""
    return an_offer(
        profile, replace(view, verdict_on=lambda *of: doubted(judge(*of), {"elsewhere"}))
    )


def stale(view: View) -> View:
    return replace(view, freshness=Freshness("stale", age=40.0))


@pytest.mark.parametrize(
    ("offer", "standing"),
    [
        pytest.param(an_offer(ONE, stale(FREE)), "unknown", id="while the cluster does not answer"),
        pytest.param(
            replace(an_offer(ONE, FREE), freshness=stale(FREE).freshness),
            "free",
            id="when it has not answered since",
        ),
        pytest.param(
            an_offer({**ONE, "kubespawner_override": UNCHECKED}, FREE),
            "unknown",
            id="where it is not known whether it fits",
        ),
        pytest.param(
            an_offer({**ONE, "kubespawner_override": {"node_selector": 7}}, FREE),
            "never",
            id="of a profile that contradicts the hub's configuration",
        ),
        pytest.param(an_offer(ONE, FREE, denial=DENIED), "busy", id="of a pod that is not created"),
        pytest.param(
            an_offer(ONE, a_view(a_node(gpus=2), assumed=[(a_request(gpus=2), "")])),
            "unknown",
            id="where it depends on where others go",
        ),
        pytest.param(
            an_offer(ONE, View(Snapshot(1, FREE.snapshot.nodes), LIVE)),
            "free",
            id="where quotas are not known, and so not how often it fits",
        ),
        pytest.param(
            an_offer(EIGHT_CORES, View(Snapshot(1, FREE.snapshot.nodes), LIVE)),
            "free",
            id="nor how often a server without a device does",
        ),
        pytest.param(unreadable(ONE, FREE), "free", id="where what is on a node cannot be read"),
        pytest.param(unreadable(ONE, FULL), "busy", id="also if it would make no room"),
        pytest.param(unreadable(EIGHT_CORES, FREE), "free", id="nor for a server without a device"),
        pytest.param(
            an_offer(ONE, FULL, unadmitted="no answer"),
            "busy",
            id="where it is not known what admission makes of the pod",
        ),
        pytest.param(
            asking(ONE, FREE, gates=("kueue.x-k8s.io/admission",)),
            "queued",
            id="where a queue decides how many are let through",
        ),
        pytest.param(
            asking(ONE, FREE, requests={"cpu": 1000}),
            "free",
            id="where the pod does not ask for the accelerator in the end",
        ),
        pytest.param(
            an_offer(
                ONE,
                with_dra(a_slice(a_device(bindingConditions=["x"])), a_node("n2", gpus=1)),
            ),
            "free",
            id="where it is not known how many devices DRA serves",
        ),
        pytest.param(
            an_offer(ONE, with_dra(a_slice(*devices(1), allNodes=True), a_pod(gpus=0))),
            "free",
            id="where DRA serves devices that several nodes share",
        ),
        pytest.param(
            an_offer(
                ONE,
                with_dra(a_slice(*devices(1), allNodes=True), a_claim(name="x", holds=["gpu-0"])),
            ),
            "busy",
            id="also if they are all in use",
        ),
        pytest.param(
            an_offer(BOTH, with_dra(a_slice(*devices(1), allNodes=True))),
            "never",
            id="where it cannot be told which of several is the scarcest",
        ),
        pytest.param(
            asking(EIGHT_CORES, FREE, resource_claims=(ResourceClaimRef("gpu", "c1"),)),
            "unknown",
            id="of a pod that claims devices from DRA",
        ),
        pytest.param(
            asking(
                EIGHT_CORES,
                View(a_cluster(a_node(gpus=2)), LIVE),
                resource_claims=(ResourceClaimRef("gpu", "c1"),),
            ),
            "busy",
            id="also if it cannot get them",
        ),
    ],
)
def test_nothing_is_counted(offer: Offer, standing: str) -> None:
    assert offer.standing.value == standing
    assert units_of(offer) is None


PLACED = {"a100": {"title": "NVIDIA A100", "resource": GPU, "node_selector": {"gpu": "a100"}}}
PROFILES = (
    a_profile("one"),
    a_profile("dual", count=2, cpu="2"),
    a_profile("huge", memory="512Gi"),
    a_profile("alien", accelerator=None, kubespawner_override={"extra_resource_limits": {GPU: 1}}),
    a_profile("cores", accelerator=None, cpu="3"),
)
SHRUNK, GROWING = (
    a_catalog(*PROFILES, accelerators=PLACED),
    a_catalog(
        *PROFILES,
        accelerators=PLACED,
        node_pools={"a100": {**POOL, "labels": {"gpu": "a100"}, "most_nodes": 4}},
    ),
)
NAMES = ("n0", "n1", "n2")
NODES = st.builds(
    a_node,
    st.sampled_from(NAMES),
    gpus=st.integers(0, 4),
    cpu=st.sampled_from([1, 4, 16]),
    labels=st.sampled_from([{"gpu": "a100"}, {"gpu": "a100"}, {}]),
    taints=st.sampled_from([(), (), (NOT_READY,), (NOT_FOR_IT,)]),
    unschedulable=st.sampled_from([False, False, True]),
    capacity=st.sampled_from([{}, {}, {GPU: 4}]),
)
PODS = st.builds(
    a_pod,
    st.sampled_from(["p0", "p1", "p2", "p3"]),
    node=st.sampled_from([*NAMES, "gone"]),
    gpus=st.integers(0, 3),
    cpu=st.sampled_from([0, 1, 3]),
    phase=st.sampled_from(["Running", "Running", "Succeeded"]),
    priority=st.sampled_from([0, 0, -1, 5]),
)
PROMISED = st.builds(lambda pod: altered(pod, node=None, nominated_node="n1"), PODS)
UNDER_WAY = st.builds(
    lambda gpus, node: as_assumed(
        replace(a_request(gpus=gpus), name=f"on-{node}"), node, frozenset({node} - {""})
    ),
    st.integers(0, 2),
    st.sampled_from([*NAMES, ""]),
)
WAITERS = st.lists(
    st.builds(
        lambda gpus, cpu, node: Waiter(("jhub", "w"), 0.0, a_request(gpus=gpus, cpu=cpu), node),
        st.integers(0, 3),
        st.sampled_from([0, 64]),
        st.sampled_from([*NAMES, ""]),
    ),
    max_size=2,
).map(tuple)
QUOTAS = st.sampled_from([None, (), (a_quota(gpus=0),), (a_quota(gpus=3),), (a_quota(cpu=7),)])
HISTORIES = st.lists(st.lists(NODES | PODS | PROMISED | UNDER_WAY, max_size=6), max_size=4)
NOTHING_FREE = {Standing.BUSY, Standing.NEVER, Standing.CAN_START_NODE, Standing.EVICTS}


def views(
    history: Iterable[Iterable[Any]], quotas: Iterable[ResourceQuota] | None, ahead: Any
) -> Iterable[View]:
    """The cluster after each step of a history, by verdicts that are kept all along."""
    index, standing = ClusterIndex(), StandingVerdicts()
    if quotas is not None:
        index.objects.table("quotas").replace(quotas)
    for changes in history:
        for change in changes:
            if isinstance(change, Node):
                index.put_node(change)
            elif isinstance(change, Pod):
                index.put_pod(change)
            else:
                index.assume(change)
        yield View(index.snapshot(), LIVE, standing.verdict, ahead=ahead)


def devices_for(offer: Offer, snapshot: Snapshot) -> int:
    """The capacity of the nodes that are for it, told from what was drawn."""
    wanted = {"gpu": "a100"} if offer.accelerator else {}
    return sum(
        max(state.node.capacity[GPU], state.node.allocatable[GPU])
        for state in snapshot.nodes.values()
        if wanted.items() <= state.node.labels.items() and NOT_FOR_IT not in state.node.taints
    )


def drafted(catalog: Catalog, view: View) -> list[tuple[Offer, Situation]]:
    """Drafts that are the same objects for the same catalog, as a hub's forms have them."""
    situation = replace(a_situation(catalog), view=view)
    known = DRAFTS.setdefault(id(catalog), tuple(drafts_in(situation)))
    return [(draft, situation) for draft in known]


DRAFTS: dict[int, tuple[Offer, ...]] = {}


@given(catalog=st.sampled_from([SHRUNK, GROWING]), history=HISTORIES, quotas=QUOTAS, ahead=WAITERS)
def test_units_are_sound(
    catalog: Catalog, history: list[list[Any]], quotas: Any, ahead: tuple[Waiter, ...]
) -> None:
    for view in views(history, quotas, ahead):
        for draft, situation in drafted(catalog, view):
            offer = judged(draft, situation)
            units = units_of(offer)
            fresh = judged(draft, replace(situation, view=replace(view, verdict_on=judge)))
            assert units == units_of(fresh)
            if units is not None:
                check(offer, units, view.snapshot)
            elif quotas is not None:
                assert offer.standing is Standing.UNKNOWN


def check(offer: Offer, units: Units, snapshot: Snapshot) -> None:
    assert offer.standing is not Standing.UNKNOWN
    assert min(units.free, units.used, units.unusable) >= 0
    assert offer.plan is not None
    asked = offer.plan.request.requests.get(GPU, 0)
    if asked:
        assert units.total == devices_for(offer, snapshot)
    elif offer.verdict is not None:
        assert units.total == offer.verdict.slots_if_empty
    if offer.standing is Standing.FREE:
        assert units.free >= max(1, asked)
    if offer.standing in NOTHING_FREE:
        assert units.free == 0


@given(history=HISTORIES)
def test_a_pod_that_ends_leaves_no_more_in_use_than_before(history: list[list[Any]]) -> None:
    """And there are as many units as there were."""
    *_, view = [a_view(), *views(history, (), ())]
    for state in view.snapshot.nodes.values():
        for pod in state.pods:
            left = [one for other in view.snapshot.nodes.values() for one in other.pods]
            left.remove(pod)
            nodes = [other.node for other in view.snapshot.nodes.values()]
            for draft, situation in drafted(SHRUNK, a_view(*nodes, *left)):
                after = units_of(judged(draft, situation))
                before = units_of(judged(draft, replace(situation, view=view)))
                if before is not None and after is not None:
                    assert after.total == before.total
                    assert after.used <= before.used
