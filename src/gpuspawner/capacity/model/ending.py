"""When a pod has ended at the latest.

The kubelet ends a pod ``activeDeadlineSeconds`` after its ``status.startTime`` and gives its
containers ``terminationGracePeriodSeconds`` after that; the ``deletionTimestamp`` of a pod that is
being deleted has that grace in it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from gpuspawner.capacity import wire

_GRACE = 30
"""Seconds, the API server's default."""


def ends_by(raw: wire.Pod) -> float | None:
    """In seconds since the epoch; None if nothing says."""
    deletion, status = raw.metadata.deletion_timestamp, raw.status
    known = [] if deletion is None else [_epoch(deletion)]
    deadline = raw.spec.active_deadline_seconds
    if deadline is not None and status is not None and status.start_time is not None:
        began, grace = _epoch(status.start_time), raw.spec.termination_grace_period_seconds
        if began is not None:
            known.append(began + deadline + (_GRACE if grace is None else grace))
    return min((moment for moment in known if moment is not None), default=None)


def _epoch(text: str) -> float | None:
    """A time as the API server writes it; None if it is none, since no pod is lost for that."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
