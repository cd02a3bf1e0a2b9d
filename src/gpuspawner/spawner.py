"""GPUSpawner: KubeSpawner whose profiles come from a catalog and are judged before a start.

The hooks here delegate: what a person may have is `gpuspawner.policy`, what fits is
`gpuspawner.fit`, what they see and what a start is checked against is `gpuspawner.offers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubernetes_asyncio.client import ApiException
from traitlets import TraitError, default

from gpuspawner import form, wording
from gpuspawner.capacity.assumed import Assumed
from gpuspawner.catalog import Catalog
from gpuspawner.confirming import confirm, warn_of_old_groups
from gpuspawner.kubespawner_config import (
    ignored_settings,
    warn_once,
)
from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, speaking
from gpuspawner.metrics import collecting, counts
from gpuspawner.offering import OfferingKubeSpawner
from gpuspawner.offers import Offer, Standing, draft_of
from gpuspawner.refusals import SEE_THE_LOG, SpawnRefusedError, refusal_of_offer
from gpuspawner.selection import (
    IMAGE_OPTION,
    SelectionError,
    as_options,
    of_form,
    read_selection,
)

_CANNOT_BE_MADE = gettext_noop("The server cannot be made as it is configured.")
_A_MOMENT = 1.0
"""Seconds for which a start, which asks before it begins and then each time that it tries again,
does not ask a function again for its ``profile_list``."""
_PATIENCE = 0.8
"""Seconds that a start waits until others have found their node: words come within a second."""


class GPUSpawner(OfferingKubeSpawner):
    """A KubeSpawner that offers each person the profiles their groups allow, and what is free.

    Every way into a start ends in `load_user_options`, which judges afresh; ``options_form`` and
    ``options_from_form`` keep their meaning for nobody.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._claim: Assumed | None = None
        self._may_have_made_pod = False
        super().__init__(*args, **kwargs)
        collecting.register()
        for name in ignored_settings(self.config):
            warn_once(self.log, name)
        if self.authenticator is not None:
            warn_of_old_groups(self.log, self.authenticator)

    @default("apply_user_options")
    def _apply_user_options_default(self) -> Callable[..., None]:
        """Nothing: options are applied in `load_user_options`, after they were judged."""
        return lambda *_ignored: None

    @default("options_form")
    def _options_form_default(self) -> Callable[..., Any]:
        """Ours. JupyterHub asks on each of its pages whether there is one.

        KubeSpawner would answer with its own form of ``profile_list``, made there and then; of a
        list with a mistake it cannot make one.
        """
        return type(self).get_options_form

    async def get_options_form(self) -> str:
        """The spawn form, judged at this moment.

        Raises:
            SpawnRefusedError: see `offers`.
        """
        if self.request_handler is not None:
            self.request_handler.add_header("Vary", "Accept-Language")
        await self._profile_list.ask()
        with speaking(self.language_of_form):
            offers = await self.offers()
            counts().shown(offers)
            asked = self.asked_for
            html = form.render(offers, self._preselection(self.catalog), asked.links)
            return form.form_text(html, self.user.name, asked.name)

    async def _start(self) -> Any:
        """KubeSpawner's, counted by how it ends."""
        is_resumed, before = self.is_resumed, self._offer
        began = self._waits_since if self._waits_since is not None else self._asked_at
        with counts().start(
            self._profile_asked_for,
            None if is_resumed else began,
            made_pod=lambda: is_resumed or self._may_have_made_pod,
            is_undecided=lambda: self._offer is not before and _is_contended(self._offer),
        ):
            return await super()._start()

    async def load_user_options(self) -> None:
        """Apply the profile that the options ask for, if the person may start it now.

        This is where access is enforced: a subclass that overrides it must call it.

        Raises:
            SpawnRefusedError: they may not, or it does not fit; the words are for the person.
        """
        self._applied.restore()
        confirm(self.user)
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
        decision = self._decision(catalog, selection.profile)
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
        linked: dict[str, str] | None = getattr(self.request_handler, "linked_options", None)
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


def _is_contended(offer: Offer | None) -> bool:
    return offer is not None and offer.contenders > 0
