"""Whether a pod that is starting can still come to run, told from its status and its events.

Kubernetes never gives up: a pod whose image does not exist stays Pending for as long as it is let.
What cannot mend itself is told from what may pass, and where one look cannot tell, from how long
it has stood (`Hopeless.patience`). The states and their words are those of kubelet (pkg/kubelet/
images, kuberuntime and lifecycle), of the scheduler and of the cluster autoscaler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpuspawner.starting.containers import container_states
from gpuspawner.starting.hopeless.over import crash, ended
from gpuspawner.starting.hopeless.reasons import AGAIN, AGAIN_OR_TELL, Hopeless
from gpuspawner.starting.hopeless.unmounted import from_events
from gpuspawner.starting.hopeless.unplaced import without_a_node
from gpuspawner.starting.hopeless.unstarted import of_container

__all__ = [
    "AGAIN",
    "AGAIN_OR_TELL",
    "Hopeless",
    "crash",
    "ended",
    "hopeless",
]

Json = Mapping[str, Any]


def hopeless(pod: Json, events: Iterable[Json], *, may_grow: bool = False) -> Hopeless | None:
    """Why `pod` will not come to run; None while it may.

    Args:
        pod: as the API gives it, in JSON.
        events: of pods; those of another pod, also of one that had this one's name, do not count.
        may_grow: whether a node may be on its way though `events` say nothing of it: the
            scheduler's words tell only of the nodes that are there.
    """
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    if "deletionTimestamp" in metadata:
        return None
    own = [e for e in events if (e.get("involvedObject") or {}).get("uid") == metadata.get("uid")]
    phase = status.get("phase")
    if phase in ("Failed", "Succeeded"):
        return ended(pod)
    if not (pod.get("spec") or {}).get("nodeName"):
        return without_a_node(pod, own, may_grow=may_grow)
    found = [each for state in container_states(pod) if (each := of_container(state))]
    found += from_events(pod, own)
    return min(found, key=lambda each: each.patience, default=None)
