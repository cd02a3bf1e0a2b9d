"""The index: which pods count on which node, whatever the order in which things are heard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import Node, Pod, PodAffinityTerm
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.repelling import ANYWHERE, Repeller, Repelling

from ..builders import altered

GPU = "nvidia.com/gpu"
APART = (PodAffinityTerm("zone", ()),)
FAR = (PodAffinityTerm("zone", (), namespaces=("team", "other")),)
FAR_FROM_ALL = (PodAffinityTerm("zone", (), namespace_selector=()),)


def a_node(name: str = "n1", uid: str = "N1", gpus: int = 4) -> Node:
    return Node(name, uid, {}, (), unschedulable=False, allocatable={GPU: gpus}, capacity={})


def a_pod(
    name: str = "p1",
    uid: str = "P1",
    node: str | None = "n1",
    gpus: int = 1,
    phase: str = "Running",
    *,
    terminating: bool = False,
    anti_affinity: tuple[PodAffinityTerm, ...] = (),
) -> Pod:
    return Pod(
        uid, "team", name, node, {GPU: gpus}, terminating, phase, 0, anti_affinity=anti_affinity
    )


Step = Callable[[ClusterIndex], None]


def put(thing: Node | Pod) -> Step:
    if isinstance(thing, Node):
        return lambda index: index.put_node(thing)
    return lambda index: index.put_pod(thing)


def drop(thing: Node | Pod) -> Step:
    if isinstance(thing, Node):
        return lambda index: index.drop_node(thing.name, thing.uid)
    return lambda index: index.drop_pod(thing.namespace, thing.name, thing.uid)


def after(*steps: Step) -> ClusterIndex:
    index = ClusterIndex()
    for step in steps:
        step(index)
    return index


@pytest.mark.parametrize(
    ("steps", "gpus", "pods"),
    [
        pytest.param([put(a_node())], None, 0, id="an empty node requests nothing"),
        pytest.param([put(a_node()), put(a_pod())], 1, 1, id="a bound pod counts"),
        pytest.param(
            [put(a_pod()), put(a_node())], 1, 1, id="a pod may be heard of before its node"
        ),
        pytest.param(
            [put(a_node()), put(a_pod(phase="Pending"))], 1, 1, id="bound but not started counts"
        ),
        pytest.param(
            [put(a_node()), put(a_pod(terminating=True))], 1, 1, id="a terminating pod counts"
        ),
        pytest.param(
            [put(a_node()), put(a_pod(node=None, phase="Pending"))],
            None,
            0,
            id="a pod without a node holds nothing",
        ),
        pytest.param(
            [put(a_node()), put(a_pod()), put(a_pod(phase="Succeeded"))],
            None,
            0,
            id="a pod that succeeds frees what it held",
        ),
        pytest.param(
            [put(a_node()), put(a_pod()), put(a_pod(phase="Failed"))],
            None,
            0,
            id="a pod that fails frees what it held",
        ),
        pytest.param(
            [put(a_node()), put(a_pod(gpus=1)), put(a_pod(gpus=3))],
            3,
            1,
            id="a pod resized in place counts with its new size",
        ),
        pytest.param(
            [put(a_node()), put(a_pod()), put(a_pod())], 1, 1, id="the same pod twice counts once"
        ),
        pytest.param(
            [put(a_node()), put(a_pod()), put(a_pod(uid="P2", gpus=2))],
            2,
            1,
            id="a new uid under the same name replaces the old pod",
        ),
        pytest.param(
            [put(a_node()), put(a_pod(uid="P2")), drop(a_pod(uid="P1"))],
            1,
            1,
            id="a late drop of the old pod leaves the new one",
        ),
        pytest.param(
            [put(a_node()), put(a_pod()), drop(a_pod()), drop(a_pod())],
            None,
            0,
            id="a pod dropped twice is gone once",
        ),
        pytest.param(
            [put(a_node()), put(a_pod(gpus=0))], None, 1, id="a pod that requests zero takes a slot"
        ),
        pytest.param(
            [put(a_node()), put(a_pod()), drop(a_node()), put(a_node(uid="N2"))],
            1,
            1,
            id="a node that comes back under a new uid still has its pods",
        ),
        pytest.param(
            [put(a_node(uid="N2")), drop(a_node(uid="N1"))],
            None,
            0,
            id="a late drop of the old node leaves the new one",
        ),
        pytest.param(
            [put(a_node()), put(a_pod()), lambda index: index.replace_pods([a_pod("p2", "P2")])],
            1,
            1,
            id="a full list of pods removes the pods that are not in it",
        ),
    ],
)
def test_what_a_node_holds(steps: list[Step], gpus: int | None, pods: int) -> None:
    state = after(*steps).snapshot().nodes["n1"]
    assert state.requested.get(GPU) == gpus
    assert state.pod_count == pods


def test_a_full_list_of_nodes_removes_the_nodes_that_are_not_in_it() -> None:
    index = after(put(a_node("n1")), put(a_node("n2", "N2")))
    index.snapshot()
    index.replace_nodes([a_node("n2", "N2")])
    assert set(index.snapshot().nodes) == {"n2"}


def test_a_snapshot_does_not_change_when_the_index_does() -> None:
    index = after(put(a_node()), put(a_pod()))
    before = index.snapshot()
    index.put_pod(a_pod("p2", "P2", gpus=2))
    index.put_node(a_node("n2", "N2"))
    assert dict(before.nodes) == {"n1": NodeState(a_node(), {GPU: 1}, 1, (a_pod(),))}


def test_a_snapshot_cannot_be_written_to() -> None:
    snapshot = after(put(a_node()), put(a_pod())).snapshot()
    with pytest.raises(TypeError):
        snapshot.nodes["n2"] = snapshot.nodes["n1"]  # type: ignore[index]
    with pytest.raises(TypeError):
        snapshot.nodes["n1"].requested[GPU] = 0  # type: ignore[index]


def test_only_the_state_of_a_changed_node_is_replaced() -> None:
    index = after(put(a_node("n1")), put(a_node("n2", "N2")))
    before = index.snapshot()
    index.put_pod(a_pod(node="n2"))
    now = index.snapshot()
    assert now.generation == before.generation + 1
    assert now.nodes["n1"] is before.nodes["n1"]
    assert now.nodes["n2"] is not before.nodes["n2"]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda _: None, id="nothing"),
        pytest.param(put(a_node()), id="a heartbeat of a node"),
        pytest.param(put(a_pod()), id="a status of a pod"),
        pytest.param(lambda index: index.replace_pods([a_pod()]), id="the same list of pods"),
        pytest.param(lambda index: index.replace_nodes([a_node()]), id="the same list of nodes"),
        pytest.param(put(a_pod("p9", "P9", node="unseen")), id="a pod on a node not yet seen"),
    ],
)
def test_the_snapshot_stays_the_same_object_after(step: Step) -> None:
    index = after(put(a_node()), put(a_pod()))
    before = index.snapshot()
    step(index)
    assert index.snapshot() is before


NODE_NAMES = st.sampled_from(["n1", "n2", "n3"])
UIDS = st.sampled_from(["u1", "u2"])
NODES = st.builds(a_node, NODE_NAMES, UIDS, st.integers(0, 8))
PODS = st.builds(
    a_pod,
    st.sampled_from(["p1", "p2", "p3", "p4"]),
    UIDS,
    st.none() | NODE_NAMES,
    st.integers(0, 8),
    st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown", ""]),
    terminating=st.booleans(),
    anti_affinity=st.sampled_from([(), (), APART, FAR]),
)
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["put", "drop"]), NODES | PODS),
    st.tuples(st.just("replace nodes"), st.lists(NODES, max_size=4)),
    st.tuples(st.just("replace pods"), st.lists(PODS, max_size=6)),
    st.tuples(st.just("look"), st.none()),
)


class Survivors:
    """The history by the plainest means: what is left when all has been said."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.pods: dict[str, Pod] = {}

    def apply(self, index: ClusterIndex, verb: str, thing: object) -> None:
        if verb == "look":
            index.snapshot()
        elif verb == "replace nodes" and isinstance(thing, list):
            index.replace_nodes(thing)
            self.nodes = {node.name: node for node in thing}
        elif verb == "replace pods" and isinstance(thing, list):
            index.replace_pods(thing)
            self.pods = {pod.name: pod for pod in thing}
        elif isinstance(thing, Node | Pod):
            self._one(index, verb, thing)

    def _one(self, index: ClusterIndex, verb: str, thing: Node | Pod) -> None:
        (put(thing) if verb == "put" else drop(thing))(index)
        held: dict[str, Node] | dict[str, Pod]
        held = self.nodes if isinstance(thing, Node) else self.pods
        if verb == "put":
            held[thing.name] = thing  # type: ignore[assignment]
        elif thing.name in held and held[thing.name].uid == thing.uid:
            del held[thing.name]


@given(st.lists(EVENTS, max_size=40))
def test_after_any_history_it_equals_an_index_built_afresh(
    history: list[tuple[str, object]],
) -> None:
    index, survivors = ClusterIndex(), Survivors()
    for verb, thing in history:
        survivors.apply(index, verb, thing)
    afresh = ClusterIndex()
    afresh.replace_nodes(survivors.nodes.values())
    afresh.replace_pods(survivors.pods.values())
    now, expected = index.snapshot(), afresh.snapshot()
    assert dict(now.nodes) == dict(expected.nodes)
    assert repelling_on(now) == repelling_on(expected)


def repelling_on(snapshot: Snapshot) -> Repelling:
    """Those on the nodes that are known."""
    found: dict[str, dict[Repeller, dict[str, int]]] = {}
    for about, repellers in snapshot.repelling.items():
        for repeller, by_node in repellers.items():
            on_known = {name: n for name, n in by_node.items() if name in snapshot.nodes}
            if on_known:
                found.setdefault(about, {})[repeller] = on_known
    return found


@pytest.mark.parametrize(
    ("terms", "about"),
    [
        pytest.param(APART, "team", id="is about pods of its own namespace"),
        pytest.param(FAR, ANYWHERE, id="with namespaces may be about others"),
        pytest.param(FAR_FROM_ALL, ANYWHERE, id="with a selector may be about others"),
    ],
)
def test_required_anti_affinity(terms: tuple[PodAffinityTerm, ...], about: str) -> None:
    pods = [a_pod(name, name, anti_affinity=terms) for name in ("p1", "p2")]
    index = after(put(a_node()), *map(put, pods))
    before = index.snapshot()
    assert before.repelling == {about: {("team", terms): {"n1": 2}}}
    index.drop_pod("team", "p1", "p1")
    assert index.snapshot().repelling == {about: {("team", terms): {"n1": 1}}}
    index.drop_pod("team", "p2", "p2")
    assert index.snapshot().repelling == {}
    assert before.repelling == {about: {("team", terms): {"n1": 2}}}


def test_pods_that_hold_nothing_repel_nobody() -> None:
    waiting = [
        a_pod(node=None, anti_affinity=APART),
        a_pod("p2", phase="Failed", anti_affinity=APART),
    ]
    assert after(put(a_node()), *map(put, waiting)).snapshot().repelling == {}


def test_of_a_full_list_only_the_nodes_that_differ_are_replaced() -> None:
    index = after(put(a_node("n1")), put(a_node("n2", "N2")), put(a_pod()))
    before = index.snapshot()
    table = index.pod_table()
    for pod in (a_pod(), a_pod("p2", "P2", "n2")):
        table.put(pod)
    index.adopt_pods(table)
    now = index.snapshot()
    assert now.changed == {"n2"}
    assert now.nodes["n1"] is before.nodes["n1"]


def test_the_pods_of_a_node_in_one_namespace() -> None:
    names = {"a": ["x"], "b": ["x", "y", "z"], "c": []}
    pods = [altered(a_pod(name), namespace=where) for where in names for name in names[where]]
    state = after(put(a_node()), *map(put, pods)).snapshot().nodes["n1"]
    assert {where: [pod.name for pod in state.pods_in(where)] for where in names} == names
