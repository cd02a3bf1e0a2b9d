"""Where each profile stands for anyone who may have it.

The last that somebody was offered, without their home, is judged again by the code that judges for
the spawn page: begun by a scrape, done in the steps that leave the event loop its turns, and shown
by the next scrape.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from weakref import WeakKeyDictionary

from gpuspawner.catalog import Catalog, Profile
from gpuspawner.judging import Judge
from gpuspawner.metrics.counting import ProfileLabels
from gpuspawner.metrics.families import OTHER
from gpuspawner.offers import Offer, Situation, Standing
from gpuspawner.policy import Person

FRESH_FOR = 120.0
"""Seconds for which a judgement may be shown."""
_NOBODY = Person("", frozenset())


class Standings:
    """Where the profiles of one hub stand."""

    def __init__(self, labels: ProfileLabels) -> None:
        self._labels = labels
        self._drafts: dict[str, Offer] = {}
        self._found: dict[str, Standing] = {}
        self._ground: object = None
        self._judge: Judge | None = None
        self._judged_at = 0.0

    def remember(self, drafts: Iterable[Offer], catalog: Catalog, judge: Judge, home: str) -> None:
        """Somebody is offered these.

        Args:
            drafts: not yet judged.
            catalog: of which they are.
            judge: of where their pods would run.
            home: the name of the person's own claim.
        """
        self._judge = judge
        self.keep(catalog)
        for draft in drafts:
            label = self._labels.of(draft.profile)
            known = self._drafts.get(label)
            if label != OTHER and (known is None or _differ(known.profile, draft.profile)):
                self._drafts[label] = _of_anyone(draft, home)
                self._found.pop(label, None)

    def keep(self, catalog: Catalog) -> None:
        """Forget what the catalog says no more; who is offered it next tells what it is now."""
        own = tuple(one for one in catalog.profiles if one.entry is None)
        ground = (own, catalog.accelerators, catalog.volumes)
        if ground == self._ground:
            return
        self._ground = ground
        for label in [one for one, draft in self._drafts.items() if draft.profile.entry is None]:
            del self._drafts[label]
            self._found.pop(label, None)

    def at_present(self, slugs: Iterable[str]) -> Mapping[str, Standing]:
        """By label, for the profiles of the catalog and those of lists that were offered."""
        labels = dict.fromkeys([*map(self._labels.of_catalog, slugs), *self._drafts])
        labels.pop(OTHER, None)
        is_old = time.monotonic() - self._judged_at > FRESH_FOR
        is_known = not is_old and self._judge is not None and self._judge.freshness().is_live
        found = self._found if is_known else {}
        return {label: found.get(label, Standing.UNKNOWN) for label in labels}

    async def look(self, catalog: Catalog) -> None:
        """Judge them all again."""
        judge, drafts = self._judge, dict(self._drafts)
        if judge is None or not drafts:
            return
        faulty = {label: Standing.NEVER for label, draft in drafts.items() if draft.fault}
        sound = {label: draft for label, draft in drafts.items() if not draft.fault}
        began = time.monotonic()
        situation = Situation(_NOBODY, catalog, {}, await judge.view(0))
        offers = await judge.offers(sound.values(), situation)
        found = {label: offer.standing for label, offer in zip(sound, offers, strict=True)}
        # What has changed meanwhile is not known.
        self._found = {
            label: standing
            for label, standing in (found | faulty).items()
            if self._drafts.get(label) is drafts[label]
        }
        self._judged_at = began


def _differ(one: Profile, other: Profile) -> bool:
    # To compare them takes longer than all else that is done for an offer.
    return one is not other and one != other


def _of_anyone(draft: Offer, home: str) -> Offer:
    if draft.plan is None or not home:
        return draft
    request = draft.plan.request
    request = replace(
        request,
        claims=tuple(name for name in request.claims if name != home),
        claims_to_make=tuple(claim for claim in request.claims_to_make if claim.claim.name != home),
    )
    return replace(draft, plan=replace(draft.plan, request=request))


_standings: WeakKeyDictionary[asyncio.AbstractEventLoop, Standings] = WeakKeyDictionary()


def standings(labels: ProfileLabels) -> Standings:
    """Those of the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _standings.get(loop)
    if found is None:
        found = _standings[loop] = Standings(labels)
    return found
