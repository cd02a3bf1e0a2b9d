"""What one person may start right now, and if not, why not.

The form, the start and the API all ask here, so that none can offer what another refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import Snapshot
from gpuspawner.catalog import Accelerator, Catalog, Profile
from gpuspawner.errors import GPUSpawnerError
from gpuspawner.fit import Verdict, judge
from gpuspawner.pod import PodPlan, Settings, plan
from gpuspawner.policy import Decision, Person, decide
from gpuspawner.selection import Selection


class Standing(Enum):
    """Where a profile stands. Unknown is a word of its own: neither free nor zero."""

    FREE = "free"
    BUSY = "busy"
    NEVER = "never"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class View:
    """The cluster as it was last known, and how far that can be trusted."""

    snapshot: Snapshot
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class Situation:
    """All that an answer depends on.

    Attributes:
        base: the configured values of the traits `gpuspawner.pod.base_names` names.
        expand: replaces ``{username}`` and the like, as KubeSpawner will.
    """

    person: Person
    catalog: Catalog
    base: Settings
    view: View
    expand: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True, slots=True)
class Offer:
    """A profile a person may have, and whether it can be started.

    Attributes:
        verdict: None if there was nothing to judge: the cluster is not known, or `fault` is set.
        plan: what to start; None if `fault` is set.
        fault: what is wrong with the profile itself, for the operator.
    """

    profile: Profile
    accelerator: Accelerator | None
    decision: Decision
    standing: Standing
    freshness: Freshness
    verdict: Verdict | None = None
    plan: PodPlan | None = None
    fault: str = ""

    @property
    def can_start(self) -> bool:
        """Whether a start is let through: what is not known is tried, and said to be unknown."""
        return self.standing in (Standing.FREE, Standing.UNKNOWN) and self.plan is not None


def offers_in(situation: Situation) -> tuple[Offer, ...]:
    """An offer for each profile that the person is allowed, in the catalog's order."""
    return tuple(each_offer(situation))


def each_offer(situation: Situation) -> Iterator[Offer]:
    """`offers_in`, one at a time: on a large cluster each takes a while to judge."""
    for profile in situation.catalog.profiles:
        offer = offer_of(Selection(profile), situation)
        if offer is not None:
            yield offer


def offer_of(selection: Selection, situation: Situation) -> Offer | None:
    """The offer of what was selected; None if the person may not have it."""
    profile, catalog = selection.profile, situation.catalog
    decision = decide(catalog.access, situation.person, profile.slug)
    if not decision.allowed:
        return None
    offer = Offer(
        profile=profile,
        accelerator=catalog.accelerators[profile.accelerator] if profile.accelerator else None,
        decision=decision,
        standing=Standing.UNKNOWN,
        freshness=situation.view.freshness,
    )
    try:
        planned = plan(profile, catalog, situation.base, selection.image, expand=situation.expand)
    except Exception as error:  # noqa: BLE001 - one profile's fault must not take the others away
        fault = str(error) if isinstance(error, GPUSpawnerError) else repr(error)
        return replace(offer, standing=Standing.NEVER, fault=fault)
    if not situation.view.freshness.is_live:
        return replace(offer, plan=planned)
    verdict = judge(planned.request, situation.view.snapshot)
    return replace(offer, standing=_standing(verdict), verdict=verdict, plan=planned)


def _standing(verdict: Verdict) -> Standing:
    if verdict.fits is None:
        return Standing.UNKNOWN
    if verdict.fits:
        return Standing.FREE
    return Standing.NEVER if verdict.never else Standing.BUSY
