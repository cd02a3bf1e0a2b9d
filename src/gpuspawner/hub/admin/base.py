"""What the admins' handlers have in common."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from http import HTTPStatus
from typing import Any

from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.handlers.base import BaseHandler
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from tornado import web

from gpuspawner.access import Effective
from gpuspawner.admin import PresentedRemark, present_faults
from gpuspawner.database import DatabaseAwayError, is_in_memory
from gpuspawner.hub.access import HubList, in_force_of, list_of
from gpuspawner.hub.admin.rights import CLUSTER, READ, WRITE, WithAccessRole
from gpuspawner.hub.long_pages import InParts, compiled
from gpuspawner.in_force import InForce, InForceStatus
from gpuspawner.language import accepted, gettext, ngettext, speak, spoken
from gpuspawner.policy import Person

_MOST_DIGITS = 6
_CHANGING = ("POST", "PUT")


@dataclass(frozen=True, slots=True)
class Known:
    """Whom the hub knows.

    Attributes:
        is_known: whether that could be read of the hub's database.
    """

    people: tuple[Person, ...]
    groups: tuple[str, ...]
    is_known: bool = True

    @property
    def users(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(person.name for person in self.people)


class AccessPage:
    """What pages and the API need of the hub."""

    db: Any
    current_user: Any
    log: Any
    request: Any
    _whom: Known | None = None
    _is_forged = False

    async def prepare(self) -> None:
        """JupyterHub's, and that a change is noted which it does not let through to us."""
        try:
            await super().prepare()  # type: ignore[misc] # of the handler beside it
        except web.HTTPError as error:
            await self._note(error)
            raise
        if self.current_user is None:
            # Refused by what the methods are decorated with.
            await self._note(web.HTTPError(HTTPStatus.FORBIDDEN))

    def check_xsrf_cookie(self) -> None:
        """JupyterHub's, and that it is known what was refused there."""
        try:
            super().check_xsrf_cookie()  # type: ignore[misc] # of the handler beside it
        except web.HTTPError as error:
            self._is_forged = error.status_code == HTTPStatus.FORBIDDEN
            raise

    async def _note(self, error: web.HTTPError) -> None:
        if self.request.method not in _CHANGING:
            return
        code = f"http-{error.status_code}"
        words = error.log_message % error.args if error.log_message else error.reason or ""
        if error.status_code == HTTPStatus.FORBIDDEN:
            code, words = "forbidden", words or "JupyterHub does not let them ask for this"
            if self.current_user is None:
                code, words = "not-signed-in", "nobody is signed in, or not any more"
            elif self._is_forged:
                code, words = "no-xsrf-token", "the token is missing that our own pages send along"
        await self.in_force.refused(self.who, "edit", code, words)

    @property
    def in_force(self) -> InForce:
        """What is in force in this hub."""
        return in_force_of(JupyterHub.instance())

    @property
    def hub_list(self) -> HubList:
        """KubeSpawner's own ``profile_list``, and whether there is a catalog."""
        return list_of(JupyterHub.instance())

    async def known(self) -> Known:
        """All users with their groups, and all groups, as the hub's database has them.

        They are read once for each request.
        """
        if self._whom is None:
            try:
                self._whom = await self._read()
            except (DatabaseAwayError, SQLAlchemyError) as error:
                self.log.warning("The hub's users and groups cannot be read: %s", error)
                self._whom = Known((), (), is_known=False)
        return self._whom

    async def _read(self) -> Known:
        if not is_in_memory(JupyterHub.instance().db_url):
            return await asyncio.to_thread(self.in_force.store.read, everybody)
        # Nobody but the hub's own session, which is the event loop's, has what is in its memory.
        try:
            return everybody(self.db)
        except SQLAlchemyError:
            self.db.rollback()
            raise

    @property
    def who(self) -> str:
        """The name of who asks, as the audit has it; a service is said to be one.

        Empty if nobody is signed in.
        """
        if self.current_user is None:
            return ""
        kind = getattr(self.current_user, "kind", "user")
        name = self.current_user.name
        return f"service {name}" if kind == "service" else str(name)


def everybody(database: Connection | Session) -> Known:
    """Read all users with their groups, and all groups.

    Raises:
        SQLAlchemyError: they cannot be read.
    """
    # Names alone, and each but once: to make an object of each of a thousand users takes long.
    pairs, groups_of = orm.user_group_map.c, defaultdict[int, list[str]](list)
    groups = dict[int, str](map(tuple, database.execute(select(orm.Group.id, orm.Group.name))))
    for user, group in database.execute(select(pairs.user_id, pairs.group_id)):
        if group in groups:
            groups_of[user].append(groups[group])
    users = database.execute(select(orm.User.name, orm.User.id).order_by(orm.User.name))
    people = (Person(name, frozenset(groups_of.get(number, ()))) for name, number in users)
    return Known(tuple(people), tuple(sorted(groups.values())))


class AdminPageHandler(WithAccessRole, AccessPage, BaseHandler):  # type: ignore[misc] # JupyterHub has no types
    """A page for admins, in the language that the browser asks for."""

    template: str

    def set_default_headers(self) -> None:
        """JupyterHub's, and that no page is kept: it names people."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("Vary", "Accept-Language")

    async def prepare(self) -> None:
        """JupyterHub's, in the language that is asked for: each request has a task of its own."""
        speak(accepted(self.request.headers.get("Accept-Language")))
        await super().prepare()

    @web.authenticated
    async def get(self) -> None:
        """The page, for who is signed in and has the scope that `_get` needs."""
        await self._get()

    async def _get(self) -> None:
        raise NotImplementedError

    def get_template(self, name: str, sync: bool = False) -> Any:  # noqa: FBT001, FBT002 - JupyterHub's
        """JupyterHub's, and a page that is long lets the event loop go on."""
        found = super().get_template(name, sync)
        return found if sync else InParts(found)

    async def show(self, status: InForceStatus, values: Mapping[str, Any], code: int = 200) -> None:
        """Answer with the page.

        Args:
            status: what is in force.
            values: for the template.
            code: the status of the answer.
        """
        scopes = self.parsed_scopes
        since = status.file.problem_since
        await compiled(self.settings["jinja2_env"])
        html = await self.render_template(
            f"gpuspawner/{self.template}.html",
            _=gettext,
            ngettext=ngettext,
            language=spoken(),
            status=status,
            has_catalog=self.hub_list.has_catalog,
            faults=_faults(status.effective),
            bad_since=f"{since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if since else "",
            can_write=WRITE in scopes and status.mode == "page" and status.effective is not None,
            has_write_scope=WRITE in scopes,
            can_read=READ in scopes,
            can_see_cluster=CLUSTER in scopes,
            **values,
        )
        self.set_status(code)
        self.set_header("Content-Language", spoken())
        self.finish(html)

    def number(self, name: str, otherwise: int = 1) -> int:
        """A whole number of the query or the form; what is none counts as left out."""
        return whole_number(self.get_argument(name, ""), otherwise)


def _faults(effective: Effective | None) -> tuple[PresentedRemark, ...]:
    if effective is None or not effective.problems:
        return ()
    slugs = [profile.slug for profile in effective.file.profiles]
    return present_faults(effective.problems, slugs)


def whole_number(text: str, otherwise: int) -> int:
    """A whole number of few digits, as people and forms write one."""
    is_one = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_one else otherwise


def revision_number(effective: Effective) -> int:
    """From which revision an edit starts; 0 for the file."""
    return effective.revision.number if effective.revision is not None else 0
