"""What the cluster has said of one pod: its events, read from Kubernetes' JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_CONTAINER = re.compile(r"spec\.(containers|initContainers|ephemeralContainers)\{(.+)\}")


@dataclass(frozen=True, slots=True)
class Heard:
    """An event.

    Attributes:
        reason: the cluster's word for what happened, such as ``"FailedScheduling"``.
        text: the cluster's words; they may name other people's pods.
        source: who says so, such as ``"kubelet"``.
        container: the name of the container it is about; empty if it names none.
        is_before: whether that is an init container, which runs before the others.
        at: when it last happened; None if that is not said.
        since: when it first happened; None if that is not said.
    """

    reason: str
    text: str
    source: str = ""
    container: str = ""
    is_before: bool = False
    at: datetime | None = None
    since: datetime | None = None


def hear(pod: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> tuple[Heard, ...]:
    """The events of this very pod, the oldest first: one of the same name may have come before."""
    uid = (pod.get("metadata") or {}).get("uid")
    heard = (
        _read(event)
        for event in events
        if (theirs := (event.get("involvedObject") or {}).get("uid")) is None
        or uid is None
        or theirs == uid
    )
    return tuple(sorted(heard, key=lambda one: one.at or _LONG_AGO))


def read_time(text: Any) -> datetime | None:
    """A moment as Kubernetes writes it; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def about(heard: Iterable[Heard], container: str) -> tuple[Heard, ...]:
    """What is about one container, and what names none."""
    return tuple(one for one in heard if one.container in ("", container))


def _read(event: Mapping[str, Any]) -> Heard:
    regarding = event.get("involvedObject") or {}
    container = _CONTAINER.fullmatch(str(regarding.get("fieldPath") or ""))
    times = (
        (event.get("series") or {}).get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
    )
    moments = [moment for text in times if (moment := read_time(text))]
    return Heard(
        reason=str(event.get("reason") or ""),
        text=str(event.get("message") or ""),
        source=str(
            (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
        ),
        container=container[2] if container else "",
        is_before=container is not None and container[1] == "initContainers",
        at=max(moments, default=None),
        since=min(moments, default=None),
    )
