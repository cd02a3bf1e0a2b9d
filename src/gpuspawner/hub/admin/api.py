"""The access as JSON, with the rights of the page; described in ``docs/openapi.yaml``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from jupyterhub.scopes import needs_scope
from tornado import web

from gpuspawner import access
from gpuspawner.access import Effective
from gpuspawner.admin import previewed
from gpuspawner.catalog import CatalogError, Problem
from gpuspawner.database import ConflictError, DatabaseAwayError, UnchangedError
from gpuspawner.hub.admin.base import AccessPage, revision_number
from gpuspawner.hub.admin.rights import READ, WRITE, WithAccessRole
from gpuspawner.hub.codes import CodedAPIHandler
from gpuspawner.in_force import ReadOnlyError

MOST_BYTES = 1_000_000
"""Of a body, before it is read as JSON."""
LONGEST_WHY = 2000
_MOST_REVISION = 2**31 - 1
_AWAY = "Nothing is saved. Send the same once more in a moment; the hub's log has the cause"
_MERGE = "GET what is in force, put your change into it, and send it with that revision as parent"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a body says."""

    rules: tuple[Any, ...]
    parent: int | None
    why: str


class _AccessAPIHandler(WithAccessRole, AccessPage, CodedAPIHandler):
    async def _effective(self) -> Effective | None:
        """What is in force; None if it was answered that it is not known."""
        status = await self.in_force.fresh()
        if not self.hub_list.has_catalog:
            words = (
                "this hub has no catalog and so no access rules; who may have an entry of "
                "profile_list is in the hub's configuration"
            )
            self.answer(404, "no-catalog", words)
        elif status.effective is None:
            problem = status.file.problem or status.access.problem
            words = f"the access cannot be read at the moment: {problem or 'no answer so far'}"
            self.answer(503, "not-known", words)
        return status.effective if self.hub_list.has_catalog else None

    def _asked(self) -> _Asked:
        if len(self.request.body) > MOST_BYTES:
            raise web.HTTPError(413, f"Send at most {MOST_BYTES} bytes")
        try:
            # Decoded here: JupyterHub 5 fails with 500 where it cannot be.
            self.request.body.decode()
        except UnicodeDecodeError as error:
            raise web.HTTPError(400, "Send the body as UTF-8") from error
        body = self.get_json_body()
        if not isinstance(body, dict) or body.keys() - {"access", "parent", "why"}:
            raise web.HTTPError(400, "Send access, parent and why, and nothing else")
        rules, parent, why = body.get("access"), body.get("parent"), body.get("why", "")
        if not isinstance(rules, list) or not isinstance(why, str) or len(why) > LONGEST_WHY:
            words = f"access is a list of rules, and why a text of at most {LONGEST_WHY} characters"
            raise web.HTTPError(400, words)
        is_number = isinstance(parent, int) and not isinstance(parent, bool)
        if parent is not None and not (is_number and 0 <= parent < _MOST_REVISION):
            raise web.HTTPError(400, "parent is the number of the revision you started from, or 0")
        return _Asked(tuple(rules), parent, why.strip())

    def _answer_not_valid(self, error: CatalogError) -> None:
        problems = [_problem(problem) for problem in error.problems]
        self.answer(422, "not-valid", str(error), problems=problems)

    def _answer_conflict(self, words: str, number: int) -> None:
        self.answer(409, "conflict", f"{words}. {_MERGE}", revision=number)


class AccessHandler(_AccessAPIHandler):
    """GET: the rules in force. PUT: save others, as ``{access, parent, why}``."""

    methods = "GET, PUT, OPTIONS"

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """See the class."""
        effective = await self._effective()
        if effective is None:
            return
        self.write({"mode": self.in_force.mode, **await asyncio.to_thread(_in_force, effective)})

    async def put(self) -> None:
        """See the class."""
        if self.current_user is not None and WRITE not in self.parsed_scopes:
            await self.in_force.refused(self.who, "save", "forbidden", f"{WRITE} is missing")
        await self._put()

    @needs_scope(WRITE)  # type: ignore[untyped-decorator]
    async def _put(self) -> None:
        asked = self._asked()
        if asked.parent is None or not asked.why:
            raise web.HTTPError(400, "Say in parent from which revision you started, and why")
        if await self._effective() is None:
            return
        draft = access.Draft(asked.rules, asked.parent, self.who, asked.why)
        try:
            revision = await self.in_force.save(draft)
        except CatalogError as error:
            self._answer_not_valid(error)
        except ReadOnlyError as error:
            self.answer(403, "read-only", str(error))
        except ConflictError as error:
            self._answer_conflict(str(error), error.latest.number if error.latest else 0)
        except UnchangedError as error:
            self.answer(409, "unchanged", str(error), revision=asked.parent)
        except DatabaseAwayError as error:
            self.answer(503, "database-away", f"{error}. {_AWAY}")
        else:
            self.write({"revision": revision.number})


class PreviewHandler(_AccessAPIHandler):
    """POST: what it would change to save ``{access}``, for whom; nothing is saved.

    Whoever may see the access may ask, in the mode "git" also: for a pull request.
    """

    methods = "POST, OPTIONS"

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """See the class."""
        asked = self._asked()
        effective = await self._effective()
        if effective is None:
            return
        number = revision_number(effective)
        if asked.parent not in (None, number):
            words = f"this was not made from the access that is in force: that is revision {number}"
            self._answer_conflict(words, number)
            return
        known = await self.known()
        if not known.is_known:
            words = "the hub's users cannot be read: its database does not answer. Ask again"
            self.answer(503, "database-away", words)
            return
        try:
            found = await asyncio.to_thread(
                previewed, effective, asked.rules, known.people, known.groups
            )
        except CatalogError as error:
            self._answer_not_valid(error)
        else:
            self.write({"revision": number, **found})


def _in_force(effective: Effective) -> dict[str, Any]:
    return {
        "revision": revision_number(effective),
        "access": list(effective.written),
        "profiles": [profile.slug for profile in effective.catalog.profiles],
        "problems": [str(problem) for problem in effective.problems],
        "has_drifted": effective.has_drifted,
        "drift": [str(change) for change in effective.drift],
    }


def _problem(problem: Problem) -> dict[str, str | None]:
    return {"field": problem.field, "message": problem.message, "hint": problem.hint}
