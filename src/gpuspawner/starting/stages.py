"""All that is told of a start at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from gpuspawner.language import gettext as _
from gpuspawner.starting.cleaning import clean
from gpuspawner.starting.heard import Heard, hear
from gpuspawner.starting.measured import NOTHING, Usual
from gpuspawner.starting.sayings import sentence
from gpuspawner.starting.steps import Standing, Step, StepNow, condition, current_step, steps_up_to

MOST_LINES = 20
_PERCENT = {
    Step.ADMITTED: 5,
    Step.SCHEDULED: 15,
    Step.VOLUMES: 35,
    Step.IMAGE: 50,
    Step.CONTAINER: 75,
    Step.NOTEBOOK: 90,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A start at one moment.

    Attributes:
        steps: all six, with where each is.
        sentence: what is awaited now.
        said: the cluster's own words, cleaned of names, the newest last.
    """

    steps: tuple[StepNow, ...]
    sentence: str
    said: tuple[str, ...] = ()

    @property
    def current(self) -> Step:
        """The step that is under way."""
        return next(now.step for now in self.steps if now.standing is Standing.CURRENT)

    @property
    def percent(self) -> int:
        """How far it is, from 0 to 100; by steps, since nobody knows how long each takes."""
        return _PERCENT[self.current]


def stage_of(
    pod: Mapping[str, Any] | None,
    events: Iterable[Mapping[str, Any]],
    now: datetime,
    usual: Usual = NOTHING,
) -> Stage:
    """Where a start is.

    Args:
        pod: in JSON, as a watch last told of it; None if there is none yet.
        events: of pods of its name, in JSON, in any order.
        now: with a time zone.
        usual: how long nodes and images took here.
    """
    pod = pod or {}
    heard = hear(pod, events)
    step = current_step(pod, heard)
    return Stage(
        steps_up_to(step),
        sentence(step, pod, heard, now, usual),
        _said(pod, heard),
    )


def as_event(stage: Stage) -> dict[str, Any]:
    """A stage as an event of JupyterHub's progress, which is sent as JSON."""
    words = escape(stage.sentence)
    if stage.said:
        lines = "<br>".join(escape(line) for line in stage.said)
        summary = escape(_("What the cluster says"))
        words += f"<details><summary>{summary}</summary>{lines}</details>"
    return {
        "progress": stage.percent,
        "message": stage.sentence,
        "html_message": words,
        "steps": [
            {"name": now.step.value, "title": _(now.step.in_words), "standing": now.standing.value}
            for now in stage.steps
        ],
        "said": list(stage.said),
    }


def _said(pod: Mapping[str, Any], heard: Iterable[Heard]) -> tuple[str, ...]:
    said = [(one.reason, one.text) for one in heard]
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and not said:
        said = [(str(scheduled.get("reason") or ""), str(scheduled.get("message") or ""))]
    lines = dict.fromkeys(
        f"{clean(reason, pod)}: {clean(text, pod)}" for reason, text in said if text
    )
    return tuple(lines)[-MOST_LINES:]
