"""What a pod that exists holds of a node, also while an in-place resize is under way.

For each container there is what it asks for (the spec), what the kubelet has admitted (allocated)
and what the runtime has reached (actuated); the scheduler counts the largest, and leaves the spec
out if the kubelet calls the resize infeasible. ``k8s.io/component-helpers/resource`` up to v0.36
takes the largest container by container and then sums; from v0.37 on it sums each of the three and
takes the largest sum, which is less where one container grows while another shrinks. Resources of
the pod as a whole are compared in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache
from types import MappingProxyType

import msgspec

from gpuspawner.capacity import wire
from gpuspawner.capacity.model.resources import (
    NOTHING,
    Resources,
    amounts_of,
    asked_by_raw,
    effective_requests,
    is_pod_level,
    of_the_whole,
    raise_to,
)
from gpuspawner.errors import MalformedObjectError

_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_BY_POD_SINCE = (1, 37)
_NULL = b"null"
_PENDING = "PodResizePending"
_QUANTITIES = msgspec.json.Decoder(wire.Quantities | None)
_CONDITIONS = msgspec.json.Decoder(list[wire.Condition] | None)


ServerVersion = tuple[int, int]
"""Major and minor version of Kubernetes."""


def read_server_version(git_version: str) -> ServerVersion | None:
    """The version in a text such as ``v1.36.2``; None if there is none."""
    found = _VERSION.match(git_version)
    return (int(found[1]), int(found[2])) if found is not None else None


class ResizeRule(Enum):
    """How the scheduler counts a resize that is under way."""

    BY_CONTAINER = "the sum of the largest of each container (up to Kubernetes 1.36)"
    BY_POD = "the largest of the sums (from Kubernetes 1.37)"

    @classmethod
    def of(cls, version: ServerVersion | None) -> ResizeRule:
        """The rule of a version; of one that is not known, the older rule."""
        return cls.BY_POD if version is not None and version >= _BY_POD_SINCE else cls.BY_CONTAINER


def held_by(spec: wire.PresentPodSpec, status: wire.PodStatus, rule: ResizeRule) -> Resources:
    """What the scheduler counts for a pod that exists.

    Raises:
        MalformedObjectError: a quantity does not parse.
    """
    is_refused = rule is ResizeRule.BY_POD and _is_infeasible(status)
    if is_refused or not _is_settled(spec, status):
        return _Resize(spec, status, rule).held()
    containers, inits = spec.containers or (), spec.init_containers or ()
    if len(containers) == 1 and not (inits or spec.resources or spec.overhead):
        return asked_by_raw(bytes(containers[0].resources))
    return effective_requests(
        map(_asked_by, containers),
        ((_asked_by(c), c.restart_policy == "Always") for c in inits),
        spec.resources,
        spec.overhead,
    )


def _is_settled(spec: wire.PresentPodSpec, status: wire.PodStatus) -> bool:
    """Whether no resize is under way, as of nearly all pods."""
    containers = spec.containers or ()
    whole = bytes(status.resources)
    if whole != _NULL:
        # These are sums; of a container by itself they are its own.
        if len(containers) != 1 or spec.init_containers or spec.resources:
            return False
        asked = bytes(containers[0].resources)
        if not _agree(asked, whole, bytes(status.allocated_resources)):
            return False
    statuses = status.container_statuses or ()
    if status.init_container_statuses:
        statuses = [*statuses, *status.init_container_statuses]
        containers = [*containers, *(spec.init_containers or ())]
    for one in statuses:
        reached, allocated = bytes(one.resources), bytes(one.allocated_resources)
        if reached == _NULL and allocated == _NULL:
            continue
        asked = next((bytes(c.resources) for c in containers if c.name == one.name), _NULL)
        if not _agree(asked, reached, allocated):
            return False
    return True


@lru_cache(maxsize=4096)
def _agree(spec: bytes, reached: bytes, allocated: bytes) -> bool:
    """Of JSON text that thousands of containers share."""
    asked = asked_by_raw(spec)
    return (reached == _NULL or _reached(reached) == asked) and (
        allocated == _NULL or _amounts(allocated) == asked
    )


@lru_cache(maxsize=4096)
def _reached(raw: bytes) -> Resources:
    """The requests in the resources of a status; limits there stand in for nothing."""
    if raw == _NULL:
        return NOTHING
    return MappingProxyType(amounts_of(wire.decode(raw, wire.Resources).requests))


@lru_cache(maxsize=4096)
def _amounts(raw: bytes) -> Resources:
    try:
        return MappingProxyType(amounts_of(_QUANTITIES.decode(raw)))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedObjectError(f"not an object of quantities: {error}") from error


def _is_infeasible(status: wire.PodStatus) -> bool:
    raw = bytes(status.conditions)
    if _PENDING.encode() not in raw:
        return False
    try:
        conditions = _CONDITIONS.decode(raw) or ()
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedObjectError(f"not a list of conditions: {error}") from error
    reasons = (condition.reason for condition in conditions if condition.type == _PENDING)
    return next(reasons, None) == "Infeasible"


_OfContainer = Callable[[wire.PresentContainer], Resources]


class _Resize:
    """The sums of one pod."""

    def __init__(self, spec: wire.PresentPodSpec, status: wire.PodStatus, rule: ResizeRule) -> None:
        self._spec = spec
        self._status = status
        self._rule = rule
        self._is_infeasible = _is_infeasible(status)
        self._statuses = {
            one.name: one
            for statuses in (status.init_container_statuses, status.container_statuses)
            for one in statuses or ()
        }
        if rule is ResizeRule.BY_CONTAINER:
            for container in spec.init_containers or ():
                if container.restart_policy != "Always":
                    # By the older rule one that comes to an end cannot be resized.
                    self._statuses.pop(container.name, None)

    def held(self) -> Resources:
        by_pod = self._rule is ResizeRule.BY_POD
        total = self._by_pod() if by_pod else self._sum(self._largest_of)
        if self._spec.resources is not None:
            total.update(self._whole(of_the_whole(self._spec.resources, total)))
        for name, amount in amounts_of(self._spec.overhead).items():
            total[name] = total.get(name, 0) + amount
        return total

    def _sum(self, of: _OfContainer) -> dict[str, int]:
        return effective_requests(
            map(of, self._spec.containers or ()),
            ((of(c), c.restart_policy == "Always") for c in self._spec.init_containers or ()),
        )

    def _by_pod(self) -> dict[str, int]:
        status = self._status
        reached, allocated = _reached_or_none(status.resources), _given(status.allocated_resources)
        if reached is None or allocated is None:
            reached, allocated = self._sum(self._reached_of), self._sum(self._allocated_of)
        asked = {} if self._is_infeasible else self._sum(_asked_by)
        return _most((asked, reached, allocated))

    def _whole(self, asked: Mapping[str, int]) -> Mapping[str, int]:
        """Of the resources that are given for the pod as a whole."""
        status = self._status
        if not asked or bytes(status.resources) == _NULL:
            return asked
        reached, allocated = (
            _reached(bytes(status.resources)),
            _amounts(bytes(status.allocated_resources)),
        )
        most = _most(({} if self._is_infeasible else asked, reached, allocated))
        if self._rule is ResizeRule.BY_CONTAINER:
            return {name: most.get(name, 0) for name in asked}
        return {name: amount for name, amount in most.items() if is_pod_level(name)}

    def _largest_of(self, container: wire.PresentContainer) -> Resources:
        asked = _asked_by(container)
        status = self._statuses.get(container.name)
        if status is None or bytes(status.resources) == _NULL:
            return asked
        reached = _reached(bytes(status.resources))
        allocated = _amounts(bytes(status.allocated_resources))
        return _most(({} if self._is_infeasible else asked, reached, allocated))

    def _allocated_of(self, container: wire.PresentContainer) -> Resources:
        status = self._statuses.get(container.name)
        allocated = _given(status.allocated_resources) if status is not None else None
        if allocated is not None:
            return allocated
        return NOTHING if self._is_infeasible else _asked_by(container)

    def _reached_of(self, container: wire.PresentContainer) -> Resources:
        status = self._statuses.get(container.name)
        reached = _reached_or_none(status.resources) if status is not None else None
        return self._allocated_of(container) if reached is None else reached


def _asked_by(container: wire.PresentContainer) -> Resources:
    return asked_by_raw(bytes(container.resources))


def _given(raw: msgspec.Raw) -> Resources | None:
    text = bytes(raw)
    return None if text == _NULL else _amounts(text)


def _reached_or_none(raw: msgspec.Raw) -> Resources | None:
    text = bytes(raw)
    if text == _NULL or wire.decode(text, wire.Resources).requests is None:
        return None
    return _reached(text)


def _most(parts: Iterable[Resources]) -> dict[str, int]:
    most: dict[str, int] = {}
    for part in parts:
        raise_to(most, part)
    return most
