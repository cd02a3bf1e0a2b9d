"""The rules, and their edit: the draft goes back and forth in the form until it is saved."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

from jupyterhub.scopes import needs_scope
from tornado import web

from gpuspawner import access
from gpuspawner.access import Effective, Revision, as_written
from gpuspawner.admin import (
    Draft,
    PresentedRevision,
    RuleFields,
    applied,
    checked,
    present_preview,
    present_remarks,
    present_revision,
    problems_in_words,
    read_rules,
    rule_in_words,
    written_rules,
)
from gpuspawner.catalog import AccessRule, CatalogError
from gpuspawner.database import ConflictError, DatabaseAwayError, UnchangedError
from gpuspawner.hub.admin.base import AdminPageHandler, Known, revision_number, whole_number
from gpuspawner.hub.admin.rights import READ, WRITE
from gpuspawner.in_force import InForceStatus
from gpuspawner.language import gettext as _

PAGE_OF_RULES: Final = 40
_MOST_NAMES: Final = 500


class RulesHandler(AdminPageHandler):
    """GET: the rules, in order; ``rule`` is the number of one to show.

    POST: a step of an edit, or its end. ``do`` is the button: "open:2", "new", "up:2", "save".
    """

    template = "rules"

    @web.authenticated
    async def get(self) -> None:
        """See the class."""
        await self._get()

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def _get(self) -> None:
        status = await self.in_force.fresh()
        effective = status.effective
        if effective is None:
            await self.show(status, {"rules": None})
            return
        draft = Draft(as_written(effective.catalog.access), revision_number(effective))
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
        if effective is None:
            raise web.HTTPError(503, _("The catalog cannot be read at the moment."))
        action, _colon, place = self.get_body_argument("do", "").partition(":")
        at = whole_number(place, -1)
        draft = self._draft(effective)
        if status.mode != access.PAGE:
            words = _("The access is kept in the catalog's file. Change it there.")
            await self.in_force.refused(self.who, "edit", "read-only", words, draft.parent)
            await self._show_draft(status, effective, draft, code=403, problem=words)
        elif action == "restore":
            await self._restore(status, effective, at)
        elif action == "save":
            await self._save(status, effective, applied(draft, self._fields(), "close", -1))
        else:
            draft = applied(draft, self._fields(), action, at)
            shown = draft.opened if draft.opened is not None else at
            await self._show_draft(status, effective, draft, at=shown)

    def _draft(self, effective: Effective) -> Draft:
        text = self.get_body_argument("rules", "", strip=False)
        if not text:
            return Draft(as_written(effective.catalog.access), revision_number(effective))
        try:
            rules = read_rules(text)
        except ValueError as error:
            raise web.HTTPError(400, _("What was sent is not a list of rules.")) from error
        opened = self.number("opened", -1)
        return Draft(
            rules,
            self.number("parent", 0),
            self.number("restores", 0) or None,
            opened if 0 <= opened <= len(rules) else None,
        )

    def _fields(self) -> RuleFields | None:
        if not self.get_body_argument("opened", ""):
            return None
        place = self.number("place", 0)
        return RuleFields(
            groups=self._names("groups"),
            users=self._names("users"),
            profiles=self._names("profiles"),
            deny=self.get_body_argument("deny", "") == "yes",
            place=place - 1 if place else None,
        )

    def _names(self, field: str) -> tuple[str, ...]:
        given = self.get_body_arguments(field, strip=True)
        return tuple(dict.fromkeys(name for name in given if name))[:_MOST_NAMES]

    async def _restore(self, status: InForceStatus, effective: Effective, number: int) -> None:
        """The rules of an earlier revision, to be looked at and saved; 0 is the file's own."""
        if number == 0:
            rules: tuple[Any, ...] = as_written(effective.file.access)
        else:
            revision = await asyncio.to_thread(self.in_force.store.revision, number)
            if revision is None:
                raise web.HTTPError(404, _("There is no such revision."))
            rules = revision.access
        draft = Draft(rules, revision_number(effective), restores=number or None)
        await self._show_draft(status, effective, draft)

    async def _save(self, status: InForceStatus, effective: Effective, draft: Draft) -> None:
        why = self.get_body_argument("why", "").strip()
        asked = access.Draft(draft.rules, draft.parent, self.who, why, draft.restores)
        try:
            if not why:
                await self._show_draft(
                    status, effective, draft, code=400, problem=_("Say why, in a few words.")
                )
                return
            revision = await self.in_force.save(asked)
        except CatalogError as error:
            problems = problems_in_words(error.problems)
            await self._show_draft(status, effective, draft, code=400, problems=problems, why=why)
        except ConflictError as error:
            await self._show_conflict(draft, error.latest, why)
        except UnchangedError:
            words = _("Nothing is changed: this is what is in force already.")
            await self._show_draft(status, effective, draft, code=400, problem=words)
        except DatabaseAwayError as error:
            self.log.warning("An edit of the access is not saved: %s", error)
            words = _("The hub's database does not answer. Nothing is saved; try again.")
            await self._show_draft(status, effective, draft, code=503, problem=words, why=why)
        else:
            self.redirect(f"{self.hub.base_url}gpuspawner/admin?saved={revision.number}", 303)

    async def _show_conflict(self, draft: Draft, theirs: Revision | None, why: str) -> None:
        """Show the other's revision, and the draft as what it would make of theirs."""
        status = await self.in_force.fresh()
        effective = status.effective
        if effective is None:
            raise web.HTTPError(503, _("The catalog cannot be read at the moment."))
        presented: PresentedRevision | None = None
        if theirs is not None:
            presented = present_revision(theirs, await self._before(draft.parent, theirs))
        parent = theirs.number if theirs is not None else revision_number(effective)
        draft = replace(draft, parent=parent, restores=None)
        await self._show_draft(status, effective, draft, code=409, conflict=presented, why=why)

    async def _before(self, parent: int, theirs: Revision) -> Any:
        base = await asyncio.to_thread(self.in_force.store.revision, parent) if parent else None
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
        known = self.known()
        values = await asyncio.to_thread(_presented, effective, draft, known, at)
        values = {"problem": "", "conflict": None, "why": "", **values, **others}
        await self.show(status, values, code)


def _presented(effective: Effective, draft: Draft, known: Known, at: int) -> dict[str, Any]:
    """What the page has of a draft: its rules around a place, and what it would change."""
    slugs = [profile.slug for profile in effective.file.profiles]
    is_changed = draft.rules != as_written(effective.catalog.access)
    rules, problems = checked(draft.rules, effective.catalog.access, slugs)
    preview = None
    if is_changed and not problems:
        after = effective.file.model_copy(update={"access": rules})
        preview = present_preview(effective.catalog, after, known.people)
    count = len(draft.rules)
    page = min(max(at, 0), max(count - 1, 0)) // PAGE_OF_RULES
    first = page * PAGE_OF_RULES
    places = range(first, min(first + PAGE_OF_RULES, count))
    return {
        "draft": draft,
        "written": written_rules(draft.rules),
        "rules": [_rule(draft, at) for at in places],
        "fields": _fields_of(draft),
        "page": page,
        "pages": max(1, -(-count // PAGE_OF_RULES)),
        "page_size": PAGE_OF_RULES,
        "count": count,
        "is_changed": is_changed,
        "problems": problems,
        "preview": preview,
        "remarks": present_remarks(rules, slugs, known.groups, known.users),
        "groups": known.groups,
        "users": known.users,
        "slugs": slugs,
    }


def _rule(draft: Draft, at: int) -> dict[str, Any]:
    written = draft.rules[at]
    try:
        words = rule_in_words(AccessRule.model_validate(written))
    except ValueError:
        words = _("This rule is not complete, or cannot be read.")
    # A rule of a later version may be no mapping at all.
    deny = bool(dict(written or {}).get("deny"))
    return {"at": at, "words": words, "deny": deny, "is_open": draft.opened == at}


def _fields_of(draft: Draft) -> dict[str, Any]:
    """What stands in the fields of the rule that is open, each list with room for two more."""
    rule = {}
    if draft.opened is not None and draft.opened < len(draft.rules):
        rule = draft.rules[draft.opened]
    lists = ("groups", "users", "profiles")
    names = {part: [*_texts(rule.get(part)), "", ""] for part in lists}
    return {**names, "deny": bool(rule.get("deny"))}


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
