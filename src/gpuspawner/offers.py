"""What one person may start right now, and if not, why not.

The form, the start and the API all ask here, so that none can offer what another refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import msgspec

from gpuspawner.capacity.denials import Denial, read_denial
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Node, PodRequest, Taint
from gpuspawner.catalog import START_A_NODE, WAIT, Accelerator, Catalog, Profile, Volume
from gpuspawner.errors import GPUSpawnerError
from gpuspawner.fit import (
    Growth,
    NodeTemplate,
    SmallPool,
    Verdict,
    fits_somewhere,
    fits_wherever,
    growths,
    judge,
    makes_way,
    promised_once,
    too_small,
)
from gpuspawner.line import Waiter, competitors, left_by
from gpuspawner.pod import PodPlan, Settings, as_planned, keeping_off, plan
from gpuspawner.policy import Decision, Person, decide
from gpuspawner.quantity import parse_amount
from gpuspawner.selection import Selection
from gpuspawner.starting.measured import NOTHING_YET, Measured, Typical

_PODS_ON_A_NODE = 110
"""The kubelet's own default."""


class Standing(Enum):
    """Where a profile stands. Unknown is a word of its own: neither free nor zero."""

    FREE = "free"
    EVICTS = "evicts"
    """It fits once the scheduler has evicted pods of lower priority, which it will do."""
    CAN_START_NODE = "can-start-node"
    """No node takes it, but a pool can grow by one that does."""
    QUEUED = "queued"
    """It will be admitted, and then wait in a queue."""
    BUSY = "busy"
    NEVER = "never"
    UNKNOWN = "unknown"


ADMISSION = "how the pod would be admitted"
_STARTS = frozenset(Standing) - {Standing.BUSY, Standing.NEVER}


@dataclass(frozen=True, slots=True)
class View:
    """The cluster as it was last known, and how far that can be trusted.

    Attributes:
        verdict_on: gives what `gpuspawner.fit.judge` gives, perhaps sooner.
        hidden: kinds of objects that RBAC hides, and the rights that are missing.
        ahead: those who wait and go before, the first first.
    """

    snapshot: Snapshot
    freshness: Freshness
    verdict_on: Callable[[PodRequest, Snapshot], Verdict] = judge
    hidden: Mapping[str, str] = field(default_factory=dict)
    ahead: tuple[Waiter, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """All that an answer depends on.

    Attributes:
        base: the configured values of the traits `gpuspawner.pod.base_names` names.
        expand: replaces ``{username}`` and the like, as KubeSpawner will.
        resolve: gives the value of a setting where an override has a function for it.
        measured: how long the hub's starts took.
    """

    person: Person
    catalog: Catalog
    base: Settings
    view: View
    expand: Callable[[Any], Any] = lambda value: value
    measured: Measured = NOTHING_YET
    resolve: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True, slots=True)
class Offer:
    """A profile a person may have, and whether it can be started.

    Attributes:
        volumes: what the profile mounts, by its name in the catalog.
        verdict: None if there was nothing to judge: the cluster is not known, or `fault` is set.
        plan: what to start; None if `fault` is set.
        fault: what is wrong with the profile itself, for the operator.
        growths: the pools that could get a node for it, if no node takes it now.
        small_pools: those whose nodes are for it and too small, if no node that is there is.
        missing: rights for want of which it is not known whether it fits.
        denial: why the API server would not create the pod, if it said so.
        unadmitted: why it is not known what admission makes of the pod, where that may decide;
            for the operator. It is then never said to fit.
        contenders: how many servers that are being started decide, by where they go, whether this
            one fits; 0 if that is clear whatever they do.
        ahead: how many wait and go before, where this one could run, too.
        is_kept: whether it would fit, but for the room that is kept for those.
        avoids: nodes that its pod has to keep off, since room is kept there.
        node_takes: how long a new node of `pool_to_grow` takes; None if nobody measured it.
    """

    profile: Profile
    accelerator: Accelerator | None
    decision: Decision
    standing: Standing
    freshness: Freshness
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    verdict: Verdict | None = None
    plan: PodPlan | None = None
    fault: str = ""
    growths: tuple[Growth, ...] = ()
    small_pools: tuple[SmallPool, ...] = ()
    missing: tuple[str, ...] = ()
    denial: Denial | None = None
    unadmitted: str = ""
    contenders: int = 0
    ahead: int = 0
    is_kept: bool = False
    avoids: frozenset[str] = frozenset()
    node_takes: Typical | None = None

    @property
    def can_wait(self) -> bool:
        """Whether one may wait in line until it can be started."""
        is_full = self.standing is Standing.BUSY or self.contenders > 0
        return WAIT in self.profile.when_full and is_full and self.plan is not None

    @property
    def pool_to_grow(self) -> str:
        """The title of the pool that gets a node for it; empty if none has to, or can."""
        if self.standing is not Standing.CAN_START_NODE:
            return ""
        return next(growth.pool for growth in self.growths if not growth.hindrance)

    @property
    def can_start(self) -> bool:
        """Whether a start is let through: what is not known is tried, and said to be unknown."""
        return self.standing in _STARTS and self.plan is not None


def offers_in(situation: Situation) -> tuple[Offer, ...]:
    """An offer for each profile that the person is allowed, in the catalog's order."""
    return tuple(judged(draft, situation) for draft in drafts_in(situation))


def offer_of(selection: Selection, situation: Situation) -> Offer | None:
    """The offer of what was selected; None if the person may not have it."""
    draft = draft_of(selection, situation)
    return None if draft is None else judged(draft, situation)


def drafts_in(situation: Situation) -> Iterator[Offer]:
    """`offers_in`, not yet `judged`."""
    for profile in situation.catalog.profiles:
        draft = draft_of(Selection(profile), situation)
        if draft is not None:
            yield draft


def draft_of(selection: Selection, situation: Situation) -> Offer | None:
    """`offer_of`, not yet `judged`: nothing is known of where it stands."""
    profile, catalog = selection.profile, situation.catalog
    decision = decide(catalog.rules_for(profile.slug), situation.person, profile.slug)
    if not decision.allowed:
        return None
    draft = Offer(
        profile=profile,
        accelerator=catalog.accelerators[profile.accelerator] if profile.accelerator else None,
        decision=decision,
        standing=Standing.UNKNOWN,
        freshness=situation.view.freshness,
        volumes={name: catalog.volumes[name] for name in profile.volumes},
    )
    try:
        planned = plan(
            profile,
            catalog,
            situation.base,
            selection.image,
            options=selection.options,
            expand=situation.expand,
            resolve=situation.resolve,
        )
        profile = as_planned(profile, catalog, planned)
    except Exception as error:  # noqa: BLE001 - one profile's fault must not take the others away
        fault = str(error) if isinstance(error, GPUSpawnerError) else repr(error)
        return replace(draft, standing=Standing.NEVER, fault=fault)
    accelerator = catalog.accelerators[profile.accelerator] if profile.accelerator else None
    return replace(draft, plan=planned, profile=profile, accelerator=accelerator)


def judged(draft: Offer, situation: Situation) -> Offer:
    """The offer that a draft comes to in the cluster as it is."""
    view = situation.view
    draft = replace(draft, freshness=view.freshness)
    if draft.denial is not None:
        standing = Standing.BUSY if draft.denial.quota else Standing.NEVER
        return replace(draft, standing=standing)
    if draft.plan is None:
        return draft
    request = draft.plan.request
    if not view.freshness.is_live:
        # Who waits goes first also where nothing is known.
        return replace(draft, contenders=len(competitors(request, "", view.ahead, view.snapshot)))
    found = view.verdict_on(request, view.snapshot)
    left = left_by(view.ahead, request, found, view.snapshot, view.verdict_on)
    verdict, confined = left.verdict, keeping_off(request, left.avoids)
    may_matter = verdict.fits is False or view.snapshot.assumed
    templates = tuple(node_templates(situation.catalog)) if may_matter else ()
    grown: tuple[Growth, ...] = ()
    if verdict.fits is False and not verdict.refusal:
        grown = growths(request, view.snapshot, templates)
        grown = promised_once(grown, confined, view.snapshot, view.verdict_on, templates)
    standing = _standing(verdict, grown)
    if standing is Standing.EVICTS and left.avoids:
        # Others may make way on just the nodes that it keeps off, which are for it all the same.
        verdict = msgspec.structs.replace(
            view.verdict_on(confined, view.snapshot),
            devices=found.devices,
            slots_if_empty=found.slots_if_empty,
            slots_taken=found.slots_taken,
        )
        standing = _standing(verdict, grown)
    if standing is Standing.CAN_START_NODE and START_A_NODE not in draft.profile.when_full:
        standing = Standing.BUSY
    if draft.unadmitted and standing in _STARTS:
        standing = Standing.UNKNOWN
        unchecked = tuple(sorted({*verdict.unchecked, ADMISSION}))
        verdict = msgspec.structs.replace(
            verdict, fits=None, nodes={}, slots=None, unchecked=unchecked
        )
    if standing is Standing.CAN_START_NODE:
        rivals = left.rivals + _wanting_a_node(view, templates)
    else:
        rivals = left.rivals
    contenders = rivals or _contenders(standing, confined, verdict, view, templates)
    if contenders:
        standing = Standing.UNKNOWN
    offer = replace(
        draft,
        standing=standing,
        verdict=verdict,
        growths=grown,
        small_pools=_small_pools(standing, verdict, request, templates),
        missing=tuple(view.hidden[kind] for kind in verdict.unchecked if kind in view.hidden),
        contenders=contenders,
        denial=_lasting_denial(verdict) if standing is Standing.NEVER else None,
        ahead=len(competitors(request, "", view.ahead, view.snapshot)),
        is_kept=bool(found.fits) and verdict.fits is False,
        # Karpenter passes over pods that keep off a node by its name.
        avoids=frozenset() if standing is Standing.CAN_START_NODE else left.avoids,
    )
    return replace(offer, node_takes=situation.measured.node_of(offer.pool_to_grow))


def pool_of(node: Node, catalog: Catalog) -> str:
    """The title of the catalog's pool that a node belongs to; empty if it is in none."""
    pools = catalog.node_pools.values()
    return next((pool.title for pool in pools if pool.labels.items() <= node.labels.items()), "")


def _standing(verdict: Verdict, grown: tuple[Growth, ...]) -> Standing:
    can_grow = any(not growth.hindrance and growth.is_certain for growth in grown)
    may_grow = any(not growth.hindrance for growth in grown)
    answers = (
        (verdict.fits is None, Standing.UNKNOWN),
        (verdict.fits, Standing.FREE),
        (_lasting_denial(verdict), Standing.NEVER),
        (verdict.refusal, Standing.BUSY),
        (verdict.queued, Standing.QUEUED),
        (verdict.evicts, Standing.EVICTS),
        (can_grow, Standing.CAN_START_NODE),
        (verdict.evicts is None or may_grow, Standing.UNKNOWN),
        (verdict.never and not grown, Standing.NEVER),
    )
    return next((standing for holds, standing in answers if holds), Standing.BUSY)


def _small_pools(
    standing: Standing, verdict: Verdict, request: PodRequest, templates: Sequence[NodeTemplate]
) -> tuple[SmallPool, ...]:
    if standing is not Standing.NEVER or verdict.eligible_nodes:
        return ()
    return too_small(request, templates)


def _lasting_denial(verdict: Verdict) -> Denial | None:
    """What a quota says that refuses the pod however little others take of it."""
    denial = read_denial(verdict.refusal)
    return None if denial is None or denial.quota else denial


def _wanting_a_node(view: View, templates: Sequence[NodeTemplate]) -> int:
    """How many who go before would be started for the sake of a new node as well."""
    return sum(
        waiter.starts_nodes
        and not waiter.is_held_up
        and waiter.request is not None
        and any(not grown.hindrance for grown in growths(waiter.request, view.snapshot, templates))
        for waiter in view.ahead
    )


def _contenders(
    standing: Standing,
    request: PodRequest,
    verdict: Verdict,
    view: View,
    templates: Iterable[NodeTemplate],
) -> int:
    snapshot, verdict_on = view.snapshot, view.verdict_on
    if not snapshot.assumed:
        return 0
    match standing:
        case Standing.FREE | Standing.CAN_START_NODE:
            is_open = not fits_wherever(request, snapshot, verdict, verdict_on, templates)
        case Standing.EVICTS:
            is_open = not makes_way(request, snapshot, verdict_on)
        case Standing.BUSY:
            is_open = fits_somewhere(request, snapshot, verdict_on)
        case _:
            is_open = False
    return len(snapshot.assumed) if is_open else 0


def node_templates(catalog: Catalog) -> Iterator[NodeTemplate]:
    """What a new node looks like of each pool that the catalog describes, in its order."""
    for name, pool in catalog.node_pools.items():
        allocatable = {
            resource: parse_amount(resource, text) for resource, text in pool.allocatable.items()
        }
        allocatable.setdefault("pods", _PODS_ON_A_NODE)
        node = Node(
            name=f"a new node of {name}",
            uid="",
            labels=pool.labels,
            taints=tuple(Taint(t.key, t.value, t.effect) for t in pool.taints),
            unschedulable=False,
            allocatable=allocatable,
            capacity=allocatable,
        )
        yield NodeTemplate(pool.title, node, pool.most_nodes, pool.autoscaler_group or "")
