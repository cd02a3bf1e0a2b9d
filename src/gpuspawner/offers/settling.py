"""Where a draft stands in the cluster as it is: one verdict after another, until one decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from gpuspawner.capacity.denials import Denial, read_denial
from gpuspawner.capacity.model import PodRequest
from gpuspawner.catalog import START_A_NODE
from gpuspawner.fit import (
    Growth,
    NodeTemplate,
    SmallPool,
    Verdict,
    fits_somewhere,
    fits_wherever,
    growths,
    makes_way,
    promised_once,
    too_small,
)
from gpuspawner.line import Left, competitors, left_by
from gpuspawner.offers.pools import node_templates
from gpuspawner.offers.values import STARTS, Offer, Situation, Standing, View
from gpuspawner.pod import admission_decides, keeping_off

ADMISSION = "how the pod would be admitted"


def judged(draft: Offer, situation: Situation) -> Offer:
    """The offer that a draft comes to in the cluster as it is."""
    view = situation.view
    draft = replace(draft, freshness=view.freshness)
    if draft.denial is not None:
        return _denied(draft, draft.denial, situation)
    if draft.plan is None:
        return draft
    request = draft.plan.request
    if not view.freshness.is_live:
        # Who waits goes first also where nothing is known.
        return replace(draft, contenders=len(competitors(request, "", view.ahead, view.snapshot)))
    case = _case_of(request, situation)
    verdict, standing = _settled(case, draft)
    contenders = _contenders(case, verdict, standing)
    offer = _settled_offer(draft, case, verdict, Standing.UNKNOWN if contenders else standing)
    return replace(
        offer, contenders=contenders, node_takes=situation.measured.node_of(offer.pool_to_grow)
    )


def _denied(draft: Offer, denial: Denial, situation: Situation) -> Offer:
    """The offer of a pod that the API server refuses: others may end what a quota is short of."""
    if not denial.quota:
        return replace(draft, standing=Standing.NEVER)
    if draft.plan is not None and not admission_decides(draft.plan.manifest):
        # What would never fit if the quota let it in is no busier for it.
        offer = judged(replace(draft, denial=None), situation)
        if offer.standing is Standing.NEVER:
            return offer
    return replace(draft, standing=Standing.BUSY)


class _Case(msgspec.Struct, frozen=True):
    """What decides where one draft stands.

    Attributes:
        alone: the verdict as if nobody waited.
        left: what those who go before leave of it.
        confined: the pod, kept off the nodes that are not left to it.
        templates: new nodes of the catalog's pools; none where they do not matter.
        grown: the pools that could get a node for it; none if it needs none.
    """

    view: View
    request: PodRequest
    alone: Verdict
    left: Left
    confined: PodRequest
    templates: tuple[NodeTemplate, ...]
    grown: tuple[Growth, ...]


def _case_of(request: PodRequest, situation: Situation) -> _Case:
    view = situation.view
    snapshot, verdict_on = view.snapshot, view.verdict_on
    alone = verdict_on(request, snapshot)
    left = left_by(view.ahead, request, alone, snapshot, verdict_on)
    verdict, confined = left.verdict, keeping_off(request, left.avoids)
    may_matter = verdict.fits is False or snapshot.assumed
    templates = tuple(node_templates(situation.catalog)) if may_matter else ()
    grown: tuple[Growth, ...] = ()
    # Of what a quota refuses, only what never fits could get a node that makes a difference.
    if verdict.fits is False and (verdict.never or not verdict.refusal):
        grown = growths(request, snapshot, templates)
        grown = promised_once(grown, confined, snapshot, verdict_on, templates)
    return _Case(view, request, alone, left, confined, templates, grown)


def _settled(case: _Case, draft: Offer) -> tuple[Verdict, Standing]:
    """The verdict that counts, and where the draft stands by it, whatever others do."""
    verdict, standing = case.left.verdict, _standing(case.left.verdict, case.grown)
    if standing is Standing.EVICTS and case.left.avoids:
        verdict = _evicting_elsewhere(case)
        standing = _standing(verdict, case.grown)
    if standing is Standing.CAN_START_NODE and START_A_NODE not in draft.profile.when_full:
        standing = Standing.BUSY
    if draft.unadmitted and standing in STARTS:
        return _not_admitted(verdict), Standing.UNKNOWN
    return verdict, standing


def _evicting_elsewhere(case: _Case) -> Verdict:
    # Others may make way on just the nodes that it keeps off, which are for it all the same.
    return msgspec.structs.replace(
        case.view.verdict_on(case.confined, case.view.snapshot),
        devices=case.alone.devices,
        slots_if_empty=case.alone.slots_if_empty,
        slots_taken=case.alone.slots_taken,
    )


def _not_admitted(verdict: Verdict) -> Verdict:
    unchecked = tuple(sorted({*verdict.unchecked, ADMISSION}))
    return msgspec.structs.replace(verdict, fits=None, nodes={}, slots=None, unchecked=unchecked)


def _settled_offer(draft: Offer, case: _Case, verdict: Verdict, standing: Standing) -> Offer:
    view, left = case.view, case.left
    return replace(
        draft,
        standing=standing,
        verdict=verdict,
        growths=case.grown,
        small_pools=_small_pools(standing, verdict, case.request, case.templates),
        missing=tuple(view.hidden[kind] for kind in verdict.unchecked if kind in view.hidden),
        denial=_lasting_denial(verdict) if standing is Standing.NEVER else None,
        ahead=len(competitors(case.request, "", view.ahead, view.snapshot)),
        is_kept=bool(case.alone.fits) and verdict.fits is False,
        # Karpenter passes over pods that keep off a node by its name.
        avoids=frozenset() if standing is Standing.CAN_START_NODE else left.avoids,
    )


def _standing(verdict: Verdict, grown: tuple[Growth, ...]) -> Standing:
    can_grow = any(not growth.hindrance and growth.is_certain for growth in grown)
    may_grow = any(not growth.hindrance for growth in grown)
    hopeless = verdict.never and not grown
    answers = (
        (verdict.fits is None, Standing.UNKNOWN),
        (verdict.fits, Standing.FREE),
        (_lasting_denial(verdict), Standing.NEVER),
        (verdict.refusal and not (hopeless and not verdict.queued), Standing.BUSY),
        (verdict.queued, Standing.QUEUED),
        (verdict.evicts, Standing.EVICTS),
        (can_grow, Standing.CAN_START_NODE),
        (verdict.evicts is None or may_grow, Standing.UNKNOWN),
        (hopeless, Standing.NEVER),
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


def _contenders(case: _Case, verdict: Verdict, standing: Standing) -> int:
    """How many others decide, by where they go, whether it really stands there."""
    rivals = case.left.rivals
    if standing is Standing.CAN_START_NODE:
        rivals += _wanting_a_node(case.view, case.templates)
    return rivals or _undecided(case, verdict, standing)


def _undecided(case: _Case, verdict: Verdict, standing: Standing) -> int:
    """How many are being started, if it is they who decide."""
    snapshot, verdict_on = case.view.snapshot, case.view.verdict_on
    if not snapshot.assumed:
        return 0
    pod = case.confined
    match standing:
        case Standing.FREE | Standing.CAN_START_NODE:
            is_open = not fits_wherever(pod, snapshot, verdict, verdict_on, case.templates)
        case Standing.EVICTS:
            is_open = not makes_way(pod, snapshot, verdict_on)
        case Standing.BUSY:
            is_open = fits_somewhere(pod, snapshot, verdict_on)
        case _:
            is_open = False
    return len(snapshot.assumed) if is_open else 0
