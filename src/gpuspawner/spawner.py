"""GPUSpawner: KubeSpawner whose profiles come from a catalog and are judged before a start.

The hooks here delegate: what a person may have is `gpuspawner.policy`, what fits is
`gpuspawner.fit`, what they see and what a start is checked against is `gpuspawner.offers`.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from kubespawner import KubeSpawner
from traitlets import Float, TraitError, Unicode

from gpuspawner import form, wording
from gpuspawner.capacity.shared import shared_watch
from gpuspawner.catalog import Catalog, CatalogError, load_catalog
from gpuspawner.offers import Offer, Situation, Standing, View, offer_of, offers_in
from gpuspawner.pod import SettingError, base_names
from gpuspawner.policy import Person, decide
from gpuspawner.refusals import SpawnRefusedError, keep_out_of_failure_count
from gpuspawner.selection import Selection, SelectionError, read_selection

DEFAULT_CATALOG = "/etc/gpuspawner/catalog.yaml"

NOTHING_ALLOWED = (
    "No server profile is open to you. None of your groups has access to one; "
    "ask the people who run this hub."
)
_CHOOSE = "Choose one of those on the spawn page."


def load_catalog_for_kubespawner(path: Path) -> Catalog:
    """A catalog whose ``kubespawner_override`` names only traits that this KubeSpawner has.

    Raises:
        CatalogError: it is not valid.
    """
    return load_catalog(path, known_traits=frozenset(KubeSpawner.class_trait_names()))


# A call that raises is not kept, so a file that could not be loaded is tried again.
_loaded = cache(load_catalog_for_kubespawner)


class GPUSpawner(KubeSpawner):  # type: ignore[misc] # KubeSpawner has no types
    """A KubeSpawner that offers each person the profiles their groups allow, and what is free.

    ``profile_list``, ``options_form`` and ``options_from_form`` keep their meaning for nobody:
    every way into a start ends in `load_user_options`, which judges afresh.
    """

    catalog_file = Unicode(
        DEFAULT_CATALOG,
        config=True,
        help="The YAML file with accelerators, volumes, profiles and access rules.",
    )
    first_look_timeout = Float(
        5.0,
        config=True,
        help="Seconds a form waits for the first look at the cluster before it says unknown.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._configured: dict[str, Any] = {}
        super().__init__(*args, **kwargs)

    @property
    def catalog(self) -> Catalog:
        """The catalog in force.

        Raises:
            CatalogError: it was never loaded and cannot be.
        """
        return _loaded(Path(self.catalog_file))

    @property
    def person(self) -> Person:
        """Whom the server is for, whoever asked for it."""
        return Person(self.user.name, frozenset(group.name for group in self.user.groups))

    async def get_options_form(self) -> str:
        """The spawn form, judged at this moment.

        Raises:
            SpawnRefusedError: 403 if no profile is allowed, 503 if there is no catalog.
        """
        catalog = self._catalog_or_refuse()
        offers = offers_in(await self._situation(catalog))
        if not offers:
            raise SpawnRefusedError(403, "nothing-allowed", NOTHING_ALLOWED)
        self._log_faults(offers)
        return form.render(offers, self._last_choice(catalog), for_user=self._for_user())

    async def load_user_options(self) -> None:
        """Apply the profile that the options ask for, if the person may start it now.

        Raises:
            SpawnRefusedError: they may not, or it does not fit; the words are for the person.
        """
        self._restore()
        try:
            offer = await self._offer_asked_for()
            self._apply(offer)
        except SpawnRefusedError as refusal:
            self.log.info(
                "Refused %s a server (%s): %s",
                self._log_name,
                refusal.code,
                refusal.jupyterhub_message,
            )
            keep_out_of_failure_count(self)
            raise

    def clear_state(self) -> None:
        """Forget the last server, and with it all that its profile changed here."""
        super().clear_state()
        self._restore()

    async def _offer_asked_for(self) -> Offer:
        catalog = self._catalog_or_refuse()
        selection = self._selection_or_refuse(catalog)
        offer = offer_of(selection, await self._situation(catalog))
        if offer is None:
            decision = decide(catalog.access, self.person, selection.profile.slug)
            self.log.info(
                "%s may not have %r: %s", self._log_name, decision.profile, decision.because
            )
            self._refuse_profile(selection)
        if not offer.can_start:
            self._log_faults([offer])
            self._refuse_offer(offer)
        return offer

    def _catalog_or_refuse(self) -> Catalog:
        try:
            return self.catalog
        except CatalogError as error:
            self.log.error("No server can be started, the catalog is not valid:\n%s", error)  # noqa: TRY400 - the problems say it all
            raise SpawnRefusedError(
                503,
                "no-catalog",
                "The list of server profiles cannot be read at the moment. "
                "The people who run this hub find the reason in its log.",
            ) from error

    def _selection_or_refuse(self, catalog: Catalog) -> Selection:
        try:
            return read_selection(self.user_options, catalog)
        except SelectionError as error:
            raise SpawnRefusedError(403, "not-allowed", f"{error} {_CHOOSE}") from error

    def _refuse_profile(self, selection: Selection) -> NoReturn:
        words = (
            "No profile was asked for, and the default one is not open to you."
            if selection.by_default
            else f"There is no profile {selection.profile.slug!r} that is open to you."
        )
        raise SpawnRefusedError(403, "not-allowed", f"{words} {_CHOOSE}")

    def _refuse_offer(self, offer: Offer) -> NoReturn:
        status, code = 422, "never-fits"
        if offer.fault:
            status, code = 503, "misconfigured"
        elif offer.standing is Standing.BUSY:
            status, code = 503, "busy"
        words = wording.availability(offer)
        raise SpawnRefusedError(
            status,
            code,
            f"{offer.profile.title} cannot be started now. {words[0].upper()}{words[1:]}.",
        )

    async def _situation(self, catalog: Catalog) -> Situation:
        watch = shared_watch(self.api.api_client.configuration)
        await watch.wait_synced(self.first_look_timeout)
        view = View(watch.snapshot(), watch.freshness())
        return Situation(self.person, catalog, self._base(catalog), view, self._expand)

    def _base(self, catalog: Catalog) -> dict[str, Any]:
        """The configured values of the traits a plan needs, whatever profile is applied."""
        return {
            name: self._configured.get(name, getattr(self, name)) for name in base_names(catalog)
        }

    def _expand(self, value: Any) -> Any:
        try:
            return self._expand_all(value)
        except (AttributeError, LookupError, ValueError) as error:
            raise SettingError(f"{value!r} cannot be expanded: {error!r}") from error

    def _apply(self, offer: Offer) -> None:
        settings = offer.plan.settings if offer.plan is not None else {}
        try:
            for name, value in settings.items():
                self._configured[name] = getattr(self, name)
                setattr(self, name, deepcopy(value))
        except TraitError as error:
            self._restore()
            self.log.error("The profile %r cannot be used: %s", offer.profile.slug, error)  # noqa: TRY400 - the words say it all
            raise SpawnRefusedError(
                503,
                "misconfigured",
                f"{offer.profile.title} cannot be started: {wording.CONTRADICTION}.",
            ) from error

    def _restore(self) -> None:
        """Put back every setting that a profile changed, so that none reaches the next server."""
        while self._configured:
            name, value = self._configured.popitem()
            setattr(self, name, value)

    def _last_choice(self, catalog: Catalog) -> form.Preselection:
        try:
            last = read_selection(self.user_options, catalog)
        except SelectionError:
            return form.Preselection()
        return form.Preselection(last.profile.slug, last.image.slug if last.image else "")

    def _for_user(self) -> str:
        viewer = getattr(self.handler, "current_user", None)
        return self.user.name if viewer is not None and viewer.name != self.user.name else ""

    def _log_faults(self, offers: list[Offer] | tuple[Offer, ...]) -> None:
        for offer in offers:
            if offer.fault:
                self.log.error("The profile %r cannot be used: %s", offer.profile.slug, offer.fault)
