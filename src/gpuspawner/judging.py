"""Drafts judged against the cluster as it is: admission first, then the verdict."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gpuspawner.capacity.admission import Admission, Admitted, NotKnown, Refused
from gpuspawner.capacity.denials import Denial
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.offers import Offer, Situation, View, judged
from gpuspawner.pod import PodPlan, admission_decides

_SLICE = 0.01
"""Seconds of judging after which the event loop gets its turn."""


class Judge:
    """Judges what people are offered, without holding up the event loop.

    Args:
        cluster: where the pods will run.
        namespace: where they will be made.
        log: for what is not for everybody's eyes.
    """

    def __init__(self, cluster: SharedCluster, namespace: str, log: logging.Logger) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._log = log

    async def view(self, first_look_timeout: float) -> View:
        """The cluster as it is known; the first look at it is waited for."""
        cluster = self._cluster
        if not cluster.was_synced and cluster.freshness().last_error is None:
            await cluster.wait_synced(first_look_timeout)
        return View(cluster.snapshot(), cluster.freshness(), cluster.verdict, cluster.hidden())

    async def offers(self, drafts: Iterable[Offer], situation: Situation) -> list[Offer]:
        """What the drafts come to, in their order."""
        offers, began = [], time.perf_counter()
        for draft in await self._admitted(tuple(drafts)):
            offers.append(await self._offer(draft, situation))
            if time.perf_counter() - began > _SLICE:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return offers

    async def offer(self, draft: Offer, situation: Situation) -> Offer:
        """What one draft comes to that is to be started, by a dry run of its own."""
        if draft.plan is not None:
            draft = replace(draft, plan=_of_one_person(draft.plan))
        [offer] = await self.offers([draft], situation)
        return offer

    async def _offer(self, draft: Offer, situation: Situation) -> Offer:
        if draft.plan is not None and draft.denial is None:
            await self._cluster.settle(draft.plan.request, situation.view.snapshot)
        offer = judged(draft, situation)
        if offer.fault:
            self._log.error("The profile %r cannot be used: %s", offer.profile.slug, offer.fault)
        return offer

    async def _admitted(self, drafts: Sequence[Offer]) -> list[Offer]:
        """The drafts, after what the API server says of their pods."""
        plans = [draft.plan for draft in drafts if draft.plan is not None]
        admissions = iter(await self._admissions(plans))
        return [
            draft if draft.plan is None else _admitted_as(draft, draft.plan, next(admissions))
            for draft in drafts
        ]

    async def _admissions(self, plans: Sequence[PodPlan]) -> list[Admission]:
        cluster, namespace = self._cluster, self._namespace
        known = [cluster.known_admission(planned, namespace) for planned in plans]
        # All that have to be asked about are asked about at once.
        asking = [
            cluster.admit(planned, namespace)
            for planned, admission in zip(plans, known, strict=True)
            if admission is None
        ]
        asked = iter(await asyncio.gather(*asking))
        return [next(asked) if admission is None else admission for admission in known]


def _admitted_as(draft: Offer, planned: PodPlan, admission: Admission) -> Offer:
    """With the pod as the API server would create it, or why it would not; as it is, if unsaid."""
    match admission:
        case Admitted(request):
            # The same object if nothing changed, by which its verdict is known.
            if request == planned.request:
                return draft
            return replace(draft, plan=replace(planned, request=request))
        case Refused(message, quota):
            return replace(draft, denial=Denial(message, quota))
        case NotKnown(why) if admission_decides(planned.manifest):
            return replace(draft, unadmitted=why)
    return draft


def _of_one_person(planned: PodPlan) -> PodPlan:
    """The same, to be admitted as theirs: a webhook may look at the labels that say whose it is."""
    labels = json.dumps(planned.request.labels, sort_keys=True)
    return replace(planned, admission_key=f"{planned.admission_key} {labels}")
