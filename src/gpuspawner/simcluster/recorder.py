"""Events: what the scheduler and the kubelets say about a pod."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from uuid import uuid4

from gpuspawner.simcluster.apimachinery.objects import Object, timestamp, utc_now
from gpuspawner.simcluster.apimachinery.resources import EVENTS
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.storage.store import Store

NORMAL = "Normal"
WARNING = "Warning"
NOT_FOUND = 404
REJECTED = (403, NOT_FOUND)
KEPT = 2000
"""How many events are kept; a real API server forgets them after an hour."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who speaks: a component, and for a kubelet its node."""

    component: str
    host: str = ""


class EventRecorder:
    """Writes events, counting up one that says the same of the same object again."""

    def __init__(self, store: Store, *, kept: int = KEPT) -> None:
        self._store = store
        self._kept = kept
        self._written: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()

    def record(  # noqa: PLR0913 - an event's own parts
        self,
        pod: Object,
        source: Source,
        kind: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
    ) -> None:
        """Say `message` about `pod`, or what is at `field_path` in it; `kind` is Normal or Warning.

        What is said of a pod whose namespace is going or gone is lost, as it is in a real cluster.
        """
        uid = pod["metadata"]["uid"]
        key = (uid, field_path, source.component, source.host, reason, message)
        if key in self._written and self._count_up(*self._written[key]):
            self._written.move_to_end(key)
            return
        event = _event(pod, source, kind, reason, message)
        if field_path:
            event["involvedObject"]["fieldPath"] = field_path
        namespace, name = event["metadata"]["namespace"], event["metadata"]["name"]
        try:
            self._store.create(EVENTS, namespace, event)
        except ApiError as error:
            if error.code in REJECTED:
                return
            raise
        self._written[key] = (namespace, name)
        while len(self._written) > self._kept:
            _, oldest = self._written.popitem(last=False)
            self._forget(*oldest)

    def _count_up(self, namespace: str, name: str) -> bool:
        """Whether the event was still there to be counted up."""
        try:
            event = self._store.get(EVENTS, namespace, name)
        except ApiError as error:
            if error.code == NOT_FOUND:
                return False
            raise
        now = utc_now()
        event |= {
            "count": event["count"] + 1,
            "lastTimestamp": timestamp(now),
        }
        self._store.replace(EVENTS, namespace, name, event)
        return True

    def _forget(self, namespace: str, name: str) -> None:
        try:
            self._store.delete(EVENTS, namespace, name)
        except ApiError as error:
            if error.code != NOT_FOUND:  # somebody deleted it, or its namespace
                raise


def _event(pod: Object, source: Source, kind: str, reason: str, message: str) -> Object:
    metadata = pod["metadata"]
    now = utc_now()
    seconds = timestamp(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata['name']}.{uuid4().hex[:16]}",
            "namespace": metadata["namespace"],
        },
        "involvedObject": {
            "kind": "Pod",
            "apiVersion": "v1",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "action": reason,
        "source": {"component": source.component} | ({"host": source.host} if source.host else {}),
        "reportingComponent": source.component,
        "reportingInstance": source.host or source.component,
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "eventTime": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
        "count": 1,
    }
