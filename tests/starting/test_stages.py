"""All that is told of a start at one moment, from raw pods and events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.starting.measured import Durations, Measured, Usual
from gpuspawner.starting.stages import MOST_LINES, Stage, as_event, stage_of
from gpuspawner.starting.steps import Standing, Step

from .pods import IMAGE, NOW, a_pod, a_time, an_event, of_init, of_notebook, unscheduled

PLACED = a_pod(node="n1")
UP = a_pod(node="n1", conditions={"PodReadyToStartContainers": "True"})
ATTACHING = "Your server has a place on a node. Its storage is being attached."
IN_USE = (
    "Its storage is still attached to another node and cannot be used on two at once. It is tried "
    "again until that ends; another server of yours that uses the same storage has to be stopped "
    "first."
)
CONTROLLER = "attachdetach-controller"


def waiting(reason: str) -> dict[str, Any]:
    return a_pod(
        node="n1",
        conditions={"PodReadyToStartContainers": "True"},
        state={"waiting": {"reason": reason}},
    )


def pulling(ago: float = 0) -> dict[str, Any]:
    return of_notebook("Pulling", f'Pulling image "{IMAGE}"', ago=ago)


@pytest.mark.parametrize(
    ("pod", "events", "step", "words"),
    [
        pytest.param(
            None,
            [],
            Step.ADMITTED,
            "The cluster is being asked for your server.",
            id="there is no pod yet",
        ),
        pytest.param(
            a_pod(metadata={"deletionTimestamp": "2026-07-01T11:59:00Z"}),
            [],
            Step.ADMITTED,
            "Your previous server is still being removed. The new one follows it.",
            id="the pod of the server before ends",
        ),
        pytest.param(
            unscheduled("0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
            [],
            Step.SCHEDULED,
            "Waiting for a place: no node has a GPU left. It starts as soon as there is one.",
            id="no place",
        ),
        pytest.param(PLACED, [], Step.VOLUMES, ATTACHING, id="it has a place"),
        pytest.param(
            PLACED,
            [an_event("SomethingNew", "words nobody knows")],
            Step.VOLUMES,
            ATTACHING,
            id="an event that nobody knows",
        ),
        pytest.param(
            PLACED,
            [
                an_event(
                    "FailedAttachVolume",
                    'Multi-Attach error for volume "pvc-b2c3cdf9-d25e-4d14-a1f1-519ac96c7eea" '
                    "Volume is already exclusively attached to one node and can't be attached to "
                    "another",
                    source=CONTROLLER,
                )
            ],
            Step.VOLUMES,
            IN_USE,
            id="the volume is attached elsewhere",
        ),
        pytest.param(
            PLACED,
            [
                an_event(
                    "FailedAttachVolume",
                    'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) '
                    "jupyter-bob",
                    source=CONTROLLER,
                )
            ],
            Step.VOLUMES,
            IN_USE,
            id="the volume is in use by another's pod",
        ),
        pytest.param(
            PLACED,
            [
                an_event(
                    "FailedAttachVolume",
                    'AttachVolume.Attach failed for volume "pvc-c0ca6639" : timed out waiting for '
                    "external-attacher of disk.csi.azure.com CSI driver to attach volume "
                    "/subscriptions/9da7523a/resourceGroups/prod",
                    source=CONTROLLER,
                )
            ],
            Step.VOLUMES,
            "Attaching its storage has failed. It is tried again.",
            id="attaching failed",
        ),
        pytest.param(
            PLACED,
            [
                an_event("FailedAttachVolume", "timed out", source=CONTROLLER),
                an_event(
                    "SuccessfulAttachVolume",
                    'AttachVolume.Attach succeeded for volume "pvc-c0ca6639"',
                    source=CONTROLLER,
                ),
            ],
            Step.VOLUMES,
            "Its storage is attached and is being mounted.",
            id="attaching failed, and then did not",
        ),
        pytest.param(
            PLACED,
            [
                an_event(
                    "FailedMount",
                    "Unable to attach or mount volumes: unmounted volumes=[volume-ada], "
                    "unattached volumes=[dshm volume-ada]: timed out waiting for the condition",
                )
            ],
            Step.VOLUMES,
            "Its storage takes long to get ready. It is tried again.",
            id="mounting takes long",
        ),
        pytest.param(
            PLACED,
            [
                an_event(
                    "FailedMount",
                    'MountVolume.SetUp failed for volume "etc-gitconfig" : secret '
                    '"user-etc-gitconfig" not found',
                )
            ],
            Step.VOLUMES,
            "Something that its storage is made of does not exist in the cluster. It is tried "
            "again, but the people who run this hub may have to mend it.",
            id="a secret is missing",
        ),
        pytest.param(
            PLACED,
            [
                an_event(
                    "FailedMount",
                    'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32\n'
                    "Mounting command: mount\nOutput: mount.nfs: access denied by server",
                )
            ],
            Step.VOLUMES,
            "Its storage could not be mounted. It is tried again.",
            id="mounting failed",
        ),
        pytest.param(
            UP,
            [],
            Step.IMAGE,
            "The node is getting ready to run your server.",
            id="the sandbox is there, and nothing is said of the image",
        ),
        pytest.param(
            PLACED,
            [
                an_event(
                    "FailedCreatePodSandBox",
                    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to "
                    "setup network for sandbox",
                )
            ],
            Step.IMAGE,
            "The node could not set up the network for your server. It is tried again.",
            id="no sandbox can be made",
        ),
        pytest.param(
            PLACED, [pulling()], Step.IMAGE, "The image is being pulled.", id="the image is pulled"
        ),
        pytest.param(
            PLACED,
            [of_init("Pulling", 'Pulling image "jupyterhub/k8s-network-tools:4.0.0"')],
            Step.IMAGE,
            "What prepares your server is being pulled.",
            id="the image of an init container",
        ),
        pytest.param(
            PLACED,
            [an_event("Pulling", f'Pulling image "{IMAGE}"')],
            Step.IMAGE,
            "The image is being pulled.",
            id="an event that names no container is about the notebook's",
        ),
        pytest.param(
            PLACED,
            [of_init("Pulled"), of_init("Created"), of_init("Started")],
            Step.IMAGE,
            "Your server is being prepared: a first container runs before it.",
            id="an init container runs",
        ),
        pytest.param(
            waiting("ImagePullBackOff"),
            [pulling()],
            Step.IMAGE,
            "The image could not be pulled. It is tried again.",
            id="the image cannot be pulled",
        ),
        pytest.param(
            PLACED,
            [
                of_notebook(
                    "Pulled",
                    f'Successfully pulled image "{IMAGE}" in 1m21.284220239s (1m30.5s including '
                    "waiting). Image size: 6482812345 bytes.",
                )
            ],
            Step.CONTAINER,
            "The image was pulled in 1 min 21 s. The container is being made.",
            id="the image was pulled",
        ),
        pytest.param(
            PLACED,
            [of_notebook("Pulled", f'Successfully pulled image "{IMAGE}" in 49.18401355s')],
            Step.CONTAINER,
            "The image was pulled in 49 s. The container is being made.",
            id="the image was pulled, in an older version's words",
        ),
        pytest.param(
            PLACED,
            [of_notebook("Pulled", f'Successfully pulled image "{IMAGE}" in 850ms (850ms')],
            Step.CONTAINER,
            "The image was pulled in less than a second. The container is being made.",
            id="the image was pulled at once",
        ),
        pytest.param(
            PLACED,
            [of_notebook("Pulled", f'Container image "{IMAGE}" already present on machine')],
            Step.CONTAINER,
            "The image is on the node already. The container is being made.",
            id="the image was there",
        ),
        pytest.param(
            PLACED,
            [of_notebook("Pulled", "Container image"), of_notebook("Created", "Container created")],
            Step.CONTAINER,
            "The container is being started.",
            id="the container is made",
        ),
        pytest.param(
            PLACED,
            [
                of_notebook("Pulled", "Container image"),
                of_notebook("Failed", "Error: failed to create containerd task"),
            ],
            Step.CONTAINER,
            "The container could not be made or started. It is tried again.",
            id="the container cannot be made",
        ),
        pytest.param(
            waiting("CrashLoopBackOff"),
            [of_notebook("Pulled"), of_notebook("Created")],
            Step.CONTAINER,
            "Your server ended right after it was started. It is started again.",
            id="the container ended, and waits for its next attempt",
        ),
        pytest.param(
            a_pod(node="n1", state={"terminated": {"exitCode": 1}}),
            [of_notebook("Pulled"), of_notebook("Created")],
            Step.CONTAINER,
            "Your server ended right after it was started. It is started again.",
            id="the container ended at once",
        ),
        pytest.param(
            a_pod(node="n1", state={"running": {}}),
            [],
            Step.NOTEBOOK,
            "The notebook server is starting.",
            id="the container runs",
        ),
        pytest.param(
            a_pod(node="n1", state={"running": {}}, conditions={"Ready": "True"}),
            [],
            Step.NOTEBOOK,
            "The notebook server runs. The hub is connecting to it.",
            id="the pod is ready",
        ),
    ],
)
def test_what_is_told(
    pod: dict[str, Any] | None, events: list[dict[str, Any]], step: Step, words: str
) -> None:
    stage = stage_of(pod, events, NOW)
    assert [now.step for now in stage.steps if now.standing is Standing.CURRENT] == [step]
    assert stage.sentence == words


@pytest.mark.parametrize(
    ("seconds", "so_far"),
    [
        (59, "."),
        (60, ", for 1 min so far."),
        (185, ", for 3 min so far."),
    ],
)
def test_how_long_an_image_has_been_pulled_is_told_in_minutes(seconds: int, so_far: str) -> None:
    stage = stage_of(PLACED, [pulling(ago=seconds)], NOW)
    assert stage.sentence == f"The image is being pulled{so_far}"


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        pytest.param(
            {IMAGE: (200, 250, 900)},
            "The image is being pulled, for 3 min so far; typically 4 min.",
            id="of this image",
        ),
        pytest.param(
            {IMAGE: (600, 250)},
            "The image is being pulled, for 3 min so far; last time it took 4 min.",
            id="of this image, too seldom to call it typical",
        ),
        pytest.param(
            {IMAGE: (9, 10, 11)},
            "The image is being pulled, for 3 min so far; typically less than a minute.",
            id="of one that is pulled at once",
        ),
        pytest.param(
            {f"{IMAGE}-2": (200, 250, 900)},
            "The image is being pulled, for 3 min so far.",
            id="of another image",
        ),
    ],
)
def test_how_long_an_image_typically_takes(
    measured: dict[str, tuple[float, ...]], words: str
) -> None:
    usual = Usual(Measured(images=Durations(measured)))
    assert stage_of(PLACED, [pulling(ago=185)], NOW, usual).sentence == words


def test_it_is_further_with_each_step() -> None:
    pods = [None, a_pod(), PLACED, UP, UP, a_pod(node="n1", state={"running": {}})]
    events: list[list[dict[str, Any]]] = [[], [], [], [], [of_notebook("Pulled")], []]
    percents = [stage_of(pod, said, NOW).percent for pod, said in zip(pods, events, strict=True)]
    assert percents == sorted(set(percents))
    assert percents[-1] < 100


def test_the_clusters_words_are_told_once_each_and_cleaned() -> None:
    used = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) jupyter-bob'
    events = [
        an_event("FailedAttachVolume", used, ago=3),
        an_event("FailedAttachVolume", used),
        an_event("Scheduled", "Successfully assigned prod/jupyter-ada to cronus", ago=9),
    ]
    assert stage_of(PLACED, events, NOW).said == (
        "Scheduled: Successfully assigned your server to a node",
        "FailedAttachVolume: Multi-Attach error for volume … Volume is already used by other pods",
    )


def test_the_schedulers_words_are_told_where_events_are_not_watched() -> None:
    stage = stage_of(unscheduled("0/1 nodes are available: 1 Insufficient cpu."), [], NOW)
    assert stage.said == ("Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.",)


def test_only_the_newest_of_many_words_are_told() -> None:
    events = [an_event("Tried", f"attempt {number} failed") for number in range(100)]
    said = stage_of(PLACED, events, NOW).said
    assert len(said) == MOST_LINES
    assert said[-1] == "Tried: attempt 99 failed"


def test_as_an_event_of_jupyterhubs_progress() -> None:
    stage = stage_of(PLACED, [an_event("Odd", 'a <script> & "b"')], NOW)
    event = json.loads(json.dumps(as_event(stage)))
    assert event["message"] == ATTACHING
    assert event["html_message"] == (
        f"{ATTACHING}<details><summary>What the cluster says</summary>Odd: a …</details>"
    )
    assert event["progress"] == 35
    assert event["steps"][2] == {"name": "volumes", "title": "Storage", "standing": "current"}
    assert event["said"] == ["Odd: a …"]


def test_all_words_are_escaped() -> None:
    stage = Stage(stage_of(None, [], NOW).steps, "a <b> &", ("<script>",))
    assert as_event(stage)["html_message"] == (
        "a &lt;b&gt; &amp;<details><summary>What the cluster says</summary>&lt;script&gt;</details>"
    )


def test_an_event_that_happened_again_is_as_new_as_its_last_time() -> None:
    again = {
        **an_event("FailedMount", "timed out", ago=600),
        "series": {"lastObservedTime": a_time(1)},
    }
    attached = an_event("SuccessfulAttachVolume", "succeeded", ago=60)
    assert stage_of(PLACED, [again, attached], NOW).sentence.startswith("Its storage takes long")


_JUNK = st.sampled_from([None, "", "x", 3, {}, {"uid": "u-1"}])
_REASONS = st.sampled_from(
    [
        "Created",
        "Failed",
        "FailedAttachVolume",
        "FailedMount",
        "FailedScheduling",
        "Killing",
        "Nominated",
        "NotTriggerScaleUp",
        "Pulled",
        "Pulling",
        "Scheduled",
        "Started",
        "TriggeredScaleUp",
    ]
)


@given(
    node=st.booleans(),
    said=st.lists(
        st.fixed_dictionaries(
            {"reason": _REASONS, "message": st.none() | st.text(max_size=20)},
            optional={
                "involvedObject": st.none() | st.just({"fieldPath": "spec.containers{notebook}"}),
                "lastTimestamp": _JUNK,
                "eventTime": st.sampled_from([None, "2026-07-01T10:00:00.000001Z"]),
                "source": st.none(),
                "series": st.none(),
            },
        ),
        max_size=6,
    ),
)
def test_whatever_was_said_there_is_one_current_step_and_a_sentence(
    *, node: bool, said: list[dict[str, Any]]
) -> None:
    stage = stage_of(PLACED if node else a_pod(), said, NOW)
    assert [now.standing for now in stage.steps].count(Standing.CURRENT) == 1
    assert stage.sentence.endswith(".")
    json.dumps(as_event(stage))


@pytest.mark.parametrize("field", ["metadata", "spec", "status"])
def test_a_pod_that_lacks_a_part(field: str) -> None:
    nothing: tuple[Any, ...] = (None, {})
    for junk in nothing:
        assert stage_of({**a_pod(node="n1"), field: junk}, [], NOW).sentence
