"""GPUSpawner: KubeSpawner whose profiles come from a catalog and are judged before a start.

The hooks here delegate: what a person may have is `gpuspawner.policy`, what fits is
`gpuspawner.fit`, what they see and what a start is checked against is `gpuspawner.offers`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, NoReturn, cast

from jupyterhub.utils import maybe_future
from kubernetes_asyncio.client import ApiException
from traitlets import Enum, Float, TraitError, Unicode, default

from gpuspawner import form, wording
from gpuspawner.access import GIT, PAGE, Mode
from gpuspawner.alternatives import nearest
from gpuspawner.applied import AppliedSettings
from gpuspawner.capacity.assumed import Assumed
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.shared import shared_cluster
from gpuspawner.catalog import Catalog, CatalogError, Profile, is_dynamic
from gpuspawner.in_force import InForce, in_force
from gpuspawner.in_line import PlaceInLine
from gpuspawner.judging import Judge
from gpuspawner.kubespawner_config import (
    ignored_settings,
    warn_once,
)
from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, speaking
from gpuspawner.offers import Offer, Situation, Standing, draft_of, drafts_in, pool_of
from gpuspawner.policy import Person, decide
from gpuspawner.profile_list import ProfileList
from gpuspawner.refusals import NOT_ALLOWED, SEE_THE_LOG, SpawnRefusedError, refusal_of_offer
from gpuspawner.refusing import RefusingKubeSpawner
from gpuspawner.selection import (
    IMAGE_OPTION,
    Selection,
    SelectionError,
    as_options,
    no_such_profile,
    of_form,
    read_selection,
)
from gpuspawner.starting.measuring import Ground
from gpuspawner.starting.telling import measured

DEFAULT_CATALOG = "/etc/gpuspawner/catalog.yaml"

NOTHING_ALLOWED = gettext_noop(
    "No server profile is open to this account: none of its groups has access to one. "
    "Ask the people who run this hub."
)
_CANNOT_BE_MADE = gettext_noop("The server cannot be made as it is configured.")
_UNREADABLE = gettext_noop("The list of server profiles cannot be read at the moment.")
_NOT_BY_DEFAULT = gettext_noop(
    "No profile was asked for, and the default one is not open to this account."
)
_CHOOSE = gettext_noop("Choose one of those on the spawn page.")
_LIST_MAY_BE_OLD = 10.0
"""Seconds for which an open page does not ask a function again for its ``profile_list``."""
_A_MOMENT = 1.0
"""The same for a start, which asks before it begins and then each time that it tries again."""
_PATIENCE = 0.8
"""Seconds that a start waits until others have found their node: words come within a second."""


class GPUSpawner(RefusingKubeSpawner):
    """A KubeSpawner that offers each person the profiles their groups allow, and what is free.

    The entries of KubeSpawner's own ``profile_list`` come after the catalog's profiles. Every way
    into a start ends in `load_user_options`, which judges afresh; ``options_form`` and
    ``options_from_form`` keep their meaning for nobody.
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
        self._claim: Assumed | None = None
        self._offer: Offer | None = None
        self._judged_by: Catalog | None = None
        self._may_have_made_pod = False
        super().__init__(*args, **kwargs)
        for name in ignored_settings(self.config):
            warn_once(self.log, name)

    @default("apply_user_options")
    def _apply_user_options_default(self) -> Callable[..., None]:
        """Nothing: options are applied in `load_user_options`, after they were judged."""
        return lambda *_ignored: None

    @property
    def catalog(self) -> Catalog:
        """The catalog in force, with the entries of ``profile_list`` as far as they are known.

        Raises:
            CatalogError: it was never loaded and cannot be.
        """
        path, listed = Path(self.catalog_file), self._profile_list
        is_needed = not listed.is_set or self.catalog_file != DEFAULT_CATALOG or path.exists()
        own = self.in_force.load() if is_needed else None
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
    def longest_wait(self) -> float:
        """Seconds for which one may wait in line for the profile that was asked for."""
        profile = self._profile_asked_for
        return profile.longest_wait if profile is not None else 0

    @property
    def _profile_asked_for(self) -> Profile | None:
        try:
            return read_selection(self.user_options, self._judged_by or self.catalog).profile
        except (CatalogError, SelectionError):
            return None

    def place_in_line(self) -> PlaceInLine:
        """The place of this server's pod among those that wait."""
        return self._judge.place_in_line(self.pod_name)

    async def get_options_form(self) -> str:
        """The spawn form, judged at this moment.

        Raises:
            SpawnRefusedError: see `offers`.
        """
        if self.handler is not None:
            self.handler.add_header("Vary", "Accept-Language")
        await self._profile_list.ask()
        with speaking(self.language_of_form):
            offers = await self.offers()
            asked = self.asked_for
            links = form.page_links(asked.asked_by, self.user.name, asked.name)
            html = form.render(offers, self._preselection(self.catalog), links)
            return form.form_text(html, self.user.name, asked.name)

    async def offers(self) -> list[Offer]:
        """What the person may have, at least one, judged at this moment.

        Raises:
            SpawnRefusedError: 403 if no profile is allowed, 503 if there is no catalog.
        """
        catalog, person = await self._newest_catalog(_LIST_MAY_BE_OLD), self.person
        slugs = [profile.slug for profile in catalog.profiles]
        if not any(decide(catalog.rules_for(slug), person, slug).allowed for slug in slugs):
            if self._profile_list.is_failing:
                raise SpawnRefusedError(503, "misconfigured", _list_fails())
            raise SpawnRefusedError(403, "nothing-allowed", _(NOTHING_ALLOWED))
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

    async def load_user_options(self) -> None:
        """Apply the profile that the options ask for, if the person may start it now.

        This is where access is enforced: a subclass that overrides it must call it.

        Raises:
            SpawnRefusedError: they may not, or it does not fit; the words are for the person.
        """
        self._applied.restore()
        self._apply(await self._offer_asked_for())

    async def get_pod_manifest(self) -> Any:
        """The pod that KubeSpawner makes of the settings.

        Raises:
            SpawnRefusedError: 503 if it cannot make one of them.
        """
        try:
            return await super().get_pod_manifest()
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            self.log.exception("No pod can be made for %s", self._log_name)
            words = f"{_(_CANNOT_BE_MADE)} {_(SEE_THE_LOG)}"
            raise SpawnRefusedError(503, "misconfigured", words) from error

    async def _make_create_pod_request(self, *args: Any, **kwargs: Any) -> bool:
        """KubeSpawner's; what the pod was promised is its own once it is there."""
        self._may_have_made_pod = True
        try:
            created: bool = await super()._make_create_pod_request(*args, **kwargs)
        except ApiException:
            self._may_have_made_pod = False
            raise
        if created and self._claim is not None:
            self._judge.created(self._claim)
        return created

    async def stop(self, *args: Any, **kwargs: Any) -> None:
        """KubeSpawner's; it returns once the pod is gone."""
        await super().stop(*args, **kwargs)
        self._may_have_made_pod = False

    def clear_state(self) -> None:
        """Forget the last server, and with it all that its profile changed here."""
        super().clear_state()
        self._applied.restore()
        self._judged_by = None
        # JupyterHub calls this when a server has stopped, or could not be stopped.
        claim, self._claim = self._claim, None
        if claim is not None:
            self._judge.release(claim, may_be_there=self._may_have_made_pod)

    def _options_from_form(self, formdata: dict[str, list[str]]) -> dict[str, Any]:
        """KubeSpawner's reading, and ``image`` as the API calls it, for links."""
        images = formdata.get(IMAGE_OPTION) or [""]
        others = {name: value for name, value in formdata.items() if name != IMAGE_OPTION}
        options = of_form(super()._options_from_form(others))
        return {IMAGE_OPTION: images[0], **options} if images[0] else options

    async def run_pre_spawn_hook(self) -> None:
        """JupyterHub's, before a start; how long that may wait is in the list's entry."""
        await maybe_future(super().run_pre_spawn_hook())
        await self._profile_list.ask()

    async def _offer_asked_for(self) -> Offer:
        self._announce_by_name()
        try:
            offer = self._offer = await self._claimed(_PATIENCE)
            waits_on = self._waits_since is not None and not offer.freshness.is_live
            if self._claim is None and (offer.can_wait or waits_on):
                with self._unlimited():
                    offer = self._offer = await self.wait_in_line(offer, self._claimed)
        finally:
            self.place_in_line().leave()
        if self._claim is None:
            raise refusal_of_offer(offer)
        self.may_start_node = offer.standing is Standing.CAN_START_NODE
        self.pool_to_grow = offer.pool_to_grow
        return offer

    async def _claimed(self, patience: float = 0.0) -> Offer:
        """What is asked for, as the person may have it at this moment; claimed if it has room."""
        catalog = await self._newest_catalog(_A_MOMENT)
        selection = self._selection_or_refuse(catalog)
        slug = selection.profile.slug
        decision = decide(catalog.rules_for(slug), self.person, slug)
        if not decision.allowed:
            self.log.info(
                "%s may not have %r: %s", self._log_name, decision.profile, decision.because
            )
            self._refuse_profile(selection)
        self._judged_by = catalog
        situation = await self._situation(catalog)
        draft = draft_of(selection, situation)
        if draft is None:
            self._refuse_profile(selection)
        offer, self._claim = await self._judge.claim(draft, situation, self.pod_name, patience)
        return offer

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
            return read_selection(self.user_options, catalog)
        except SelectionError as error:
            if self._profile_list.is_failing:
                # What was asked for may well be of the list that cannot be had.
                raise SpawnRefusedError(503, "misconfigured", _list_fails()) from error
            raise SpawnRefusedError(403, NOT_ALLOWED, f"{error} {_(_CHOOSE)}") from error

    def _refuse_profile(self, selection: Selection) -> NoReturn:
        words = (
            _(_NOT_BY_DEFAULT)
            if selection.by_default
            else str(no_such_profile(selection.profile.slug))
        )
        raise SpawnRefusedError(403, NOT_ALLOWED, f"{words} {_(_CHOOSE)}")

    async def way_out(self) -> str:
        """What comes nearest to what was asked for, of all that the person can start now."""
        offers = await self._offers_in(await self._newest_catalog(_LIST_MAY_BE_OLD))
        return wording.instead(nearest(self._offer, offers))

    async def _offers_in(self, catalog: Catalog) -> list[Offer]:
        situation = await self._situation(catalog)
        return await self._judge.offers(self._drafts(situation), situation)

    def _ground_of(self, node: str) -> Ground | None:
        state = self._judge.snapshot().nodes.get(node)
        if state is None:
            return None
        return Ground(state.node.created, pool_of(state.node, self._judged_by or self.catalog))

    @property
    def _judge(self) -> Judge:
        namespace = "" if self.enable_user_namespaces else self.namespace
        cluster = shared_cluster(self.api.api_client.configuration, namespace, self.log)
        return Judge(cluster, self.namespace, self.log)

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

    def _apply(self, offer: Offer) -> None:
        try:
            self._applied.apply(offer.plan.settings if offer.plan is not None else {})
        except TraitError as error:
            self.log.error("The profile %r cannot be used: %s", offer.profile.slug, error)  # noqa: TRY400 - the words say it all
            words = _("{title} cannot be started: {why}.").format(
                title=offer.profile.title, why=_(wording.CONTRADICTION)
            )
            raise SpawnRefusedError(503, "misconfigured", words) from error

    def _preselection(self, catalog: Catalog) -> form.Preselection:
        """What a link asks for, what was refused just now, or what was chosen last."""
        linked: dict[str, str] | None = getattr(self.handler, "linked_options", None)
        is_linked, refused = bool(linked), self.asked_for.refused_options
        options = self.user_options if linked is None else of_form(linked)
        if refused is not None:
            options = refused
        try:
            asked = read_selection(options, catalog)
        except SelectionError:
            # Of nothing it cannot be said to be gone.
            return form.Preselection(
                holds=not options, is_linked=is_linked, is_refused=refused is not None
            )
        if asked.by_default:
            return form.Preselection()
        return form.Preselection(
            asked.profile.slug,
            as_options(asked),
            is_linked=is_linked,
            is_refused=refused is not None,
        )


def _list_fails() -> str:
    return f"{_(_UNREADABLE)} {_(SEE_THE_LOG)}"
