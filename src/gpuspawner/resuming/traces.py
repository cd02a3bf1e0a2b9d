"""What is left of a start that another hub began; pods and events are in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

LEAST_SECONDS = 5.0
"""What a start has left at the least, so that a pod which runs by now is found to run."""

NOTEBOOK_PORT = "notebook-port"
TOKEN_VARIABLE = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the name of a variable


def seconds_left(seconds: float, began: datetime, now: datetime) -> float:
    """What is left of `seconds`; all of it if the clock was set back since it began."""
    return max(LEAST_SECONDS, seconds - max(0.0, (now - began).total_seconds()))


def is_there(pod: Mapping[str, Any] | None) -> bool:
    """Whether there is a pod, and nobody has deleted it."""
    return pod is not None and not pod["metadata"].get("deletionTimestamp")


def port(pod: Mapping[str, Any]) -> int | None:
    """Where its notebook listens; None if it does not say so."""
    for container in _containers(pod):
        for each in container.get("ports") or ():
            if each.get("name") == NOTEBOOK_PORT:
                return int(each["containerPort"])
    return None


def api_token(pod: Mapping[str, Any]) -> str:
    """The token its notebook got for the hub's API; empty if that is kept elsewhere."""
    for container in _containers(pod):
        for variable in container.get("env") or ():
            if variable.get("name") == TOKEN_VARIABLE:
                return str(variable.get("value") or "")
    return ""


def last_of_others(events: Iterable[Mapping[str, Any]], pod: Mapping[str, Any]) -> str | None:
    """The uid of the last event about an earlier pod of the same name; None if there is none.

    Args:
        events: about pods of this name, the oldest first.
        pod: the one that is there.
    """
    uid, last = pod["metadata"].get("uid"), None
    for event in events:
        if (event.get("involvedObject") or {}).get("uid") != uid:
            last = str(event["metadata"]["uid"])
    return last


def _containers(pod: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    containers: Iterable[Mapping[str, Any]] = (pod.get("spec") or {}).get("containers") or ()
    return containers
