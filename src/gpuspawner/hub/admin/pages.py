"""The pages that show: the matrix with the history, why somebody has something, and the YAML."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from typing import Any

from jupyterhub.scopes import needs_scope
from tornado import web

from gpuspawner.access import as_yaml
from gpuspawner.admin import (
    AskedAgain,
    Search,
    change_in_words,
    groups_as_of,
    is_asked_for,
    present_entries,
    present_entry_reasons,
    present_history,
    present_overview,
    present_reasons,
    present_remarks,
)
from gpuspawner.catalog import Catalog, CatalogError
from gpuspawner.catalog.problems import near_miss
from gpuspawner.database import DatabaseAwayError
from gpuspawner.explaining import unnamed_groups
from gpuspawner.hub.access import HubList
from gpuspawner.hub.admin.base import AdminPageHandler, Known, revision_number
from gpuspawner.hub.admin.rights import READ
from gpuspawner.in_force import InForceStatus
from gpuspawner.language import gettext as _
from gpuspawner.policy import Person
from gpuspawner.presenting import present
from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.spawner import GPUSpawner

_REVISIONS = 10
_MOST_PEOPLE = 8


class OverviewHandler(AdminPageHandler):
    """GET: the matrix, what stands out in the rules, and the history.

    The arguments ``name`` and ``profile`` are parts of names; ``page``, ``columns`` and ``before``
    lead on.
    """

    template = "access"

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def _get(self) -> None:
        status = await self.in_force.fresh()
        search = Search(
            self.get_query_argument("name", "")[:200],
            self.get_query_argument("profile", "")[:200],
            self.number("page"),
            self.number("columns"),
        )
        saved, effective = self.number("saved", 0), status.effective
        own = effective.catalog if effective is not None else None
        values: dict[str, Any] = {
            "search": search,
            # A link can say anything: only of what is in force it is true.
            "saved": saved if effective is not None and saved == revision_number(effective) else 0,
            **await self._history(),
            **await asyncio.to_thread(_entries, self.hub_list, own),
        }
        if effective is not None:
            values |= await asyncio.to_thread(_overview, status, await self.known(), search)
        await self.show(status, values)

    async def _history(self) -> dict[str, Any]:
        before = self.number("before", 0) or None
        try:
            found = await asyncio.to_thread(self.in_force.store.history, _REVISIONS + 1, before)
        except DatabaseAwayError as error:
            return {"history": (), "history_fails": str(error), "older": None}
        # What each has changed takes a while, of hundreds of rules.
        history = await asyncio.to_thread(present_history, found, _REVISIONS)
        older = history[-1].number if len(found) > _REVISIONS else None
        return {"history": history, "history_fails": "", "older": older, "is_newest": not before}


def _entries(hub_list: HubList, own: Catalog | None) -> dict[str, Any]:
    stocked = hub_list.beside(own)
    return {
        "entries": present_entries(stocked.catalog) if stocked is not None else (),
        "entry_problems": stocked.problems if stocked is not None else (),
        "by_function": hub_list.is_function,
    }


def _overview(status: InForceStatus, known: Known, search: Search) -> dict[str, Any]:
    effective = status.effective
    if effective is None:
        return {}
    catalog = effective.catalog
    slugs = [profile.slug for profile in catalog.profiles]
    groups, users = (known.groups, known.users) if known.is_known else (None, None)
    return {
        "overview": present_overview(catalog, known.groups, search),
        "people": _people(known, search.name),
        "remarks": present_remarks(catalog.access, slugs, groups, users, effective.problems),
        "drift": tuple(map(change_in_words, effective.drift)),
        "profiles": catalog.profiles,
        "groups": known.groups,
    }


def _people(known: Known, asked: str) -> tuple[str, ...]:
    """Users who are searched for: the matrix has only those whom a rule names."""
    if not asked:
        return ()
    found = (name for name in known.users if is_asked_for(asked, name))
    return tuple(islice(found, _MOST_PEOPLE))


class WhyHandler(AdminPageHandler):
    """GET: what is decided for somebody on each profile, and what they would be offered now.

    The argument ``user`` is their name.
    """

    template = "why"

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def _get(self) -> None:
        name = self.get_query_argument("user", "").strip()
        status = await self.in_force.fresh()
        user = self.find_user(name) if name else None
        if user is None:
            known = await self.known()
            meant = await asyncio.to_thread(near_miss, name, known.users) if name else None
            nobody = {"asked": name, "person": None, "meant": meant}
            await self.show(status, nobody, 404 if name else 200)
            return
        person = Person(user.name, frozenset(group.name for group in user.groups))
        now, refusal, listed = await self._offers(user)
        catalog = status.effective.catalog if status.effective is not None else None
        values = {
            "asked": user.name,
            "person": person,
            "as_of": self._as_of(user),
            "now": now,
            "refusal": refusal,
            **await asyncio.to_thread(_reasons, self.hub_list, catalog, listed, person),
        }
        await self.show(status, values)

    async def _offers(self, user: Any) -> tuple[dict[str, str], str, Catalog | None]:
        """What the person's own page would say of each profile, or why it has none.

        And what they are offered of: with the entries of a list that is made for them.
        """
        spawner = user.get_spawner("")
        if not isinstance(spawner, GPUSpawner):
            return {}, _("This hub does not start its servers with GPUSpawner"), None
        now, refusal = {}, ""
        try:
            offers = present(await spawner.offers()).offers
            now = {offer.slug: offer.availability for offer in offers}
        except SpawnRefusedError as error:
            refusal = str(error.jupyterhub_message)
        try:
            return now, refusal, spawner.catalog
        except CatalogError:
            return now, refusal, None

    def _as_of(self, user: Any) -> str:
        """When the hub last knew the groups of a user from the sign-in."""
        refreshed = getattr(user, "_auth_refreshed", None)
        minutes = int(time.monotonic() - refreshed) // 60 if refreshed else None
        sign_in = self.authenticator
        asked_again: AskedAgain = "sign-in"
        if sign_in.auth_refresh_age:
            # An age of 0 turns off what is asked before a start as well.
            asked_again = "start" if sign_in.refresh_pre_spawn else "visit"
        return groups_as_of(
            of_sign_in=bool(sign_in.manage_groups), minutes=minutes, asked_again=asked_again
        )


def _reasons(
    hub_list: HubList, catalog: Catalog | None, listed: Catalog | None, person: Person
) -> dict[str, Any]:
    """Why somebody has what they have; `listed` is of a list that was made for them."""
    stocked = hub_list.beside(catalog)
    listed = stocked.catalog if stocked is not None else listed
    return {
        "reasons": (
            *(present_reasons(catalog, person) if catalog is not None else ()),
            *(present_entry_reasons(listed, person) if listed is not None else ()),
        ),
        "unnamed": unnamed_groups(catalog, person) if catalog is not None else {},
    }


class ExportHandler(AdminPageHandler):
    """GET: the access in force, as YAML for the file.

    Only the section: the rest of the file may hold what not everybody may see who may see this.
    """

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def _get(self) -> None:
        status = await self.in_force.fresh()
        if not self.hub_list.has_catalog:
            raise web.HTTPError(404, _("This hub has no catalog, and so there are no rules."))
        if status.effective is None:
            raise web.HTTPError(503, _("The catalog cannot be read at the moment."))
        effective = status.effective
        text = await asyncio.to_thread(as_yaml, effective.catalog.access, "", effective.revision)
        self.set_header("Content-Type", "application/yaml; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="access.yaml"')
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(text)
