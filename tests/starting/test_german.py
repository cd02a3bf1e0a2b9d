"""What is said of a start in German: a sample, with the plurals and what goes into a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.language import speaking
from gpuspawner.starting.hopeless import hopeless
from gpuspawner.starting.lost import deleted
from gpuspawner.starting.stages import as_event, stage_of
from gpuspawner.unscheduled import why_unscheduled

from .pods import IMAGE, NOW, a_pod, an_event, of_notebook, unscheduled

GPU = "nvidia.com/gpu"


def short_of(what: str, **requests: str) -> dict[str, Any]:
    names = {"gpu": GPU, "mig": "nvidia.com/mig-1g.10gb", "shared": f"{GPU}.shared"}
    asked = {names.get(name, name): amount for name, amount in requests.items()}
    text = ", ".join(f"1 Insufficient {name}" for name in what.split())
    return unscheduled(f"0/1 nodes are available: {text}.", requests=asked)


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        pytest.param(short_of(GPU, gpu="1"), "Kein Knoten hat noch eine GPU frei.", id="one GPU"),
        pytest.param(short_of(GPU, gpu="4"), "Kein Knoten hat noch 4 GPUs frei.", id="four"),
        pytest.param(
            short_of("nvidia.com/mig-1g.10gb", mig="1"),
            "Kein Knoten hat noch einen Teil einer GPU frei.",
            id="a slice",
        ),
        pytest.param(
            short_of(f"{GPU}.shared", shared="2"),
            "Kein Knoten hat noch 2 Anteile an GPUs frei.",
            id="two shares",
        ),
        pytest.param(
            short_of(f"cpu memory {GPU}", gpu="1"),
            "Kein Knoten hat noch eine GPU, genügend CPU-Leistung und genügend Arbeitsspeicher "
            "frei.",
            id="several things",
        ),
    ],
)
def test_what_a_start_waits_for(pod: dict[str, Any], words: str) -> None:
    with speaking("de"):
        sentence = stage_of(pod, [], NOW).sentence
    assert (
        sentence == f"Ihr Server wartet auf einen Platz: {words} Er startet, sobald es einen gibt."
    )


@pytest.mark.parametrize(
    ("text", "before", "sentence"),
    [
        pytest.param("Pulling", 10, "Das Image wird geladen.", id="it has just begun"),
        pytest.param("Pulling", 60, "Das Image wird seit 1 min geladen.", id="one minute"),
        pytest.param("Pulling", 130, "Das Image wird seit 2 min geladen.", id="two minutes"),
    ],
)
def test_how_long_it_has_taken(text: str, before: float, sentence: str) -> None:
    pulling = of_notebook(text, f'Pulling image "{IMAGE}"', ago=before)
    with speaking("de"):
        assert stage_of(a_pod(node="n1"), [pulling], NOW).sentence == sentence


def test_an_event_of_the_progress() -> None:
    with speaking("de"):
        event = as_event(stage_of(short_of(GPU, gpu="1"), [], NOW))
    assert "<summary>Was der Cluster meldet</summary>" in event["html_message"]
    assert [step["title"] for step in event["steps"]] == [
        "Vom Cluster angenommen",
        "Platz auf einem Knoten",
        "Speicher",
        "Image",
        "Container",
        "Notebook-Server",
    ]
    # Names for programs, which the page has words for.
    assert [step["standing"] for step in event["steps"]][:3] == ["done", "current", "to come"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        pytest.param(
            {"waiting": {"reason": "InvalidImageName"}},
            f"{IMAGE} ist nicht der Name eines Images. Wählen Sie ein anderes Image oder Profil, "
            "oder geben Sie dem Betriebsteam dieses Hubs Bescheid.",
            id="an image",
        ),
        pytest.param(
            {"terminated": {"exitCode": 3, "reason": "Error"}},
            "Der Server hat sich gleich nach seinem Start beendet (Exit-Code 3). Wählen Sie ein "
            "anderes Image oder Profil, oder geben Sie dem Betriebsteam dieses Hubs Bescheid.",
            id="a crash",
        ),
    ],
)
def test_why_a_start_is_hopeless(state: dict[str, Any], words: str) -> None:
    pod = a_pod(node="n1", state=state, spec={"restartPolicy": "Never"})
    with speaking("de"):
        found = hopeless(pod, [])
    assert found is not None
    assert found.words == words


def test_what_is_told_of_a_pod_that_is_gone() -> None:
    with speaking("de"):
        assert deleted().words == (
            "Der Server wurde im Cluster gelöscht, während er startete. "
            "Versuchen Sie es noch einmal."
        )


def test_what_was_said_of_a_pod_that_found_no_node() -> None:
    pod = unscheduled("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.")
    with speaking("de"):
        assert why_unscheduled(pod, [an_event("NotTriggerScaleUp", "")]) == (
            "0/2 nodes are available: 2 Insufficient nvidia.com/gpu; und dafür kann kein Knoten "
            "gestartet werden"
        )
