"""What a person may have, and the pod that each of it would be: all but where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gpuspawner.errors import GPUSpawnerError
from gpuspawner.offers.values import Offer, Situation, Standing
from gpuspawner.pod import as_planned, plan
from gpuspawner.policy import decide
from gpuspawner.selection import Selection


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
