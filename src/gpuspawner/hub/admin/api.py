"""The access as JSON, with the rights of the page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from gpuspawner import access
from gpuspawner.access import as_written
from gpuspawner.catalog import CatalogError
from gpuspawner.database import ConflictError, DatabaseAwayError, UnchangedError
from gpuspawner.hub.admin.base import AccessPage, revision_number
from gpuspawner.hub.admin.rights import READ, WRITE, WithAccessRole
from gpuspawner.in_force import ReadOnlyError
from gpuspawner.refusals import CODE_HEADER

_CODES = {400: "bad-request", 403: "forbidden", 404: "not-found", 405: "method-not-allowed"}


class AccessHandler(WithAccessRole, AccessPage, APIHandler):  # type: ignore[misc] # JupyterHub has no types
    """GET: the rules in force. PUT: save others, as ``{access, parent, why}``."""

    def set_default_headers(self) -> None:
        """JupyterHub's, and that no answer is kept."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    @needs_scope(READ)  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """See the class."""
        status = await self.in_force.fresh()
        effective = status.effective
        if effective is None:
            self._answer(503, "not-known", "the access cannot be read at the moment")
            return
        self.write(
            {
                "mode": status.mode,
                "revision": revision_number(effective),
                "access": list(as_written(effective.catalog.access)),
                "profiles": [profile.slug for profile in effective.catalog.profiles],
                "problems": list(effective.problems),
                "has_drifted": effective.has_drifted,
            }
        )

    async def put(self) -> None:
        """See the class."""
        if self.current_user is not None and WRITE not in self.parsed_scopes:
            await self.in_force.refused(self.who, "save", "forbidden", f"{WRITE} is missing")
        await self._put()

    @needs_scope(WRITE)  # type: ignore[untyped-decorator]
    async def _put(self) -> None:
        try:
            revision = await self.in_force.save(self._asked())
        except CatalogError as error:
            self._answer(400, "not-valid", str(error))
        except ReadOnlyError as error:
            self._answer(403, "read-only", str(error))
        except ConflictError as error:
            self._answer(409, "conflict", str(error))
        except UnchangedError as error:
            self._answer(409, "unchanged", str(error))
        except DatabaseAwayError as error:
            self._answer(503, "database-away", str(error))
        else:
            self.write({"revision": revision.number})

    def _asked(self) -> access.Draft:
        body = self.get_json_body()
        if not isinstance(body, dict) or body.keys() - {"access", "parent", "why"}:
            raise web.HTTPError(400, "Send access, parent and why, and nothing else")
        rules, parent, why = body.get("access"), body.get("parent"), body.get("why", "")
        if not isinstance(rules, list) or not isinstance(why, str):
            raise web.HTTPError(400, "access is a list of rules, and why a text")
        if not isinstance(parent, int) or isinstance(parent, bool) or not 0 <= parent < 2**31 - 1:
            raise web.HTTPError(400, "parent is the number of the revision you started from, or 0")
        return access.Draft(tuple(rules), parent, self.who, why)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """JupyterHub's, with a code."""
        error = kwargs["exc_info"][1] if kwargs.get("exc_info") else None
        message = ""
        if isinstance(error, web.HTTPError):
            message = (error.log_message or "") % error.args
        else:
            self.db.rollback()
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", "GET, PUT, OPTIONS")
        self._answer(status_code, _CODES.get(status_code, "failed"), message or self._reason)

    def _answer(self, status: int, code: str, message: str) -> None:
        self.set_status(status)
        self.set_header(CODE_HEADER, code)
        self.write({"status": status, "code": code, "message": message})
