"""How far a start is, from the pod and its events."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.starting.heard import hear
from gpuspawner.starting.steps import Standing, Step, current_step, steps_up_to

from .pods import a_pod, an_event, of_init, of_notebook, unscheduled

RUNNING = {"running": {"startedAt": "2026-07-01T12:00:00Z"}}


@pytest.mark.parametrize(
    ("pod", "events", "step"),
    [
        pytest.param({}, [], Step.ADMITTED, id="there is no pod yet"),
        pytest.param(
            a_pod(metadata={"deletionTimestamp": "2026-07-01T11:59:00Z"}, node="n1"),
            [],
            Step.ADMITTED,
            id="the pod there is ends: it is that of the server before",
        ),
        pytest.param(a_pod(), [], Step.SCHEDULED, id="a pod has no node"),
        pytest.param({"metadata": {}, "status": None}, [], Step.SCHEDULED, id="it has no status"),
        pytest.param(unscheduled("0/1 nodes"), [], Step.SCHEDULED, id="it cannot be scheduled"),
        pytest.param(a_pod(node="n1"), [], Step.VOLUMES, id="it has a node"),
        pytest.param(
            a_pod(conditions={"PodScheduled": "True"}), [], Step.VOLUMES, id="it is scheduled"
        ),
        pytest.param(
            a_pod(), [an_event("Scheduled")], Step.VOLUMES, id="the scheduler says that it is"
        ),
        pytest.param(
            a_pod(),
            [an_event("Scheduled", uid="u-0"), an_event("Pulled", uid="u-0")],
            Step.SCHEDULED,
            id="what was said of a pod of the same name before does not count",
        ),
        pytest.param(
            a_pod(),
            [an_event("Scheduled", uid=None)],
            Step.VOLUMES,
            id="an event that names no uid counts",
        ),
        pytest.param(
            a_pod(node="n1", conditions={"PodReadyToStartContainers": "False"}),
            [],
            Step.VOLUMES,
            id="its sandbox is not there",
        ),
        pytest.param(
            a_pod(node="n1", conditions={"PodReadyToStartContainers": "True"}),
            [],
            Step.IMAGE,
            id="its sandbox is there",
        ),
        pytest.param(
            a_pod(node="n1"), [of_notebook("Pulling")], Step.IMAGE, id="its image is being pulled"
        ),
        pytest.param(
            a_pod(node="n1"),
            [of_init("Pulled"), of_init("Created"), of_init("Started")],
            Step.IMAGE,
            id="an init container has run: the notebook's image comes after it",
        ),
        pytest.param(
            a_pod(node="n1"), [of_notebook("Pulled")], Step.CONTAINER, id="its image is there"
        ),
        pytest.param(
            a_pod(node="n1"),
            [an_event("Pulled")],
            Step.CONTAINER,
            id="its image is there, said of no container",
        ),
        pytest.param(
            a_pod(node="n1", state={"waiting": {"reason": "ContainerCreating"}}),
            [of_notebook("Created")],
            Step.CONTAINER,
            id="its container is made",
        ),
        pytest.param(
            a_pod(node="n1"), [of_notebook("Started")], Step.NOTEBOOK, id="its container started"
        ),
        pytest.param(
            a_pod(node="n1", state=RUNNING),
            [],
            Step.NOTEBOOK,
            id="it runs, and events are not watched",
        ),
        pytest.param(
            a_pod(
                node="n1",
                spec={"nodeName": "n1", "containers": [{"name": "lab"}, {"name": "sidecar"}]},
                status={"containerStatuses": [{"name": "sidecar", "state": RUNNING}]},
            ),
            [],
            Step.VOLUMES,
            id="a container beside the notebook runs",
        ),
    ],
)
def test_the_step_under_way(pod: dict[str, Any], events: list[dict[str, Any]], step: Step) -> None:
    assert current_step(pod, hear(pod, events)) is step


@pytest.mark.parametrize("current", list(Step))
def test_all_before_the_current_step_is_done_and_all_after_it_is_to_come(current: Step) -> None:
    steps = steps_up_to(current)
    assert [now.step for now in steps] == list(Step)
    at = list(Step).index(current)
    assert [now.standing for now in steps] == (
        [Standing.DONE] * at + [Standing.CURRENT] + [Standing.TO_COME] * (5 - at)
    )


def test_every_step_has_words_of_its_own() -> None:
    assert len({step.in_words for step in Step}) == len(Step)
