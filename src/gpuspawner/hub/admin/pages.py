"""The pages that show: the matrix with the history, why somebody has something, and the YAML."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.scopes import needs_scope
from tornado import web

from gpuspawner.access import as_yaml
from gpuspawner.admin import (
    Search,
    change_in_words,
    present_history,
    present_overview,
    present_reasons,
    present_remarks,
)
from gpuspawner.database import DatabaseAwayError
from gpuspawner.explaining import unnamed_groups
from gpuspawner.hub.admin.base import AdminPageHandler, Known
from gpuspawner.hub.admin.rights import READ
from gpuspawner.in_force import InForceStatus
from gpuspawner.language import gettext as _
from gpuspawner.policy import Person
from gpuspawner.presenting import Presentation, present
from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.spawner import GPUSpawner

_REVISIONS = 10


class OverviewHandler(AdminPageHandler):
    """GET: the matrix, what stands out in the rules, and the history.

    The arguments ``name`` and ``profile`` are parts of names; ``page``, ``columns`` and ``before``
    lead on.
    """

    template = "access"

    @web.authenticated
    async def get(self) -> None:
        """See the class."""
        await self._get()

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def _get(self) -> None:
        status = await self.in_force.fresh()
        search = Search(
            self.get_query_argument("name", "")[:200],
            self.get_query_argument("profile", "")[:200],
            self.number("page"),
            self.number("columns"),
        )
        values: dict[str, Any] = {
            "search": search,
            "saved": self.number("saved", 0),
            **await self._history(),
        }
        if status.effective is not None:
            values |= await asyncio.to_thread(_overview, status, self.known(), search)
        await self.show(status, values)

    async def _history(self) -> dict[str, Any]:
        before = self.number("before", 0) or None
        try:
            found = await asyncio.to_thread(self.in_force.store.history, _REVISIONS + 1, before)
        except DatabaseAwayError as error:
            return {"history": (), "history_fails": str(error), "older": None}
        history = present_history(found, _REVISIONS)
        older = history[-1].number if len(found) > _REVISIONS else None
        return {"history": history, "history_fails": "", "older": older, "is_newest": not before}


def _overview(status: InForceStatus, known: Known, search: Search) -> dict[str, Any]:
    effective = status.effective
    if effective is None:
        return {}
    catalog = effective.catalog
    slugs = [profile.slug for profile in catalog.profiles]
    return {
        "overview": present_overview(catalog, known.groups, search),
        "remarks": present_remarks(catalog.access, slugs, known.groups, known.users),
        "drift": tuple(map(change_in_words, effective.drift)),
        "profiles": catalog.profiles,
        "groups": known.groups,
    }


class WhyHandler(AdminPageHandler):
    """GET: what is decided for somebody on each profile, and what they would be offered now.

    The argument ``user`` is their name.
    """

    template = "why"

    @web.authenticated
    async def get(self) -> None:
        """See the class."""
        await self._get()

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def _get(self) -> None:
        name = self.get_query_argument("user", "").strip()
        status = await self.in_force.fresh()
        user = self.find_user(name) if name else None
        if user is None or status.effective is None:
            await self.show(status, {"asked": name, "person": None}, 404 if name else 200)
            return
        person = Person(user.name, frozenset(group.name for group in user.groups))
        catalog = status.effective.catalog
        offers, refusal = await self._offers(user)
        values = {
            "asked": user.name,
            "person": person,
            "reasons": present_reasons(catalog, person),
            "unnamed": unnamed_groups(catalog, person),
            "offers": offers,
            "refusal": refusal,
        }
        await self.show(status, values)

    async def _offers(self, user: Any) -> tuple[Presentation | None, str]:
        """What the person's own page would show, in the words that they would read."""
        spawner = user.get_spawner("")
        if not isinstance(spawner, GPUSpawner):
            return None, _("This hub does not start its servers with GPUSpawner")
        try:
            return present(await spawner.offers()), ""
        except SpawnRefusedError as refusal:
            return None, str(refusal.jupyterhub_message)


class ExportHandler(AdminPageHandler):
    """GET: the access in force, as YAML for the file.

    Only the section: the rest of the file may hold what not everybody may see who may see this.
    """

    @web.authenticated
    async def get(self) -> None:
        """See the class."""
        await self._get()

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def _get(self) -> None:
        status = await self.in_force.fresh()
        if status.effective is None:
            raise web.HTTPError(503, _("The catalog cannot be read at the moment."))
        effective = status.effective
        self.set_header("Content-Type", "application/yaml; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="access.yaml"')
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(as_yaml(effective.catalog.access, "", effective.revision))
