"""Drafts judged against the cluster as it is: admission first, then the verdict."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

from gpuspawner.capacity.admission import Admission, Admitted, NotKnown, Refused
from gpuspawner.capacity.assumed import NOWHERE, Assumed, as_assumed
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.fit import likely_node, node_by_eviction, open_nodes, room_requests
from gpuspawner.in_line import PlaceInLine
from gpuspawner.line import Waiter
from gpuspawner.offers import Offer, Situation, Standing, View, judged
from gpuspawner.pod import PodPlan, admission_decides, avoiding

_MOST_PATIENCE = 5
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
        return self._view(cluster.line.all())

    def place_in_line(self, pod_name: str) -> PlaceInLine:
        """The place of a server's pod among those that wait; it may have none."""
        return PlaceInLine(self._cluster, self._namespace, pod_name)

    def snapshot(self) -> Snapshot:
        """The cluster as last known."""
        return self._cluster.snapshot()

    def freshness(self) -> Freshness:
        """What `view` is worth at this moment."""
        freshness = self._cluster.freshness()
        if freshness.is_live and not self._cluster.was_synced:
            # Pods that were on their way before the hub was started may not be counted yet.
            return replace(freshness, state="starting", age=None)
        return freshness

    def ground(self) -> Hashable:
        """What the answers follow from, cheaply: while it is equal, only time has changed them."""
        cluster, freshness = self._cluster, self.freshness()
        return (
            cluster,
            cluster.snapshot().generation,
            freshness.state,
            freshness.missing,
            cluster.line.all(),
            cluster.watch.unreadable(),
        )

    async def offers(self, drafts: Iterable[Offer], situation: Situation) -> list[Offer]:
        """What the drafts come to, in their order."""
        await self._settle_others(situation.view.snapshot, situation.view.ahead)
        offers, began = [], time.perf_counter()
        for draft in await self._admitted(tuple(drafts)):
            offers.append(await self._offer(draft, situation))
            if time.perf_counter() - began > _SLICE:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return offers

    async def claim(
        self, draft: Offer, situation: Situation, pod_name: str, patience: float
    ) -> tuple[Offer, Assumed | None]:
        """What one draft comes to that is to be started, by a dry run of its own.

        If it can be started, its room is promised to nobody else from then on, until the watch
        shows the pod on a node, or `release` is told of it.

        Args:
            draft: what to start.
            situation: of the person; the cluster is looked at again.
            pod_name: of the pod that will be made.
            patience: seconds to wait, if it depends on where others go that are being started,
                until one more of them has found its node; in all, `_MOST_PATIENCE` times that.

        Returns:
            The offer, and what was promised; None if it cannot be started.
        """
        if draft.plan is not None:
            draft = replace(draft, plan=_of_one_person(draft.plan))
        [draft] = await self._admitted([draft])
        # What is left of an earlier start of this server makes way for it.
        self._cluster.forget(self._namespace, pod_name)
        loop = asyncio.get_running_loop()
        until, last = loop.time() + patience, loop.time() + _MOST_PATIENCE * patience
        under_way: tuple[Assumed, ...] = ()
        while True:
            if under_way != (under_way := self._cluster.snapshot().assumed):
                until = min(last, loop.time() + patience)
            ahead = self._cluster.line.ahead_of((self._namespace, pod_name))
            await self._settle_others(self._cluster.snapshot(), ahead)
            await self._settle(draft, self._cluster.snapshot())
            # No pause from here on: two starts must not see the same room.
            ahead = self._cluster.line.ahead_of((self._namespace, pod_name))
            offer = self._judged(draft, replace(situation, view=self._view(ahead)))
            if not offer.contenders or loop.time() >= until:
                break
            await self._cluster.news(until - loop.time())
        if offer.plan is None or not offer.can_start or offer.contenders:
            return offer, None
        if (self._namespace, pod_name) in self._cluster.line and not offer.freshness.is_live:
            # What waits already can wait until the cluster is known again.
            return offer, None
        planned = avoiding(offer.plan, offer.avoids)
        offer = replace(offer, plan=planned)
        request = replace(planned.request, namespace=self._namespace, name=pod_name)
        claim = as_assumed(request, *_promised(offer, self._cluster.snapshot()))
        self._cluster.assume(claim)
        return offer, claim

    def created(self, claim: Assumed) -> None:
        """The pod of a claim was created."""
        self._cluster.assume_again(claim)

    def release(self, claim: Assumed, *, may_be_there: bool) -> None:
        """Let others have the room that `claim` promised.

        Args:
            claim: of a start that is over.
            may_be_there: its pod may still find a node; then its room stays promised until it is
                known to be gone.
        """
        end = self._cluster.abandon if may_be_there else self._cluster.forget
        end(claim.pod.namespace, claim.pod.name)

    def _view(self, ahead: tuple[Waiter, ...]) -> View:
        cluster = self._cluster
        freshness = self.freshness()
        return View(cluster.snapshot(), freshness, cluster.verdict, cluster.hidden(), ahead)

    async def _offer(self, draft: Offer, situation: Situation) -> Offer:
        await self._settle(draft, situation.view.snapshot)
        return self._judged(draft, situation)

    async def _settle(self, draft: Offer, snapshot: Snapshot) -> None:
        if draft.plan is not None and (draft.denial is None or draft.denial.quota):
            await self._cluster.settle(draft.plan.request, snapshot)

    async def _settle_others(self, snapshot: Snapshot, ahead: Iterable[Waiter]) -> None:
        waiting = [waiter.request for waiter in ahead if waiter.request is not None]
        for request in (*room_requests(snapshot), *waiting):
            await self._cluster.settle(request, snapshot)

    def _judged(self, draft: Offer, situation: Situation) -> Offer:
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


def _promised(offer: Offer, snapshot: Snapshot) -> tuple[str, frozenset[str]]:
    """Where the pod is expected, and the nodes of which it was promised one."""
    verdict = offer.verdict
    if verdict is None or offer.plan is None:
        return "", NOWHERE
    if offer.standing is Standing.EVICTS:
        return node_by_eviction(offer.plan.request, snapshot), NOWHERE
    return likely_node(verdict), open_nodes(offer.plan.request, snapshot, verdict)


def _admitted_as(draft: Offer, planned: PodPlan, admission: Admission) -> Offer:
    """With the pod as the API server would create it, or why it would not; as it is, if unsaid."""
    match admission:
        case Admitted(request):
            # The same object if nothing changed, by which its verdict is known.
            if request == planned.request:
                return draft
            return replace(draft, plan=replace(planned, request=request))
        case Refused(denial):
            return replace(draft, denial=denial)
        case NotKnown(why) if admission_decides(planned.manifest):
            return replace(draft, unadmitted=why)
    return draft


def _of_one_person(planned: PodPlan) -> PodPlan:
    """The same, to be admitted as theirs: a webhook may look at the labels that say whose it is."""
    labels = json.dumps(planned.request.labels, sort_keys=True)
    return replace(planned, admission_key=f"{planned.admission_key} {labels}")
