"""Who may see the access and change it, and see the cluster: scopes, and the admins' role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jupyterhub import orm, roles
from jupyterhub.scopes import define_custom_scopes
from jupyterhub.user import User

READ: Final = "custom:gpuspawner:access:read"
WRITE: Final = "custom:gpuspawner:access:write"
CLUSTER: Final = "custom:gpuspawner:cluster:read"
ROLE: Final = "gpuspawner-access-admin"

_SCOPES: Final = {
    WRITE: {
        "description": "See and change who may have which profile of gpuspawner.",
        "subscopes": [READ],
    },
    READ: {"description": "See who may have which profile of gpuspawner, and by which rule."},
    CLUSTER: {
        "description": "See the cluster's nodes, and who has what of gpuspawner's devices on which."
    },
}
_ROLE: Final = {
    "name": ROLE,
    "description": "Given by gpuspawner to the admins of the hub",
    "scopes": [WRITE, CLUSTER],
}


def define_scopes() -> None:
    """Make JupyterHub know our scopes, which a decorator of a handler needs; also twice."""
    define_custom_scopes(_SCOPES)


# A handler that names a scope cannot be imported before.
define_scopes()


def allow_hub_admins(c: Any) -> None:
    """Add the role for hub admins to a configuration, unless the operator has one of that name.

    It names nobody: JupyterHub refuses a role that does, where the sign-in manages roles.
    """
    given = c.JupyterHub.load_roles
    # Not a list as yet, where the operator appended to it: JupyterHub reads its configuration
    # twice, appends each time, and refuses a role that is defined twice.
    roles = list(given if isinstance(given, list | tuple) else given.get_value([]))
    if not any(_is_named_as_ours(role) for role in roles):
        roles.append(dict(_ROLE))
    c.JupyterHub.load_roles = roles


def _is_named_as_ours(role: object) -> bool:
    return isinstance(role, Mapping) and role.get("name") == ROLE


class WithAccessRole:
    """A handler of which hub admins have the role, and nobody else by us.

    JupyterHub's own "admin" role cannot be given other scopes, and no role can be given to whoever
    becomes an admin. So it is looked at when they come. A role of that name in the operator's
    configuration is left as it is.
    """

    # What JupyterHub's handlers have.
    current_user: Any
    db: Any
    app: Any

    def _resolve_roles_and_scopes(self) -> None:
        user = self.current_user
        if isinstance(user, User):
            self._keep_role_of(user)
        super()._resolve_roles_and_scopes()  # type: ignore[misc] # of the handler beside it

    def _keep_role_of(self, user: User) -> None:
        role = orm.Role.find(self.db, ROLE)
        if role is None or not _is_ours(role) or (role in user.orm_user.roles) == user.admin:
            return
        if user.admin:
            roles.grant_role(self.db, user.orm_user, role)
        else:
            roles.strip_role(self.db, user.orm_user, role)


def _is_ours(role: Any) -> bool:
    return bool(role.description == _ROLE["description"])
