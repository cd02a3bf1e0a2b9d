"""The role of hub admins in a hub's configuration: added once, and never over the operator's."""

from __future__ import annotations

from typing import Any

import pytest
from jupyterhub.app import JupyterHub
from jupyterhub.scopes import scope_definitions
from traitlets.config import Config

import gpuspawner
from gpuspawner.hub.admin.rights import CLUSTER, READ, ROLE, WRITE

from .conftest import HERE

CATALOG = HERE / "catalog.yaml"
THEIRS = {"name": "theirs", "scopes": ["self"]}
OF_OUR_NAME = {"name": ROLE, "scopes": [READ], "groups": ["hpc-admins"]}


def roles_of(c: Config) -> list[dict[str, Any]]:
    """The roles that a hub would have of a configuration."""
    return list(JupyterHub.load_roles.validate(JupyterHub(), _merged(c)))


def _merged(c: Config) -> Any:
    given = c.JupyterHub.load_roles
    return given if isinstance(given, list) else given.get_value([])


@pytest.mark.parametrize("lazy", [True, False], ids=["appended to", "assigned"])
@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        pytest.param([THEIRS], ["theirs", ROLE], id="beside theirs"),
        pytest.param([OF_OUR_NAME], [ROLE], id="not where theirs has the name"),
    ],
)
def test_the_role_is_added_once(
    theirs: list[dict[str, Any]], expected: list[str], *, lazy: bool
) -> None:
    c = Config()
    if lazy:
        c.JupyterHub.load_roles.extend(theirs)
    else:
        c.JupyterHub.load_roles = list(theirs)
    gpuspawner.setup(c, CATALOG)
    gpuspawner.setup(c, CATALOG)
    found = roles_of(c)
    assert [role["name"] for role in found] == expected
    assert found[0] == theirs[0]


def test_what_the_operator_appends_later_stays() -> None:
    c = Config()
    gpuspawner.setup(c, CATALOG)
    c.JupyterHub.load_roles.append(THEIRS)
    assert [role["name"] for role in roles_of(c)] == [ROLE, "theirs"]


def test_the_role_names_nobody_which_a_sign_in_that_manages_roles_refuses() -> None:
    c = Config()
    gpuspawner.setup(c, CATALOG)
    [role] = roles_of(c)
    assert not role.keys() & {"users", "groups", "services"}
    assert role["scopes"] == [WRITE, CLUSTER]


def test_to_write_includes_to_read() -> None:
    assert scope_definitions[WRITE]["subscopes"] == [READ]
