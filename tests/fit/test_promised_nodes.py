"""The nodes by which a pool may still grow are promised once, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import (
    AutoscalerStatus,
    Node,
    NodeGroup,
    PodAffinityTerm,
    PodRequest,
    Taint,
)
from gpuspawner.fit import NodeTemplate, StandingVerdicts, growths, judge, likely_node
from gpuspawner.fit.certainty import fits_somewhere, fits_wherever, open_nodes

from ..builders import TABLES, a_node, a_request, altered
from ..storage_builders import ZONE, a_bound_claim, a_volume, in_zones

NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoSchedule")
SINGLE: dict[str, Any] = {"gpus": 1}
DUAL: dict[str, Any] = {"gpus": 2}


def a_template(name: str = "a", gpus: int = 2, most: int | None = 1, **fields: Any) -> NodeTemplate:
    node = replace(a_node(f"a new node of {name}", gpus=gpus, **fields), labels={"pool": name})
    return NodeTemplate(name, node, most)


def a_member(number: int, template: NodeTemplate, **fields: Any) -> Node:
    """A node of a pool, as its template says but for `fields`."""
    return replace(template.node, name=f"{template.pool}-{number}", **fields)


def a_server(number: int, pool: str = "", **asks: Any) -> PodRequest:
    selector = {"pool": pool} if pool else {}
    return replace(a_request(node_selector=selector, **asks), name=f"server-{number}")


def an_index(*nodes: Node) -> ClusterIndex:
    index = ClusterIndex()
    index.replace_nodes(nodes)
    index.objects.table("quotas").replace(())
    return index


def let_through(index: ClusterIndex, request: PodRequest, templates: Sequence[NodeTemplate]) -> str:
    """What becomes of a start, as `gpuspawner.offers` and `gpuspawner.judging` have it."""
    snapshot, verdict_on = index.snapshot(), StandingVerdicts().verdict
    verdict = judge(request, snapshot)
    grown = [growth for growth in growths(request, snapshot, templates) if not growth.hindrance]
    if verdict.fits or (grown and fits_somewhere(request, snapshot, verdict_on, templates)):
        if not fits_wherever(request, snapshot, verdict, verdict_on, templates):
            return "open"
        nodes = open_nodes(request, snapshot, verdict)
        index.assume(as_assumed(request, likely_node(verdict), nodes))
        return "free" if verdict.fits else "new node"
    return "open" if fits_somewhere(request, snapshot, verdict_on) else "busy"


def answers(
    index: ClusterIndex, templates: Sequence[NodeTemplate], *asks: dict[str, Any]
) -> list[str]:
    return [let_through(index, a_server(n, **what), templates) for n, what in enumerate(asks)]


@pytest.mark.parametrize(
    ("templates", "asks", "expected"),
    [
        pytest.param(
            [a_template(gpus=1)],
            [SINGLE] * 3,
            ["new node", "busy", "busy"],
            id="one node of one GPU for three",
        ),
        pytest.param(
            [a_template(gpus=2)],
            [SINGLE] * 3,
            ["new node", "new node", "busy"],
            id="two singles go on one node of two GPUs",
        ),
        pytest.param(
            [a_template(gpus=2)], [SINGLE, DUAL], ["new node", "busy"], id="a single spoils a dual"
        ),
        pytest.param(
            [a_template(gpus=2, most=2)],
            [DUAL, SINGLE, SINGLE],
            ["new node", "new node", "open"],
            id="two singles might take a node each, of which a dual needs one whole",
        ),
        pytest.param(
            [a_template(gpus=2, most=3)],
            [SINGLE] * 7,
            ["new node"] * 6 + ["busy"],
            id="as many as three nodes take",
        ),
        pytest.param(
            [a_template(most=None)], [DUAL] * 9, ["new node"] * 9, id="a pool without a limit"
        ),
        pytest.param(
            [a_template("a", most=1), a_template("b", most=1)],
            [DUAL] * 3,
            ["new node", "new node", "busy"],
            id="two pools",
        ),
        pytest.param(
            [a_template("a", most=1), a_template("b", most=1)],
            [DUAL, {"gpus": 2, "pool": "a"}],
            ["new node", "open"],
            id="whoever may go to both pools may take the only one",
        ),
        pytest.param(
            [a_template("a", most=1), a_template("b", most=1)],
            [{"gpus": 2, "pool": "b"}, {"gpus": 2, "pool": "a"}],
            ["new node", "new node"],
            id="each has its own pool",
        ),
    ],
)
def test_nodes_to_come_are_promised_once(
    templates: list[NodeTemplate], asks: list[dict[str, Any]], expected: list[str]
) -> None:
    assert answers(an_index(), templates, *asks) == expected


POOL = a_template()


@pytest.mark.parametrize(
    ("node", "asks", "expected"),
    [
        pytest.param({}, SINGLE, "open", id="it is there, and a single would spoil it"),
        pytest.param({"taints": (NOT_READY,)}, SINGLE, "busy", id="it is not ready"),
        pytest.param({"allocatable": {}}, SINGLE, "busy", id="its devices are not there yet"),
        pytest.param({}, {"cpu": 1}, "free", id="what takes no GPU is not in the way"),
    ],
)
def test_a_node_that_was_started_for_one_is_not_given_to_another(
    node: dict[str, Any], asks: dict[str, Any], expected: str
) -> None:
    index = an_index()
    assert answers(index, [POOL], DUAL) == ["new node"]
    index.put_node(a_member(1, POOL, **node))
    assert let_through(index, a_server(9, **asks), [POOL]) == expected


def test_once_it_has_taken_the_node_the_rest_of_it_is_free() -> None:
    pool = a_template(gpus=3)
    index = an_index()
    assert answers(index, [pool], DUAL) == ["new node"]
    [waiting] = index.snapshot().assumed
    index.put_node(a_member(1, pool))
    assert let_through(index, a_server(8, **DUAL), [pool]) == "open"
    index.put_pod(altered(waiting.pod, uid="u", node="a-1"))
    assert let_through(index, a_server(9, **SINGLE), [pool]) == "free"


def test_who_waits_for_a_node_is_not_in_the_way_of_who_has_room_now() -> None:
    """One GPU is left on a node that is there: the dual cannot use it, and a single has it."""
    index = an_index(a_node("n1", gpus=1))
    assert answers(index, [POOL], DUAL, SINGLE, SINGLE) == ["new node", "free", "busy"]


def test_nor_of_who_has_room_where_its_volume_cannot_be_used() -> None:
    pool, zonal = a_template(most=1), in_zones("b")
    index = an_index(a_node("n1", gpus=2, labels={ZONE: "a"}))
    claim, volume = a_bound_claim(), a_volume(affinity=zonal, claim=("jhub", "home", ""))
    stored: dict[str, list[Any]] = {"claims": [claim], "volumes": [volume]}
    for table in TABLES.values():
        index.objects.table(table).replace(stored.get(table, ()))
    at_home = replace(a_server(8, **DUAL), claims=("home",))
    in_zone = [replace(pool, node=replace(pool.node, labels={"pool": "a", ZONE: "b"}))]
    assert let_through(index, at_home, in_zone) == "new node"
    assert let_through(index, a_server(9, **SINGLE), in_zone) == "free"


def test_who_was_let_through_without_an_answer_may_go_wherever_there_is_room() -> None:
    index = an_index(a_node("n1", gpus=1))
    index.assume(as_assumed(replace(a_server(8, **SINGLE), unchecked=("x",)), ""))
    assert let_through(index, a_server(9, **SINGLE), []) == "open"


def test_nor_of_who_needs_nothing_of_what_it_waits_for() -> None:
    index = an_index(a_node("n1", cpu=4, pods=2))
    assert answers(index, [a_template(most=1)], DUAL, {"cpu": 4}) == ["new node", "free"]


def test_where_a_node_may_yet_come_up_it_is_open_and_not_busy() -> None:
    """The single may go to the first node, once that is ready, or take the second."""
    pool = a_template(gpus=1, most=2)
    index = an_index()
    assert answers(index, [pool], SINGLE) == ["new node"]
    index.put_node(a_member(1, pool, taints=(NOT_READY,)))
    assert let_through(index, a_server(9, **SINGLE), [pool]) == "open"


def test_who_may_go_elsewhere_too_keeps_off_the_node_that_comes_up_for_another() -> None:
    pools = [a_template("a", gpus=1), a_template("b", gpus=1)]
    index = an_index()
    assert answers(index, pools, {"gpus": 1, "pool": "a"}) == ["new node"]
    index.put_node(a_member(1, pools[0], taints=(NOT_READY,)))
    assert let_through(index, a_server(8, **SINGLE), pools) == "open"
    assert let_through(index, a_server(9, "b", **SINGLE), pools) == "new node"


def test_a_pool_that_cannot_grow_now_is_not_counted_on_and_yet_may_help() -> None:
    """The first may be given the last node of the one, or one of the other once that recovers."""
    groups = {"g": NodeGroup(is_backing_off=True)}
    index = an_index()
    status = AutoscalerStatus("kube-system", "cluster-autoscaler-status", "u", groups)
    index.objects.table("autoscaler").replace((status,))
    pools = [replace(a_template("a", most=2), group="g"), a_template("b", most=1)]
    assert answers(index, pools, DUAL, DUAL) == ["new node", "open"]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param([], ["new node", "new node", "open"], id="all of them wait for one"),
        pytest.param(
            [a_node("n1", gpus=1)], ["free", "open", "open"], id="one has a place on its way"
        ),
    ],
)
def test_a_node_of_its_own_is_enough_for_pods_that_keep_apart(
    nodes: list[Node], expected: list[str]
) -> None:
    apart = (PodAffinityTerm("kubernetes.io/hostname", None, ("jhub",)),)
    index, pool = an_index(*nodes), a_template(most=2)
    found = [
        let_through(index, replace(a_server(n, gpus=1), pod_anti_affinity=apart), [pool])
        for n in range(3)
    ]
    assert found == expected


def test_without_others_nothing_is_promised_away() -> None:
    request, snapshot = a_server(0, **DUAL), an_index().snapshot()
    assert fits_somewhere(request, snapshot, judge, [POOL])
    assert not fits_somewhere(request, snapshot, judge)


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        pytest.param((), ["new node", "open"], id="who waits keeps a whole node"),
        pytest.param(("queue",), ["new node", "new node"], id="who is held back keeps none"),
    ],
)
def test_two_singles_leave_a_dual_a_node(gates: tuple[str, ...], expected: list[str]) -> None:
    index = an_index()
    index.assume(as_assumed(replace(a_server(9, **DUAL), gates=gates), ""))
    assert answers(index, [a_template(most=2)], SINGLE, SINGLE) == expected


KINDS: tuple[dict[str, Any], ...] = (
    {"gpus": 1, "cpu": 2},
    {"gpus": 2, "cpu": 4},
    {"gpus": 1, "cpu": 2, "pool": "a"},
    {"gpus": 2, "cpu": 2, "pool": "b"},
    {"cpu": 4},
)
SHAPES = st.tuples(st.integers(1, 3), st.integers(4, 12), st.integers(0, 3))
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.integers(0, len(KINDS) - 1)),
        st.tuples(st.sampled_from(["grow", "ready", "bind", "fail", "end"]), st.integers(0, 99)),
    ),
    max_size=30,
)


@dataclass
class World:
    """A scheduler that places pods as it likes, and an autoscaler that starts nodes as it likes.

    Both keep to what each does: who fits on a node that is there is on one before anything
    else is, and a new node is started only for one that fits nowhere.
    """

    templates: list[NodeTemplate]
    random: Any
    index: ClusterIndex = field(default_factory=an_index)
    grown: dict[str, int] = field(default_factory=dict)

    @property
    def bound(self) -> Snapshot:
        """What the scheduler knows: no promises."""
        snapshot, known = self.index.snapshot(), an_index()
        promised = {one.pod.name for one in snapshot.assumed}
        known.replace_nodes(state.node for state in snapshot.nodes.values())
        known.replace_pods(
            pod
            for state in snapshot.nodes.values()
            for pod in state.pods
            if pod.name not in promised
        )
        return known.snapshot()

    def bind(self, number: int) -> bool:
        """Place one of those that fit somewhere."""
        known = self.bound
        places = [
            (one, nodes)
            for one in self.index.snapshot().assumed
            if (nodes := sorted(judge(one.request, known).nodes))
        ]
        if places:
            one, nodes = places[number % len(places)]
            pod = altered(one.pod, uid=f"uid-{one.pod.name}", node=self.random.choice(nodes))
            self.index.put_pod(pod)
        return bool(places)

    def settle(self) -> None:
        while self.bind(self.random.randrange(99)):
            """One after another."""

    def grow(self, number: int) -> bool:
        """Start a node for one that waits."""
        self.settle()
        pools = [
            template
            for template in self.templates
            if self.grown.get(template.pool, 0) < (template.most or 0)
            and any(
                growths(one.request, an_index().snapshot(), [template])
                for one in self.index.snapshot().assumed
            )
        ]
        if pools:
            template = pools[number % len(pools)]
            at = self.grown[template.pool] = self.grown.get(template.pool, 0) + 1
            self.index.put_node(a_member(at, template, taints=(NOT_READY,)))
        return bool(pools)

    def make_ready(self, number: int) -> bool:
        self.settle()
        nodes = [state.node for state in self.index.snapshot().nodes.values() if state.node.taints]
        if nodes:
            self.index.put_node(replace(nodes[number % len(nodes)], taints=()))
        return bool(nodes)

    def fail(self, number: int) -> None:
        if waiting := self.index.snapshot().assumed:
            pod = waiting[number % len(waiting)].pod
            self.index.forget_assumed(pod.namespace, pod.name)

    def end(self, number: int) -> None:
        self.settle()
        if pods := [pod for state in self.bound.nodes.values() for pod in state.pods]:
            pod = pods[number % len(pods)]
            self.index.drop_pod(pod.namespace, pod.name, pod.uid)

    def finish(self) -> None:
        """Let everything come that can come."""
        while self.index.snapshot().assumed:
            self.settle()
            waiting = self.index.snapshot().assumed
            moved = not waiting or self.make_ready(0) or self.grow(self.random.randrange(99))
            assert moved, f"{[one.pod.name for one in waiting]} were promised what is not there"


@settings(max_examples=150, deadline=None)
@given(
    SHAPES,
    SHAPES,
    st.lists(st.tuples(st.integers(0, 3), st.integers(2, 8)), max_size=2),
    ACTIONS,
    st.randoms(use_true_random=False),
)
def test_every_promise_is_kept_wherever_pods_and_nodes_come_up(
    one: tuple[int, int, int],
    other: tuple[int, int, int],
    there: list[tuple[int, int]],
    actions: list[tuple[str, int]],
    random: Any,
) -> None:
    templates = [
        a_template(name, gpus=gpus, cpu=cpu, most=most)
        for name, (gpus, cpu, most) in zip("ab", (one, other), strict=True)
    ]
    world = World(templates, random)
    for number, (gpus, cpu) in enumerate(there):
        world.index.put_node(a_node(f"n{number}", gpus=gpus, cpu=cpu))
    steps: dict[str, Callable[[int], object]]
    steps = {"grow": world.grow, "ready": world.make_ready, "bind": world.bind}
    steps |= {"fail": world.fail, "end": world.end}
    for step, (action, number) in enumerate(actions):
        if action == "start":
            let_through(world.index, a_server(step, **KINDS[number]), templates)
        else:
            steps[action](number)
    world.finish()


@given(st.integers(1, 4), st.integers(0, 4), st.integers(0, 20), st.integers(1, 2))
def test_of_one_kind_no_more_and_no_fewer_are_promised_than_go_into_all_nodes(
    gpus: int, most: int, number: int, asked: int
) -> None:
    found = answers(an_index(), [a_template(gpus=gpus, most=most)], *[{"gpus": asked}] * number)
    promised = found.count("new node")
    assert promised == min(number, gpus // asked * most)
    assert found[promised:] == ["busy"] * (number - promised)
