"""A look at a cluster in which offers can be judged, live or as it was written down."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.catalog import Catalog
from gpuspawner.cli.connecting import Where, found, read_recording
from gpuspawner.cli.hub_settings import HubSettings
from gpuspawner.cli.reports import Source
from gpuspawner.judging import Judge
from gpuspawner.offers import Offer, Situation, View, drafts_in
from gpuspawner.policy import Person
from gpuspawner.replaying import replayed, view_of

_FIRST_LOOK = 20.0
_HUB_ALONE = "Starts under way and those who wait in line are known to the hub alone."
_DEFAULTS = (
    "Pods are those of KubeSpawner's defaults, without homes; --config takes a "
    "jupyterhub_config.py, which is run."
)
_NO_DRY_RUN = (
    "a dry run in the namespace {} came to nothing ({}): the namespace must exist, and the account "
    "be allowed to create pods there"
)
_NO_WEBHOOKS = "What webhooks make of a pod is not recorded."
_NAMES = (
    "Names were replaced in this recording, so quotas, and claims by their names, are unknown; "
    "`gpuspawner snapshot --keep-names` keeps them."
)


@dataclass(frozen=True, slots=True)
class Look:
    """A cluster, and what somebody could start in it."""

    source: Source
    view: View
    doubtful: frozenset[str | None]
    _judge: Callable[[Iterable[Offer], Situation], Awaitable[list[Offer]]]
    _settings: HubSettings

    @property
    def snapshot(self) -> Snapshot:
        """The cluster."""
        return self.view.snapshot

    @property
    def freshness(self) -> Freshness:
        """How far it is known."""
        return self.view.freshness

    async def offers(self, catalog: Catalog, person: Person) -> list[Offer]:
        """What the person may have, judged."""
        applied = self._settings.applied
        situation = Situation(person, catalog, applied.base(catalog), self.view, applied.expand)
        return await self._judge(drafts_in(situation), situation)


@asynccontextmanager
async def looking(
    where: Where, recorded: Path | None, person: Person, config: Path | None
) -> AsyncIterator[Look]:
    """A look at the cluster for one person.

    Raises:
        click.ClickException: it cannot be asked, or read.
    """
    notes = () if config else (_DEFAULTS,)
    look = _live(where, person, config, notes) if recorded is None else None
    async with look or _recorded(recorded or Path(), where, person, config, notes) as found_look:
        yield found_look


@asynccontextmanager
async def _live(
    where: Where, person: Person, config: Path | None, notes: tuple[str, ...]
) -> AsyncIterator[Look]:
    log = logging.getLogger("gpuspawner")
    # What the watch has to say stands in the report.
    log.addHandler(logging.NullHandler())
    async with found(where) as cluster:
        settings = HubSettings(
            person, config, cluster.namespace, is_default=where.namespace is None
        )
        shared = SharedCluster(cluster.configuration, settings.namespace)
        try:
            judge = Judge(shared, settings.namespace, log)
            view = await judge.view(_FIRST_LOOK)
            source = Source(
                live=True,
                name=cluster.address,
                taken=None,
                namespace=settings.namespace,
                state=view.freshness.state,
                reason=_reason(view.freshness),
                notes=(*notes, _HUB_ALONE),
            )
            doubtful = frozenset(held.node for held in shared.watch.unreadable())

            async def offers(drafts: Iterable[Offer], situation: Situation) -> list[Offer]:
                found_ones = await judge.offers(drafts, situation)
                return [_with_remedy(offer, settings.namespace) for offer in found_ones]

            yield Look(source, view, doubtful, offers, settings)
        finally:
            await shared.stop()
            await settings.aclose()


def _reason(freshness: Freshness) -> str:
    if freshness.is_live:
        return ""
    if freshness.missing:
        rights = ", ".join(f"{right.verb} {right.resource}" for right in freshness.missing)
        return f"the account is not allowed to {rights}; `gpuspawner rbac` prints what grants it"
    return freshness.last_error or f"not listed within {_FIRST_LOOK:g} s"


def _with_remedy(offer: Offer, namespace: str) -> Offer:
    if not offer.unadmitted:
        return offer
    return replace(offer, unadmitted=_NO_DRY_RUN.format(namespace, offer.unadmitted))


@asynccontextmanager
async def _recorded(
    file: Path, where: Where, person: Person, config: Path | None, notes: tuple[str, ...]
) -> AsyncIterator[Look]:
    recorded = read_recording(file)
    namespace, is_default = where.namespace or "default", where.namespace is None
    settings = HubSettings(person, config, namespace, is_default=is_default)

    async def judge(drafts: Iterable[Offer], situation: Situation) -> list[Offer]:
        return replayed(drafts, situation, recorded)

    source = Source(
        live=False,
        name=str(file),
        taken=recorded.taken,
        namespace=settings.namespace,
        state="live",
        reason="",
        notes=(*notes, *(() if recorded.names_kept else (_NAMES,)), _NO_WEBHOOKS, _HUB_ALONE),
    )
    try:
        yield Look(source, view_of(recorded), recorded.unreadable, judge, settings)
    finally:
        await settings.aclose()
