"""What only events tell, while volumes are mounted and the sandbox is made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gpuspawner.language import gettext as _
from gpuspawner.starting.hopeless.reasons import MOUNT_ATTEMPTS, SETTLING, TELL, Hopeless
from gpuspawner.starting.hopeless.unstarted import MISSING, of_configuration
from gpuspawner.starting.steps import condition

Json = Mapping[str, Any]

_MOUNTED = frozenset({"Pulling", "Pulled", "Created", "Started"})
_NO_RUNTIME = re.compile(r'no runtime for "[^"]*" is configured')


def from_events(pod: Json, events: Sequence[Json]) -> list[Hopeless]:
    """Of a pod that has its node; `events` are its own."""
    has_sandbox = condition(pod, "PodReadyToStartContainers").get("status") == "True"
    if has_sandbox or any(e.get("reason") in _MOUNTED for e in events):
        return []
    found = []
    times: dict[str, int] = {}
    for event in events:
        reason, message = event.get("reason"), str(event.get("message") or "")
        count = (event.get("series") or {}).get("count") or event.get("count") or 1
        times[str(reason)] = times.get(str(reason), 0) + count
        is_missing = MISSING.search(message) or "hostPath type check failed" in message
        if reason == "FailedMount" and is_missing and count >= MOUNT_ATTEMPTS:
            found.append(of_configuration(message))
        if _NO_RUNTIME.search(message) and times["FailedCreatePodSandBox"] > 1:
            words = _("The node lacks the container runtime that this profile asks for.")
            found.append(Hopeless("configuration", f"{words} {_(TELL)}", message, SETTLING))
    return found
