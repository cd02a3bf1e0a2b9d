"""Who can sign in to the demo."""

from __future__ import annotations

import secrets
from typing import Any

from jupyterhub import orm
from jupyterhub.auth import Authenticator
from sqlalchemy.orm import object_session
from traitlets import Dict, Unicode


class DemoAuthenticator(Authenticator):  # type: ignore[misc] # JupyterHub has no types
    """Signs in the people of an example with one password; each comes with their groups."""

    people = Dict(config=True, help="Name to ``{groups: [...], admin: bool}``.")
    password = Unicode(config=True, help="The one password. Nobody signs in while it is empty.")

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """The person's name and groups, or None."""
        del handler
        person = self.people.get(data["username"])
        given = data["password"].encode()
        if person is None or not self.password:
            return None
        if not secrets.compare_digest(given, self.password.encode()):
            return None
        return {
            "name": data["username"],
            "groups": list(person.get("groups", [])),
            "admin": bool(person.get("admin", False)),
        }

    def add_user(self, user: Any) -> None:
        """Know a person's groups from the first, so that a preview tells of those yet to come.

        Args:
            user: of JupyterHub's database, when the hub begins; else one that signs in.
        """
        super().add_user(user)
        session = object_session(user) if isinstance(user, orm.User) else None
        if session is None or user.groups:
            return
        for name in self.people.get(user.name, {}).get("groups", []):
            group = orm.Group.find(session, name) or orm.Group(name=name)
            session.add(group)
            user.groups.append(group)
        session.commit()
