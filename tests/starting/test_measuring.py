"""What one start tells of how long nodes and images take."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.starting.heard import hear
from gpuspawner.starting.measured import Measured, key_of_pool
from gpuspawner.starting.measuring import (
    Ground,
    node_seconds,
    pull_of,
    pulling,
    seconds_in,
    with_start,
)

from .pods import IMAGE, a_pod, a_time, an_event, of_init, of_notebook

AUTOSCALER, KARPENTER, SCHEDULER = "cluster-autoscaler", "karpenter", "default-scheduler"
MADE, CALLED, CAME, PLACED = 600, 570, 90, 60
"""Seconds ago: the pod was made, a node was called for, its object was made, the pod was bound."""
NEW = Ground(a_time(CAME))
OLD = Ground(a_time(86_400))


def bound(placed: float = PLACED) -> dict[str, Any]:
    scheduled = {"status": "True", "lastTransitionTime": a_time(placed)}
    return a_pod(
        node="n1",
        conditions={"PodScheduled": scheduled},
        metadata={"creationTimestamp": a_time(MADE)},
    )


def triggered(ago: float = CALLED) -> dict[str, Any]:
    text = "pod triggered scale-up: [{gpu-a 0->1 (max: 3)} {gpu-b 1->2 (max: 3)}]"
    return an_event("TriggeredScaleUp", text, ago=ago, source=AUTOSCALER)


def nominated(text: str, ago: float = CALLED) -> dict[str, Any]:
    return an_event("Nominated", f"Pod should schedule on: {text}", ago=ago, source=KARPENTER)


@pytest.mark.parametrize(
    ("text", "pull"),
    [
        pytest.param(
            f'Successfully pulled image "{IMAGE}" in 1m2.3s (1m5s including waiting). Image size: '
            "6482812345 bytes.",
            (IMAGE, 65.0),
            id="with the wait for others, since which the page counts",
        ),
        pytest.param(
            f'Successfully pulled image "{IMAGE}" in 1h2m49.18401355s',
            (IMAGE, 3769.18401355),
            id="in an older version's words",
        ),
        pytest.param(
            f'Successfully pulled image "{IMAGE}" in 850ms (851ms including waiting)',
            (IMAGE, 0.851),
            id="at once",
        ),
        pytest.param(
            f'Container image "{IMAGE}" already present on machine', None, id="it was there"
        ),
        pytest.param(
            f'Container image "{IMAGE}" already present on machine and can be accessed by the pod',
            None,
            id="it was there, in a newer version's words",
        ),
        pytest.param(f'Successfully pulled image "{IMAGE}"', None, id="no duration"),
        pytest.param(f'Successfully pulled image "{IMAGE}" in no time', None, id="other words"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_what_the_kubelet_says_of_a_pull(text: str, pull: tuple[str, float] | None) -> None:
    found = pull_of(text)
    assert (found is None) == (pull is None)
    if found is not None and pull is not None:
        assert found[0] == pull[0]
        assert found[1] == pytest.approx(pull[1])


def test_the_image_that_is_being_pulled() -> None:
    assert pulling(f'Pulling image "{IMAGE}"') == IMAGE
    assert pulling("Pulling something") == ""


@given(st.integers(0, 10**14))
def test_a_duration_is_read_as_go_writes_it(nanoseconds: int) -> None:
    hours, rest = divmod(nanoseconds, 3600 * 10**9)
    minutes, rest = divmod(rest, 60 * 10**9)
    text = f"{hours}h{minutes}m{rest // 10**9}.{rest % 10**9:09d}s"
    assert seconds_in(text) == pytest.approx(nanoseconds / 1e9)


@pytest.mark.parametrize(
    ("events", "ground", "is_promised", "seconds"),
    [
        pytest.param(
            [triggered()], NEW, False, CALLED - PLACED, id="from the autoscaler's word to the place"
        ),
        pytest.param(
            [nominated("nodeclaim/default-cvkcv")],
            NEW,
            False,
            CALLED - PLACED,
            id="from Karpenter's word",
        ),
        pytest.param(
            [nominated("node/ip-10-1-2-3.ec2.internal")],
            NEW,
            False,
            None,
            id="Karpenter had chosen one that was on its way for others",
        ),
        pytest.param(
            [triggered()], OLD, False, None, id="a place came free on a node that was there"
        ),
        pytest.param(
            [triggered()],
            Ground(a_time(MADE)),
            False,
            None,
            id="a node of the same second may have been there first",
        ),
        pytest.param([triggered()], None, False, None, id="nothing is known of the node"),
        pytest.param([triggered()], Ground(""), False, None, id="a node of no age"),
        pytest.param([], NEW, False, None, id="nobody called for a node"),
        pytest.param(
            [], NEW, True, MADE - PLACED, id="it was to get a node, so from its creation on"
        ),
        pytest.param([], OLD, True, None, id="it was to get a node, and found an old one"),
        pytest.param(
            [triggered()], NEW, True, CALLED - PLACED, id="the autoscaler knows when it began"
        ),
        pytest.param(
            [
                triggered(580),
                an_event("NotTriggerScaleUp", "1 max limit reached", ago=500, source=AUTOSCALER),
                triggered(400),
            ],
            NEW,
            False,
            400 - PLACED,
            id="the first attempt failed",
        ),
        pytest.param(
            [triggered(580), triggered(400)],
            NEW,
            False,
            580 - PLACED,
            id="it is waited for since the first word",
        ),
    ],
)
def test_how_long_a_node_took(
    events: list[dict[str, Any]], ground: Ground | None, is_promised: bool, seconds: float | None
) -> None:
    pod = bound()
    heard = hear(pod, events)
    assert node_seconds(pod, heard, ground, is_node_promised=is_promised) == seconds


def test_the_schedulers_word_serves_where_the_pod_has_no_condition() -> None:
    pod = a_pod(node="n1", metadata={"creationTimestamp": a_time(MADE)})
    placed = an_event("Scheduled", "Successfully assigned", ago=PLACED, source=SCHEDULER)
    assert node_seconds(pod, hear(pod, [triggered(), placed]), NEW) == CALLED - PLACED
    assert node_seconds(pod, hear(pod, [triggered()]), NEW) is None


def test_all_that_a_start_tells_is_kept() -> None:
    events = [
        triggered(),
        of_init("Pulled", 'Successfully pulled image "tools:1" in 5s (7s including waiting)'),
        of_notebook("Pulled", f'Successfully pulled image "{IMAGE}" in 4m0s'),
        an_event("Pulled", 'Successfully pulled image "other:1" in 9s', uid="u-0"),
    ]
    ground = Ground(NEW.created, "the A100 pool")
    measured = with_start(Measured(), bound(), events, ground)
    assert measured.images.lasts == {"tools:1": (7,), IMAGE: (240,)}
    took = (float(CALLED - PLACED),)
    assert measured.nodes.lasts == {
        "gpu-a": took,
        "gpu-b": took,
        key_of_pool("the A100 pool"): took,
    }


@pytest.mark.parametrize(
    ("pod", "events", "ground"),
    [
        pytest.param({}, [], None, id="no pod"),
        pytest.param(
            bound(), [of_notebook("Pulled", "already present")], OLD, id="all was there already"
        ),
        pytest.param(bound(CALLED + 5), [triggered()], NEW, id="it was placed before the call"),
        pytest.param(
            {"metadata": None, "spec": None, "status": None}, [triggered()], NEW, id="junk"
        ),
    ],
)
def test_a_start_that_tells_nothing(
    pod: dict[str, Any], events: list[dict[str, Any]], ground: Ground | None
) -> None:
    assert with_start(Measured(), pod, events, ground, is_node_promised=False) == Measured()


def test_a_start_tells_nothing_of_a_pool_that_nobody_names() -> None:
    assert with_start(Measured(), bound(), [], NEW, is_node_promised=True) == Measured()
