"""The rules, and their edit: the draft goes back and forth in the form until it is saved."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from jupyterhub.scopes import needs_scope
from tornado import web

from gpuspawner import access
from gpuspawner.access import Effective, Revision, as_written
from gpuspawner.admin import (
    Draft,
    PresentedRevision,
    RuleFields,
    present_problems,
    present_revision,
    read_rules,
    stepped,
)
from gpuspawner.catalog import CatalogError
from gpuspawner.database import ConflictError, DatabaseAwayError, UnchangedError
from gpuspawner.hub.admin.base import AdminPageHandler, revision_number, whole_number
from gpuspawner.hub.admin.rights import READ, WRITE
from gpuspawner.hub.admin.showing import presented
from gpuspawner.in_force import InForceStatus
from gpuspawner.language import gettext as _

_MOST_NAMES: Final = 500
_LONGEST_PLACE: Final = 20


class RulesHandler(AdminPageHandler):
    """GET: the rules, in order; ``rule`` is the number of one to show.

    POST: a step of an edit, or its end. ``do`` is the button: "open:2", "new", "up:2", "save".
    """

    template = "rules"

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def _get(self) -> None:
        status = await self.in_force.fresh()
        effective = status.effective
        if effective is None:
            await self.show(status, {"rules": None})
            return
        draft = await self._begun(effective)
        await self._show_draft(status, effective, draft, at=self.number("rule") - 1)

    @web.authenticated
    async def post(self) -> None:
        """See the class."""
        if WRITE not in self.parsed_scopes:
            words = _("You may not change who may have what.")
            await self.in_force.refused(self.who, "edit", "forbidden", words)
            raise web.HTTPError(403, words)
        await self._post()

    @needs_scope(WRITE)  # type: ignore[untyped-decorator]
    async def _post(self) -> None:
        status = await self.in_force.fresh()
        effective = status.effective
        if not self.hub_list.has_catalog:
            words = _("This hub has no catalog, and so there are no rules to change.")
            await self.in_force.refused(self.who, "edit", "no-catalog", words)
            await self.show(status, {"rules": None}, 403)
            return
        if effective is None:
            raise web.HTTPError(503, _("The catalog cannot be read at the moment."))
        action, _colon, place = self.get_body_argument("do", "").partition(":")
        at = whole_number(place, -1)
        draft = await self._draft(effective)
        if status.mode != access.PAGE:
            words = _("The access is kept in the catalog's file. Change it there.")
            await self.in_force.refused(self.who, "edit", "read-only", words, draft.parent)
            await self._show_draft(status, effective, draft, code=403, problem=words)
        elif action in ("restore", "undo"):
            await self._restore(status, effective, at, is_undo=action == "undo")
        elif action == "save":
            draft = await self._stepped(effective, draft, action, -1)
            await self._save(status, effective, draft)
        else:
            draft = await self._stepped(effective, draft, action, at)
            shown = draft.opened if draft.opened is not None else at
            await self._show_draft(status, effective, draft, at=shown, why=self._why)

    async def _stepped(self, effective: Effective, draft: Draft, action: str, at: int) -> Draft:
        return await asyncio.to_thread(stepped, draft, self._fields(), action, at, effective)

    @property
    def _why(self) -> str:
        return str(self.get_body_argument("why", ""))

    async def _begun(self, effective: Effective) -> Draft:
        written = await asyncio.to_thread(attrgetter("written"), effective)
        return Draft(written, revision_number(effective))

    async def _draft(self, effective: Effective) -> Draft:
        text = self.get_body_argument("rules", "", strip=False)
        if not text:
            return await self._begun(effective)
        try:
            rules = await asyncio.to_thread(read_rules, text)
        except ValueError as error:
            raise web.HTTPError(400, _("What was sent is not a list of rules.")) from error
        opened = self.number("opened", -1)
        return Draft(
            rules,
            self.number("parent", 0),
            restores if (restores := self.number("restores", -1)) >= 0 else None,
            opened if 0 <= opened <= len(rules) else None,
        )

    def _fields(self) -> RuleFields | None:
        if not self.get_body_argument("opened", ""):
            return None
        place = self.get_body_argument("place", "")[:_LONGEST_PLACE]
        return RuleFields(
            groups=self._names("groups"),
            users=self._names("users"),
            profiles=self._names("profiles"),
            deny=self.get_body_argument("deny", "") == "yes",
            place=whole_number(place, 0) - 1 if place else None,
            typed_place=place,
        )

    def _names(self, field: str) -> tuple[str, ...]:
        given = self.get_body_arguments(field, strip=True)
        return tuple(dict.fromkeys(name for name in given if name))[:_MOST_NAMES]

    async def _restore(
        self, status: InForceStatus, effective: Effective, number: int, *, is_undo: bool
    ) -> None:
        """Earlier rules, to be looked at and saved.

        Those of a revision, or to undo it, those before it; of 0 those of the file as it is now.
        """
        try:
            found = await self._earlier(effective, number, is_undo=is_undo)
        except DatabaseAwayError as error:
            self.log.warning("An earlier revision of the access cannot be read: %s", error)
            words = _("The hub's database does not answer. Try again in a moment.")
            draft = await self._begun(effective)
            await self._show_draft(status, effective, draft, code=503, problem=words)
            return
        if found is None:
            raise web.HTTPError(404, _("There is no such revision."))
        rules, restores, notice = found
        draft = Draft(rules, revision_number(effective), restores)
        await self._show_draft(status, effective, draft, notice=notice)

    async def _earlier(
        self, effective: Effective, number: int, *, is_undo: bool
    ) -> tuple[tuple[Any, ...], int | None, str] | None:
        """The rules, which revision they repeat, and what they are."""
        of_file = await asyncio.to_thread(as_written, effective.file.access)
        if number == 0:
            return of_file, None, _("These are the file's rules, as now.")
        found = await self._revision(number)
        if found is None or not is_undo:
            words = _("These are the rules of revision {number}.").format(number=number)
            return (found.access, number, words) if found is not None else None
        if number == 1:
            words = _("These are the rules that the file had when revision 1 was saved.")
            if found.base != of_file:
                words += " " + _("The file has others by now.")
            return found.base, 0, words
        before = await self._revision(number - 1)
        words = _("These are the rules before revision {number}: those of revision {before}.")
        words = words.format(number=number, before=number - 1)
        return (before.access, number - 1, words) if before is not None else None

    async def _revision(self, number: int) -> Revision | None:
        return await asyncio.to_thread(self.in_force.store.revision, number)

    async def _save(self, status: InForceStatus, effective: Effective, draft: Draft) -> None:
        why = self._why
        if draft.is_held:
            words = "what is written of the open rule cannot be saved"
            await self.in_force.refused(self.who, "save", "not-valid", words, draft.parent)
            await self._show_draft(status, effective, draft, code=400, why=why)
            return
        if not why:
            words = _("Nothing is saved yet: say why, in a few words.")
            await self._show_draft(
                status, effective, draft, code=400, problem=words, why_is_missing=True
            )
            return
        asked = access.Draft(draft.rules, draft.parent, self.who, why, draft.restores)
        try:
            revision = await self.in_force.save(asked)
        except CatalogError as error:
            slugs = [profile.slug for profile in effective.file.profiles]
            problems = await asyncio.to_thread(present_problems, error.problems, draft.rules, slugs)
            await self._show_draft(status, effective, draft, code=400, problems=problems, why=why)
        except ConflictError as error:
            await self._show_conflict(draft, error.latest, why)
        except UnchangedError:
            words = _("Nothing is changed: this is what is in force already.")
            await self._show_draft(status, effective, draft, code=400, problem=words)
        except DatabaseAwayError as error:
            self.log.warning("An edit of the access is not saved: %s", error)
            words = _(
                "The hub's database does not answer, so nothing is saved. What you wrote is still "
                "here: save it again in a moment."
            )
            await self._show_draft(status, effective, draft, code=503, problem=words, why=why)
        else:
            there = f"{self.hub.base_url}gpuspawner/admin?saved={revision.number}"
            self.redirect(there, status=303)

    async def _show_conflict(self, draft: Draft, theirs: Revision | None, why: str) -> None:
        """Show the other's revision, and the draft as what it would make of theirs."""
        status = await self.in_force.fresh()
        if status.effective is None:
            raise web.HTTPError(503, _("The catalog cannot be read at the moment."))
        # Not what is in force here: this process may learn of theirs a second later.
        effective = await asyncio.to_thread(access.effective, status.effective.file, theirs)
        status = replace(status, effective=effective)
        presented: PresentedRevision | None = None
        if theirs is not None:
            before = await self._before(draft.parent, theirs)
            presented = await asyncio.to_thread(present_revision, theirs, before)
        draft = replace(draft, parent=revision_number(effective), restores=None)
        await self._show_draft(status, effective, draft, code=409, conflict=presented, why=why)

    async def _before(self, parent: int, theirs: Revision) -> Any:
        try:
            base = await self._revision(parent) if parent else None
        except DatabaseAwayError:
            base = None
        return base.access if base is not None else theirs.base

    async def _show_draft(
        self,
        status: InForceStatus,
        effective: Effective,
        draft: Draft,
        *,
        at: int = 0,
        code: int = 200,
        **others: Any,
    ) -> None:
        values = await asyncio.to_thread(presented, effective, draft, await self.known(), at)
        values = {"problem": "", "conflict": None, "why": "", "notice": "", **values, **others}
        await self.show(status, values, code)
