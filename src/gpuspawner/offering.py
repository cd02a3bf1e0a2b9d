"""A KubeSpawner that knows what a person may have, and what of that can be started now."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, NoReturn, cast

from jupyterhub.utils import maybe_future
from traitlets import Enum, Float, Unicode

from gpuspawner import wording
from gpuspawner.access import GIT, PAGE, Mode
from gpuspawner.alternatives import nearest
from gpuspawner.applied import AppliedSettings
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.shared import SharedCluster, shared_cluster
from gpuspawner.catalog import Catalog, CatalogError, Profile, is_dynamic
from gpuspawner.in_force import InForce, in_force
from gpuspawner.in_line import PlaceInLine
from gpuspawner.judging import Judge
from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, speaking
from gpuspawner.metrics import counts, standings
from gpuspawner.offers import Offer, Situation, drafts_in, pool_of
from gpuspawner.policy import Decision, Person, decide
from gpuspawner.profile_list import ProfileList
from gpuspawner.refusals import NOT_ALLOWED, SEE_THE_LOG, SpawnRefusedError
from gpuspawner.refusing import RefusingKubeSpawner
from gpuspawner.selection import (
    Selection,
    SelectionError,
    no_such_profile,
    read_selection,
)
from gpuspawner.starting.measuring import Ground
from gpuspawner.starting.telling import measured

DEFAULT_CATALOG = "/etc/gpuspawner/catalog.yaml"

NOTHING_ALLOWED = gettext_noop(
    "No server profile is open to this account: none of its groups has access to one. "
    "Ask the people who run this hub."
)
_UNREADABLE = gettext_noop("The list of server profiles cannot be read at the moment.")
_MISTAKEN = gettext_noop(
    "No server profile can be offered to this account: some are left out because of a mistake in "
    "their configuration."
)
_NOT_BY_DEFAULT = gettext_noop(
    "No profile was asked for, and the default one is not open to this account."
)
_CHOOSE = gettext_noop("Choose one of those on the spawn page.")
_LIST_MAY_BE_OLD = 10.0
"""Seconds for which an open page does not ask a function again for its ``profile_list``."""


class OfferingKubeSpawner(RefusingKubeSpawner):
    """A KubeSpawner with a catalog: its offers are what `gpuspawner.offers` makes of it.

    The entries of KubeSpawner's own ``profile_list`` come after the catalog's profiles.
    """

    catalog_file = Unicode(
        DEFAULT_CATALOG,
        config=True,
        help="The YAML file with accelerators, volumes, profiles and access rules.",
    )
    access_mode = Enum(
        (GIT, PAGE),
        GIT,
        config=True,
        help="""Where the access rules are kept. "git": in the catalog's file alone. "page": what
        admins save on the hub's page counts in place of the file's, and is kept in the hub's
        database.""",
    )
    first_look_timeout = Float(
        5.0,
        config=True,
        help="Seconds a form waits for the first look at the cluster before it says unknown.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._applied = AppliedSettings(self)
        self._profile_list = ProfileList(self)
        self._drafted: tuple[object, tuple[Offer, ...]] | None = None
        self._offer: Offer | None = None
        self._judged_by: Catalog | None = None
        super().__init__(*args, **kwargs)

    @property
    def catalog(self) -> Catalog:
        """The catalog in force, with the entries of ``profile_list`` as far as they are known.

        Raises:
            CatalogError: it was never loaded and cannot be.
        """
        listed, file = self._profile_list, self.in_force
        may_be_missing = listed.is_set and self.catalog_file == DEFAULT_CATALOG
        own = None if may_be_missing and file.is_file_missing else file.load()
        return listed.beside(own, self.person) if listed.is_set or own is None else own

    @property
    def in_force(self) -> InForce:
        """Where the catalog comes from, with the access that is in force."""
        return in_force(Path(self.catalog_file), cast("Mode", self.access_mode))

    @property
    def person(self) -> Person:
        """Whom the server is for, whoever asked for it."""
        return Person(self.user.name, frozenset(group.name for group in self.user.groups))

    @property
    def profile_title(self) -> str:
        """What the profile that was asked for is called; empty if that cannot be told."""
        profile = self._profile_asked_for
        return profile.title if profile is not None else ""

    @property
    def session_in_words(self) -> str:
        """When the server that was asked for ends, in the start's language; empty if never."""
        profile = self._profile_asked_for
        if profile is None or profile.session_limit is None:
            return ""
        with speaking(self.language):
            return wording.server_lasts(profile.session_limit)

    @property
    def longest_wait(self) -> float:
        """Seconds for which one may wait in line for the profile that was asked for."""
        profile = self._profile_asked_for
        return profile.longest_wait if profile is not None else 0

    @property
    def _profile_asked_for(self) -> Profile | None:
        try:
            catalog = self._judged_by or self.catalog
            profile = read_selection(self.user_options, catalog, self._may_have(catalog)).profile
        except (CatalogError, SelectionError):
            return None
        return profile if self._may_have(catalog)(profile) else None

    def place_in_line(self) -> PlaceInLine:
        """The place of this server's pod among those that wait."""
        return self._judge.place_in_line(self.pod_name)

    async def run_pre_spawn_hook(self) -> None:
        """JupyterHub's, before a start; how long that may wait is in the list's entry."""
        await maybe_future(super().run_pre_spawn_hook())
        await self._profile_list.ask()

    async def offers(self) -> list[Offer]:
        """What the person may have, at least one, judged at this moment.

        Raises:
            SpawnRefusedError: 403 if no profile is allowed, 503 if there is no catalog.
        """
        catalog = await self._newest_catalog(_LIST_MAY_BE_OLD)
        if not any(map(self._may_have(catalog), catalog.profiles)):
            raise self._nothing_open()
        return await self._offers_in(catalog)

    def ground(self) -> Hashable:
        """What `offers` follows from, cheaply: while it is equal, only time has changed them.

        Raises:
            CatalogError: there is no catalog.
        """
        return self.catalog, self.person, measured(), self._judge.ground()

    def freshness(self) -> Freshness:
        """How far the cluster is known at this moment."""
        return self._judge.freshness()

    async def watched_cluster(self) -> SharedCluster:
        """The cluster as the hub watches it, after the first look if that can be had."""
        await self._judge.view(self.first_look_timeout)
        return self._cluster

    async def way_out(self) -> str:
        """What comes nearest to what was asked for, of all that the person can start now."""
        offers = await self._offers_in(await self._newest_catalog(_LIST_MAY_BE_OLD))
        return wording.instead(nearest(self._offer, offers))

    async def _newest_catalog(self, may_be_old: float = 0.0) -> Catalog:
        """The catalog, with a ``profile_list`` that was asked for at most so many seconds ago."""
        await self.in_force.fresh()
        await self._profile_list.ask(may_be_old)
        return self._catalog_or_refuse()

    def _catalog_or_refuse(self) -> Catalog:
        try:
            return self.catalog
        except CatalogError as error:
            self.log.error("No server can be started, the catalog is not valid:\n%s", error)  # noqa: TRY400 - the problems say it all
            raise SpawnRefusedError(503, "no-catalog", _list_fails()) from error

    def _selection_or_refuse(self, catalog: Catalog) -> Selection:
        try:
            return read_selection(self.user_options, catalog, self._may_have(catalog))
        except SelectionError as error:
            if self._profile_list.is_failing:
                # What was asked for may well be of the list that cannot be had.
                raise SpawnRefusedError(503, "misconfigured", _list_fails()) from error
            if self._profile_list.problems and not any(
                map(self._may_have(catalog), catalog.profiles)
            ):
                raise self._nothing_open() from error
            raise SpawnRefusedError(403, NOT_ALLOWED, f"{error} {_(_CHOOSE)}") from error

    def _nothing_open(self) -> SpawnRefusedError:
        if self._profile_list.is_failing:
            return SpawnRefusedError(503, "misconfigured", _list_fails())
        problems = self._profile_list.problems
        if problems:
            # Any of them might have been open to this person.
            self.log.warning(
                "Nothing can be offered to %s: %s", self.user.name, "; ".join(problems)
            )
            return SpawnRefusedError(503, "misconfigured", f"{_(_MISTAKEN)} {_(SEE_THE_LOG)}")
        return SpawnRefusedError(403, "nothing-allowed", _(NOTHING_ALLOWED))

    def _may_have(self, catalog: Catalog) -> Callable[[Profile], bool]:
        return lambda profile: self._decision(catalog, profile).allowed

    def _decision(self, catalog: Catalog, profile: Profile) -> Decision:
        return decide(catalog.rules_for(profile.slug), self.person, profile.slug)

    def _refuse_profile(self, selection: Selection) -> NoReturn:
        words = (
            _(_NOT_BY_DEFAULT)
            if selection.by_default
            else str(no_such_profile(selection.profile.slug))
        )
        raise SpawnRefusedError(403, NOT_ALLOWED, f"{words} {_(_CHOOSE)}")

    async def _offers_in(self, catalog: Catalog) -> list[Offer]:
        situation = await self._situation(catalog)
        drafts = self._drafts(situation)
        standings(counts().labels).remember(drafts, catalog, self._judge, self.pvc_name)
        return await self._judge.offers(drafts, situation)

    async def _situation(self, catalog: Catalog) -> Situation:
        view = await self._judge.view(self.first_look_timeout)
        return Situation(
            self.person,
            catalog,
            self._applied.base(catalog),
            view,
            self._applied.expand,
            measured(),
            self._applied.resolve,
        )

    def _drafts(self, situation: Situation) -> tuple[Offer, ...]:
        """What could be offered; the same as before as long as nothing that decides has changed."""
        ground = (situation.catalog, situation.person, situation.base, self.pvc_name, self.name)
        if any(map(is_dynamic, situation.catalog.profiles)):
            return tuple(drafts_in(situation))
        if self._drafted is None or self._drafted[0] != ground:
            self._drafted = (ground, tuple(drafts_in(situation)))
        return self._drafted[1]

    def _ground_of(self, node: str) -> Ground | None:
        state = self._judge.snapshot().nodes.get(node)
        if state is None:
            return None
        return Ground(state.node.created, pool_of(state.node, self._judged_by or self.catalog))

    @property
    def _judge(self) -> Judge:
        return Judge(self._cluster, self.namespace, self.log)

    @property
    def _cluster(self) -> SharedCluster:
        namespace = "" if self.enable_user_namespaces else self.namespace
        return shared_cluster(self.api.api_client.configuration, namespace, self.log)


def _list_fails() -> str:
    return f"{_(_UNREADABLE)} {_(SEE_THE_LOG)}"
