"""DynamicResources: the devices that a pod's ResourceClaims ask for must be free for it.

The rule is that of the scheduler's plugin DynamicResources. A claim that has its devices already
ties the pod to the nodes from which they can be used. For all others a node must have devices that
satisfy them together with the extended resources which DRA serves there. Devices that claims have
got are taken, whether or not the pods that use them are bound. No eviction helps.

Unknown is what involves claims that are made from a template, alternatives (``firstAvailable``),
admin access, devices that share counters or capacity or wait for conditions, constraints other than
``matchAttribute``, selectors that cannot be read, and whatever else is not watched. A selector that
fails in the scheduler ends its attempt on all nodes; if one may, no node is said to take the pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import (
    DeviceClass,
    DeviceID,
    DeviceRequest,
    Node,
    PodRequest,
    ResourceClaim,
    ResourceSlice,
)
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.objects import ClusterObjects, Key
from gpuspawner.fit.delegation import class_for, is_delegated
from gpuspawner.fit.device_allocation import Claimed, Outcome, Want, allocate
from gpuspawner.fit.device_pools import PublishedDevices, in_use, published
from gpuspawner.fit.node_affinity import term_matches
from gpuspawner.fit.reasons import NO_REASONS, Blocked, Hindrance, Reason, Reasons, unknown
from gpuspawner.fit.resources import slots_beside_devices

_MOST_CONSUMERS = 256
_NOTHING_IN_USE: frozenset[DeviceID] = frozenset()
_TAKEN = (Reason("cannot allocate all claims", Hindrance.TAKEN),)
_NO_SUCH_DEVICES = (Reason("cannot allocate all claims", Hindrance.NOT_FOR_POD),)
_INVALID = (Reason("invalid resource pools were encountered", Hindrance.CLOSED),)
_ELSEWHERE = (Reason("resourceclaim not available on the node", Hindrance.CLOSED),)
_UNKNOWN = unknown("resourceClaims")
_UNKNOWN_DELEGATED = unknown("extendedResourceName")


@dataclass(frozen=True, slots=True)
class _Known:
    """What a pod with claims depends on, all of it known."""

    classes: Mapping[Key, DeviceClass]
    claims: Mapping[Key, ResourceClaim]
    published: PublishedDevices


class DynamicResources:
    """The check for one pod.

    Args:
        request: the pod.
        known: the cluster's devices and what is claimed of them.
        claims: the pod's own claims.
    """

    def __init__(self, request: PodRequest, known: _Known, claims: list[ResourceClaim]) -> None:
        self._request = request
        self._known = known
        self._allocated = [claim for claim in claims if claim.allocation is not None]
        self._asked = [claim for claim in claims if claim.allocation is None]
        self._wanted = tuple(_claimed(claim, known.classes) for claim in self._asked)
        self._in_use = in_use(known.claims)
        self._delegable = _delegable(request, known.classes)
        self._outcomes: dict[str, Outcome] = {}
        self._may_fail = self._fails_somewhere()

    def __call__(self, state: NodeState) -> Reasons:
        """Refuse a node whose devices do not satisfy the pod's claims."""
        node = state.node
        delegated = self._delegated(node)
        if delegated is None and not self._asked and not self._allocated:
            return NO_REASONS
        doubts = _UNKNOWN if self._asked or self._allocated else _UNKNOWN_DELEGATED
        outcome = self._now(node, delegated)
        if outcome.fits is False:
            return self._refusal(node, delegated, outcome)
        if not all(_is_usable(claim, node) for claim in self._allocated):
            return doubts if outcome.fits is None else _ELSEWHERE
        waits = any(
            claim.allocation and claim.allocation.is_conditional for claim in self._allocated
        )
        if outcome.fits is None or waits or self._may_fail:
            return doubts
        return NO_REASONS

    def at_most(self, state: NodeState, slots: int) -> int | None:
        """How many of the `slots` for such pods the devices leave; None if it cannot be told.

        Identical pods share the claims that they name, so that where the first of them goes
        decides for the others, unless the devices are given out already.
        """
        delegated = self._delegated(state.node)
        if self._asked:
            return None
        for claim in self._allocated:
            slots = min(slots, _MOST_CONSUMERS - len(claim.reserved_for))
        if delegated is None:
            return slots
        free = self._now(state.node, delegated).free
        if free is None or len(delegated.wants) > 1:
            return None
        return min(slots, free // (delegated.wants[0].request.count or 1))

    def if_empty(self, node: Node) -> int:
        """How many such pods the devices of `node` would be for, were none of them taken."""
        delegated = self._delegated(node)
        if delegated is None or len(delegated.wants) > 1 or self._wanted:
            return 0
        free = self._outcome(node, delegated, _NOTHING_IN_USE).free or 0
        return min(
            slots_beside_devices(self._request, node),
            free // (delegated.wants[0].request.count or 1),
        )

    def devices(self, node: Node) -> tuple[int, int] | None:
        """How many devices `node` has in place of the extended resource, and how many are held.

        None if that cannot be told: also if nodes share some, which would count twice.
        """
        delegated = self._delegated(node)
        if delegated is None:
            return 0, 0
        if len(delegated.wants) > 1 or self._wanted or self._known.published.has_shared:
            return None
        there, left = (
            self._outcome(node, delegated, taken, heeding_taints=False).free
            for taken in (_NOTHING_IN_USE, self._in_use)
        )
        return None if there is None or left is None else (there, there - left)

    def _delegated(self, node: Node) -> Claimed | None:
        """What DRA serves on `node` in place of extended resources."""
        wants = [
            want
            for resource, want in self._delegable.items()
            if is_delegated(self._request, resource, node)
        ]
        return Claimed(tuple(wants)) if wants else None

    def _now(self, node: Node, delegated: Claimed | None) -> Outcome:
        """What comes of an attempt now."""
        outcome = self._outcomes.get(node.name)
        if outcome is None:
            outcome = self._outcomes[node.name] = self._outcome(node, delegated, self._in_use)
        return outcome

    def _outcome(
        self, node: Node, delegated: Claimed | None, taken: frozenset[DeviceID], **how: bool
    ) -> Outcome:
        claims = self._wanted if delegated is None else (*self._wanted, delegated)
        pools = self._known.published.pools_on(node)
        return allocate(claims, pools, self._known.published, taken, **how)

    def _refusal(self, node: Node, delegated: Claimed | None, outcome: Outcome) -> Reasons:
        if outcome.is_invalid:
            return _INVALID
        empty = self._outcome(node, delegated, _NOTHING_IN_USE, heeding_taints=False)
        return _NO_SUCH_DEVICES if empty.fits is False else _TAKEN

    def _fails_somewhere(self) -> bool:
        """Whether the scheduler may meet an error on some node, which ends its attempt on all."""
        wants = [want for claim in self._wanted for want in claim.wants]
        if any(want.request.count is None for want in wants) and (
            any(claim.constraints for claim in self._wanted) or not self._known.published.is_settled
        ):
            return True
        selectors = {want.selectors for want in (*wants, *self._delegable.values())}
        return any(not self._known.published.doubtful(one) <= self._in_use for one in selectors)


def prepare(
    request: PodRequest, snapshot: Snapshot
) -> Callable[[NodeState], Reasons] | Blocked | None:
    """Refuse nodes without the devices that the pod's claims ask for."""
    if not request.resource_claims and not request.delegable:
        return None
    known = _known(snapshot.objects)
    names = [ref.claim for ref in request.resource_claims]
    # A claim that is named twice would be allocated twice; one without a name is yet to be made.
    if known is None or "" in names or len(set(names)) < len(names):
        return _uncertain(request)
    claims = _claims_of(request.namespace, names, known.claims)
    if isinstance(claims, Blocked):
        return claims
    blocked = next(filter(None, (_blocked(claim, request, known) for claim in claims)), None)
    return blocked or DynamicResources(request, known, claims)


def at_most(checks: Iterable[object], state: NodeState, slots: int) -> int | None:
    """How many of `slots` the devices of a node leave; None if it cannot be told."""
    for check in checks:
        if isinstance(check, DynamicResources):
            return check.at_most(state, slots)
    return slots


def slots_if_empty(checks: Iterable[object], nodes: Iterable[Node]) -> int:
    """How many pods would fit by devices that stand for extended resources, were none taken."""
    for check in checks:
        if isinstance(check, DynamicResources):
            return sum(map(check.if_empty, nodes))
    return 0


def devices(checks: Iterable[object], nodes: Iterable[Node]) -> tuple[int, int] | None:
    """The sums of `DynamicResources.devices` over some nodes; None if they cannot be told."""
    for check in checks:
        if isinstance(check, DynamicResources):
            found = [check.devices(node) for node in nodes]
            known = [one for one in found if one is not None]
            if len(known) < len(found):
                return None
            return sum(there for there, _ in known), sum(held for _, held in known)
    return None


def _known(objects: ClusterObjects) -> _Known | None:
    slices: Mapping[Key, ResourceSlice] | None = objects.slices
    if slices is None or objects.device_classes is None or objects.resource_claims is None:
        return None
    return _Known(objects.device_classes, objects.resource_claims, published(slices))


def _uncertain(request: PodRequest) -> Callable[[NodeState], Reasons]:
    if request.resource_claims:
        return lambda _: _UNKNOWN
    return lambda state: (
        _UNKNOWN_DELEGATED
        if any(is_delegated(request, resource, state.node) for resource in request.delegable)
        else NO_REASONS
    )


def _claims_of(
    namespace: str, names: Iterable[str], claims: Mapping[Key, ResourceClaim]
) -> list[ResourceClaim] | Blocked:
    found = []
    for name in names:
        claim = claims.get((namespace, name))
        if claim is None:
            return Blocked(f'could not find ResourceClaim "{namespace}/{name}"')
        if claim.terminating:
            return Blocked(f'resourceclaim "{name}" is being deleted')
        found.append(claim)
    return found


def _blocked(claim: ResourceClaim, request: PodRequest, known: _Known) -> Blocked | None:
    if claim.allocation is not None:
        is_full = len(claim.reserved_for) >= _MOST_CONSUMERS
        return Blocked("resourceclaim in use") if is_full and not _is_held(claim, request) else None
    for asked in claim.requests:
        for name, device_class in asked.classes:
            if ("", device_class) not in known.classes:
                return Blocked(f"request {name}: device class {device_class} does not exist")
    return None


def _is_held(claim: ResourceClaim, request: PodRequest) -> bool:
    return bool(request.uid) and request.uid in claim.reserved_for


def _claimed(claim: ResourceClaim, classes: Mapping[Key, DeviceClass]) -> Claimed:
    return Claimed(
        tuple(
            Want(asked, (*classes["", asked.classes[0][1]].selectors, *asked.selectors))
            if asked.classes
            else Want(asked, (None,))
            for asked in claim.requests
        ),
        claim.constraints,
    )


def _delegable(request: PodRequest, classes: Mapping[Key, DeviceClass]) -> dict[str, Want]:
    """What is asked of DRA, by the extended resource in whose place it stands."""
    wants = {}
    for resource in sorted(request.delegable):
        device_class = class_for(resource, classes)
        if device_class is not None:
            of = ((resource, device_class.name),)
            asked = DeviceRequest(resource, of, count=request.requests[resource])
            wants[resource] = Want(asked, device_class.selectors)
    return wants


def _is_usable(claim: ResourceClaim, node: Node) -> bool:
    terms = claim.allocation.terms if claim.allocation is not None else None
    return terms is None or any(term_matches(term, node) for term in terms)
